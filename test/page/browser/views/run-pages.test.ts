import { describe, expect, test } from 'vitest';
import { joinedPages } from '../../../../src/page/browser/views/run-pages.ts';
import type { BriefRun } from '../../../../src/views/run-brief.ts';

/** A page of tasks, each `step/task` with the second in which it began. */
function page(tasks: Readonly<Record<string, number>>, more: Partial<BriefRun> = {}): BriefRun {
  const run = { flow: 'F', run: 'r', status: 'done', createdAt: '', tags: [], parameters: {}, parents: [] };
  const steps = new Map<string, BriefRun['steps'][number] & { startedAt: string }>();
  for (const [path, second] of Object.entries(tasks)) {
    const [step = '', task = ''] = path.split('/');
    const startedAt = new Date(second * 1000).toISOString();
    const members = steps.get(step) ?? { step, total: 9, startedAt, tasks: [] };
    if (startedAt < members.startedAt) members.startedAt = startedAt;
    const attempts = [{ attempt: 0, status: 'done' as const, startedAt, artifacts: 0, bytes: 0 }];
    members.tasks.push({ task, started: 1, attempts });
    steps.set(step, members);
  }
  return { ...run, status: 'done', total: 9, steps: [...steps.values()], ...more };
}

function tasksOf(run: BriefRun | undefined): string[] | undefined {
  return run?.steps.flatMap(({ step, tasks }) => tasks.map(({ task }) => `${step}/${task}`));
}

describe('the pages of a run', () => {
  test('have each task once, by steps in the order in which they began, whichever page tells it', () => {
    const joined = joinedPages([
      page({ 'fit/0': 5, 'fit/1': 6 }),
      page({ 'fit/1': 6, 'fit/2': 1, 'load/0': 2 }),
      page({ 'load/1': 0 }),
    ]);
    expect(tasksOf(joined)).toEqual(['load/0', 'load/1', 'fit/0', 'fit/1', 'fit/2']);
  });

  test('tell the run as the last of them does, and the latest sign of all of them while it is open', () => {
    const [early, late] = ['2026-01-31T08:00:00.000Z', '2026-01-31T09:00:00.000Z'];
    const open = { status: 'open' } as const;
    const pages = [
      page({ 'a/0': 1 }, { ...open, heardAt: late }),
      page({ 'a/1': 1 }, { ...open, heardAt: early }),
    ];
    expect(joinedPages(pages)).toMatchObject({ status: 'open', heardAt: late });
    expect(joinedPages([...pages, page({ 'a/2': 1 })])).not.toHaveProperty('heardAt');
    expect(joinedPages([])).toBeUndefined();
  });
});
