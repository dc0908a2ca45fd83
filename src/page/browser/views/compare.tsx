import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ageOf, countOf, formatBytes, formatDuration } from '../../../options/figures.ts';
import type {
  BriefComparisonJson,
  ChangesJson,
  ComparisonJson,
  TaskDiffJson,
} from '../../../views/comparison-json.ts';
import type { RunView } from '../../../views/runs.ts';
import { useAnswer } from '../ask.ts';
import { FailureNote } from '../parts/failure.tsx';
import { PathLink } from '../parts/path-link.tsx';
import { Scrolls } from '../parts/scrolls.tsx';
import { Status } from '../parts/status.tsx';
import { goTo, hrefOf, type Route } from '../route.ts';
import { ChangeTable, Details, hasDetails, summaryOf } from './compare-values.tsx';

/** So many tasks that differ are shown. */
const MOST_TASKS = '200';
/** Of more values, what differs in each is folded away at first. */
const MOST_OPEN = 12;

/** Two runs, steps or tasks side by side: parameters, metadata, artifacts, and what is in them. */
export function CompareView({ query }: Route): JSX.Element {
  const { a = '', b = '' } = query;
  const isAsked = a !== '' && b !== '';
  // What two runs tell of themselves does not wait for their tasks, of which there may be very many.
  const areRuns = isAsked && isRun(a) && isRun(b);
  const inBrief = { command: 'diff', args: [a, b], options: { brief: true as const } };
  const brief = useAnswer<BriefComparisonJson>(areRuns ? inBrief : undefined);
  const asked = { command: 'diff', args: [a, b], options: { details: true as const, tasks: MOST_TASKS } };
  const isNext = isAsked && !brief.isLoading;
  const { result, error = brief.error } = useAnswer<ComparisonJson>(isNext ? asked : undefined);
  const isLoading = isAsked && !result && !error;
  const both = result ?? brief.result;
  const changes = result?.run ?? brief.result?.run;
  return (
    <>
      <h1>Compare</h1>
      <Chooser a={a} b={b} />
      <FailureNote error={error} />
      {both && (
        <p>
          <span class="removed">−</span> <PathLink path={both.a} /> <span class="added">+</span>{' '}
          <PathLink path={both.b} />
        </p>
      )}
      {changes && <Runs runs={brief.result?.runs} changes={changes} />}
      {isLoading && <p role="status">{both ? 'comparing tasks …' : 'comparing …'}</p>}
      {result && <Shown {...result} />}
    </>
  );
}

/** `Train/r1`, `Train/latest/` */
function isRun(path: string): boolean {
  return /^[^/]+\/[^/]+\/?$/.test(path);
}

function Chooser(given: { a: string; b: string }): JSX.Element {
  const [a, setA] = useState(given.a);
  const [b, setB] = useState(given.b);
  // Another address; what has the focus keeps it.
  useEffect(() => {
    setA(given.a);
    setB(given.b);
  }, [given.a, given.b]);
  const compare = (event: Event): void => {
    event.preventDefault();
    goTo(hrefOf('compare', [], { a: a.trim(), b: b.trim() }));
  };
  return (
    <form class="chooser" onSubmit={compare}>
      <label>
        from{' '}
        <input value={a} onInput={(event) => setA(event.currentTarget.value)} placeholder="Train/latest" />
      </label>
      <label>
        to <input value={b} onInput={(event) => setB(event.currentTarget.value)} placeholder="Train/r8" />
      </label>
      <button type="submit" disabled={a.trim() === '' || b.trim() === ''}>
        Compare
      </button>
      <button type="button" onClick={() => goTo(hrefOf('compare', [], { a: b, b: a }))}>
        Swap
      </button>
    </form>
  );
}

