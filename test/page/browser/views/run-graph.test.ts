import { describe, expect, test } from 'vitest';
import { layoutGraph } from '../../../../src/page/browser/views/graph-layout.ts';
import {
  drawnCounts,
  openSteps,
  openText,
  partsOf,
  type ReadsByTask,
  type RunParts,
} from '../../../../src/page/browser/views/run-graph.ts';
import { type StepRow, stepRows } from '../../../../src/page/browser/views/run-tasks.ts';
import { pathsOfReads } from '../../../../src/page/view-questions.ts';
import type { BriefAttempt, BriefStep } from '../../../../src/views/run-brief.ts';

const RUN = { flow: 'F', run: 'r' };

function attempt(about: Partial<BriefAttempt> = {}): BriefAttempt {
  return { attempt: 0, status: 'done', artifacts: 0, bytes: 0, ...about };
}

/** A step of so many tasks, which read from other steps. */
function step(name: string, count: number, ...readSteps: string[]): BriefStep {
  const tasks = Array.from({ length: count }, (_, task) => ({
    task: String(task),
    started: 1,
    attempts: [attempt(readSteps.length > 0 ? { readSteps } : {})],
  }));
  return { step: name, total: count, tasks };
}

function rowsOf(...steps: BriefStep[]): StepRow[] {
  return stepRows({ ...RUN, steps });
}

/** What tasks read: `{ 'fit/0': ['load/0/0'] }`. */
function readsOf(read: Record<string, string[]>): ReadsByTask {
  return new Map(
    Object.entries(read).map(([id, paths]) => [
      id,
      [attempt({ readFrom: paths.map((path) => (path.split('/').length > 3 ? path : `F/r/${path}`)) })],
    ]),
  );
}

function linesOf({ edges }: RunParts): string[] {
  return edges.map(({ from, to }) => `${from} -> ${to}`).sort();
}

describe('the steps that are open', () => {
  const [small, large] = [
    { total: 60, steps: [{ step: 'a' }] },
    { total: 61, steps: [{ step: 'a' }, { step: 'b' }] },
  ];

  test('are all of a small run, and none of a larger one, unless some are named', () => {
    expect(openSteps(undefined, small)).toEqual(['a']);
    expect(openSteps(undefined, large)).toEqual([]);
    expect(openSteps(openText([]), small)).toEqual([]);
    expect(openSteps(openText(['gone', 'b']), large)).toEqual(['b']);
    expect(openSteps(openText(['b', 'a']), large)).toEqual(['a', 'b']);
  });

  test('are asked one by one, and a small run at once', () => {
    expect(pathsOfReads('F/r', small, ['a'])).toEqual(['F/r']);
    expect(pathsOfReads('F/r', large, ['b'])).toEqual(['F/r/b']);
    expect(pathsOfReads('F/r', large, [])).toEqual([]);
  });

  test('share two hundred tasks, small ones first', () => {
    const counts = (...tasks: number[]): number[] => {
      const rows = rowsOf(...tasks.map((count, index) => step(`s${index}`, count)));
      const drawn = drawnCounts(rows);
      return rows.map((row) => drawn.get(row.step) ?? 0);
    };
    expect(counts(500)).toEqual([200]);
    expect(counts(500, 10, 150)).toEqual([95, 10, 95]);
    expect(counts(40, 60)).toEqual([40, 60]);
    expect(counts(...new Array(200).fill(3)).every((count) => count === 1)).toBe(true);
  });
});

