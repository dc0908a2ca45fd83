import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import type { LeftOutTask } from '../../src/index.ts';
import { abandonedDone, bodyOf } from '../content/storages.ts';
import { propertyRuns, test } from '../property.ts';
import { errorOf, openFlow, saveTask } from './fixtures.ts';

/** What becomes of attempts of a task, in their order, and by which reason it is left out then; `undefined` for none. */
const FATES = {
  done: undefined,
  failed: 'failed',
  open: 'open',
  abandoned: 'abandoned',
  'failed open': 'retrying',
  'done open': 'retrying',
  'failed done': undefined,
  'done failed': 'failed',
  'done deleted': 'deleted',
} as const;
type Fate = keyof typeof FATES;

async function live(flow: FlowDataStore, taskId: string, fate: Fate): Promise<void> {
  const base = `flows/Test/r1/fit/${taskId}/`;
  for (const [attempt, outcome] of fate.split(' ').entries()) {
    const task = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId });
    if (outcome === 'done') await task.done();
    if (outcome === 'failed') await task.fail(new Error(`diverged at ${taskId}`));
    const name = `${base}${attempt}`;
    if (outcome === 'abandoned')
      await flow.storage.create(
        `${name}.DONE`,
        abandonedDone(await bodyOf(flow.storage, `${name}.attempt.json`)),
      );
    if (outcome === 'deleted') await flow.storage.create(`${name}.DELETED`, new Uint8Array(0));
  }
}

function reasons(leftOut: readonly LeftOutTask[]): string[][] {
  return leftOut.map(({ taskId, reason }) => [taskId, reason]);
}

describe('a join', () => {
  test.prop([fc.array(fc.constantFrom(...(Object.keys(FATES) as Fate[])), { minLength: 1, maxLength: 9 })], {
    numRuns: Math.min(propertyRuns, 25),
  })(
    'tells which tasks it leaves out, and why, and with require is an error that names them',
    async (fates) => {
      const flow = await openFlow();
      for (const [index, fate] of fates.entries()) await live(flow, `t${index}`, fate);
      const expected = fates.flatMap((fate, index) => (FATES[fate] ? [[`t${index}`, FATES[fate]]] : []));
      const selection = { runId: 'r1', steps: ['fit'] };
      const tasks = await flow.getTaskDataStores(selection);
      const set = await flow.getTaskDataStoreSet(selection);
      const ofRun = await flow.run('r1').tasks();
      for (const { leftOut } of [tasks, set, ofRun]) expect(reasons(leftOut)).toEqual(expected);
      for (const length of [tasks.length, set.size]) expect(length).toBe(fates.length - expected.length);
      for (const { pathspec, error } of tasks.leftOut) expect(error.message).toContain(pathspec);
      const all = { ...selection, require: 'all' } as const;
      if (expected.length === 0) {
        expect(await flow.getTaskDataStores(all)).toHaveLength(fates.length);
        return;
      }
      for (const join of [() => flow.getTaskDataStores(all), () => flow.getTaskDataStoreSet(all)]) {
        const error = await errorOf(join, 'ATTEMPT_NOT_DONE');
        expect(error.details.leftOut).toHaveLength(expected.length);
        expect(error.message).toContain(tasks.leftOut[0]?.pathspec);
      }
    },
  );

  it('says by which error a task failed, of one that is opened by name as well', async () => {
    const flow = await openFlow();
    await live(flow, 'drama', 'failed');
    const [leftOut] = (await flow.getTaskDataStores({ runId: 'r1' })).leftOut;
    expect(leftOut?.error.message).toContain('failed (Error: diverged at drama)');
    const named = await errorOf(flow.getTaskDataStore('r1/fit/drama'), 'ATTEMPT_NOT_DONE');
    expect(named.message).toBe(leftOut?.error.message);
  });

  it('leaves out tasks without the attempt that is asked for, and those without any that is done', async () => {
    const flow = await openFlow();
    await live(flow, 'a', 'done');
    await live(flow, 'b', 'failed open');
    await live(flow, 'c', 'failed done');
    const by = async (rule: object): Promise<string[][]> =>
      reasons((await flow.getTaskDataStores({ runId: 'r1', ...rule })).leftOut);
    expect(await by({ attempt: 1 })).toEqual([
      ['a', 'absent'],
      ['b', 'retrying'],
    ]);
    expect(await by({ attempt: 'latestDone' })).toEqual([['b', 'retrying']]);
    expect(await by({ includePrior: true })).toEqual([['b', 'retrying']]);
    expect(await by({ allowNotDone: true })).toEqual([]);
    await errorOf(
      flow.getTaskDataStores({ pathspecs: ['r1/fit/b'], includePrior: true }),
      'ATTEMPT_NOT_DONE',
    );
  });

  it('of tasks by name leaves out none', async () => {
    const flow = await openFlow();
    await live(flow, 'a', 'done');
    const named = await flow.getTaskDataStores({ pathspecs: ['r1/fit/a'], require: 'all' });
    expect([named.length, named.leftOut]).toEqual([1, []]);
  });

  it('is not a list of another kind: the member that tells is not in the way', async () => {
    const flow = await openFlow();
    await live(flow, 'a', 'done');
    await live(flow, 'b', 'open');
    const tasks = await flow.getTaskDataStores({ runId: 'r1' });
    expect(Object.keys(tasks)).toEqual(['0']);
    expect(tasks.map(({ taskId }) => taskId)).toEqual(['a']);
  });
});