/** What two runs tell of themselves, beside each other, and what differs of it. */
function Runs({
  runs,
  changes,
}: {
  runs: BriefComparisonJson['runs'] | undefined;
  changes: ChangesJson;
}): JSX.Element {
  return (
    <section>
      <h2>Run</h2>
      {runs && (
        <Scrolls label="both runs">
          <table class="sides">
            <thead>
              <tr>
                <th />
                <th scope="col">From</th>
                <th scope="col">To</th>
              </tr>
            </thead>
            <tbody>
              {RUN_ROWS.map(([name, cell]) => (
                <tr key={name}>
                  <th scope="row">{name}</th>
                  <td>{cell(runs.a)}</td>
                  <td>{cell(runs.b)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scrolls>
      )}
      {changes.total > 0 && <ChangeTable label="changes of the run" {...changes} />}
      {changes.total === 0 && <p class="quiet">Parameters, tags, parents and status are equal.</p>}
    </section>
  );
}

const RUN_ROWS: readonly [string, (run: RunView) => JSX.Element | string][] = [
  ['status', ({ status }) => <Status status={status} />],
  ['made', ({ createdAt }) => createdAt && `${ageOf(createdAt)} (${createdAt})`],
  ['took', ({ durationMs }) => (durationMs === undefined ? '' : formatDuration(durationMs))],
  ['tags', ({ tags }) => tags.join(', ')],
];

function Shown({ different, same, tasks, more = 0 }: ComparisonJson): JSX.Element {
  const artifacts = tasks.flatMap((task) => task.artifacts);
  const detailed = artifacts.filter(({ how }) => how && hasDetails(how)).length;
  return (
    <>
      {!different && <p>Their artifacts are equal.</p>}
      {same !== undefined && same > 0 && <p class="quiet same">{countOf(same, 'task')} the same.</p>}
      {tasks.map((task) => (
        <TaskPart key={`${task.a?.path} ${task.b?.path}`} isOpen={detailed <= MOST_OPEN} {...task} />
      ))}
      {more > 0 && <p class="quiet">{countOf(more, 'more task')} differ.</p>}
    </>
  );
}

function TaskPart({ isOpen, ...task }: TaskDiffJson & { isOpen: boolean }): JSX.Element {
  const { a, b, change, same, artifacts, metadata, error } = task;
  const status = a && b && a.status !== b.status ? `${a.status} → ${b.status}` : (b ?? a)?.status;
  return (
    <section>
      <h2>
        {a && <PathLink path={a.path} />}
        {a && b && ' → '}
        {b && <PathLink path={b.path} />} <span class={change}>{change === 'changed' ? '' : change}</span>{' '}
        <span class="quiet">
          {status}
          {same > 0 && `, ${countOf(same, 'artifact')} the same`}
        </span>
      </h2>
      {artifacts.length > 0 && (
        <Scrolls label="artifacts that differ">
          <table>
            <thead>
              <tr>
                <th scope="col">Artifact</th>
                <th scope="col">Change</th>
                <th scope="col" class="number">
                  Size
                </th>
                <th scope="col">Type</th>
                <th scope="col">How</th>
              </tr>
            </thead>
            <tbody>
              {artifacts.map((one) => (
                <tr key={one.name}>
                  <th scope="row">{one.name}</th>
                  <td class={one.change}>{one.change}</td>
                  <td class="number">
                    {fromTo(one.a && formatBytes(one.a.bytes), one.b && formatBytes(one.b.bytes))}
                  </td>
                  <td>{fromTo(one.a?.type, one.b?.type)}</td>
                  <td class="how">{one.how && summaryOf(one.how)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scrolls>
      )}
      {artifacts.map(
        ({ name, how }) =>
          how &&
          hasDetails(how) && (
            <details key={name} class="of-value" open={isOpen}>
              <summary>
                <h3>{name}</h3>
              </summary>
              <Details name={name} how={how} />
            </details>
          ),
      )}
      {error.total > 0 && (
        <>
          <h3>Error</h3>
          <ChangeTable label="changes of the error" {...error} />
        </>
      )}
      {metadata.total > 0 && (
        <>
          <h3>Metadata</h3>
          <ChangeTable label="changes of metadata" {...metadata} />
        </>
      )}
    </section>
  );
}

/** `a -> b`, or the one that there is, or that both are. */
function fromTo(a: string | undefined, b: string | undefined): string {
  if (a === undefined || b === undefined || a === b) return b ?? a ?? '';
  return `${a} → ${b}`;
}
