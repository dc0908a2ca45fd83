import { beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore, openStorage, registerStorage } from '../../src/index.ts';
import type { ListOptions, ListPage } from '../../src/storage/contract.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { stowage } from './fixture.ts';

const RUNS = 200;
const PARTS = 50;
const STORE = 'memory:scale';

/** Counts what a command asks of the storage, and notes whether it looked at times and sizes. */
class Watched extends CountStorage {
  detailed = 0;

  override list(options: ListOptions): AsyncGenerator<ListPage, void> {
    if (options.details) this.detailed += 1;
    return super.list(options);
  }
}

let watched: Watched | undefined;

beforeAll(async () => {
  registerStorage('watched', async () => {
    watched = new Watched(await openStorage(STORE));
    return watched;
  });
  await using flow = await FlowDataStore.open({ flowName: 'Nightly', storage: STORE });
  for (let index = 0; index < RUNS; index++) {
    const runId = `r${String(index).padStart(4, '0')}`;
    const run = await flow.createRun({ runId, tags: index % 50 === 0 ? ['release'] : [] });
    await flow.task({ runId, stepName: 'fit', taskId: '0' }, (task) => task.saveArtifacts({ x: index }));
    if (index % 20 !== 0) await run.finish(index % 20 === 1 ? 'failed' : 'done');
  }
  await flow.task({ runId: 'r0009', stepName: 'logs', taskId: '0' }, async (task) => {
    for (let part = 0; part < PARTS; part++) await task.saveLogs('task', { stdout: `line ${part}\n` });
  });
  for (let task = 0; task < 30; task++) {
    const spec = { runId: 'r0007', stepName: 'many', taskId: String(task) };
    for (let attempt = 0; attempt < 3; attempt++)
      await flow.task(spec, (open) => open.saveArtifacts({ x: 1 }));
  }
});

/** What a command costs beyond opening the store, which is one `get`. */
async function costOf(...args: string[]): Promise<{ list: number; get: number; detailed: number }> {
  const { code, stderr } = await stowage('watched:', [...args, '--json']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const { list, get, head } = (watched as Watched).snapshot();
  expect(head.calls).toBe(0);
  return { list: list.calls, get: get.calls - 1, detailed: watched?.detailed ?? 0 };
}

describe('a log of many parts', () => {
  it('is followed from the parts on that have the lines which were asked for', async () => {
    const getsOf = async (...args: string[]): Promise<number> => {
      const { code } = await stowage('watched:', ['log', 'Nightly/r0009/logs/0', '--follow', ...args]);
      expect(code).toBe(0);
      return (watched as Watched).snapshot().get.calls;
    };
    const all = await getsOf();
    // The parts of two lines, and the one whose end is before them, are read twice: to find where they begin, and to write them.
    expect(all - (await getsOf('-n', '2'))).toBe(PARTS - 2 * 3);
  });
});

describe('in a store of many runs', () => {
  it('runs: one listing, and the records of the runs that are shown', async () => {
    // Two of the newest fifty are open: of them there is no finished.json to read.
    expect(await costOf('runs')).toEqual({ list: 1, get: 98, detailed: 0 });
    expect(await costOf('runs', '-n', '3')).toEqual({ list: 1, get: 6, detailed: 0 });
    expect((await costOf('runs', '--limit', 'all')).get).toBe(2 * RUNS - RUNS / 20);
  });

  it('runs: with filters, until there are enough', async () => {
    expect(await costOf('runs', '--status', 'open')).toEqual({ list: 1, get: RUNS / 20, detailed: 0 });
    // No end of a run that has not the tag is read.
    expect(await costOf('runs', '--tag', 'nope')).toEqual({ list: 1, get: RUNS, detailed: 0 });
    expect((await costOf('runs', '--status', 'done', '-n', '2')).get).toBeLessThanOrEqual(64);
    expect((await costOf('runs', '--tag', 'release', '-n', '1')).get).toBeLessThan(2 * 64);
    expect(await costOf('runs', '--since', new Date(Date.now() + 60_000).toISOString())).toEqual({
      list: 1,
      get: 0,
      detailed: 0,
    });
  });

  it('ls: one listing for the flows and one for each, no record, and no look at any file', async () => {
    expect(await costOf('ls')).toEqual({ list: 2, get: 0, detailed: 0 });
    expect(await costOf('ls', '--long')).toEqual({ list: 2, get: 0, detailed: 0 });
  });

  it('ls of a flow: the records of the runs that are shown', async () => {
    expect(await costOf('ls', 'Nightly', '-n', '3')).toEqual({ list: 1, get: 6, detailed: 0 });
    expect((await costOf('ls', 'Nightly')).get).toBeLessThanOrEqual(100);
  });

  it('ls of a run: DONE of the latest attempts, and no description', async () => {
    expect(await costOf('ls', 'Nightly/r0003')).toEqual({ list: 1, get: 1, detailed: 0 });
    expect(await costOf('ls', 'Nightly/r0007')).toEqual({ list: 1, get: 31, detailed: 0 });
  });

  it('ls --status: of open tasks no record, of others DONE, and the description of those that are shown', async () => {
    expect(await costOf('ls', 'Nightly/r0007', '--status', 'open')).toEqual({ list: 1, get: 0, detailed: 0 });
    expect(await costOf('ls', 'Nightly/r0007', '--status', 'failed')).toEqual({
      list: 1,
      get: 31,
      detailed: 0,
    });
    expect((await costOf('ls', 'Nightly/r0007', '--status', 'done', '-n', '2')).get).toBe(31 + 4);
  });

  it('ls of a step: DONE and description of the latest attempts that are shown', async () => {
    expect(await costOf('ls', 'Nightly/r0007/many')).toEqual({ list: 1, get: 60, detailed: 0 });
    expect(await costOf('ls', 'Nightly/r0007/many', '-n', '5')).toEqual({ list: 1, get: 10, detailed: 0 });
  });

  it('diff of two tasks: listings, DONE and descriptions, those of a task beside itself once; of equal artifacts nothing', async () => {
    expect(await costOf('diff', 'Nightly/r0003/fit/0', 'Nightly/r0003/fit/0')).toMatchObject({
      list: 1,
      get: 2,
    });
    expect(await costOf('diff', 'Nightly/r0003/fit/0', 'Nightly/r0004/fit/0')).toMatchObject({
      list: 2,
      get: 4,
    });
  });
});
