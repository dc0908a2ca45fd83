import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { countOf, formatBytes } from '../../../options/figures.ts';
import type { ComparisonJson, TaskDiffJson } from '../../../views/comparison-json.ts';
import { useAnswer } from '../ask.ts';
import { FailureNote } from '../parts/failure.tsx';
import { PathLink } from '../parts/path-link.tsx';
import { Scrolls } from '../parts/scrolls.tsx';
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
  const asked = { command: 'diff', args: [a, b], options: { details: true as const, tasks: MOST_TASKS } };
  const { result, error, isLoading } = useAnswer<ComparisonJson>(isAsked ? asked : undefined);
  return (
    <>
      <h1>Compare</h1>
      <Chooser a={a} b={b} />
      {isAsked && isLoading && <p role="status">comparing …</p>}
      <FailureNote error={error} />
      {result && <Shown {...result} />}
    </>
  );
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

function Shown({ a, b, kind, different, run, same, tasks, more = 0 }: ComparisonJson): JSX.Element {
  const artifacts = tasks.flatMap((task) => task.artifacts);
  const detailed = artifacts.filter(({ how }) => how && hasDetails(how)).length;
  return (
    <>
      <p>
        <span class="removed">−</span> <PathLink path={a} /> <span class="added">+</span>{' '}
        <PathLink path={b} />
      </p>
      {!different && <p>Their artifacts are equal.</p>}
      {same !== undefined && same > 0 && <p class="quiet">{countOf(same, 'task')} the same.</p>}
      {run && run.total > 0 && (
        <section>
          <h2>{kind === 'runs' ? 'Run' : 'Runs'}</h2>
          <ChangeTable label="changes of the run" {...run} />
        </section>
      )}
      {tasks.map((task) => (
        <TaskPart key={`${task.a?.path} ${task.b?.path}`} isOpen={detailed <= MOST_OPEN} {...task} />
      ))}
      {more > 0 && <p class="quiet">{countOf(more, 'more task')} differ.</p>}
    </>
  );
}

function TaskPart({ isOpen, ...task }: TaskDiffJson & { isOpen: boolean }): JSX.Element {
  const { a, b, change, same, artifacts, metadata } = task;
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