describe('what is drawn of a run', () => {
  test('is its steps, joined by what they read, each once, and by none that is not there', () => {
    const rows = rowsOf(step('load', 1), step('fit', 2, 'load', 'gone'));
    const parts = partsOf(RUN, rows, { open: [], reads: new Map() });
    expect(parts.nodes.map(({ kind, id }) => [kind, id])).toEqual([
      ['step', 'load'],
      ['step', 'fit'],
    ]);
    expect(linesOf(parts)).toEqual(['load -> fit']);
  });

  test('is each task of an open step, joined to the very tasks that it read', () => {
    const rows = rowsOf(step('load', 2), step('fit', 3, 'load'), step('join', 1, 'fit'));
    const reads = readsOf({
      'fit/0': ['load/0/0'],
      'fit/1': ['load/1/0', 'fit/0/0', 'fit/1/0', 'F/other/load/0/0', 'gone/0/0'],
      'fit/2': ['load/1/2'],
      'join/0': ['fit/0/0', 'fit/2/0'],
    });
    const parts = partsOf(RUN, rows, { open: ['load', 'fit', 'join'], reads });
    expect(linesOf(parts)).toEqual(
      [
        'load/0 -> fit/0',
        ...['load/1 -> fit/1', 'fit/0 -> fit/1'],
        'load/1 -> fit/2',
        ...['fit/0 -> join/0', 'fit/2 -> join/0'],
      ].sort(),
    );
    // The attempt that was read is told.
    expect(parts.nodes.find(({ id }) => id === 'fit/2')?.reads).toEqual(['load/1/2']);
    const groups = new Map(parts.placing.map(({ id, group }) => [id, group]));
    expect([groups.get('fit/0'), groups.get('join/0')]).toEqual(['fit', undefined]);
    expect(layoutGraph(parts.placing, parts.edges).edges).toHaveLength(parts.edges.length);
  });

  test('joins tasks to steps that are folded, and these to the heads of open ones', () => {
    const rows = rowsOf(step('load', 2), step('fit', 2, 'load'), step('join', 2, 'fit'));
    const reads = readsOf({ 'fit/0': ['load/0/0', 'load/1/0'], 'fit/1': ['load/1/0'] });
    const parts = partsOf(RUN, rows, { open: ['fit'], reads });
    expect(linesOf(parts)).toEqual(['fit -> join', 'load -> fit/0', 'load -> fit/1']);
  });

  test('has lines by steps before it is known what tasks read, and for what is beyond its bound', () => {
    const rows = rowsOf(step('load', 2), step('other', 2), step('fit', 2, 'load', 'other'));
    const open = ['load', 'other', 'fit'];
    const before = partsOf(RUN, rows, { open, reads: new Map() });
    expect(linesOf(before)).toEqual(['load -> fit/0', 'load -> fit/1', 'other -> fit/0', 'other -> fit/1']);
    const cut: ReadsByTask = new Map([['fit/0', [attempt({ readFrom: ['F/r/load/0/0'], moreRead: 40 })]]]);
    const parts = partsOf(RUN, rows, { open, reads: cut });
    expect(linesOf(parts).filter((line) => line.endsWith('fit/0'))).toEqual([
      'load/0 -> fit/0',
      'other -> fit/0',
    ]);
    expect(parts.nodes.find(({ id }) => id === 'fit/0')?.reads).toEqual(['load/0/0', '40 more', 'other']);
  });

  test('folds the tasks beyond its bound, which lines come from as from others', () => {
    const rows = rowsOf(step('load', 2), step('fit', 500, 'load'), step('join', 2, 'fit'));
    const reads = readsOf({ 'join/0': ['fit/3/0', 'fit/400/0'], 'join/1': ['fit/401/0'] });
    const parts = partsOf(RUN, rows, { open: ['fit', 'join'], reads });
    const rest = parts.nodes.find(({ kind }) => kind === 'rest');
    expect(rest).toMatchObject({ step: 'fit', count: 500 - 198 });
    expect(parts.nodes.filter(({ kind }) => kind === 'task')).toHaveLength(200);
    expect(linesOf(parts).filter((line) => line.includes('join'))).toEqual([
      'fit/ -> join/0',
      'fit/ -> join/1',
      'fit/3 -> join/0',
    ]);
    expect(linesOf(parts)).toContain('load -> fit/');
  });

  test('bundles lines where they would be too many', () => {
    const [a, b] = [step('a', 100), step('b', 100, 'a')];
    const names = a.tasks.map(({ task }) => `a/${task}/0`);
    const all = readsOf(Object.fromEntries(b.tasks.map(({ task }) => [`b/${task}`, names])));
    const parts = partsOf(RUN, rowsOf(a, b), { open: ['a', 'b'], reads: all });
    expect(parts.isBundled).toBe(true);
    expect(linesOf(parts)).toEqual(b.tasks.map(({ task }) => `a -> b/${task}`).sort());
    expect(parts.nodes.at(-1)?.reads.at(-1)).toBe('80 more');
    const few = readsOf({ 'b/0': names });
    expect(partsOf(RUN, rowsOf(a, b), { open: ['a', 'b'], reads: few }).isBundled).toBe(false);
  });
});
