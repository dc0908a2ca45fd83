import { describe, expect, it } from 'vitest';
import { CountStorage } from '../../src/storage/count.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { ObservedStorage } from '../content/storages.ts';
import { noise, openFlow, saveTask } from './fixtures.ts';

const SMALL = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`a${i}`, { i, text: `value ${i}` }]));

describe('how many requests', () => {
  it('a task with 20 small artifacts takes: 3 to write, 3 to read', async () => {
    const storage = new CountStorage(new MemoryStorage());
    const flow = await openFlow({ storage });
    await saveTask(flow, SMALL, { taskId: 'first', attempt: 0 });
    // stowage.json is looked for, and whether it was lost, and made; so is the run: created.json, and what tells listings its time.
    expect(storage.snapshot().requests).toBe(3 + 3 + 2);
    storage.reset();
    await saveTask(flow, SMALL, { taskId: 'second', attempt: 0 });
    expect(storage.snapshot()).toMatchObject({ requests: 3, create: { calls: 3 } });
    storage.reset();
    await (await flow.getTaskDataStore('r1/fit/second')).loadArtifacts();
    expect(storage.snapshot()).toMatchObject({ requests: 3, list: { calls: 1 }, get: { calls: 2 } });
  });

  it('the tasks of a run are listed in: one LIST, paged, not one a task', async () => {
    const storage = new CountStorage(new MemoryStorage());
    const flow = await openFlow({ storage });
    for (let i = 0; i < 100; i++) await saveTask(flow, { i }, { taskId: String(i), attempt: 0 });
    storage.reset();
    expect(await flow.getTaskDataStores({ runId: 'r1' })).toHaveLength(100);
    expect(storage.snapshot()).toMatchObject({ list: { calls: 1, pages: 1 }, get: { calls: 200 } });
    storage.reset();
    expect(await flow.runs()).toHaveLength(1);
    expect(storage.snapshot().requests).toBe(1);
  });

  it('20 contents that this process knows take: one pin and one look at the log, beside the task itself', async () => {
    const storage = new CountStorage(new MemoryStorage());
    const flow = await openFlow({ storage });
    const values = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`b${i}`, noise(20_480, i + 1)]));
    await saveTask(flow, values, { taskId: 'first', attempt: 0 });
    storage.reset();
    await saveTask(flow, values, { taskId: 'second', attempt: 0 });
    // In memory and on disk every hit is looked at as well: one LIST, one read, one sync each.
    expect(storage.snapshot()).toMatchObject({
      create: { calls: 4 },
      list: { calls: 20 },
      get: { calls: 1 + 20 },
    });
  });

  it('a join of 20 tasks takes: a read and a look each, side by side, and one pin and one object for all', async () => {
    const remote = new ObservedStorage(new MemoryStorage(), { localReads: false });
    const storage = new CountStorage(remote);
    const flow = await openFlow({ storage });
    const own = (i: number) => noise(20_480, 1_000 + i);
    const shared = (i: number) => noise(100_000, 2_000 + i);
    for (let i = 0; i < 20; i++)
      await saveTask(
        flow,
        { [`own${i}`]: own(i), [`shared${i}`]: shared(i) },
        { taskId: String(i), attempt: 0 },
      );
    const inputs = await flow.getTaskDataStores({ runId: 'r1' });
    const held = { get: [] as (() => void)[], list: [] as (() => void)[] };
    remote.before = async (operation, name) => {
      const isRead = operation === 'get' && name.startsWith('values/');
      const isLook = operation === 'list' && name.startsWith('flows/');
      if (!isRead && !isLook) return;
      const waiting = held[isRead ? 'get' : 'list'];
      // The first sixteen go on once all of them have come.
      await new Promise<void>((resolve) => {
        if (waiting.push(resolve) >= 16) for (const goOn of waiting) goOn();
      });
    };
    storage.reset();
    const join = await flow.createTaskDataStore({ runId: 'r1', stepName: 'join', taskId: '0', attempt: 0 });
    await join.mergeArtifacts(inputs);
    await join.done();
    // attempt.json, the values, the pins, metadata.json, DONE; the log twice.
    expect(storage.snapshot()).toMatchObject({
      create: { calls: 5 },
      get: { calls: 20 + 2 },
      list: { calls: 20 },
    });
    remote.before = () => {};
    const joined = await (await flow.getTaskDataStore('r1/join/0')).loadArtifacts<
      Record<string, Uint8Array>
    >();
    for (let i = 0; i < 20; i++) {
      expect(Buffer.compare(joined[`own${i}`] as Uint8Array, own(i))).toBe(0);
      expect(Buffer.compare(joined[`shared${i}`] as Uint8Array, shared(i))).toBe(0);
    }
  });

  it('a join of tasks of which one was given up since looks at each content by itself', async () => {
    const remote = new ObservedStorage(new MemoryStorage(), { localReads: false });
    const flow = await openFlow({ storage: remote });
    for (let i = 0; i < 3; i++)
      await saveTask(flow, { [`shared${i}`]: noise(100_000, i) }, { taskId: String(i), attempt: 0 });
    const other = await openFlow({ storage: remote }); // which has seen nothing yet
    const inputs = await other.getTaskDataStores({ runId: 'r1' });
    await remote.create('flows/Test/r1/fit/1/0.PURGED', new Uint8Array(0));
    remote.calls.length = 0;
    const join = await other.createTaskDataStore({ runId: 'r1', stepName: 'join', taskId: '0', attempt: 0 });
    await join.mergeArtifacts(inputs);
    await join.done();
    expect(remote.calls.filter((call) => call.startsWith('list data/'))).toHaveLength(3);
  });
});
