import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { type BriefChoice, type BriefRun, readBriefRun } from '../../src/views/run-brief.ts';
import { readRunTree } from '../../src/views/run-tree.ts';
import type { StoreView } from '../../src/views/store-view.ts';
import { openFlow } from '../flow/fixtures.ts';
import { test } from '../property.ts';
import { memoryView } from './memory-view.ts';

const RUN = { flow: 'F', run: 'r' };
const ALL = { offset: 0, limit: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY };

/** The pages of a run, each from where the one before says on. */
async function pagesOf(
  view: StoreView,
  choice: Omit<BriefChoice, 'offset'> & { maxBytes: number },
): Promise<BriefRun[]> {
  const pages: BriefRun[] = [];
  for (let next: number | undefined = 0; next !== undefined; next = pages.at(-1)?.next)
    pages.push(await readBriefRun(view, RUN, { ...choice, offset: next }));
  return pages;
}

function pathsOf({ steps }: Pick<BriefRun, 'steps'>): string[] {
  return steps.flatMap(({ step, tasks }) => tasks.map(({ task }) => `${step}/${task}`));
}

describe('a run in brief', () => {
  const arbitrarySteps = fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 5 });
  const arbitraryPage = fc.record({
    limit: fc.constantFrom(1, 2, 7, Number.POSITIVE_INFINITY),
    maxBytes: fc.constantFrom(1, 1_000, 2_000, 1_000_000),
  });

  test.prop([arbitrarySteps, arbitraryPage], { numRuns: 20 })(
    'has each task on one page, none of which has more tasks or bytes than it may',
    async (counts, page) => {
      const storage = new MemoryStorage();
      const flow = await openFlow({ flowName: 'F', storage });
      await flow.createRun({ runId: 'r', parameters: { rate: 0.1 } });
      const expected = counts.flatMap((count, step) =>
        Array.from({ length: count }, (_, task) => `s${step}/${task}`),
      );
      for (const path of expected) {
        const [stepName = '', taskId = ''] = path.split('/');
        const work = () => Promise.reject(new Error(`${path} ${'went wrong '.repeat(100)}\nand so on`));
        await flow.task({ runId: 'r', stepName, taskId }, work).catch(() => {});
      }
      const view = memoryView(storage);
      const pages = await pagesOf(view, page);
      expect(pages.flatMap(pathsOf).toSorted()).toEqual(expected.toSorted());
      for (const one of pages) {
        const { length } = pathsOf(one);
        expect(length).toBeLessThanOrEqual(page.limit);
        if (length > 1) expect(Buffer.byteLength(JSON.stringify(one))).toBeLessThanOrEqual(page.maxBytes);
        expect(one.total).toBe(expected.length);
        for (const { step, total } of one.steps) expect(total).toBe(counts[Number(step.slice(1))]);
      }
      // The first of each step come before the second of any.
      const places = pages.flatMap(pathsOf).map((path) => Number(path.split('/')[1]));
      const whole = await readBriefRun(view, RUN, {
        ...ALL,
        limit: counts.filter((count) => count > 0).length,
      });
      expect(pathsOf(whole).every((path) => path.endsWith('/0'))).toBe(true);
      if (page.limit === 1) expect(places).toEqual(places.toSorted((a, b) => a - b));
    },
    60_000,
  );

  test('tells of attempts what the whole run tells, counted and cut', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ flowName: 'F', storage });
    const twice = flow.cachedTask({ name: 'twice', version: '1', run: async (n: number) => 2 * n });
    await twice(1, { runId: 'old' });
    await twice(1, { runId: 'r', recordHit: true });
    const at = (stepName: string) => ({ runId: 'r', stepName, taskId: '0', label: `the ${stepName}` });
    await flow.task(at('load'), (task) => task.saveArtifacts({ a: 1, b: 'text' }));
    const load = await flow.getTaskDataStore('r/load/0');
    const fails = () => Promise.reject(new RangeError(`no ${'x'.repeat(500)}\nline two`));
    for (let tries = 0; tries < 6; tries += 1) await flow.task(at('fit'), fails).catch(() => {});
    await flow.task(at('fit'), async (task) => {
      task.recordRead(load);
      await task.passdownPartial(load, ['a']);
    });
    const view = memoryView(storage);
    const [tree, brief] = [await readRunTree(view, RUN), await readBriefRun(view, RUN, ALL)];
    expect(brief.steps.map(({ step, total }) => [step, total])).toEqual(
      tree.steps.map(({ step, total }) => [step, total]),
    );
    // Steps that began within a millisecond have the order of their names.
    const taskOf = (name: string) => brief.steps.find(({ step }) => step === name)?.tasks[0];
    const [hit, loaded, fit] = [taskOf('twice'), taskOf('load'), taskOf('fit')];
    const whole = tree.steps.find(({ step }) => step === 'load')?.tasks[0]?.attempts.at(-1);
    const { hitOf } = tree.steps.find(({ step }) => step === 'twice')?.tasks[0]?.attempts[0] ?? {};
    expect(hitOf).toMatch(/^F\/old\/twice\//);
    expect(hit?.attempts).toMatchObject([{ hitOf }]);
    const { label, status, startedAt, closedAt, durationMs } = whole ?? {};
    const bytes = whole?.artifacts.reduce((sum, one) => sum + one.bytes, 0);
    expect(loaded).toEqual({
      task: '0',
      started: 1,
      attempts: [{ attempt: 0, label, status, startedAt, closedAt, durationMs, artifacts: 2, bytes }],
    });
    expect([fit?.started, fit?.attempts.map(({ attempt }) => attempt)]).toEqual([7, [2, 3, 4, 5, 6]]);
    const [failed, done] = [fit?.attempts[3], fit?.attempts[4]];
    expect(failed?.error).toMatch(/^RangeError: no x+$/);
    expect(failed?.error).toHaveLength(200);
    expect(done).toMatchObject({ status: 'done', readSteps: ['load'], artifacts: 1 });
    expect(done).not.toHaveProperty('hitOf');
  });

  test('takes no task for a hit that read its namesake of another run', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ flowName: 'F', storage });
    const specOf = (runId: string) => ({ runId, stepName: 'fit', taskId: '0' });
    await flow.task(specOf('old'), (task) => task.saveArtifacts({ a: 1 }));
    const old = await flow.getTaskDataStore('old/fit/0');
    await flow.task(specOf('r'), (task) => task.passdownPartial(old, ['a']));
    const view = memoryView(storage);
    const whole = (await readRunTree(view, RUN)).steps[0]?.tasks[0]?.attempts[0];
    expect(whole?.readFrom).toEqual(['F/old/fit/0/0']);
    expect(whole).not.toHaveProperty('hitOf');
    const [attempt] = (await readBriefRun(view, RUN, ALL)).steps[0]?.tasks[0]?.attempts ?? [];
    expect(attempt).toMatchObject({ status: 'done', artifacts: 1 });
    expect(attempt).not.toHaveProperty('hitOf');
  });

  test('tells what was read where that is asked for, to a bound', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ flowName: 'F', storage });
    for (let task = 0; task < 203; task += 1)
      await flow.task({ runId: 'r', stepName: 'fit', taskId: String(task) }, (one) =>
        one.saveArtifacts({ a: task }),
      );
    await flow.task({ runId: 'r', stepName: 'join', taskId: '0' }, async (join) => {
      for (const fit of await flow.getTaskDataStores({ runId: 'r', steps: ['fit'] })) join.recordRead(fit);
    });
    const view = memoryView(storage);
    const joinOf = ({ steps }: BriefRun) => steps.find(({ step }) => step === 'join')?.tasks[0]?.attempts[0];
    expect(joinOf(await readBriefRun(view, RUN, ALL))).not.toHaveProperty('readFrom');
    const joined = joinOf(await readBriefRun(view, RUN, { ...ALL, withReads: true }));
    expect(joined).toMatchObject({ readSteps: ['fit'], moreRead: 3 });
    expect(new Set(joined?.readFrom).size).toBe(200);
    expect(joined?.readFrom?.every((path) => /^F\/r\/fit\/\d+\/0$/.test(path))).toBe(true);
  });

  test('of a run that is open tells the latest sign of life of its tasks', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ flowName: 'F', storage });
    for (const taskId of ['0', '1'])
      await flow.task({ runId: 'r', stepName: 'fit', taskId }, (task) => task.saveArtifacts({ a: 1 }));
    const view = memoryView(storage);
    const { heardAt } = await readRunTree(view, RUN);
    expect((await readBriefRun(view, RUN, ALL)).heardAt).toBe(heardAt);
    expect((await readBriefRun(view, RUN, { ...ALL, offset: 2 })).steps).toEqual([]);
  });
});
