import type { JSX } from 'preact';
import type { KeyDifference } from '../../../cache/explain-keys.ts';
import { ageOf, formatBytes, formatCount, formatDuration } from '../../../options/figures.ts';
import type { CacheFigures } from '../../../store-index/cache-figures.ts';
import type { EntryView } from '../../../views/cache-entries.ts';
import type { EntryDetails } from '../../../views/cache-entry.ts';
import { type Failure, useAnswer } from '../ask.ts';
import { usePages } from '../pages.ts';
import { FailureNote } from '../parts/failure.tsx';
import { FiguresNote } from '../parts/figures-note.tsx';
import { PathLink } from '../parts/path-link.tsx';
import { Scrolls } from '../parts/scrolls.tsx';
import { hrefOf, type Route } from '../route.ts';

/** So many entries are asked for at once. */
const AT_ONCE = '200';

interface Tally {
  entries: number;
  durationMs: number;
  bytes: number;
  entryBytes: number;
  oldestAt: string | null;
  newestAt: string | null;
  /** Of a task that the index has results of. */
  figures?: Omit<CacheFigures, 'task'>;
}

/** The answer of `stowage cache stats --figures --json`. */
interface Stats {
  total: Tally;
  tasks: ({ task: string } & Tally)[];
  caughtUpAt?: string;
  /** Why the index was not asked. */
  figuresFailure?: Failure;
}

/** The entries of the cache, or one of them. */
export function CacheView(route: Route): JSX.Element {
  const [key] = route.path;
  return key === undefined ? <Entries {...route} /> : <Entry cacheKey={key} />;
}

function Entries({ query }: Route): JSX.Element {
  const { task = '' } = query;
  // The index as it is: one that is not there is not made, and entries need not be read again for one that is caught up.
  const stats = useAnswer<Stats>({ command: 'cache stats', options: { figures: true, 'no-update': true } });
  const { total, tasks = [], caughtUpAt, figuresFailure } = stats.result ?? {};
  const asked = { command: 'cache ls', options: { limit: AT_ONCE, ...(task === '' ? {} : { task }) } };
  // Both read all entries: the sums are there before the list, as neither would be if both were asked for at once.
  const listed = usePages<{ matching: number; entries: EntryView[]; next?: number }>(
    stats.isLoading ? undefined : asked,
  );
  // An entry that was made meanwhile moves those behind it, so that one of them comes again.
  const entries = new Map(listed.pages.flatMap((page) => page.entries).map((entry) => [entry.key, entry]));
  const left = (listed.pages.at(-1)?.matching ?? 0) - entries.size;
  return (
    <>
      <h1>Cache</h1>
      <FailureNote
        error={stats.error?.code === 'INDEX_NOT_READY' ? listed.error : (stats.error ?? listed.error)}
      />
      {stats.isLoading && <p role="status">counting entries …</p>}
      {total?.entries === 0 && <p>The cache has no entries yet: calls of cached tasks make them.</p>}
      {total && (total.entries > 0 || tasks.length > 0) && (
        <section>
          <h2>By task</h2>
          <Scrolls label="entries by task">
            <table>
              <thead>
                <tr>
                  <th scope="col">Task</th>
                  <th scope="col" class="number">
                    Entries
                  </th>
                  <th scope="col" class="number">
                    Took to make
                  </th>
                  <th scope="col" class="number">
                    Size
                  </th>
                  <th scope="col">Oldest</th>
                  <th scope="col">Newest</th>
                  {total.figures &&
                    ['Hits', 'Misses', 'Saved'].map((name) => (
                      <th key={name} scope="col" class="number">
                        {name}
                      </th>
                    ))}
                </tr>
              </thead>
              <tbody>
                {tasks.map((one) => (
                  <TallyRow
                    key={one.task}
                    name={one.task}
                    isChosen={one.task === task}
                    hasFigures={total.figures !== undefined}
                    {...one}
                  />
                ))}
                <TallyRow
                  name=""
                  isChosen={task === ''}
                  hasFigures={total.figures !== undefined}
                  {...total}
                />
              </tbody>
            </table>
          </Scrolls>
          {figuresFailure?.code === 'INDEX_NOT_READY' && (
            <FiguresNote what="Hits, misses and the time that hits saved" error={figuresFailure} />
          )}
          {total.figures && (
            <p class="foot quiet">
              Hits, misses and the time that hits saved are those of runs, as the index tells
              {caughtUpAt !== undefined && `, which was caught up ${ageOf(caughtUpAt)}`}.
            </p>
          )}
        </section>
      )}
      {!stats.isLoading && listed.isLoading && entries.size === 0 && <p role="status">reading entries …</p>}
      {entries.size > 0 && (
        <section>
          <h2>{task === '' ? 'Newest entries' : `Entries of ${task}`}</h2>
          <Scrolls label="entries">
            <table>
              <thead>
                <tr>
                  <th scope="col">Key</th>
                  <th scope="col">Task</th>
                  <th scope="col">Version</th>
                  <th scope="col">Status</th>
                  <th scope="col">Stored</th>
                  <th scope="col" class="number">
                    Took
                  </th>
                  <th scope="col" class="number">
                    Size
                  </th>
                  <th scope="col">Made by</th>
                </tr>
              </thead>
              <tbody>
                {[...entries.values()].map((entry) => (
                  <EntryRow key={entry.key} entry={entry} />
                ))}
              </tbody>
            </table>
          </Scrolls>
          {listed.more && (
            <p>
              <button type="button" onClick={listed.more}>
                {formatCount(left)} more
              </button>
            </p>
          )}
        </section>
      )}
    </>
  );
}

