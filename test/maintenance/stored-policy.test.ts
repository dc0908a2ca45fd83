import { describe, expect, it } from 'vitest';
import vectors from '../../docs/format-vectors/policy.json' with { type: 'json' };
import { encodeRecord } from '../../src/format/record.ts';
import {
  collectStore,
  MemoryStorage,
  type RetentionPolicy,
  readRetentionPolicy,
  saveRetentionPolicy,
} from '../../src/index.ts';
import { errorOf, objectNames, openFlow, saveTask } from '../flow/fixtures.ts';

async function makeStore(): Promise<MemoryStorage> {
  const store = new MemoryStorage();
  const flow = await openFlow({ storage: store });
  await saveTask(flow, { x: 1 });
  return store;
}

const POLICY: RetentionPolicy = {
  keepWithin: '30d',
  keepLast: 10,
  keepTags: ['release'],
  flows: { 'Train 2': {} },
  cache: { maxBytes: '10GB' },
};

describe('the policy of a store', () => {
  it('reads as it was saved, the latest one, until it is taken away', async () => {
    const store = await makeStore();
    expect(await readRetentionPolicy({ store })).toBeUndefined();
    await saveRetentionPolicy({ store, policy: { keepLast: 3 } });
    await saveRetentionPolicy({ store, policy: POLICY });
    const stored = await readRetentionPolicy({ store });
    expect(stored).toMatchObject({ policy: POLICY, owner: { pid: process.pid } });
    expect(Date.parse(stored?.at ?? '')).toBeGreaterThan(Date.now() - 60_000);
    await saveRetentionPolicy({ store, policy: null });
    expect(await readRetentionPolicy({ store })).toBeUndefined();
    await saveRetentionPolicy({ store, policy: { keepLast: 1 } });
    expect((await readRetentionPolicy({ store }))?.policy).toEqual({ keepLast: 1 });
  });

  it('that several save at once is that of one of them, and none is lost', async () => {
    const store = await makeStore();
    const policies = [1, 2, 3, 4].map((keepLast) => ({ keepLast }));
    await Promise.all(policies.map((policy) => saveRetentionPolicy({ store, policy })));
    expect(policies).toContainEqual((await readRetentionPolicy({ store }))?.policy);
    expect((await objectNames(store, 'policy.')).length).toBe(4);
  });

  it('deletes nothing by itself, and is no reason for a collection to stop', async () => {
    const store = await makeStore();
    await saveRetentionPolicy({ store, policy: { keepLast: 0 } });
    const before = await objectNames(store);
    expect((await collectStore({ store })).collection.outcome).toBe('nothing');
    expect(await objectNames(store)).toEqual(before);
  });

  it.each([
    [{ keepLasts: 3 }, 'INVALID_ARGUMENT', 'Did you mean keepLast'],
    [{ keepWithin: '3 parsecs' }, 'INVALID_ARGUMENT', 'is an age'],
    [[], 'INVALID_ARGUMENT', 'must be an object of rules'],
    [{ flows: { '..': {} } }, 'INVALID_NAME', '..'],
  ] as const)('is refused before anything is written: %j', async (policy, code, message) => {
    const store = await makeStore();
    const before = await objectNames(store);
    const error = await errorOf(saveRetentionPolicy({ store, policy: policy as never }), code);
    expect(error.message).toContain(message);
    expect(await objectNames(store)).toEqual(before);
  });

  it('needs a store, and makes none', async () => {
    const store = new MemoryStorage();
    await errorOf(saveRetentionPolicy({ store, policy: {} }), 'NO_SUCH_STORE');
    expect(await objectNames(store)).toEqual([]);
  });

  it('with a rule of a later version is refused, and not read without it', async () => {
    const store = await makeStore();
    const record = { format: 1, kind: 'policy', version: 0, at: '2026-03-01T12:00:00.000Z' };
    const policy = { keepLast: 3, keepEvenMore: true };
    const owner = { host: 'worker-7', pid: 4711 };
    await store.create('policy.00000000.json', encodeRecord({ ...record, owner, policy }));
    const { message } = await errorOf(readRetentionPolicy({ store }), 'UNSUPPORTED_FORMAT');
    expect(message).toContain('keepEvenMore');
  });

  it('is damaged by any other byte', async () => {
    const store = await makeStore();
    await saveRetentionPolicy({ store, policy: { keepLast: 30 } });
    const [name = ''] = await objectNames(store, 'policy.');
    const bytes = (await store.get(name))?.body as Uint8Array;
    await store.overwrite(name, Buffer.from(Buffer.from(bytes).toString().replace('30', '3 ')));
    await errorOf(readRetentionPolicy({ store }), 'RECORD_DAMAGED');
  });

  it('reads from the vectors as they say', async () => {
    const store = await makeStore();
    for (const { name, record } of vectors.records) await store.create(name, Buffer.from(record));
    expect(await readRetentionPolicy({ store })).toEqual(vectors.stored);
  });
});
