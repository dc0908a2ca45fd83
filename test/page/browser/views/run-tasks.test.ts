import { describe, expect, test } from 'vitest';
import { isWanted, stepRows } from '../../../../src/page/browser/views/run-tasks.ts';
import type { AttemptSummary } from '../../../../src/views/attempts.ts';

function attempt(number: number, more: Partial<AttemptSummary> = {}): AttemptSummary {
  return {
    attempt: number,
    status: 'done',
    startedAt: new Date(number * 1000).toISOString(),
    closedAt: new Date(number * 1000 + 500).toISOString(),
    durationMs: 500,
    artifacts: [],
    ...more,
  };
}

function rowsOf(...tasks: [string, AttemptSummary[]][]) {
  const steps = [
    { step: 'fit', total: tasks.length, tasks: tasks.map(([task, attempts]) => ({ task, attempts })) },
  ];
  const [row] = stepRows({ flow: 'F', run: 'r', steps });
  if (!row) throw new Error('no step');
  return row;
}

describe('a step of a run', () => {
  test('counts its tasks by their latest attempts, and retries apart', () => {
    const failed = { status: 'failed', error: { name: 'Error', message: 'no GPU' } } as const;
    const row = rowsOf(['0', [attempt(1, failed), attempt(2)]], ['1', [attempt(3, failed)]]);
    expect(row.counts).toEqual({ done: 1, failed: 1 });
    expect(row.retries).toBe(1);
    expect([row.startMs, row.endMs]).toEqual([1000, 3500]);
    expect(row.tasks.map(({ error }) => error)).toEqual([undefined, 'no GPU']);
  });

  test('has no end while a task is open', () => {
    const { closedAt: _, durationMs: __, ...open } = attempt(2, { status: 'open' });
    expect(rowsOf(['0', [attempt(1)]], ['1', [open]]).endMs).toBeUndefined();
  });

  test('tells what was taken over, and hits of the cache, but for neither what a task read of others', () => {
    const row = rowsOf(
      ['0', [attempt(1, { takenOver: 'F/old/fit/0/0', readFrom: ['F/old/fit/0/0'] })]],
      ['1', [attempt(1, { readFrom: ['F/old/fit/1/2'] })]],
      ['2', [attempt(1, { readFrom: ['F/r/load/2/0'] })]],
      ['3', [attempt(1, { readFrom: ['F/old/fit/3/0', 'F/r/load/0/0'] })]],
    );
    expect(row.tasks.map(({ origin }) => origin)).toEqual([
      { how: 'taken over', path: 'F/old/fit/0/0' },
      { how: 'cached', path: 'F/old/fit/1/2' },
      undefined,
      undefined,
    ]);
    expect([row.takenOver, row.cached]).toEqual([1, 1]);
  });
});

test('tasks are chosen by step, by status or origin, and by text in names, labels and errors', () => {
  const error = { name: 'Error', message: 'Lost its GPU' };
  const [row] = rowsOf(['fold-3', [attempt(1, { status: 'failed', label: 'drama', error })]]).tasks;
  if (!row) throw new Error('no task');
  const wanted = (step: string, status: string, text: string): boolean => isWanted(row, step, status, text);
  expect([wanted('', '', ''), wanted('fit', 'failed', 'gpu'), wanted('', '', 'DRAMA')]).toEqual([
    true,
    true,
    true,
  ]);
  expect([wanted('load', '', ''), wanted('', 'cached', ''), wanted('', '', 'CPU')]).toEqual([
    false,
    false,
    false,
  ]);
});
