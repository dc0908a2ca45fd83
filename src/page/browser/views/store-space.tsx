import type { ComponentChildren, JSX } from 'preact';
import { countOf, formatBytes, formatCount, formatPercent, formatRatio } from '../../../options/figures.ts';
import type { Usage } from '../../../store-index/usage.ts';
import { kindText } from '../../../views/artifact-texts.ts';
import type { CountedUse, StorageUse } from '../../../views/storage-use.ts';
import { useAnswer } from '../ask.ts';
import { FailureNote } from '../parts/failure.tsx';
import { IndexNote } from '../parts/index-note.tsx';
import { hrefOfPath } from '../parts/path-link.tsx';
import { Scrolls } from '../parts/scrolls.tsx';
import { hrefOf } from '../route.ts';

/** So many rows of a table are shown, the largest: of the index, and of what is stored. */
const MOST_SHARES = '200';
const MOST_ROWS = '500';

/** The level below the one of a path, as `stat` and `du` take it. */
export type Level = 'flow' | 'run' | 'artifact';

export const LEVELS: readonly Level[] = ['flow', 'run', 'artifact'];

/** The answer of `stowage du --json`. */
interface SpaceUse {
  entries: Usage[];
  isCut: boolean;
  total: Usage | null;
}

/** What stands at the head of a row. */
interface Named {
  children: ComponentChildren;
}

/** What a section is about: all flows, or one. */
interface Of {
  /** Empty for all. */
  flow: string;
  by: Level;
}

/**
 * What takes space, by the index, and then what is saved, for which all records are read: that is asked once the index has answered, or has
 * said why it does not, so that the first rows do not wait for it.
 */
export function Space({ flow, by }: Of): JSX.Element {
  const asked = { command: 'du', args: flow === '' ? [] : [flow], options: { by, limit: MOST_SHARES } };
  const { result, error, isLoading } = useAnswer<SpaceUse>(asked);
  return (
    <>
      <section>
        <h2>What takes space</h2>
        {isLoading && <p role="status">asking the index …</p>}
        <IndexNote error={error} />
        {result && <Shares by={by} {...result} />}
      </section>
      <Savings flow={flow} by={by} isAsked={!isLoading} />
    </>
  );
}

/** Bytes that are a row's own, and bytes that others have as well. */
function Shares({ by, entries, total, isCut }: Pick<Of, 'by'> & SpaceUse): JSX.Element {
  return (
    <>
      <Scrolls label="space" tall>
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
            {entries.map(({ name, ...use }) => (
              <ShareRow key={name} {...use}>
                <RowName by={by} name={name} path={name} />
              </ShareRow>
            ))}
            {total && <ShareRow {...total}>all</ShareRow>}
          </tbody>
        </table>
      </Scrolls>
      {isCut && <p class="quiet">Those that take most; more: stowage du --limit 99999</p>}
    </>
  );
}

function ShareRow({ children, ...use }: Omit<Usage, 'name'> & Named): JSX.Element {
  return (
    <tr>
      <th scope="row">{children}</th>
      <td class="number">{formatCount(use.attempts)}</td>
      <td class="number">{formatCount(use.artifacts)}</td>
      <td class="number">{formatBytes(use.bytes)}</td>
      <td class="number">{formatBytes(use.ownBytes)}</td>
      <td class="number">{formatBytes(use.sharedBytes)}</td>
    </tr>
  );
}

/** What is stored, and what deduplication and compression save of it. */
function Savings({ flow, by, isAsked }: Of & { isAsked: boolean }): JSX.Element {
  const asked = { command: 'stat', args: flow === '' ? [] : [flow], options: { by, limit: MOST_ROWS } };
  const { result, error } = useAnswer<CountedUse & { more?: number }>(isAsked ? asked : undefined);
  return (
    <section>
      <h2>What deduplication and compression save</h2>
      {!result && !error && <p role="status">counting, which reads all records …</p>}
      <FailureNote error={error} />
      {result && <Saved {...result.total} />}
      {result && (
        <Scrolls label="savings" tall>
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
                .map(({ name, ...use }) => (
                  <SavingsRow key={name} {...use}>
                    <RowName by={by} name={name} path={flow === '' ? name : `${flow}/${name}`} />
                  </SavingsRow>
                ))}
              <SavingsRow {...result.total}>all</SavingsRow>
            </tbody>
          </table>
        </Scrolls>
      )}
      {result?.more !== undefined && (
        <p class="quiet">{countOf(result.more, 'row')} more, each of which stores no more than these.</p>
      )}
      {result && result.kinds.length > 1 && <Kinds kinds={result.kinds} />}
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

function SavingsRow({ children, ...use }: StorageUse & Named): JSX.Element {
  return (
    <tr>
      <th scope="row">{children}</th>
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

/** What is kept beside artifacts, by its kind. */
function Kinds({ kinds }: Pick<CountedUse, 'kinds'>): JSX.Element {
  return (
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
          {kinds.map(({ kind, count, bytes, uniqueBytes, storedBytes }) => (
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
  );
}

/** A flow leads to its runs here, a run to itself. `path` is that of a run: `stat` names the runs of a flow without it, `du` with it. */
function RowName({ by, name, path }: { by: Level; name: string; path: string }): JSX.Element {
  if (by === 'artifact') return <>{name}</>;
  return <a href={by === 'flow' ? hrefOf('store', [], { flow: name }) : hrefOfPath(path)}>{name}</a>;
}
