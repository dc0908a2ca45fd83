import { cpSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { listRuns } from '../../src/attempts/run-listing.ts';
import { encodeRecord } from '../../src/format/record.ts';
import { createRunTime, MAX_RUN_TIME_MS } from '../../src/format/run-records.ts';
import { copyStore } from '../../src/maintenance/copy-store.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { errorOf, objectNames, openFlow, openLocalFlow, saveTask } from '../flow/fixtures.ts';
import { test } from '../property.ts';

afterEach(() => vi.useRealTimers());

const DAY_MS = 86_400_000;
const uniqueRuns = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,3}$/), { minLength: 1, maxLength: 8 });

async function newestFirst(storage: DataStoreStorage): Promise<string[]> {
  return (await listRuns(storage, undefined, {})).map(({ run }) => run);
}

/** A run as another writer may have left it. */
async function writeRun(
  storage: DataStoreStorage,
  run: string,
  createdAtMs: number,
  files: readonly string[] = [],
): Promise<void> {
  const createdAt = new Date(createdAtMs).toISOString();
  const fields = { format: 1, kind: 'run', session: '0'.repeat(26), flow: 'Test', run, createdAt };
  const record = encodeRecord({ ...fields, tags: [], parameters: {}, parents: [] });
  await storage.create(`runs/Test/${run}/created.json`, record);
  for (const file of files) await storage.create(`runs/Test/${run}/${file}`, new Uint8Array(0));
}

describe('the order of runs', () => {
  test.prop([uniqueRuns, fc.infiniteStream(fc.nat())], { numRuns: 50 })(
    'is that in which one process made them, however fast, also in a copy whose objects were written in any other order',
    async (runs, random) => {
      const storage = new MemoryStorage();
      const flow = await openFlow({ storage });
      for (const runId of runs) await flow.createRun({ runId });
      const expected = [...runs].reverse();
      expect(await newestFirst(storage)).toEqual(expected);
      const copy = new MemoryStorage();
      const shuffled = (await objectNames(storage))
        .map((name) => ({ name, at: random.next().value as number }))
        .sort((a, b) => a.at - b.at);
      for (const { name } of shuffled) await copy.create(name, (await storage.get(name))?.body as Uint8Array);
      expect(await newestFirst(copy)).toEqual(expected);
    },
  );

  it('stays in a folder that was copied by a tool which keeps no times', async () => {
    const { flow, folder } = await openLocalFlow();
    for (const runId of ['first', 'second', 'third']) await (await flow.createRun({ runId })).finish();
    await flow.close();
    const there = `${folder}-copy`;
    cpSync(folder, there, { recursive: true });
    for (const [index, runId] of ['third', 'second', 'first'].entries())
      utimesSync(join(there, 'runs/Test', runId, 'created.json'), index * 1000, index * 1000);
    const copy = await openFlow({ storage: there });
    expect((await copy.runs()).map(({ run }) => run.runId)).toEqual(['third', 'second', 'first']);
    expect((await copy.latestRun())?.runId).toBe('third');
  });

  it('stays where copyStore brings an older run beside newer ones', async () => {
    const [from, to] = [new MemoryStorage(), new MemoryStorage()];
    for (const [storage, runId] of [
      [from, 'january'],
      [to, 'june'],
    ] as const) {
      const flow = await openFlow({ storage });
      await saveTask(flow, { x: 1 }, { runId });
      await flow.run(runId).finish();
    }
    await copyStore({ from, to });
    expect((await (await openFlow({ storage: to })).latestRun())?.runId).toBe('june');
    const counted = new CountStorage(to);
    expect(await newestFirst(counted)).toEqual(['june', 'january']);
    expect(counted.snapshot()).toMatchObject({ requests: 1, list: { calls: 1 } });
  });

  it('stays where copyStore was interrupted at any request, and made again', async () => {
    const from = new MemoryStorage();
    const flow = await openFlow({ storage: from });
    for (const runId of ['b', 'a']) await saveTask(flow, { x: 1 }, { runId });
    for (let call = 0; ; call++) {
      const to = new MemoryStorage();
      const broken = new FaultStorage(to, (_operation, _name, index) =>
        index >= call ? { kind: 'before' } : undefined,
      );
      const isWhole = await copyStore({ from, to: broken, concurrency: 1 }).then(
        () => true,
        () => false,
      );
      if (!isWhole) await copyStore({ from, to });
      const counted = new CountStorage(to);
      expect(await newestFirst(counted)).toEqual(['a', 'b']);
      expect(counted.snapshot().get.calls).toBe(0);
      if (isWhole) break;
    }
  });

  it('follows a clock that is set back, and one that stands still', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const flow = await openFlow();
    const made = async (runId: string, nowMs: number): Promise<number> => {
      vi.setSystemTime(nowMs);
      return Date.parse((await (await flow.createRun({ runId })).info()).createdAt);
    };
    const nowMs = Date.now() + DAY_MS;
    expect(await made('a', nowMs)).toBe(nowMs);
    expect(await made('b', nowMs)).toBe(nowMs + 1);
    expect(await made('c', nowMs - 1)).toBe(nowMs + 2);
    expect(await made('d', nowMs - DAY_MS)).toBe(nowMs - DAY_MS);
    expect((await flow.runs()).map(({ run }) => run.runId)).toEqual(['c', 'b', 'a', 'd']);
  });

  it('of one millisecond is that of the names', async () => {
    const storage = new MemoryStorage();
    for (const run of ['a', 'c', 'b']) await writeRun(storage, run, 1000, ['at.1000']);
    expect(await newestFirst(storage)).toEqual(['c', 'b', 'a']);
  });
});

