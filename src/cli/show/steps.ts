import { countsText, formatCount } from '../../options/figures.ts';
import type { StepSums } from '../../views/step-sums.ts';
import { ageCell, durationCell, nameCell } from '../ui/cells.ts';
import type { Cell, Column } from '../ui/table.ts';

export const STEP_COLUMNS: readonly Column[] = [
  { header: 'STEP', shrinks: true },
  { header: 'TASKS', align: 'right' },
  { header: 'STATUS', folds: Number.POSITIVE_INFINITY },
  { header: 'RETRIES', align: 'right', dropOrder: 1 },
  { header: 'TAKEN OVER', align: 'right', dropOrder: 3 },
  { header: 'CACHED', align: 'right', dropOrder: 2 },
  { header: 'STARTED', dropOrder: 5 },
  { header: 'TOOK', align: 'right', dropOrder: 4 },
];

/** A line for each step. */
export function stepRows(steps: readonly StepSums[]): Cell[][] {
  return steps.map(({ step, total, counts, retries, takenOver, cached, startedAt, durationMs }) => [
    nameCell(step),
    formatCount(total),
    countsText(counts, 'all '),
    ...[retries, takenOver, cached].map((count) => (count === 0 ? '' : formatCount(count))),
    ageCell(startedAt),
    durationCell(durationMs),
  ]);
}
