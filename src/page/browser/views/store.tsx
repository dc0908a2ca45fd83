import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Finding } from '../../../maintenance/fsck/finding.ts';
import { countOf, formatBytes, formatCount, formatPercent, formatRatio } from '../../../options/figures.ts';
import { kindText } from '../../../views/artifact-texts.ts';
import type { CountedUse, StorageUse } from '../../../views/storage-use.ts';
import { useAnswer } from '../ask.ts';
import { usePages } from '../pages.ts';
import { FailureNote } from '../parts/failure.tsx';
import { IndexNote } from '../parts/index-note.tsx';
import { hrefOfPath } from '../parts/path-link.tsx';
import { Scrolls } from '../parts/scrolls.tsx';
import { hrefOf, type Route } from '../route.ts';

/** So many rows of a table are shown, the largest, and so many findings. */
const MOST_ROWS = '500';
const MOST_FINDINGS = '200';
/** So many published names are asked for at once. */
const PUBLISHED_AT_ONCE = '200';

/** The level below the one of a path, as `stat` and `du` take it. */
type Level = 'flow' | 'run' | 'artifact';

const LEVELS: readonly Level[] = ['flow', 'run', 'artifact'];

/** The answer of `stowage du --json`. */
interface Usage {
  entries: UsageRow[];
  isCut: boolean;
  total: Omit<UsageRow, 'name'> | null;
}

interface UsageRow {
  name: string;
  attempts: number;
  artifacts: number;
  bytes: number;
  ownBytes: number;
  sharedBytes: number;
}

/** Space, and what would be freed; the soundness of the store. What reads a whole store is asked for by a button. */
export function StoreView({ query }: Route): JSX.Element {
  const flow = query.flow ?? '';
  const by = LEVELS.find((level) => level === query.by) ?? (flow === '' ? 'flow' : 'run');
  return (
    <>
      <h1>Store{flow && `: ${flow}`}</h1>
      <nav class="choices" aria-label="what each row counts">
        by
        {LEVELS.map((level) => (
          <a
            key={level}
            href={hrefOf('store', [], { flow, by: level })}
            aria-current={level === by ? 'true' : undefined}
          >
            {level}
          </a>
        ))}
        {flow && <a href={hrefOf('store')}>all flows</a>}
      </nav>
      <Space flow={flow} by={by} />
      <Shares flow={flow} by={by} />
      <Published />
      <OnDemand title="What retention would free" button="Plan it (reads all records)">
        {() => <Retention />}
      </OnDemand>
      <OnDemand title="Soundness" button="Check records (reads all records, no content)">
        {() => <Check />}
      </OnDemand>
    </>
  );
}

function OnDemand({
  title,
  button,
  children,
}: {
  title: string;
  button: string;
  children: () => JSX.Element;
}): JSX.Element {
  const [isAsked, ask] = useState(false);
  return (
    <section>
      <h2>{title}</h2>
      {isAsked ? (
        children()
      ) : (
        <button type="button" onClick={() => ask(true)}>
          {button}
        </button>
      )}
    </section>
  );
}

