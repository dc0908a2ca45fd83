import { describe, expect, test } from 'vitest';
import { changesOf, joinedRuns } from '../../../../src/page/browser/views/run-list.ts';
import type { RunView } from '../../../../src/views/runs.ts';

/** A run that was made at this second. */
function run(second: number, status: RunView['status'] = 'done'): RunView {
  const createdAt = new Date(second * 1000).toISOString();
  return { flow: 'F', run: `r${second}`, status, createdAt, tags: [], parameters: {}, parents: [] };
}

describe('the runs that are shown', () => {
  test('go on behind the newest with those that were loaded before', () => {
    const loaded = [run(5), run(4), run(3), run(2), run(1)];
    expect(joinedRuns([run(7), run(6), run(5), run(4)], loaded).map(({ run }) => run)).toEqual([
      'r7',
      'r6',
      'r5',
      'r4',
      'r3',
      'r2',
      'r1',
    ]);
  });

  test('are no longer those that went from among the newest', () => {
    const loaded = [run(5), run(4), run(3), run(2)];
    expect(joinedRuns([run(5), run(3)], loaded).map(({ run }) => run)).toEqual(['r5', 'r3', 'r2']);
  });

  test('have none twice where the last of the newest is not among the loaded', () => {
    expect(joinedRuns([run(9), run(6)], [run(9), run(5)]).map(({ run }) => run)).toEqual(['r9', 'r6', 'r5']);
    expect(joinedRuns([], [run(5)])).toEqual([]);
  });
});

describe('runs that were loaded', () => {
  test('are left where runs that nobody asked for may be between them and the newest', () => {
    expect(joinedRuns([run(9), run(8)], [run(5), run(4)]).map(({ run }) => run)).toEqual(['r9', 'r8']);
  });
});

describe('what is told of a change', () => {
  test('is nothing at the first look, and nothing where all is as before', () => {
    expect(changesOf([], [run(1)])).toBe('');
    expect(changesOf([run(1)], [run(1)])).toBe('');
  });

  test('counts new runs and names those that ended', () => {
    expect(changesOf([run(2, 'open'), run(1)], [run(4), run(3), run(2, 'failed'), run(1)])).toBe(
      '2 new runs, F/r2 is failed',
    );
  });

  test('counts no older run that moved up because another was deleted', () => {
    expect(changesOf([run(3), run(2)], [run(3), run(1)])).toBe('');
  });

  test('is short however much changed', () => {
    const before = [1, 2, 3, 4, 5].map((second) => run(second, 'open'));
    const after = [1, 2, 3, 4, 5].map((second) => run(second));
    expect(changesOf(before, after)).toBe('F/r1 is done, F/r2 is done, F/r3 is done, and 2 more');
  });
});
