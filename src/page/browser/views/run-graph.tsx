import type { JSX } from 'preact';
import { countOf, formatCount } from '../../../options/figures.ts';
import type { BriefRun } from '../../../views/run-brief.ts';
import { Scrolls } from '../parts/scrolls.tsx';
import { STATUSES } from '../parts/status.tsx';
import { hrefOf } from '../route.ts';
import { layoutSteps, type PlacedEdge, STEP_HEIGHT, STEP_WIDTH, stepEdges } from './run-graph.ts';
import type { StepRow } from './run-tasks.ts';

/** More steps make no picture that anybody reads. */
const MOST_STEPS = 200;
const CHARACTERS = 22;
const EDGE = 2;

/** The steps of a run, each behind those that it read from; a step leads to its tasks. */
export function RunGraph({ run, steps }: { run: BriefRun; steps: readonly StepRow[] }): JSX.Element {
  if (steps.length > MOST_STEPS)
    return <p>{countOf(steps.length, 'step')} are too many to draw; the table of tasks has all.</p>;
  const edges = stepEdges(run);
  const graph = layoutSteps(
    steps.map(({ step }) => step),
    edges,
  );
  const rows = new Map(steps.map((row) => [row.step, row]));
  return (
    <Scrolls label="graph of the steps">
      <svg
        class="graph"
        width={graph.width + 2 * EDGE}
        height={graph.height + 2 * EDGE}
        viewBox={`${-EDGE} ${-EDGE} ${graph.width + 2 * EDGE} ${graph.height + 2 * EDGE}`}
      >
        <title>Steps, and what they read from</title>
        <g class="edges">
          {graph.edges.map((edge) => (
            <path key={JSON.stringify([edge.from, edge.to])} d={lineOf(edge)} />
          ))}
        </g>
        {graph.steps.map(({ step, x, y }) => {
          const row = rows.get(step) as StepRow;
          const read = edges.filter(({ to }) => to === step).map(({ from }) => from);
          const spoken = `${step}: ${countsText(row)}${read.length > 0 ? `; reads from ${read.join(', ')}` : ''}`;
          return (
            <g key={step} transform={`translate(${x} ${y})`}>
              <a href={hrefOf('run', [run.flow, run.run], { step })}>
                <title>{spoken}</title>
                <rect class="step" width={STEP_WIDTH} height={STEP_HEIGHT} rx="4" />
                <text x="10" y="20" class="name">
                  {step.length > CHARACTERS ? `${step.slice(0, CHARACTERS - 1)}…` : step}
                </text>
                <text x="10" y="38" class="about">
                  {aboutOf(row)}
                </text>
                <Bar row={row} />
              </a>
            </g>
          );
        })}
      </svg>
    </Scrolls>
  );
}

/** The statuses of a step's tasks, as parts of a bar. */
function Bar({ row: { counts, total } }: { row: StepRow }): JSX.Element {
  const width = STEP_WIDTH - 20;
  let x = 10;
  return (
    <g>
      {STATUSES.map((status) => {
        const part = ((counts[status] ?? 0) / Math.max(1, total)) * width;
        if (part === 0) return null;
        x += part;
        return <rect key={status} class={`part ${status}`} x={x - part} y={47} width={part} height={5} />;
      })}
    </g>
  );
}

function countsText({ counts, retries, takenOver, cached }: StepRow): string {
  return [
    ...STATUSES.flatMap((status) => (counts[status] ? [`${formatCount(counts[status])} ${status}`] : [])),
    ...(retries > 0 ? [`${formatCount(retries)} retried`] : []),
    ...(takenOver > 0 ? [`${formatCount(takenOver)} taken over`] : []),
    ...(cached > 0 ? [`${formatCount(cached)} cached`] : []),
  ].join(', ');
}

/** What is told first of a step: what is not simply done. */
function aboutOf(row: StepRow): string {
  const { counts, total, takenOver, cached } = row;
  const wrong = STATUSES.filter((status) => status !== 'done').flatMap((status) =>
    counts[status] ? [`${formatCount(counts[status])} ${status}`] : [],
  );
  const elsewhere =
    takenOver > 0
      ? `${formatCount(takenOver)} taken over`
      : cached > 0
        ? `${formatCount(cached)} cached`
        : undefined;
  return [countOf(total, 'task'), wrong[0] ?? elsewhere].filter((part) => part !== undefined).join(', ');
}

/** A smooth line through points, level where it begins and ends. */
function lineOf({ points }: PlacedEdge): string {
  return points
    .map(([x, y], index) => {
      const before = points[index - 1];
      if (!before) return `M${x} ${y}`;
      const middle = (before[0] + x) / 2;
      return `C${middle} ${before[1]} ${middle} ${y} ${x} ${y}`;
    })
    .join('');
}
