import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { digestHex } from '../../src/digest/blake3.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { MAX_ENTRY_BYTES } from '../../src/format/cache-entry.ts';
import { entryName } from '../../src/format/cache-names.ts';
import { decodeRecord, encodeRecord } from '../../src/format/record.ts';
import { type CopyOptions, copyStore } from '../../src/maintenance/copy-store.ts';
import type { DataStoreStorage, OverwriteOptions, StoredObject } from '../../src/storage/contract.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { bodyOf, ObservedStorage } from '../content/storages.ts';
import { errorOf, noise, objectNames, openFlow } from '../flow/fixtures.ts';
import { propertyRuns, test } from '../property.ts';

const numRuns = Math.ceil(propertyRuns / 16);

afterEach(() => vi.unstubAllEnvs());

let runs = 0;
function define(flow: FlowDataStore, maxAge?: number) {
  return flow.cachedTask({
    name: 'square',
    version: '1',
    maxAge,
    run: ({ n, bytes }: { n: number; bytes?: number }) => {
      runs += 1;
      return { square: n * n, noise: noise(bytes ?? 1, n) };
    },
  });
}

async function filled(storage: DataStoreStorage = new MemoryStorage()): Promise<DataStoreStorage> {
  const task = define(await openFlow({ storage }));
  await task({ n: 2 }, { runId: 'r1' });
  await task({ n: 3, bytes: 50_000 }, { runId: 'r1' });
  await task({ n: 4, bytes: 300_000 }, { runId: 'r2' });
  return storage;
}

