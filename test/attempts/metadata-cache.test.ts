import { cpSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ReadAttempt, readAttempt, readTask } from '../../src/attempts/attempt-reader.ts';
import { MetadataCache } from '../../src/attempts/metadata-cache.ts';
import { DiskCache } from '../../src/content/caches/disk-cache.ts';
import { MemoryCache } from '../../src/content/caches/memory-cache.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { listTasks } from '../../src/format/attempt-files.ts';
import { decodeRecord, encodeRecord } from '../../src/format/record.ts';
import { readSessionFile } from '../../src/format/session-files.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { LocalStorage } from '../../src/storage/local.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { NaiveCache } from '../content/caches.ts';
import { abandonedDone, freshStore, withFlippedBit } from '../content/storages.ts';
import { errorOf, openFlow, saveTask, scratchFolder } from '../flow/fixtures.ts';

const path = { flow: 'Test', run: 'r1', step: 'fit', task: '0' };
const base = 'flows/Test/r1/fit/0/';

/** A process that reads tasks through a cache. */
class Reading {
  readonly storage: CountStorage;
  readonly #content: ReturnType<typeof freshStore>;
  readonly #metadataCache: MetadataCache;

  constructor(storage: DataStoreStorage, cache: ConstructorParameters<typeof MetadataCache>[1]) {
    this.storage = new CountStorage(storage);
    this.#content = freshStore(this.storage);
    this.#metadataCache = new MetadataCache(this.#content, cache);
  }

