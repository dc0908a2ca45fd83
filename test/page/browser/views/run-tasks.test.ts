import { describe, expect, test } from 'vitest';
import { isWanted, stepRows } from '../../../../src/page/browser/views/run-tasks.ts';
import type { BriefAttempt } from '../../../../src/views/run-brief.ts';

function attempt(number: number, more: Partial<BriefAttempt> = {}): BriefAttempt {
  return {
    attempt: number,
    status: 'done',
    startedAt: new Date(number * 1000).toISOString(),
    closedAt: new Date(number * 1000 + 500).toISOString(),
    durationMs: 500,
    artifacts: 0,
    bytes: 0,
    ...more,
  };
}

function rowsOf(...tasks: [string, BriefAttempt[]][]) {
  const steps = [
    {
      step: 'fit',
      total: tasks.length,
      tasks: tasks.map(([task, attempts]) => ({ task, started: attempts.length, attempts })),
    },
  ];
  const [row] = stepRows({ flow: 'F', run: 'r', steps });
  if (!row) throw new Error('no step');
  return row;
}

describe('a step of a run', () => {
  test('has the sums that are told of it, whichever of its tasks were read, and its tasks by their latest attempts', () => {
    const failed = { status: 'failed', error: 'Error: no GPU' } as const;
    const tasks = [{ task: '0', started: 8, attempts: [attempt(1), attempt(2, failed)] }];
    const steps = [{ step: 'fit', total: 90, tasks }];
    const sums = { step: 'fit', total: 91, counts: { done: 91 }, retries: 7, takenOver: 2, cached: 3 };
    const [row] = stepRows({ flow: 'F', run: 'r', steps }, [sums]);
    expect(row).toMatchObject(sums);
    expect(row?.tasks).toMatchObject([
      { path: 'F/r/fit/0', started: 8, status: 'failed', error: failed.error },
    ]);
    const [uncounted] = stepRows({ flow: 'F', run: 'r', steps });
    const time = { startedAt: attempt(1).startedAt, endedAt: attempt(2).closedAt };
    expect(uncounted).toMatchObject({ total: 90, counts: {}, ...time });
  });

  test('tells what was taken over, and hits of the cache', () => {
    const row = rowsOf(
      ['0', [attempt(1, { takenOver: 'F/old/fit/0/0' })]],
      ['1', [attempt(1, { hitOf: 'F/old/fit/1/2' })]],
      ['2', [attempt(1, { readSteps: ['load'] })]],
    );
    expect(row.tasks.map(({ origin }) => origin)).toEqual([
      { how: 'taken over', path: 'F/old/fit/0/0' },
      { how: 'cached', path: 'F/old/fit/1/2' },
      undefined,
    ]);
  });
});

test('tasks are chosen by step, by status or origin, and by text in names, labels and errors', () => {
  const error = 'Error: Lost its GPU';
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
