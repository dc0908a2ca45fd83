import { describe, expect, it } from 'vitest';
import { CountStorage } from '../../src/storage/count.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
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
});
