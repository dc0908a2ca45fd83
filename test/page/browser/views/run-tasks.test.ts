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
  test('counts its tasks by their latest attempts, and retries apart', () => {
    const failed = { status: 'failed', error: 'Error: no GPU' } as const;
    const row = rowsOf(['0', [attempt(1, failed), attempt(2)]], ['1', [attempt(3, failed)]]);
    expect(row.counts).toEqual({ done: 1, failed: 1 });
    expect(row.retries).toBe(1);
    expect([row.startMs, row.endMs]).toEqual([1000, 3500]);
    expect(row.tasks.map(({ error }) => error)).toEqual([undefined, 'Error: no GPU']);
  });

  test('has no end while a task is open', () => {
    const { closedAt: _, durationMs: __, ...open } = attempt(2, { status: 'open' });
    expect(rowsOf(['0', [attempt(1)]], ['1', [open]]).endMs).toBeUndefined();
  });

  test('counts every attempt that was started, though only the latest are told', () => {
    const [before, latest] = [attempt(6), attempt(7)];
    const steps = [{ step: 'fit', total: 1, tasks: [{ task: '0', started: 8, attempts: [before, latest] }] }];
    expect(stepRows({ flow: 'F', run: 'r', steps })[0]?.retries).toBe(7);
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
    expect([row.takenOver, row.cached]).toEqual([1, 1]);
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
