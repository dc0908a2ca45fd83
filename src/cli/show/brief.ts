import { formatBytes, formatCount } from '../../options/figures.ts';
import type { BriefAttempt, BriefRun } from '../../views/run-brief.ts';
import { ageCell, durationCell, nameCell, statusCell, withLabel } from '../ui/cells.ts';
import type { Cell, Column } from '../ui/table.ts';

export const BRIEF_COLUMNS: readonly Column[] = [
  { header: 'TASK', shrinks: true },
  { header: 'STATUS' },
  { header: 'ATTEMPTS', align: 'right', dropOrder: 4 },
  { header: 'STARTED', dropOrder: 3 },
  { header: 'TOOK', align: 'right', dropOrder: 2 },
  { header: 'ARTIFACTS', align: 'right', dropOrder: 5 },
  { header: 'SIZE', align: 'right', dropOrder: 1 },
  { header: 'NOTE', folds: Number.POSITIVE_INFINITY },
];

const READS_TOLD = 3;

/** The tasks of a run in brief by their latest attempts, step by step. */
export function briefRows({ steps }: BriefRun): Cell[][] {
  return steps.flatMap(({ step, tasks }) =>
    tasks.map(({ task, started, attempts }) => {
      const latest = attempts.at(-1) as BriefAttempt;
      const { startedAt, durationMs, artifacts, bytes } = latest;
      return [
        nameCell(withLabel(`${step}/${task}`, latest)),
        statusCell(latest),
        formatCount(started),
        ageCell(startedAt),
        durationCell(durationMs),
        formatCount(artifacts),
        artifacts === 0 ? '' : formatBytes(bytes),
        noteOf(latest),
      ];
    }),
  );
}

function noteOf(attempt: BriefAttempt): string {
  const { error, takenOver, hitOf } = attempt;
  if (error !== undefined) return error;
  if (takenOver !== undefined) return `from ${takenOver}`;
  return hitOf === undefined ? readsText(attempt) : `cached, from ${hitOf}`;
}

/** `read F/r/load/0/0, and 3 more` */
function readsText({ readFrom = [], moreRead = 0 }: BriefAttempt): string {
  const told = readFrom.slice(0, READS_TOLD);
  const more = readFrom.length - told.length + moreRead;
  if (told.length === 0) return '';
  return `read ${told.join(', ')}${more === 0 ? '' : `, and ${formatCount(more)} more`}`;
}
