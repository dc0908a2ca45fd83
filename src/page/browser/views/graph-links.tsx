import type { ComponentChildren, JSX } from 'preact';
import { countOf, formatCount, formatDuration } from '../../../options/figures.ts';
import { STATUSES } from '../parts/status.tsx';
import { hrefOf, type Route, refined } from '../route.ts';
import { HEAD_HEIGHT, type Placed } from './graph-layout.ts';
import { openText, type RunNode } from './run-graph.ts';
import type { StepRow, TaskRow } from './run-tasks.ts';

/** What all links of the graph have. */
interface LinkProps {
  placed: Placed;
  route: Route;
  /** The steps that are open. */
  open: readonly string[];
  isStop: boolean;
  /** Is told the id of a link that is looked at, and `undefined` when it is no longer. */
  onMark(id: string | undefined): void;
}

/** Pixels that a letter takes about, of names and of what is told of them. */
const LETTER = 8.2;
const SMALL_LETTER = 7.2;
/** From the edge of a box to what is written in it. */
const INSET = 10;

/** A step, which opens; a task, which leads to its view; or the tasks that are not drawn, which are in the list. */
export function NodeLink({ node, ...props }: LinkProps & { node: RunNode }): JSX.Element {
  switch (node.kind) {
    case 'step':
      return <StepLink row={node.row} reads={node.reads} {...props} />;
    case 'task':
      return <TaskLink row={node.row} isOnly={node.isOnly} reads={node.reads} {...props} />;
    case 'rest':
      return <RestLink step={node.step} count={node.count} reads={node.reads} {...props} />;
  }
}

/** The head of the frame of a step that is open: it closes the step. */
export function HeadLink({ row, ...props }: LinkProps & { row: StepRow }): JSX.Element {
  const { placed, route, open } = props;
  const count = countOf(row.total, 'task');
  return (
    <GraphLink
      {...props}
      kind="head"
      href={refined(route, { open: openText(open.filter((step) => step !== row.step)) })}
      isOpen={true}
      spoken={spokenOf(row.step, countsText(row), [])}
    >
      <rect class="back" width={placed.width} height={HEAD_HEIGHT} rx="4" />
      <text x={INSET} y="18" class="name">
        ▾ {fitted(row.step, placed.width - 2 * INSET - 14 - (count.length + 1) * SMALL_LETTER)}
      </text>
      <text x={placed.width - INSET} y="18" class="about end">
        {count}
      </text>
    </GraphLink>
  );
}

type NodeProps = LinkProps & { reads: readonly string[] };

function StepLink({ row, reads, ...props }: NodeProps & { row: StepRow }): JSX.Element {
  const { placed, route, open } = props;
  const inner = placed.width - 2 * INSET;
  return (
    <GraphLink
      {...props}
      kind="step"
      href={refined(route, { open: openText([...open, row.step]) })}
      isOpen={false}
      spoken={spokenOf(row.step, countsText(row), reads)}
    >
      <rect class="box" width={placed.width} height={placed.height} rx="4" />
      <text x={INSET} y="20" class="name">
        ▸ {fitted(row.step, inner - 14)}
      </text>
      <text x={INSET} y="38" class="about">
        {aboutStep(row)}
      </text>
      <Bar row={row} width={inner} />
    </GraphLink>
  );
}

function TaskLink({
  row,
  isOnly,
  reads,
  ...props
}: NodeProps & { row: TaskRow; isOnly: boolean }): JSX.Element {
  const { placed } = props;
  const [name, about] = [row.label ?? row.task, aboutTask(row)];
  const inner = placed.width - 2 * INSET;
  return (
    <GraphLink
      {...props}
      kind="task"
      href={hrefOf('task', row.path.split('/'))}
      spoken={spokenOf(`${row.step}/${row.task}`, taskText(row), reads)}
    >
      <rect class={row.origin ? 'box elsewhere' : 'box'} width={placed.width} height={placed.height} rx="4" />
      {isOnly ? (
        <>
          <text x={INSET} y="22" class="name">
            {fitted(row.step, inner)}
          </text>
          <Mark status={row.status} y={40} />
          <text x={INSET + 14} y="44" class="about">
            {fitted([name, about].filter((part) => part !== '').join(', '), inner - 14, SMALL_LETTER)}
          </text>
        </>
      ) : (
        <>
          <Mark status={row.status} y={14} />
          <text x={INSET + 14} y="18.5">
            {fitted(name, inner - 14 - (about.length + 1) * SMALL_LETTER)}
          </text>
          <text x={placed.width - INSET} y="18" class="about end">
            {about}
          </text>
        </>
      )}
    </GraphLink>
  );
}