describe('a run whose files do not tell its time', () => {
  const file = fc.oneof(
    fc.nat({ max: 1e15 }).map((ms) => `at.${ms}`),
    fc.constantFrom('at.', 'at.x', 'at.-5', 'at.01', 'at.1e9', 'at.1.5', 'at.5/x', 'at', 'note.txt'),
    fc.constantFrom(`at.${MAX_RUN_TIME_MS}`, `at.${MAX_RUN_TIME_MS + 1}`, `at.${'9'.repeat(40)}`),
  );

  test.prop([
    fc.array(fc.tuple(fc.nat({ max: 1e14 }), fc.uniqueArray(file, { maxLength: 4 })), { maxLength: 6 }),
  ])('or tell several, has that of its record, which is read for these runs only', async (described) => {
    const storage = new CountStorage(new MemoryStorage());
    const expected = new Map<string, number>();
    let unclear = 0;
    for (const [index, [createdAtMs, files]] of described.entries()) {
      await writeRun(storage, `r${index}`, createdAtMs, files);
      const told = files.filter((name) => /^at\.\d+$/.test(name) && !/^at\.0\d/.test(name));
      const times = told.map((name) => Number(name.slice(3))).filter((ms) => ms <= 253_402_300_799_999);
      if (times.length !== 1) unclear += 1;
      expected.set(`r${index}`, times.length === 1 ? (times[0] as number) : createdAtMs);
    }
    storage.reset();
    const listed = await listRuns(storage, 'Test', {});
    expect(new Map(listed.map(({ run, createdAtMs }) => [run, createdAtMs]))).toEqual(expected);
    const times = listed.map(({ createdAtMs }) => createdAtMs);
    expect(times).toEqual([...times].sort((a, b) => b - a));
    expect(storage.snapshot()).toMatchObject({ requests: 1 + unclear, get: { calls: unclear } });
  });

  it('because its maker died in between is found in its place, and is not made twice', async () => {
    const inner = new MemoryStorage();
    const flow = await openFlow({ storage: inner });
    await flow.createRun({ runId: 'before' });
    const dying = new FaultStorage(inner, (operation, name) =>
      operation === 'create' && name.includes('/at.') ? { kind: 'before' } : undefined,
    );
    await errorOf((await openFlow({ storage: dying })).createRun({ runId: 'cut' }), 'STORAGE_UNAVAILABLE');
    await flow.createRun({ runId: 'after' });
    expect(await newestFirst(inner)).toEqual(['after', 'cut', 'before']);
    await saveTask(await openFlow({ storage: inner }), { x: 1 }, { runId: 'cut' });
    expect(await newestFirst(inner)).toEqual(['after', 'cut', 'before']);
  });

  it('and whose record is damaged hides no other', async () => {
    const storage = new MemoryStorage();
    await writeRun(storage, 'old', 1000, ['at.1000']);
    await storage.create('runs/Test/damaged/created.json', Buffer.from('garbage'));
    await storage.create('runs/Test/twice/created.json', Buffer.from('garbage'));
    for (const ms of [3, 2]) await storage.create(`runs/Test/twice/at.${ms}`, new Uint8Array(0));
    await storage.create('runs/Test/none/at.5', new Uint8Array(0));
    // One is known by when it was written, another by the earliest that its files tell; without a record there is no run.
    expect(await newestFirst(storage)).toEqual(['damaged', 'old', 'twice']);
  });

  it('is no reason to keep more of its files than their earliest and number', async () => {
    const storage = new MemoryStorage();
    await writeRun(storage, 'many', 5_000);
    for (let ms = 0; ms < 20_000; ms++) await storage.create(`runs/Test/many/at.${ms}`, new Uint8Array(0));
    expect(await listRuns(storage, 'Test', {})).toMatchObject([{ run: 'many', createdAtMs: 5_000 }]);
  });

  it.each(['1969-12-31T23:59:59.000Z', '+010000-01-01T00:00:00.000Z'])(
    '%s is a time that no file tells',
    async (time) => {
      const storage = new MemoryStorage();
      await createRunTime(storage, 'Test', 'r', time, {});
      expect(await objectNames(storage)).toEqual([]);
    },
  );
});
