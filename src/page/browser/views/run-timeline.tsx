import type { JSX } from 'preact';
import { countOf, formatDuration } from '../../../options/figures.ts';
import type { BriefAttempt } from '../../../views/run-brief.ts';
import { PathLink } from '../parts/path-link.tsx';
import { Status, StatusCounts } from '../parts/status.tsx';
import { type Column, LongTable } from '../parts/table.tsx';
import { hrefOf, useAddressedNames } from '../route.ts';
import { type StepRow, type TaskRow, timeOf } from './run-tasks.ts';
import { partOf, ticksOf } from './time-scale.ts';

/** Steps of more tasks are folded at first. */
const FOLDED_FROM = 30;
const MOST_TICKS = 6;

type Line = { kind: 'step'; row: StepRow } | { kind: 'task'; row: TaskRow };

/** The time of the whole run. */
interface Span {
  startMs: number;
  endMs: number;
}

/** When each step and each attempt of its tasks ran. Steps are folded and unfolded by their names. */
export function RunTimeline({ steps }: { steps: readonly StepRow[] }): JSX.Element {
  const [turned, turn] = useAddressedNames('turned');
  const isFolded = ({ step, tasks }: StepRow): boolean => tasks.length > FOLDED_FROM !== turned.has(step);
  const lines = steps.flatMap((row): Line[] => [
    { kind: 'step', row },
    ...(isFolded(row) ? [] : row.tasks.map((task): Line => ({ kind: 'task', row: task }))),
  ]);
  const span = spanOf(steps);
  const columns: Column<Line>[] = [
    {
      name: 'Step and task',
      width: 15,
      cell: (line) =>
        line.kind === 'task' ? (
          <a class="within" href={hrefOf('task', line.row.path.split('/'))} title={line.row.path}>
            {line.row.label ?? line.row.task}
          </a>
        ) : (
          <button
            type="button"
            class="fold"
            aria-expanded={!isFolded(line.row)}
            onClick={() => turn(line.row.step)}
          >
            {line.row.step} <span class="quiet">{countOf(line.row.total, 'task')}</span>
          </button>
        ),
    },
    {
      name: 'Status',
      width: 13,
      cell: (line) =>
        line.kind === 'step' ? <StatusCounts counts={line.row.counts} /> : <TaskStatus row={line.row} />,
    },
    {
      name: 'Took',
      width: 6.5,
      isNumber: true,
      cell: (line) => {
        const ms = line.kind === 'task' ? line.row.durationMs : lengthOf(line.row, span);
        return ms === undefined ? '' : formatDuration(ms);
      },
    },
    {
      name: 'Time',
      width: 26,
      grows: true,
      head: <Axis span={span} />,
      cell: (line) =>
        line.kind === 'step' ? (
          <StepBar row={line.row} span={span} />
        ) : (
          <TaskBars row={line.row} span={span} />
        ),
    },
  ];
  return (
    <LongTable
      label="timeline"
      columns={columns}
      count={lines.length}
      rowAt={(index) => lines[index]}
      keyOf={(line) => (line.kind === 'step' ? line.row.step : line.row.path)}
    />
  );
}

function TaskStatus({ row: { status, started, origin } }: { row: TaskRow }): JSX.Element {
  return (
    <>
      <Status status={status}>
        {started > 1 ? `, ${countOf(started, 'try').replace('trys', 'tries')}` : ''}
      </Status>
      {origin && (
        <>
          {' '}
          <PathLink path={origin.path}>{origin.how}</PathLink>
        </>
      )}
    </>
  );
}

function Axis({ span }: { span: Span }): JSX.Element {
  return (
    <span class="axis">
      {ticksOf(span.endMs - span.startMs, MOST_TICKS).map(({ text, part }) => (
        <span key={text} class={part > 0.94 ? 'last' : undefined} style={{ left: `${part * 100}%` }}>
          {text}
        </span>
      ))}
    </span>
  );
}

function StepBar({ row, span }: { row: StepRow; span: Span }): JSX.Element | null {
  const startMs = timeOf(row.startedAt);
  if (startMs === undefined) return null;
  return <Bars bars={[{ kind: 'whole', startMs, endMs: timeOf(row.endedAt) ?? span.endMs }]} span={span} />;
}

function TaskBars({ row, span }: { row: TaskRow; span: Span }): JSX.Element {
  const last = row.attempts.length - 1;
  const bars = row.attempts.flatMap(({ status, startedAt, closedAt }: BriefAttempt, index) => {
    const startMs = timeOf(startedAt);
    if (startMs === undefined) return [];
    const kind = index === last && row.origin ? 'elsewhere' : status;
    return [{ kind, startMs, endMs: timeOf(closedAt) ?? (status === 'open' ? span.endMs : startMs) }];
  });
  return <Bars bars={bars} span={span} />;
}

/** Bars in the time of the run. They repeat what the other columns say in words. */
function Bars({ bars, span }: { bars: readonly (Span & { kind: string })[]; span: Span }): JSX.Element {
  return (
    <svg class="bars" width="100%" height="16" aria-hidden="true">
      {bars.map(({ kind, startMs, endMs }, index) => {
        const [from, to] = [startMs, endMs].map((ms) => partOf(ms, span.startMs, span.endMs)) as [
          number,
          number,
        ];
        const isThin = kind === 'whole';
        return (
          <rect
            key={index}
            class={`part ${kind}`}
            x={`${from * 99.7}%`}
            y={isThin ? 6 : 3}
            width={`${Math.max(0.3, (to - from) * 99.7)}%`}
            height={isThin ? 4 : 10}
          />
        );
      })}
    </svg>
  );
}

/** How long a step took; of one that is open how long it has taken by this machine's clock, which no command tells. */
function lengthOf({ counts, startedAt, durationMs }: StepRow, span: Span): number | undefined {
  const startMs = timeOf(startedAt);
  return counts.open && startMs !== undefined ? span.endMs - startMs : durationMs;
}

/** The page's own axis: from the first start to the last end, which is now while something is open. */
function spanOf(steps: readonly StepRow[]): Span {
  const starts = steps.flatMap(({ startedAt }) => timeOf(startedAt) ?? []);
  const isOpen = steps.some(({ counts }) => counts.open);
  const ends = isOpen ? [Date.now()] : steps.flatMap(({ endedAt }) => timeOf(endedAt) ?? []);
  const startMs = Math.min(...starts);
  return starts.length === 0 ? { startMs: 0, endMs: 0 } : { startMs, endMs: Math.max(startMs, ...ends) };
}
