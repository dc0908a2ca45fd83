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

function noteOf({ error, takenOver, hitOf }: BriefAttempt): string {
  if (error !== undefined) return error;
  if (takenOver !== undefined) return `from ${takenOver}`;
  return hitOf === undefined ? '' : `cached, from ${hitOf}`;
}