describe('a name that nothing has', () => {
  it('of a step is an error that suggests the one that was meant', async () => {
    const flow = await openFlow();
    await saveTask(flow, { x: 1 });
    const error = await errorOf(
      flow.getTaskDataStores({ runId: 'r1', steps: ['fit', 'fti'] }),
      'STEP_NOT_FOUND',
    );
    expect(error.message).toContain('Did you mean fit?');
    expect(error.details).toMatchObject({ step: 'fti', suggestions: ['fit'], existing: ['fit'] });
    await errorOf(flow.run('r1').tasks({ steps: ['report'] }), 'STEP_NOT_FOUND');
  });

  it('of a run, or of a step or task in a pathspec, is one as well', async () => {
    const flow = await openFlow();
    await saveTask(flow, { x: 1 }, { runId: 'nightly' });
    for (const [read, code, meant] of [
      [flow.getTaskDataStores({ runId: 'nigthly' }), 'RUN_NOT_FOUND', 'nightly'],
      [flow.run('nigthly').info(), 'RUN_NOT_FOUND', 'nightly'],
      [flow.getTaskDataStore('nightly/fti/0'), 'TASK_NOT_FOUND', 'fit'],
    ] as const)
      expect((await errorOf(read, code)).message).toContain(`Did you mean ${meant}?`);
    await flow.createRun({ runId: 'empty' });
    expect(await flow.getTaskDataStores({ runId: 'empty' })).toEqual([]);
    const none = await errorOf(flow.getTaskDataStores({ runId: 'empty', steps: ['fit'] }), 'STEP_NOT_FOUND');
    expect(none.message).toContain('no tasks yet');
  });

  it('of an artifact to prefetch is one, unless no task tells what it has', async () => {
    const flow = await openFlow();
    await saveTask(flow, { weights: 1 }, { taskId: 'a' });
    await saveTask(flow, { auc: 1 }, { taskId: 'b' });
    const set = await flow.getTaskDataStoreSet({ runId: 'r1', prefetch: ['weights', 'auc'] });
    expect(set.size).toBe(2);
    const error = await errorOf(
      flow.getTaskDataStoreSet({ runId: 'r1', prefetch: ['wieghts'] }),
      'ARTIFACT_NOT_FOUND',
    );
    expect(error.message).toContain('Did you mean weights?');
    await live(flow, 'c', 'open');
    const open = { pathspecs: ['r1/fit/c'], allowNotDone: true, prefetch: ['later'] };
    expect((await flow.getTaskDataStoreSet(open)).size).toBe(1);
  });

  it.each([[{ require: 'some' }], [{ require: true }], [{ allowNotDone: 'no' }], [{ steps: 'fit' }]])(
    '%j is refused before anything is read',
    async (wrong) => {
      const flow = await openFlow();
      await errorOf(flow.getTaskDataStores({ runId: 'r1', ...wrong } as never), 'INVALID_ARGUMENT');
      await errorOf(flow.run('r1').tasks(wrong as never), 'INVALID_ARGUMENT');
    },
  );
});
