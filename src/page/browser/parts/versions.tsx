import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { ageOf, formatBytes, formatDuration } from '../../../options/figures.ts';
import type { FoundAttempt } from '../../../store-index/find.ts';
import { shortKey } from '../../../views/artifact-texts.ts';
import type { Preview } from '../../../views/previews/shown.ts';
import { ask, type Failure, useAnswer } from '../ask.ts';
import { useAddress } from '../route.ts';
import { artifactHref } from './addresses.ts';
import { Chart } from './chart.tsx';
import { FailureNote } from './failure.tsx';
import { IndexNote } from './index-note.tsx';
import { leafOf, lineOfVersions, type Measure, measured, measuresOf, numberOf } from './measures.ts';
import { exact } from './plotted.ts';
import { Scrolls } from './scrolls.tsx';
import { Status } from './status.tsx';

/** So many versions are shown, the newest ones. */
const LIMIT = 60;
/** Their values are asked for, so many at once. */
const AT_ONCE = 4;

interface VersionsProps {
  flow: string;
  step: string;
  artifact: string;
  type: string;
  /** The attempt that is shown. */
  pathspec: string;
  /** Numbers in metadata of that attempt. */
  leaves: readonly string[];
}

/** The artifacts of one name that a step of a flow made in its runs, with a line of a number that is chosen. */
export function Versions({ flow, step, artifact, type, pathspec, leaves }: VersionsProps): JSX.Element {
  const measures = measuresOf(type, leaves);
  const [{ number }, setAddress] = useAddress(['number']);
  const measure = measures.find((one) => one === number) ?? (measures[0] as Measure);
  const leaf = leafOf(measure);
  const options = {
    ...{ artifact, step, limit: String(LIMIT) },
    ...(leaf === undefined ? {} : { metadata: leaf }),
  };
  const asked = { command: 'find', args: [flow], options };
  const { result, error, isLoading } = useAnswer<{ attempts: FoundAttempt[]; isCut: boolean }>(asked);
  const found = result?.attempts ?? [];
  const { values, error: unread } = useValues(found, artifact, measure === 'value');
  const versions = useMemo(
    () => found.map((one) => ({ ...one, number: measured(measure, artifact, one, values) })),
    [result, values, measure],
  );
  const plotted = useMemo(() => lineOfVersions(measure, [...versions].reverse()), [versions]);
  return (
    <>
      <p>
        <label>
          Number{' '}
          <select
            value={measure}
            onChange={({ currentTarget }) => setAddress({ number: currentTarget.value })}
          >
            {measures.map((one) => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
          </select>
        </label>
      </p>
      {isLoading && <p role="status">asking the index …</p>}
      <IndexNote error={error} />
      <FailureNote error={unread} />
      {result && found.length === 0 && <p class="quiet">The index has none with this number.</p>}
      {plotted && (
        <Chart plotted={plotted} label={`${measure} of ${artifact} over runs; the table has the numbers`} />
      )}
      {found.length > 0 && (
        <Scrolls label="versions" tall>
          <table>
            <thead>
              <tr>
                <th>Run</th>
                <th>Task</th>
                <th>Status</th>
                <th class="number">{leaf ?? measure}</th>
                <th class="number">Size</th>
                <th>Digest</th>
                <th>Started</th>
              </tr>
            </thead>
            <tbody>
              {versions.map(({ run, task, status, startedAt, artifacts, number, ...one }) => (
                <tr key={one.pathspec} aria-current={one.pathspec === pathspec ? 'true' : undefined}>
                  <td>
                    <a href={artifactHref(one.pathspec, artifact)}>{run}</a>
                    {one.pathspec === pathspec && <span class="quiet"> (this one)</span>}
                  </td>
                  <td>{task}</td>
                  <td>
                    <Status status={status} />
                  </td>
                  <td class="number">{number === undefined ? '' : textOf(measure, number)}</td>
                  <td class="number">{artifacts[0] && formatBytes(artifacts[0].bytes)}</td>
                  <td class="digest">{artifacts[0] && shortKey(artifacts[0].key)}</td>
                  <td title={startedAt}>{startedAt && ageOf(startedAt)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scrolls>
      )}
      {result?.isCut && <p class="quiet">The newest {LIMIT}; there are more.</p>}
    </>
  );
}

function textOf(measure: Measure, number: number): string {
  if (measure === 'size') return formatBytes(number);
  return measure === 'time' ? formatDuration(number) : exact(number);
}

/** The values of scalars by the pathspecs of their attempts, which the index has not, and the first failure to read one. */
function useValues(
  found: readonly FoundAttempt[],
  artifact: string,
  isWanted: boolean,
): { values: ReadonlyMap<string, number>; error: Failure | undefined } {
  const [read, setRead] = useState<ReturnType<typeof useValues>>({ values: new Map(), error: undefined });
  const paths = found.map(({ pathspec }) => pathspec);
  useEffect(() => {
    if (!isWanted) return;
    const ending = new AbortController();
    const { signal } = ending;
    const waiting = [...paths];
    const values = new Map<string, number>();
    let failure: Failure | undefined;
    const work = async (): Promise<void> => {
      for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
        const { result, error } = await ask<Preview>({ command: 'preview', args: [path, artifact] }, signal);
        failure ??= error && {
          ...error,
          message: `The number of ${path} could not be read: ${error.message}`,
        };
        const number = result?.kind === 'json' ? numberOf(result.value) : undefined;
        if (number !== undefined) values.set(path, number);
      }
    };
    Promise.all(Array.from({ length: AT_ONCE }, work)).then(
      () => setRead({ values, error: failure }),
      (reason: unknown) => {
        if (!signal.aborted) throw reason;
      },
    );
    return () => ending.abort();
  }, [paths.join('\n'), isWanted]);
  return read;
}