/** What is kept, what deduplication and compression save. */
function Space({ flow, by }: { flow: string; by: Level }): JSX.Element {
  const asked = { command: 'stat', args: flow === '' ? [] : [flow], options: { by, limit: MOST_ROWS } };
  const { result, error, isLoading } = useAnswer<CountedUse & { more?: number }>(asked);
  return (
    <section>
      <h2>What takes space</h2>
      {isLoading && <p role="status">counting …</p>}
      <FailureNote error={error} />
      {result && <Saved {...result.total} />}
      {result && (
        <Scrolls label="space" tall>
          <table>
            <thead>
              <tr>
                <th scope="col">{by}</th>
                {['Runs', 'Tasks', 'Artifacts', 'Size', 'Unique', 'Stored', 'Dedup', 'Compression'].map(
                  (name) => (
                    <th key={name} scope="col" class="number">
                      {name}
                    </th>
                  ),
                )}
              </tr>
            </thead>
            <tbody>
              {[...result.entries]
                .sort((a, b) => b.storedBytes - a.storedBytes)
                .map((entry) => (
                  <SpaceRow key={entry.name} by={by} flow={flow} {...entry} />
                ))}
              <SpaceRow by={by} flow={flow} {...result.total} name="" />
            </tbody>
          </table>
        </Scrolls>
      )}
      {result?.more !== undefined && (
        <p class="quiet">{countOf(result.more, 'row')} more, each of which stores no more than these.</p>
      )}
      {result && result.kinds.length > 1 && (
        <Scrolls label="space by kind">
          <table>
            <thead>
              <tr>
                <th scope="col">Kind</th>
                {['Count', 'Size', 'Unique', 'Stored'].map((name) => (
                  <th key={name} scope="col" class="number">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {result.kinds.map(({ kind, count, bytes, uniqueBytes, storedBytes }) => (
                <tr key={kind}>
                  <th scope="row">{kindText(kind)}</th>
                  <td class="number">{formatCount(count)}</td>
                  <td class="number">{formatBytes(bytes)}</td>
                  <td class="number">{formatBytes(uniqueBytes)}</td>
                  <td class="number">{formatBytes(storedBytes)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scrolls>
      )}
    </section>
  );
}

/** Stored bytes beside saved ones, in a sentence. */
function Saved({ bytes, storedBytes, storedRatio, artifacts, ...saved }: StorageUse): JSX.Element {
  return (
    <p>
      {countOf(artifacts, 'artifact')} of {formatBytes(bytes)} take {formatBytes(storedBytes)} (
      {storedRatio === null ? '-' : formatPercent(storedRatio, 1)}): deduplication saves{' '}
      {formatBytes(saved.savedByDedup)}, compression {formatBytes(saved.savedByCompression)}.
    </p>
  );
}

function SpaceRow({
  by,
  flow,
  name,
  ...use
}: StorageUse & { by: Level; flow: string; name: string }): JSX.Element {
  return (
    <tr>
      <th scope="row">{name === '' ? 'all' : <RowName by={by} flow={flow} name={name} />}</th>
      <td class="number">{formatCount(use.runs)}</td>
      <td class="number">{formatCount(use.tasks)}</td>
      <td class="number">{formatCount(use.artifacts)}</td>
      <td class="number">{formatBytes(use.bytes)}</td>
      <td class="number">{formatBytes(use.uniqueBytes)}</td>
      <td class="number">{formatBytes(use.storedBytes)}</td>
      <td class="number">{formatRatio(use.dedupRatio)}</td>
      <td class="number">{formatRatio(use.compressionRatio)}</td>
    </tr>
  );
}

/** A flow leads to its runs here, a run to itself. */
function RowName({ by, flow, name }: { by: Level; flow: string; name: string }): JSX.Element {
  if (by === 'artifact') return <>{name}</>;
  if (by === 'flow') return <a href={hrefOf('store', [], { flow: name })}>{name}</a>;
  return <a href={hrefOfPath(flow === '' ? name : `${flow}/${name}`)}>{name}</a>;
}

/** Bytes that are a row's own, and bytes that others have as well: of the index. */
function Shares({ flow, by }: { flow: string; by: Level }): JSX.Element {
  const asked = { command: 'du', args: flow === '' ? [] : [flow], options: { by, limit: '200' } };
  const { result, error, isLoading } = useAnswer<Usage>(asked);
  return (
    <section>
      <h2>Own and shared</h2>
      {isLoading && <p role="status">asking the index …</p>}
      <IndexNote error={error} />
      {result && (
        <Scrolls label="own and shared bytes" tall>
          <table>
            <thead>
              <tr>
                <th scope="col">{by}</th>
                {['Attempts', 'Artifacts', 'Size', 'Own', 'Shared'].map((name) => (
                  <th key={name} scope="col" class="number">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {result.entries.map(({ name, attempts, artifacts, bytes, ownBytes, sharedBytes }) => (
                <tr key={name}>
                  <th scope="row">
                    <RowName by={by} flow={flow} name={name} />
                  </th>
                  <td class="number">{formatCount(attempts)}</td>
                  <td class="number">{formatCount(artifacts)}</td>
                  <td class="number">{formatBytes(bytes)}</td>
                  <td class="number">{formatBytes(ownBytes)}</td>
                  <td class="number">{formatBytes(sharedBytes)}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {result.isCut && <p class="quiet">Those that take most; all: stowage du --limit all</p>}
        </Scrolls>
      )}
    </section>
  );
}

/** The latest version of each name. */
function Published(): JSX.Element | null {
  const options = { limit: PUBLISHED_AT_ONCE };
  const { pages, error, more } = usePages<{ published: PublishedRow[]; next?: number }>({
    command: 'published',
    options,
  });
  const rows = pages.flatMap(({ published }) => published);
  if (rows.length === 0 && error === undefined) return null;
  return (
    <section>
      <h2>Published versions</h2>
      <FailureNote error={error} />
      <Scrolls label="published versions">
        <table>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col" class="number">
                Latest
              </th>
              <th scope="col">From</th>
              <th scope="col">Description</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ name, version, source, description }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td class="number">{version}</td>
                <td>{source && <a href={hrefOfPath(source)}>{source}</a>}</td>
                <td>{description}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scrolls>
      {more && (
        <p>
          <button type="button" onClick={more}>
            More
          </button>
        </p>
      )}
    </section>
  );
}

interface PublishedRow {
  name: string;
  version: number;
  source?: string;
  description?: string;
}

/** The answer of `stowage gc --json` without `--yes`, as far as it is shown. */
interface Plan {
  plan?: {
    runs: { flow: string; run: string; status: string; freedBytes: number; why?: string }[];
    /** The number of others. */
    more?: number;
    total: { freedBytes: number };
    deletesEverything: boolean;
  };
  collection: { condemned: Readonly<Record<string, number>>; condemnedBytes: number };
}

function Retention(): JSX.Element {
  const { result, error, isLoading } = useAnswer<Plan>({ command: 'gc', options: { limit: MOST_ROWS } });
  if (isLoading) return <p role="status">reading all records …</p>;
  const { plan, collection } = result ?? {};
  return (
    <>
      <FailureNote error={error} />
      {collection && (
        <p>
          Nothing refers to {formatBytes(collection.condemnedBytes)} any more
          {plan && `, and the runs that the policy gives up free ${formatBytes(plan.total.freedBytes)}`}. To
          delete it: <code>stowage gc --yes</code>
        </p>
      )}
      {result && !plan && (
        <p class="quiet">The store has no policy, so that no run goes: stowage policy set.</p>
      )}
      {plan && plan.runs.length > 0 && (
        <Scrolls label="runs that would go" tall>
          <table>
            <thead>
              <tr>
                <th scope="col">Run</th>
                <th scope="col">Status</th>
                <th scope="col" class="number">
                  Frees
                </th>
              </tr>
            </thead>
            <tbody>
              {plan.runs.map(({ flow, run, status, freedBytes }) => (
                <tr key={`${flow}/${run}`}>
                  <th scope="row">
                    <a href={hrefOf('run', [flow, run])}>
                      {flow}/{run}
                    </a>
                  </th>
                  <td>{status}</td>
                  <td class="number">{formatBytes(freedBytes)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scrolls>
      )}
      {plan?.more !== undefined && <p class="quiet">{countOf(plan.more, 'more run')} would go.</p>}
    </>
  );
}

function Check(): JSX.Element {
  const { result, error, isLoading } = useAnswer<{
    findings: Finding[];
    more?: number;
    summary: { isSound: boolean; isComplete: boolean; objects: number };
  }>({ command: 'fsck', options: { quick: true, limit: MOST_FINDINGS } });
  if (isLoading) return <p role="status">checking …</p>;
  return (
    <>
      {!result && <FailureNote error={error} />}
      {result && (
        <p>
          <span class={result.summary.isSound ? 'status done' : 'status failed'}>
            {result.summary.isSound ? 'Sound' : 'Not sound'}
          </span>
          ; looked at {countOf(result.summary.objects, 'object')}. Contents were not read:{' '}
          <code>stowage fsck</code> does.
        </p>
      )}
      {result && result.findings.length > 0 && (
        <ul>
          {result.findings.map(({ severity, problem, object, message }) => (
            <li key={`${problem} ${object}`}>
              <strong class={severity === 'notice' ? 'quiet' : 'failure'}>{severity}</strong> {message}
            </li>
          ))}
        </ul>
      )}
      {result?.more !== undefined && <p class="quiet">{countOf(result.more, 'more finding')}</p>}
    </>
  );
}
