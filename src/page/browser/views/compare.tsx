import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { countOf, formatBytes } from '../../../options/figures.ts';
import type { ArtifactView } from '../../../views/attempts.ts';
import { useAnswer } from '../ask.ts';
import { FailureNote } from '../parts/failure.tsx';
import { PathLink } from '../parts/path-link.tsx';
import { Scrolls } from '../parts/scrolls.tsx';
import { goTo, hrefOf, type Route } from '../route.ts';

/** The answer of `stowage diff --json`, as docs/cli.md tells it. */
interface Comparison {
  a: string;
  b: string;
  kind: 'runs' | 'steps' | 'tasks';
  different: boolean;
  run?: Changes;
  same?: number;
  tasks: TaskDiff[];
  /** The number of other tasks that differ. */
  more?: number;
}

interface Changes {
  total: number;
  changes: Change[];
}

interface Change {
  path: string;
  change: ChangeKind;
  a?: unknown;
  b?: unknown;
  aText?: string;
  bText?: string;
  note?: string;
}

type ChangeKind = 'added' | 'removed' | 'changed';

interface TaskDiff {
  a?: { path: string; status: string };
  b?: { path: string; status: string };
  change: ChangeKind;
  same: number;
  artifacts: ArtifactDiff[];
  metadata: Changes;
}

interface ArtifactDiff {
  name: string;
  change: ChangeKind;
  a?: ArtifactView;
  b?: ArtifactView;
  how?: How;
}

type How = { kind: string; text: string; total?: number; changes?: Change[] } & Readonly<
  Record<string, unknown>
>;

interface TextHunk {
  a: number;
  b: number;
  lines: string[];
}

/** So many tasks that differ are shown. */
const MOST_TASKS = '200';

/** Two runs, steps or tasks side by side: parameters, metadata, artifacts, and what is in them. */
export function CompareView({ query }: Route): JSX.Element {
  const { a = '', b = '' } = query;
  const isAsked = a !== '' && b !== '';
  const asked = { command: 'diff', args: [a, b], options: { details: true as const, tasks: MOST_TASKS } };
  const { result, error, isLoading } = useAnswer<Comparison>(isAsked ? asked : undefined);
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

function Shown({ a, b, kind, different, run, same, tasks, more = 0 }: Comparison): JSX.Element {
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
          <ChangeTable {...run} />
        </section>
      )}
      {tasks.map((task) => (
        <TaskPart key={`${task.a?.path} ${task.b?.path}`} {...task} />
      ))}
      {more > 0 && <p class="quiet">{countOf(more, 'more task')} differ.</p>}
    </>
  );
}

function TaskPart({ a, b, change, same, artifacts, metadata }: TaskDiff): JSX.Element {
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
                  <td>{one.how && <HowPart {...one.how} />}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scrolls>
      )}
      {metadata.total > 0 && (
        <>
          <h3>Metadata</h3>
          <ChangeTable {...metadata} />
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

/** How the two values of an artifact differ, in the words of the command; the changes of parts are told by a table alone. */
function HowPart(how: How): JSX.Element {
  const hunks = (how.hunks ?? []) as readonly TextHunk[];
  return (
    <>
      {how.kind !== 'parts' && <p>{how.text}</p>}
      {hunks.length > 0 && (
        <pre class="hunks">
          {hunks.map(({ a, b, lines }) => (
            <span key={`${a} ${b}`}>
              <span class="quiet">{`@@ ${a} ${b} @@\n`}</span>
              {lines.map((line, index) => (
                <span
                  key={index}
                  class={line.startsWith('+') ? 'added' : line.startsWith('-') ? 'removed' : ''}
                >
                  {`${line}\n`}
                </span>
              ))}
            </span>
          ))}
        </pre>
      )}
      {how.changes && how.changes.length > 0 && <ChangeTable total={how.total ?? 0} changes={how.changes} />}
    </>
  );
}

function ChangeTable({ total, changes }: Changes): JSX.Element {
  return (
    <Scrolls label="changes">
      <table>
        <thead>
          <tr>
            <th scope="col">Where</th>
            <th scope="col">From</th>
            <th scope="col">To</th>
          </tr>
        </thead>
        <tbody>
          {changes.map((change, index) => (
            <tr key={`${index} ${change.path}`}>
              <th scope="row">{change.path || 'the value itself'}</th>
              <td class="removed">{sideOf(change, 'a')}</td>
              <td class="added">
                {sideOf(change, 'b')} {change.note && <span class="quiet">{change.note}</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {total > changes.length && <p class="quiet">{countOf(total - changes.length, 'change')} more</p>}
    </Scrolls>
  );
}

function sideOf(change: Change, side: 'a' | 'b'): string {
  if (change[`${side}Text`] !== undefined) return change[`${side}Text`] as string;
  return side in change ? JSON.stringify(change[side]) : '';
}
