import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { countOf, formatCount } from '../../../options/figures.ts';
import type { BriefRun } from '../../../views/run-brief.ts';
import { isSmallRun, MOST_STEPS, pathsOfReads } from '../../view-questions.ts';
import { FailureNote } from '../parts/failure.tsx';
import { Scrolls } from '../parts/scrolls.tsx';
import { type Route, refined } from '../route.ts';
import { type Graph, HEAD_HEIGHT, layoutGraph, type PlacedEdge } from './graph-layout.ts';
import { HeadLink, NodeLink } from './graph-links.tsx';
import { openSteps, openText, partsOf, type RunParts } from './run-graph.ts';
import type { StepRow } from './run-tasks.ts';
import { useArrows } from './use-arrows.ts';
import { useReads } from './use-reads.ts';

/** Around the whole, so that nothing at its edge is cut; pixels. */
const EDGE = 3;

interface RunGraphProps {
  route: Route;
  run: BriefRun;
  steps: readonly StepRow[];
}

/** The steps of a run, each behind those that it read from, and the tasks of those that are open. */
export function RunGraph(props: RunGraphProps): JSX.Element {
  const { length } = props.steps;
  if (length > MOST_STEPS)
    return <p>{countOf(length, 'step')} are too many to draw; the table of tasks has all.</p>;
  return <OpenedGraph {...props} />;
}

function OpenedGraph({ route, run, steps }: RunGraphProps): JSX.Element {
  const open = openSteps(route.query.open, run);
  const paths = pathsOfReads(`${run.flow}/${run.run}`, run, open);
  const { reads, error, isLoading } = useReads(paths, versionOf(steps));
  const parts = partsOf(run, steps, { open, reads });
  return (
    <>
      <FailureNote error={error} />
      <p class="quiet" role="status">
        {toldOf(parts, isLoading)}{' '}
        {open.length > 0 && <a href={refined(route, { open: openText([]) })}>Show steps only</a>}
        {open.length === 0 && isSmallRun(run) && <a href={refined(route, { open: '' })}>Show all tasks</a>}
      </p>
      <Drawing
        route={route}
        steps={steps}
        open={open}
        parts={parts}
        graph={layoutGraph(parts.placing, parts.edges)}
      />
    </>
  );
}

interface DrawingProps {
  route: Route;
  steps: readonly StepRow[];
  open: readonly string[];
  parts: RunParts;
  graph: Graph;
}

/** One stop of the keyboard, in which arrows go from link to link. The lines of the link that is looked at stand out. */
function Drawing({ route, steps, open, parts, graph }: DrawingProps): JSX.Element {
  const [marked, setMarked] = useState<string>();
  const heads = graph.frames.map((frame) => ({ ...frame, height: HEAD_HEIGHT }));
  const links = [...heads, ...graph.nodes].sort((a, b) => a.x - b.x || a.y - b.y);
  const { stop, ...handlers } = useArrows(links);
  const nodes = new Map(parts.nodes.map((node) => [node.id, node]));
  const rows = new Map(steps.map((row) => [row.step, row]));
  const groups = new Map(graph.frames.map(({ id, group }) => [id, group]));
  const [width, height] = [graph.width + 2 * EDGE, graph.height + 2 * EDGE];
  return (
    <Scrolls label="graph of steps and tasks" tall>
      <svg
        {...handlers}
        class="graph"
        width={width}
        height={height}
        viewBox={`${-EDGE} ${-EDGE} ${width} ${height}`}
      >
        <title>Steps and tasks, and what they read from</title>
        {graph.frames.map((frame) => (
          <rect
            key={frame.id}
            class="frame"
            x={frame.x}
            y={frame.y}
            width={frame.width}
            height={frame.height}
            rx="4"
          />
        ))}
        <Lines edges={graph.edges} marked={groups.get(marked ?? '') ?? marked} />
        {links.map((placed) => {
          const props = { placed, route, open, isStop: placed.id === stop, onMark: setMarked };
          const node = nodes.get(placed.id);
          const row = rows.get(groups.get(placed.id) ?? '');
          if (node) return <NodeLink key={placed.id} node={node} {...props} />;
          return row && <HeadLink key={placed.id} row={row} {...props} />;
        })}
      </svg>
    </Scrolls>
  );
}

function Lines({ edges, marked }: { edges: readonly PlacedEdge[]; marked: string | undefined }): JSX.Element {
  const isMarked = ({ from, to }: PlacedEdge): boolean => from === marked || to === marked;
  return (
    <g class={edges.some(isMarked) ? 'edges some' : 'edges'}>
      {edges.map((edge) => (
        <path
          key={JSON.stringify([edge.from, edge.to])}
          class={isMarked(edge) ? 'marked' : undefined}
          d={lineOf(edge)}
        />
      ))}
    </g>
  );
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

/** What the lines depend on, beside what is open: which tasks there are, and how far they are. */
function versionOf(steps: readonly StepRow[]): string {
  return JSON.stringify(steps.map(({ step, counts, retries }) => [step, counts, retries]));
}

function toldOf({ nodes, isBundled }: RunParts, isLoading: boolean): string {
  const tasks = nodes.filter(({ kind }) => kind === 'task').length;
  const folded = nodes.reduce((sum, node) => sum + (node.kind === 'rest' ? node.count : 0), 0);
  if (tasks === 0) return 'A step opens to its tasks.';
  return [
    `${countOf(tasks, 'task')} drawn${folded > 0 ? `, ${formatCount(folded)} more of these steps are in the list` : ''}.`,
    ...(isBundled ? ['A task that read many tasks of a step has one line from the step.'] : []),
    ...(isLoading ? ['Reading what they read …'] : []),
  ].join(' ');
}
