import { hostname } from 'node:os';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { beatName, encodeBeat } from '../../src/format/open-session.ts';
import { decodeAttempt, readSessionFile } from '../../src/format/session-files.ts';
import { finishRun } from '../../src/maintenance/finish-run.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { readRunTree } from '../../src/views/run-tree.ts';
import type { StoreView } from '../../src/views/store-view.ts';
import { errorOf, objectNames, openFlow, saveTask } from '../flow/fixtures.ts';
import { propertyRuns, test } from '../property.ts';

const run = { flow: 'Test', run: 'r1' };
const owner = { host: hostname(), pid: process.pid };

async function viewOf(storage: DataStoreStorage): Promise<StoreView> {
  const { caStore } = await openFlow({ storage });
  return {
    storage,
    content: caStore,
    signal: new AbortController().signal,
    unreadable: (error) => {
      throw error;
    },
    progress: () => {},
  };
}

async function beat(flow: FlowDataStore, base: string): Promise<void> {
  const record = await readSessionFile(flow.storage, `${base}.attempt.json`, {});
  const { session } = decodeAttempt(record as Uint8Array, base, {});
  await flow.storage.overwrite(beatName(session), encodeBeat(session, new Date().toISOString()));
}

describe('finishing a run whose process is gone', () => {
  it('records its end, and names what is left open and whose it was', async () => {
    const storage = new MemoryStorage();
    const gone = await openFlow({ storage });
    await saveTask(gone, { x: 1 }, { stepName: 'load' });
    await gone.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
    await gone.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '1' });
    await saveTask(gone, { x: 1 }, { taskId: '1' }); // a later attempt made the open one stale
    const finished = await finishRun(await viewOf(storage), run, {
      status: 'failed',
      error: new Error('killed'),
    });
    expect(finished).toMatchObject({ ...run, status: 'failed', error: { message: 'killed' } });
    expect(finished.openAttempts).toMatchObject([{ ...run, step: 'fit', task: '0', attempt: 0, owner }]);
    expect(await gone.run('r1').info()).toMatchObject({ status: 'failed', owner });
    const again = await finishRun(await viewOf(storage), run, { status: 'done' });
    expect(again.status).toBe('done');
    await errorOf(finishRun(await viewOf(storage), run, { status: 'done' }), 'RUN_EXISTS');
  });

  it('leaves no trace where there is no such run, store or status', async () => {
    const storage = new MemoryStorage();
    const ending = { status: 'done' } as const;
    await errorOf(finishRun(await viewOf(storage), run, ending), 'NO_SUCH_STORE');
    await errorOf((await openFlow({ storage })).run('r1').finish(), 'NO_SUCH_STORE');
    expect(await objectNames(storage)).toEqual([]);
    await saveTask(await openFlow({ storage }), { x: 1 }, { runId: 'other' });
    const before = await objectNames(storage);
    await errorOf(finishRun(await viewOf(storage), run, ending), 'RUN_NOT_FOUND');
    const wrong = { status: 'over' as never };
    await errorOf(finishRun(await viewOf(storage), { ...run, run: 'other' }, wrong), 'INVALID_ARGUMENT');
    expect(await objectNames(storage)).toEqual(before);
  });

  test.prop(
    [fc.array(fc.array(fc.constantFrom('done', 'failed'), { minLength: 1, maxLength: 4 }), { maxLength: 5 })],
    {
      numRuns: Math.min(propertyRuns, 50),
    },
  )(
    'comes to one order of ends, of which at most the last is done, whoever finishes at once',
    async (rounds) => {
      const storage = new MemoryStorage();
      const flow = await openFlow({ storage });
      await flow.createRun({ runId: 'r1' });
      const won: string[] = [];
      for (const round of rounds) {
        const settled = await Promise.allSettled(round.map((status) => flow.run('r1').finish(status)));
        const winners = round.filter((_, index) => settled[index]?.status === 'fulfilled');
        if (!won.includes('done')) expect(winners).not.toEqual([]);
        won.push(...winners);
      }
      const ends = (await objectNames(storage, 'runs/')).filter((name) => name.includes('finished'));
      expect(ends).toHaveLength(won.length);
      expect(won.slice(0, -1)).not.toContain('done');
      expect((await flow.run('r1').info()).status).toBe(won.at(-1) ?? 'open');
    },
  );
});

describe('a view of a run that is open', () => {
  it('tells whose it is, and when it was heard of last', async () => {
    const flow = await openFlow();
    await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
    const view = await viewOf(flow.storage);
    const tree = await readRunTree(view, run);
    const attempt = tree.steps[0]?.tasks[0]?.attempts[0];
    expect(tree).toMatchObject({ status: 'open', owner });
    expect(attempt).toMatchObject({ status: 'open', owner });
    await new Promise((later) => setTimeout(later, 5));
    await beat(flow, 'flows/Test/r1/fit/0/0');
    const later = await readRunTree(view, run);
    const heardAt = later.steps[0]?.tasks[0]?.attempts[0]?.heardAt as string;
    expect(heardAt > (attempt?.heardAt as string)).toBe(true);
    // Runs of one process have times that differ: where many were made, the last ones run ahead of the clock.
    expect(later.heardAt).toBe([heardAt, tree.createdAt].sort().at(-1));
    expect((await flow.getTaskDataStore('r1/fit/0', { allowNotDone: true })).owner).toEqual(owner);
  });

  it('tells nothing of the kind once all is closed', async () => {
    const flow = await openFlow();
    await saveTask(flow, { x: 1 });
    await flow.run('r1').finish();
    const { heardAt, steps } = await readRunTree(await viewOf(flow.storage), run);
    expect([heardAt, steps[0]?.tasks[0]?.attempts[0]?.owner]).toEqual([undefined, undefined]);
    expect((await flow.getTaskDataStore('r1/fit/0')).owner).toBeUndefined();
  });
});
