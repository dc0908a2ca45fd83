import { describe, expect, it } from 'vitest';
import { encodeRecord } from '../../src/format/record.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { errorOf, objectNames, openFlow, saveTask } from '../flow/fixtures.ts';

describe('the records of a run', () => {
  it('are made once, however many make them in one millisecond', async () => {
    const flow = await openFlow();
    const made = await Promise.allSettled(Array.from({ length: 5 }, () => flow.createRun({ runId: 'x' })));
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const finished = await Promise.allSettled(Array.from({ length: 5 }, () => flow.run('x').finish()));
    expect(finished.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('refuse what could not be read again, before anything is written', async () => {
    const flow = await openFlow();
    await flow.createRun({ runId: 'x' });
    const before = await objectNames(flow.storage);
    await errorOf(flow.run('x').finish('success' as never), 'INVALID_ARGUMENT');
    await errorOf(flow.run('nobody').finish(), 'RUN_NOT_FOUND');
    for (const bad of [
      { tags: 'abc' },
      { tags: [1] },
      { parents: ['a/b/c'] },
      { parameters: [1] },
      { parameters: { n: Number.NaN } },
      { parameters: { text: 'x'.repeat(5_000_000) } },
    ]) {
      await errorOf(flow.createRun({ runId: 'y', ...(bad as object) }), 'INVALID_ARGUMENT');
    }
    await errorOf(flow.createRun({ runId: 'y', parents: ['../..'] }), 'INVALID_NAME');
    expect(await objectNames(flow.storage)).toEqual(before);
  });

  it('made by another process are made durable before tasks rest on them', async () => {
    const storage = new MemoryStorage();
    await (await openFlow({ storage })).createRun({ runId: 'r1' });
    const counted = new CountStorage(storage);
    await saveTask(await openFlow({ storage: counted }), { x: 1 });
    expect(counted.snapshot().persist.names).toBe(1);
  });
});

describe('a record with a good digest that nothing writes', () => {
  async function withRecord(name: string, fields: object): Promise<DataStoreStorage> {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    await flow.createRun({ runId: 'r1' });
    await flow
      .task({ runId: 'r1', stepName: 'fit', taskId: '0' }, () => Promise.reject(new Error('x')))
      .catch(() => {});
    await storage.delete([name]);
    await storage.create(name, encodeRecord({ format: 1, ...fields }));
    return storage;
  }

  it.each([
    { name: 5, message: 'm' },
    { name: 'n', message: {} },
    { name: 'n', message: 'm', cause: {} },
  ])('is damage: an error of %j', async (error) => {
    const finished = {
      kind: 'run-finished',
      end: 0,
      status: 'failed',
      finishedAt: '2026-01-01T00:00:00.000Z',
      error,
    };
    const flow = await openFlow({ storage: await withRecord('runs/Test/r1/finished.json', finished) });
    await errorOf(flow.run('r1').info(), 'RECORD_DAMAGED');
    const done = {
      kind: 'done',
      outcome: 'failed',
      session: '0'.repeat(26),
      closedAt: '2026-01-01T00:00:00.000Z',
      error,
    };
    const other = await openFlow({ storage: await withRecord('flows/Test/r1/fit/0/0.DONE', done) });
    await errorOf(other.getTaskDataStore('r1/fit/0', { allowNotDone: true }), 'RECORD_DAMAGED');
  });

  it('is damage: a time that is none', async () => {
    const created = { kind: 'run', createdAt: 'yesterday', tags: [], parameters: {}, parents: [] };
    const flow = await openFlow({ storage: await withRecord('runs/Test/r1/created.json', created) });
    await errorOf(flow.run('r1').info(), 'RECORD_DAMAGED');
  });
});