function TallyRow({
  name,
  isChosen,
  hasFigures,
  figures,
  ...tally
}: Tally & { name: string; isChosen: boolean; hasFigures: boolean }): JSX.Element {
  return (
    <tr>
      <th scope="row">
        <a href={hrefOf('cache', [], { task: name })} aria-current={isChosen ? 'true' : undefined}>
          {name === '' ? 'all' : name}
        </a>
      </th>
      <td class="number">{formatCount(tally.entries)}</td>
      <td class="number">{formatDuration(tally.durationMs)}</td>
      <td class="number">{formatBytes(tally.bytes)}</td>
      <td>{tally.oldestAt && ageOf(tally.oldestAt)}</td>
      <td>{tally.newestAt && ageOf(tally.newestAt)}</td>
      {hasFigures && (
        <>
          <td class="number">{figures && formatCount(figures.hits)}</td>
          <td class="number">{figures && formatCount(figures.misses)}</td>
          <td class="number">{figures && formatDuration(figures.savedMs)}</td>
        </>
      )}
    </tr>
  );
}

function EntryRow({ entry }: { entry: EntryView }): JSX.Element {
  const { key, task, version, status, createdAt, durationMs, bytes, attempt } = entry;
  return (
    <tr>
      <th scope="row">
        <a class="digest" href={hrefOf('cache', [key])}>
          {key.slice(0, 12)}
        </a>
      </th>
      <td>{task}</td>
      <td>{version}</td>
      <td>
        <span class={`status ${status === 'live' ? 'done' : 'failed'}`}>{status}</span>
      </td>
      <td title={createdAt}>{ageOf(createdAt)}</td>
      <td class="number">{durationMs === undefined ? '' : formatDuration(durationMs)}</td>
      <td class="number">{bytes === undefined ? '' : formatBytes(bytes)}</td>
      <td>{attempt && <PathLink path={attempt} />}</td>
    </tr>
  );
}

function Entry({ cacheKey }: { cacheKey: string }): JSX.Element {
  const { result, error, isLoading } = useAnswer<EntryDetails>({ command: 'cache show', args: [cacheKey] });
  const { madeOf, artifacts = [] } = result ?? {};
  return (
    <>
      <h1>
        Cache entry <span class="digest">{cacheKey.slice(0, 12)}</span> {result?.task}
      </h1>
      {isLoading && <p role="status">reading …</p>}
      <FailureNote error={error} />
      {result && (
        <dl class="facts">
          <Fact name="a lookup says">{result.status}</Fact>
          <Fact name="key">
            <span class="digest">{result.key}</span>
          </Fact>
          <Fact name="version">{result.version}</Fact>
          <Fact name="scope">{result.scope}</Fact>
          <Fact name="stored">{`${ageOf(result.createdAt)} (${result.createdAt})`}</Fact>
          <Fact name="expires">{result.expiresAt}</Fact>
          <Fact name="took to make">
            {result.durationMs === undefined ? undefined : formatDuration(result.durationMs)}
          </Fact>
          <Fact name="made by">{result.attempt && <PathLink path={result.attempt} />}</Fact>
          <Fact name="signed by">{result.signedBy}</Fact>
          <Fact name="gone">{result.lost && (result.lost.artifact ?? result.lost.name)}</Fact>
        </dl>
      )}
      {result && !error && <Explanation cacheKey={cacheKey} />}
      {madeOf && (
        <section>
          <h2>What its key is made of</h2>
          <Scrolls label="parts of the key">
            <table>
              <thead>
                <tr>
                  <th scope="col">Part</th>
                  <th scope="col">Text or digest</th>
                </tr>
              </thead>
              <tbody>
                {Object.entries(madeOf.parts).map(([part, value]) => (
                  <tr key={part}>
                    <th scope="row">{part}</th>
                    <td class="digest">{typeof value === 'string' ? value : JSON.stringify(value)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scrolls>
        </section>
      )}
      {artifacts.length > 0 && (
        <section>
          <h2>Artifacts</h2>
          <ul>
            {artifacts.map(({ name, type, bytes }) => (
              <li key={name}>
                {name}: {type}, {formatBytes(bytes)}
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

/** Tells why the call of this entry did not find another one's result. */
function Explanation({ cacheKey }: { cacheKey: string }): JSX.Element {
  const { result, error, isLoading } = useAnswer<{
    a: EntryView;
    b: EntryView;
    among?: number;
    same: string[];
    differences: KeyDifference[];
  }>({ command: 'cache explain', args: [cacheKey] });
  const isAlone = error?.code === 'NO_SUCH_ENTRY';
  return (
    <section>
      <h2>Why it was a miss when it was called</h2>
      {isLoading && <p role="status">comparing with the other entries …</p>}
      {isAlone ? (
        <p>It is the only entry of its task: there was nothing to find.</p>
      ) : (
        <FailureNote error={error} />
      )}
      {result && (
        <>
          <p>
            The nearest entry was{' '}
            <a class="digest" href={hrefOf('cache', [result.a.key])}>
              {result.a.key.slice(0, 12)}
            </a>
            , stored {ageOf(result.a.createdAt)}.
          </p>
          <ul>
            {result.differences.map(({ path, message }) => (
              <li key={path}>{message}</li>
            ))}
          </ul>
          <p class="quiet">The same: {result.same.join(', ')}.</p>
        </>
      )}
    </section>
  );
}

function Fact({
  name,
  children,
}: {
  name: string;
  children?: JSX.Element | string | undefined | '';
}): JSX.Element | null {
  if (children === undefined || children === '') return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