function RestLink({
  step,
  count,
  reads,
  ...props
}: NodeProps & { step: string; count: number }): JSX.Element {
  const { placed, route } = props;
  const text = `${formatCount(count)} more in the list`;
  return (
    <GraphLink
      {...props}
      kind="rest"
      href={hrefOf('run', route.path, { step })}
      spoken={spokenOf(step, text, reads)}
    >
      <rect class="box" width={placed.width} height={placed.height} rx="4" />
      <text x={INSET} y="18" class="about">
        {text}
      </text>
    </GraphLink>
  );
}

function GraphLink({
  placed: { id, x, y },
  isStop,
  onMark,
  kind,
  href,
  isOpen,
  spoken,
  children,
}: LinkProps & {
  kind: string;
  href: string;
  /** Of what opens and closes. */
  isOpen?: boolean;
  spoken: string;
  children: ComponentChildren;
}): JSX.Element {
  return (
    <g transform={`translate(${x} ${y})`}>
      <a
        data-id={id}
        class={kind}
        href={href}
        tabIndex={isStop ? 0 : -1}
        aria-expanded={isOpen}
        onFocus={() => onMark(id)}
        onBlur={() => onMark(undefined)}
        onMouseEnter={() => onMark(id)}
        onMouseLeave={() => onMark(undefined)}
      >
        <title>{spoken}</title>
        {children}
      </a>
    </g>
  );
}

/** The mark of a status, as it stands before its word elsewhere. */
function Mark({ status, y }: { status: string; y: number }): JSX.Element {
  const isSquare = ['failed', 'damaged', 'unreadable', 'abandoned'].includes(status);
  const size = 7.5;
  return (
    <rect
      class={`mark ${status}`}
      x={INSET}
      y={y - size / 2}
      width={size}
      height={size}
      rx={isSquare ? 0 : size / 2}
    />
  );
}

/** The statuses of a step's tasks, as parts of a bar. */
function Bar({ row: { counts, total }, width }: { row: StepRow; width: number }): JSX.Element {
  let x = INSET;
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

/** `fit/0: done, took 1.2 s; reads from load/0/0` */
function spokenOf(name: string, about: string, reads: readonly string[]): string {
  return `${name}: ${about}${reads.length > 0 ? `; reads from ${reads.join(', ')}` : ''}`;
}

function countsText({ total, counts, retries, takenOver, cached }: StepRow): string {
  // Before the tasks were counted by status.
  if (Object.keys(counts).length === 0) return countOf(total, 'task');
  return [
    ...STATUSES.flatMap((status) => (counts[status] ? [`${formatCount(counts[status])} ${status}`] : [])),
    ...(retries > 0 ? [`${formatCount(retries)} retried`] : []),
    ...(takenOver > 0 ? [`${formatCount(takenOver)} taken over`] : []),
    ...(cached > 0 ? [`${formatCount(cached)} cached`] : []),
  ].join(', ');
}

function taskText({ label, status, started, origin, durationMs, error }: TaskRow): string {
  return [
    ...(label === undefined ? [] : [label]),
    status,
    ...(started > 1 ? [`attempt ${started}`] : []),
    ...(origin ? [`${origin.how} from ${origin.path}`] : []),
    ...(durationMs === undefined ? [] : [`took ${formatDuration(durationMs)}`]),
    ...(error === undefined ? [] : [error]),
  ].join(', ');
}

/** What is told first of a step: what is not simply done. */
function aboutStep(row: StepRow): string {
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

/** What is told first of a task: that it was not run here, or is not done; or else how long it took. */
function aboutTask({ status, origin, durationMs }: TaskRow): string {
  if (status !== 'done') return status;
  return origin?.how ?? (durationMs === undefined ? '' : formatDuration(durationMs));
}

/** As much of a text as a width has room for, about. */
function fitted(text: string, width: number, letter: number = LETTER): string {
  const most = Math.max(2, Math.floor(width / letter));
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