describe('the cache of a store that is copied', () => {
  it('has the same hits in the target, inline and by content, which can be recorded there', async () => {
    const from = await filled();
    const to = new MemoryStorage();
    const result = await copyStore({ from, to });
    expect(result).toMatchObject({ problems: [], entries: { copied: 3, present: 0, refused: 0, failed: 0 } });
    runs = 0;
    const flow = await openFlow({ storage: to });
    for (const input of [{ n: 2 }, { n: 3, bytes: 50_000 }, { n: 4, bytes: 300_000 }]) {
      const hit = await define(flow).detailed(input, { runId: 'r9', recordHit: true });
      expect(hit).toMatchObject({ hit: true, value: { square: input.n ** 2 } });
      expect(hit.recorded).toMatch(/^r9\/square\//);
    }
    expect(runs).toBe(0);
    expect((await copyStore({ from, to })).entries).toMatchObject({ copied: 0, present: 3 });
  });

  it('keeps the age of its entries', async () => {
    let nowMs = Date.now() - 3_600_000;
    const from = new MemoryStorage();
    const cache = { nowMs: () => nowMs };
    await define(await openFlow({ storage: from, cache }))({ n: 2 });
    const to = new MemoryStorage();
    await copyStore({ from, to });
    nowMs += 3_600_000;
    const task = define(await openFlow({ storage: to, cache }), 1_800_000);
    expect(await task.detailed({ n: 2 })).toMatchObject({ hit: false, missReason: 'expired' });
  });

  it('comes as far as the runs that are copied', async () => {
    const from = await filled();
    const to = new MemoryStorage();
    const result = await copyStore({ from, to, flowName: 'Test', runId: 'r2' });
    expect(result.entries).toMatchObject({ copied: 1, refused: 0 });
    expect((await objectNames(to, 'cache/')).length).toBe(1);
  });

  it('of one run or flow costs what belongs to it, however many entries there are', async () => {
    const storage = await filled();
    const other = (await openFlow({ storage, flowName: 'Other' })).cachedTask({
      name: 'other',
      version: '1',
      run: (n: number) => n,
    });
    for (let n = 0; n < 100; n++) await other(n, { runId: 'many' });
    const from = new CountStorage(storage);
    const readEntries = async (options: Partial<CopyOptions>): Promise<number> => {
      from.reset();
      const to = new MemoryStorage();
      const { entries } = await copyStore({ from, to, ...options });
      expect((await objectNames(to, 'cache/')).length).toBe(entries.copied);
      return entries.copied;
    };
    expect(await readEntries({ flowName: 'Test', runId: 'r1' })).toBe(2);
    expect(from.snapshot().get.calls).toBeLessThan(15);
    expect(from.snapshot().list.calls).toBeLessThan(15);
    expect(await readEntries({ flowName: 'Test' })).toBe(3);
    expect(from.snapshot().get.calls).toBeLessThan(20);
    const { entries } = await copyStore({ from, to: new MemoryStorage() });
    expect(entries.copied).toBe(103);
  });

  it('leaves out what names another attempt there, and what cannot be read, and calls neither a problem', async () => {
    const from = await filled();
    const to = new MemoryStorage();
    const other = await openFlow({ storage: to });
    const { key } = await define(other).keyOf({ n: 2 });
    const spec = { runId: 'r1', stepName: 'square', taskId: key.slice(0, 20) };
    await other.task(spec, (task) => task.saveArtifacts({ output: 'something else' }));
    const third = (await objectNames(from, 'cache/')).at(-1) as string;
    await from.delete([third]);
    await from.create(third, Buffer.from('garbage'));
    const hostile = entryName(digestHex(Buffer.from('hostile')));
    const good = decodeRecord(await bodyOf(from, (await objectNames(from, 'cache/'))[0] as string), 'entry');
    const source = { ...(good.source as object), flow: '..', run: 'a/b' };
    await from.create(hostile, encodeRecord({ ...good, key: hostile.slice(10, -5), source }));
    // The whole run is another one there, so that nothing of it comes along.
    const result = await copyStore({ from, to });
    expect(result.entries).toMatchObject({ failed: 1 });
    expect(result.entries.copied + result.entries.refused).toBe(3);
    expect(result.entries.refused).toBeGreaterThanOrEqual(2);
    expect(result.problems.every(({ path }) => !path.includes('cache'))).toBe(true);
    runs = 0;
    await define(await openFlow({ storage: to }))({ n: 2 });
    expect(runs).toBe(1);
  });

  it('is signed by keys of the options, and tells what it left out for want of them', async () => {
    const [own, others] = ['a', 'b'].map((letter) => [{ id: letter, secret: letter.repeat(40) }]);
    const from = new MemoryStorage();
    await define(await openFlow({ storage: from, cache: { signingKeys: own } }))({ n: 2 });
    const to = new MemoryStorage();
    for (const signingKeys of [undefined, false, others] as const) {
      const { entries, unsignedEntries, problems } = await copyStore({ from, to, signingKeys });
      expect({ entries, unsignedEntries, problems }).toMatchObject({
        entries: { copied: 0, refused: 1 },
        unsignedEntries: 1,
        problems: [],
      });
    }
    expect(await copyStore({ from, to, signingKeys: own })).toMatchObject({
      entries: { copied: 1, refused: 0 },
      unsignedEntries: 0,
    });
    const flow = await openFlow({ storage: to, cache: { signingKeys: own } });
    expect((await define(flow).detailed({ n: 2 })).hit).toBe(true);
    // One that nobody signs takes no hit from those who have a key, and gives them one once it is signed.
    const unsigned = new MemoryStorage();
    await define(await openFlow({ storage: unsigned }))({ n: 2 }, { runId: 'later' });
    expect(await copyStore({ from: unsigned, to })).toMatchObject({ entries: { copied: 0, refused: 1 } });
    const mirror = new MemoryStorage();
    await copyStore({ from: unsigned, to: mirror });
    expect(await copyStore({ from, to: mirror, signingKeys: own })).toMatchObject({ entries: { copied: 1 } });
  });

  it('takes keys that cannot be used for an error before anything is copied', async () => {
    const from = await filled();
    const to = new MemoryStorage();
    await errorOf(copyStore({ from, to, signingKeys: [{ secret: 'short' }] }), 'INVALID_ARGUMENT');
    vi.stubEnv('STOWAGE_CACHE_KEY', 'short');
    await errorOf(copyStore({ from, to }), 'INVALID_ARGUMENT');
    expect(await objectNames(to)).toEqual([]);
  });

  it('is signed anew by the key that is set, and left out where signed entries meet none', async () => {
    vi.stubEnv('STOWAGE_CACHE_KEY', 'a'.repeat(40));
    const from = await filled();
    const to = new MemoryStorage();
    expect((await copyStore({ from, to })).entries).toMatchObject({ copied: 3 });
    runs = 0;
    expect((await define(await openFlow({ storage: to })).detailed({ n: 2 })).hit).toBe(true);
    vi.unstubAllEnvs();
    const unsigned = new MemoryStorage();
    expect((await copyStore({ from, to: unsigned })).entries).toMatchObject({ copied: 0, refused: 3 });
    vi.stubEnv('STOWAGE_CACHE_KEY', 'b'.repeat(40));
    expect((await copyStore({ from, to: new MemoryStorage() })).entries).toMatchObject({ refused: 3 });
  });
});

/** An entry of the year 2100, of an attempt that nobody made. */
function ofNobody(object: StoredObject | undefined): Uint8Array {
  if (!object || object.body.length < 100 || object.body.length > MAX_ENTRY_BYTES) return new Uint8Array(1);
  const record = decodeRecord(object.body, 'entry');
  const source = { ...(record.source as object), session: '0'.repeat(26) };
  return encodeRecord({ ...record, source, createdAt: '2100-01-01T00:00:00.000Z' });
}

describe('a mirror that has an entry already', () => {
  const key = fc.constantFrom(1, 2);
  const skewMs = fc.integer({ min: -100_000, max: 100_000 });
  const step = fc.oneof(
    fc.record({ kind: fc.constant('source' as const), key, skewMs }),
    fc.record({ kind: fc.constant('mirror' as const), key, skewMs }),
    fc.record({ kind: fc.constant('garble' as const), key, how: fc.nat({ max: 4 }) }),
    fc.record({ kind: fc.constant('copy' as const) }),
  );

  test.prop([fc.array(step, { minLength: 2, maxLength: 10 })], { numRuns })(
    'gives what the source gives, by whatever clocks, unless it has a later result of its own',
    async (steps) => {
      const [from, to] = [new MemoryStorage(), new MemoryStorage()];
      let clockMs = Date.now();
      let made = 0;
      const cache = { nowMs: () => clockMs };
      const taskIn = async (storage: DataStoreStorage) => {
        const flow = await openFlow({ storage, cache });
        await flow.createRun({ runId: storage === from ? 'ours' : 'theirs' }); // there is a store
        return flow.cachedTask({ name: 'judge', version: '1', run: (_: number) => `result ${made}` });
      };
      const [ours, theirs] = [await taskIn(from), await taskIn(to)];
      const refresh = async (task: typeof ours, input: number, offMs: number): Promise<Made> => {
        const nowMs = clockMs;
        clockMs += offMs;
        const createdAtMs = clockMs;
        const value = await task(input, { mode: 'refresh', runId: `run ${++made}` });
        clockMs = nowMs + 1_000;
        return { value, createdAtMs };
      };
      interface Made {
        value: string;
        createdAtMs: number;
        isOwn?: boolean;
      }
      const [source, mirror] = [new Map<number, Made>(), new Map<number, Made>()];
      for (const each of [...steps, { kind: 'copy' as const }]) {
        if (each.kind === 'source') source.set(each.key, await refresh(ours, each.key, each.skewMs));
        if (each.kind === 'mirror')
          mirror.set(each.key, { ...(await refresh(theirs, each.key, each.skewMs)), isOwn: true });
        if (each.kind === 'garble') {
          const { key: garbled } = await ours.keyOf(each.key);
          const name = entryName(garbled);
          const bytes = [
            Buffer.from('garbage'),
            new Uint8Array(0),
            new Uint8Array(MAX_ENTRY_BYTES + 1),
            (await from.get(name))?.body ?? Buffer.from('{}'),
            ofNobody(await to.get(name)),
          ][each.how] as Uint8Array;
          await to.overwrite(name, bytes);
          mirror.delete(each.key);
        }
        if (each.kind !== 'copy') continue;
        expect((await copyStore({ from, to })).problems).toEqual([]);
        for (const [input, made] of source) {
          const standing = mirror.get(input);
          if (!standing?.isOwn || standing.createdAtMs < made.createdAtMs) mirror.set(input, made);
          const { value, hit } = await theirs.detailed(input, { mode: 'readonly' });
          expect({ value, hit }).toEqual({ value: mirror.get(input)?.value, hit: true });
        }
        const again = await copyStore({ from, to });
        expect(again.entries).toMatchObject({ copied: 0, failed: 0 });
      }
    },
  );

  it('which is the same comes to it once, through other stores and back again', async () => {
    const [a, b, c] = [await filled(), new MemoryStorage(), new MemoryStorage()];
    for (const [from, to] of [
      [a, b],
      [b, c],
      [c, a],
      [c, b],
      [a, c],
    ] as const) {
      await copyStore({ from, to });
      expect((await copyStore({ from, to })).entries).toMatchObject({ copied: 0, present: 3, refused: 0 });
    }
  });

  it.each(['get', 'create', 'overwrite'] as const)(
    'that was written by another copier before its %s keeps the newer result',
    async (at) => {
      const from = new MemoryStorage();
      const inner = new MemoryStorage();
      let answer = 'wrong';
      const judge = (await openFlow({ storage: from })).cachedTask({
        name: 'judge',
        version: '1',
        run: (_: number) => answer,
      });
      const refreshAndCopy = async (value: string): Promise<void> => {
        answer = value;
        await judge(1, { mode: 'refresh' });
        await copyStore({ from, to: inner });
      };
      let isFirst = true;
      const to = new (class extends ObservedStorage {
        override async overwrite(name: string, ...rest: [Uint8Array, OverwriteOptions?]): Promise<string> {
          if (name.startsWith('cache/')) await this.before('overwrite', name);
          return super.overwrite(name, ...rest);
        }
      })(inner);
      to.before = async (operation, name) => {
        if (!isFirst || operation !== at || !name.startsWith('cache/')) return;
        isFirst = false;
        await refreshAndCopy('newer');
      };
      await judge(1);
      if (at !== 'create') await refreshAndCopy('wrong again');
      await judge(1, { mode: 'refresh' });
      expect((await copyStore({ from, to })).entries).toMatchObject({ copied: 0, present: 1 });
      const mirrored = (await openFlow({ storage: inner })).cachedTask({
        name: 'judge',
        version: '1',
        run: (_: number) => 'again',
      });
      expect(await mirrored(1)).toBe('newer');
      expect(isFirst).toBe(false);
    },
  );

  it('of an attempt that the target does not have gets the source’s in its place', async () => {
    const [from, to] = [await filled(), new MemoryStorage()];
    const own = await openFlow({ storage: to });
    await define(own)({ n: 2 }, { runId: 'own' });
    const [name] = (await objectNames(to, 'cache/')) as [string];
    await to.overwrite(name, ofNobody((await to.get(name)) ?? undefined));
    expect((await copyStore({ from, to })).entries).toMatchObject({ copied: 3, refused: 0 });
  });

  it('of a newer release leaves it', async () => {
    const from = await filled();
    const to = new MemoryStorage();
    const [name] = (await objectNames(from, 'cache/')) as [string];
    const record = decodeRecord(await bodyOf(from, name), name);
    await to.create(name, encodeRecord({ ...record, format: 2 }));
    expect((await copyStore({ from, to })).entries).toMatchObject({ copied: 2, refused: 1 });
  });
});