  async read(rule: Parameters<typeof readTask>[3] = {}, signal?: AbortSignal): Promise<ReadAttempt> {
    await this.#content.prepareToRead();
    this.storage.reset();
    const options = { signal, metadataCache: this.#metadataCache };
    return readTask(this.storage, this.#content.reader, path, rule, options);
  }

  async readRun(details: boolean): Promise<{ each: ReadAttempt[]; done: ReadAttempt[][] }> {
    await this.#content.prepareToRead();
    this.storage.reset();
    const options = { metadataCache: this.#metadataCache };
    const each: ReadAttempt[] = [];
    const done: ReadAttempt[][] = [];
    for await (const { path: task, attempts } of listTasks(
      this.storage,
      { flow: 'Test', run: 'r1' },
      { details },
    )) {
      each.push(await readAttempt(this.storage, this.#content.reader, task, attempts, {}, options));
      const prior: ReadAttempt[] = [];
      for (const attempt of attempts.keys())
        prior.push(
          await readAttempt(this.storage, this.#content.reader, task, attempts, { attempt }, options),
        );
      done.push(prior);
    }
    return { each, done };
  }

  /** How many of each kind of request the last read took. */
  get requests(): { lists: number; gets: number; all: number } {
    const { list, get, requests } = this.storage.snapshot();
    return { lists: list.calls, gets: get.calls, all: requests };
  }
}

/** What a reader makes of an attempt, in a form that can be compared. */
function seen(read: ReadAttempt): unknown {
  const { path, attempt, status, startedAt, label, closedAt, done, opened, described } = read;
  const { metadata, purged, erased } = read;
  const own = { path, attempt, status, startedAt, label, closedAt, done, opened, metadata, purged, erased };
  if (!described) return own;
  const { table, readFrom, cached, takenOver, returned, reports } = described;
  return { ...own, table: table(), readFrom, cached, takenOver, returned, reports };
}

/** A flow with one task that is done. */
async function savedFlow(artifacts: Record<string, unknown> = { answer: 42 }): Promise<FlowDataStore> {
  const flow = await openFlow();
  await saveTask(flow, artifacts);
  return flow;
}

describe('opening a task again', () => {
  it('takes one LIST, and gives the same', async () => {
    const flow = await savedFlow({ answer: 42, text: 'x'.repeat(1000), bytes: new Uint8Array(20_000) });
    const cache = await MemoryCache.open();
    const reading = new Reading(flow.storage, cache);
    const first = seen(await reading.read());
    expect(reading.requests).toEqual({ lists: 1, gets: 2, all: 3 });
    const second = seen(await reading.read());
    expect(reading.requests).toEqual({ lists: 1, gets: 0, all: 1 });
    const other = new Reading(flow.storage, cache);
    const third = seen(await other.read());
    expect(other.requests).toEqual({ lists: 1, gets: 0, all: 1 });
    expect(second).toEqual(first);
    expect(third).toEqual(first);
    expect(seen(await readTask(flow.storage, freshStore(flow.storage).reader, path, {}, {}))).toEqual(first);
  });

  it('takes one LIST for all tasks of a run', async () => {
    const flow = await openFlow();
    for (let i = 0; i < 5; i++) await saveTask(flow, { i }, { taskId: String(i) });
    await saveTask(flow, { again: true }, { taskId: '3' });
    const reading = new Reading(flow.storage, await MemoryCache.open());
    const first = await reading.readRun(true);
    expect(reading.requests).toMatchObject({ lists: 1, gets: 2 * 6 });
    const second = await reading.readRun(true);
    expect(reading.requests).toMatchObject({ lists: 1, gets: 0 });
    expect(second.each.map(seen)).toEqual(first.each.map(seen));
    expect(second.done.map((attempts) => attempts.map(seen))).toEqual(
      first.done.map((attempts) => attempts.map(seen)),
    );
    // Without details nothing tells one DONE from another.
    await reading.readRun(false);
    expect(reading.requests).toMatchObject({ lists: 1, gets: 2 * 11 });
  });

  it('that failed gives its error again', async () => {
    const flow = await openFlow();
    const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };
    const failing = flow.task(spec, () => Promise.reject(new Error('no luck')));
    await expect(failing).rejects.toThrow('no luck');
    const reading = new Reading(flow.storage, await MemoryCache.open());
    for (const gets of [2, 0]) {
      const read = await reading.read({ allowNotDone: true });
      expect([read.status, read.done?.error?.message, reading.requests.gets]).toEqual([
        'failed',
        'no luck',
        gets,
      ]);
      await errorOf(reading.read(), 'ATTEMPT_NOT_DONE');
    }
  });

  it('that was open then shows what became of it', async () => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
    const reading = new Reading(flow.storage, await MemoryCache.open());
    expect((await reading.read({ allowNotDone: true })).status).toBe('open');
    await task.saveArtifacts({ answer: 42 });
    await task.done();
    expect((await reading.read()).status).toBe('done');
  });

  it('that a collector gave up on is never taken from a cache', async () => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
    const record = await readSessionFile(flow.storage, `${base}0.attempt.json`, {});
    await flow.storage.create(`${base}0.DONE`, abandonedDone(record as Uint8Array));
    const cache = new NaiveCache();
    const reading = new Reading(flow.storage, cache);
    for (let turn = 0; turn < 2; turn++) {
      expect((await reading.read({ allowNotDone: true })).status).toBe('abandoned');
    }
    expect(cache.sets).toBe(0);
    await task.fail(new Error('woken up'));
  });

  it('ends with its signal', async () => {
    const flow = await savedFlow();
    const reading = new Reading(flow.storage, await MemoryCache.open());
    await reading.read();
    await errorOf(reading.read({}, AbortSignal.abort()), 'ABORTED');
  });
});

describe('what retention did is noticed, though the attempt was cached', () => {
  it('deleted', async () => {
    const { storage } = await savedFlow();
    const reading = new Reading(storage, await MemoryCache.open());
    await reading.read();
    await storage.create(`${base}0.DELETED`, new Uint8Array(0));
    await errorOf(reading.read(), 'ATTEMPT_DELETED');
    await storage.delete([`${base}0.metadata.json`]);
    await errorOf(reading.read(), 'ATTEMPT_DELETED');
  });

  it('purged', async () => {
    const { storage } = await savedFlow();
    const reading = new Reading(storage, await MemoryCache.open());
    expect((await reading.read()).purged).toBe(false);
    await storage.create(`${base}0.PURGED`, new Uint8Array(0));
    expect((await reading.read()).purged).toBe(true);
    expect(reading.requests.all).toBe(1);
  });

  it('erased', async () => {
    const { storage } = await savedFlow({ answer: 42, secret: 'name' });
    const cache = new NaiveCache();
    const reading = new Reading(storage, cache);
    await reading.read();
    const body = (await storage.get(`${base}0.metadata.json`))?.body as Uint8Array;
    const record = decodeRecord(body, 'metadata');
    const artifacts = (record.artifacts as { name: string }[]).filter(({ name }) => name !== 'secret');
    const erased = { ...record, artifacts, reason: 'asked to', erased: ['secret'] };
    await storage.create(`${base}0.ERASED.00000000.json`, encodeRecord(erased));
    for (let turn = 0; turn < 2; turn++) {
      const read = await reading.read();
      expect(read.erased).toEqual({ revision: 0, reason: 'asked to', artifacts: ['secret'] });
      expect(reading.requests.gets).toBe(2);
      expect(read.described?.table().artifacts.map(({ name }) => name)).toEqual(['answer']);
    }
    expect(cache.sets).toBe(1);
  });
});

describe('another store is never given these records', () => {
  it('made anew in the same folder, with the same names', async () => {
    const folder = join(scratchFolder(), 'store');
    await using cache = await DiskCache.open(join(scratchFolder(), 'cache'));
    for (const answer of [41, 42]) {
      await using storage = await LocalStorage.open(folder);
      await saveTask(await openFlow({ storage }), { answer });
      const reading = new Reading(storage, cache);
      for (const gets of [2, 0]) {
        const read = await reading.read();
        expect(read.described?.table().artifacts[0]?.inline).toEqual({ json: answer });
        expect(reading.requests.gets).toBe(gets);
      }
      rmSync(folder, { recursive: true });
    }
  });

  it('restored from a backup, where the task is then done again', async () => {
    const folder = join(scratchFolder(), 'store');
    const backup = join(scratchFolder(), 'backup');
    const cache = await MemoryCache.open();
    await using storage = await LocalStorage.open(folder);
    const flow = await openFlow({ storage });
    await saveTask(flow, { other: true }, { taskId: 'first' });
    cpSync(folder, backup, { recursive: true });
    for (const answer of [41, 42]) {
      await using current = await LocalStorage.open(folder);
      await saveTask(await openFlow({ storage: current }), { answer });
      // As if it was closed an hour apart, rather than within one tick of a coarse clock.
      const seconds = 1_700_000_000 + answer * 3600;
      utimesSync(join(folder, base, '0.DONE'), seconds, seconds);
      const read = await new Reading(current, cache).read();
      expect(read.described?.table().artifacts[0]?.inline).toEqual({ json: answer });
      rmSync(folder, { recursive: true });
      cpSync(backup, folder, { recursive: true });
    }
  });

  it('beside it, of the same id and times', async () => {
    const first = join(scratchFolder(), 'store');
    const second = join(scratchFolder(), 'store');
    await using storage = await LocalStorage.open(first);
    await saveTask(await openFlow({ storage }), { answer: 42 });
    cpSync(first, second, { recursive: true });
    for (const store of [first, second])
      utimesSync(join(store, base, '0.DONE'), 1_700_000_000, 1_700_000_000);
    await using copy = await LocalStorage.open(second);
    const cache = await MemoryCache.open();
    await new Reading(storage, cache).read();
    const reading = new Reading(copy, cache);
    await reading.read();
    expect(reading.requests.gets).toBe(2);
  });
});

describe('an entry that is not what it was', () => {
  async function cachedTask(): Promise<{
    storage: DataStoreStorage;
    cache: NaiveCache;
    key: string;
    entry: Uint8Array;
  }> {
    const { storage } = await savedFlow();
    const cache = new NaiveCache();
    await new Reading(storage, cache).read();
    const [key, entry] = [...cache.entries][0] as [string, Uint8Array];
    return { storage, cache, key, entry: new Uint8Array(entry) };
  }

  it('is a miss, whichever bit is flipped and wherever it is cut, and is replaced', async () => {
    const { storage, cache, key, entry } = await cachedTask();
    const reading = new Reading(storage, cache);
    const expected = seen(await reading.read());
    const damaged: Uint8Array[] = [
      new Uint8Array(0),
      new Uint8Array(entry.length),
      new Uint8Array([...entry, 0]),
    ];
    for (let bit = 0; bit < 8 * entry.length; bit += 19) damaged.push(withFlippedBit(entry, bit));
    for (let cut = 1; cut < entry.length; cut += cut < 50 ? 1 : 17) damaged.push(entry.slice(0, cut));
    for (const bytes of damaged) {
      cache.entries.set(key, bytes);
      expect(seen(await reading.read())).toEqual(expected);
      expect(reading.requests.gets).toBe(2);
      expect(Buffer.compare(cache.entries.get(key) as Uint8Array, entry)).toBe(0);
    }
  });

  it('is a miss where two were swapped, each whole in itself', async () => {
    const flow = await savedFlow({ answer: 42 });
    const cache = new NaiveCache();
    const reading = new Reading(flow.storage, cache);
    await reading.read();
    await saveTask(flow, { answer: 43 });
    await reading.read();
    const [[first, a], [second, b]] = [...cache.entries] as [[string, Uint8Array], [string, Uint8Array]];
    cache.entries.set(first, b).set(second, a);
    for (const [attempt, answer] of [
      [0, 42],
      [1, 43],
    ] as const) {
      const read = await reading.read({ attempt });
      expect(read.described?.table().artifacts[0]?.inline).toEqual({ json: answer });
    }
  });

  it('does not hide damage of the store from whoever has not read it whole', async () => {
    const { storage } = await savedFlow();
    const name = `${base}0.metadata.json`;
    const body = (await storage.get(name))?.body as Uint8Array;
    await storage.overwrite(name, withFlippedBit(body, 100));
    const cache = new NaiveCache();
    for (let turn = 0; turn < 2; turn++) await errorOf(new Reading(storage, cache).read(), 'RECORD_DAMAGED');
    expect(cache.sets).toBe(0);
  });

  it.each(['get', 'set', 'delete'] as const)(
    'and a cache whose %s fails, cost speed only',
    async (method) => {
      const { storage, cache, key } = await cachedTask();
      cache.entries.set(key, new Uint8Array(5));
      Object.assign(cache, { [method]: () => Promise.reject(new Error('boom')) });
      expect((await new Reading(storage, cache).read()).status).toBe('done');
    },
  );

  it('is not shared with whoever read it', async () => {
    const { storage, cache } = await cachedTask();
    const reading = new Reading(storage, cache);
    const read = await reading.read();
    const expected = seen(await reading.read());
    (read.metadata as Record<string, unknown>).changed = true;
    read.described?.table().artifacts.pop();
    expect(seen(await reading.read())).toEqual(expected);
  });
});

describe('stores in memory', () => {
  it('with the same names do not mix, though their addresses are alike', async () => {
    const cache = await MemoryCache.open();
    for (const answer of [1, 2]) {
      const storage = new MemoryStorage();
      await saveTask(await openFlow({ storage }), { answer });
      const read = await new Reading(storage, cache).read();
      expect(read.described?.table().artifacts[0]?.inline).toEqual({ json: answer });
    }
  });
});

it('a cache must be one', async () => {
  const { storage } = await savedFlow();
  await errorOf(async () => new MetadataCache(freshStore(storage), {} as never), 'INVALID_ARGUMENT');
});
