import { randomBytes } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import type { LeftBehind } from '../../src/content/writing/unnamed-objects.ts';
import type { ContentAddressedStore } from '../../src/content-addressed-store.ts';
import { digestHex } from '../../src/digest/blake3.ts';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { LocalStorage } from '../../src/storage/local.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { propertyRuns, test } from '../property.ts';
import { scratchFolder } from '../storage/scratch.ts';
import { contentOf, streamOf } from './contents.ts';
import { codeOf, copiesIn, freshStore, namesOf, ObservedStorage } from './storages.ts';

const folder = scratchFolder();
const LENGTHS = { lengths: [50_000], reused: true };

/** Packs and plain objects that lie there, and those that manifests and locators name. */
async function packsAndNamed(storage: DataStoreStorage): Promise<[there: string[], named: string[]]> {
  const there = [...(await namesOf(storage, 'packs/')), ...(await namesOf(storage, 'plain/'))];
  const named = new Set<string>();
  const { reader } = freshStore(storage);
  for (const copy of await copiesIn(storage)) {
    if (!copy.startsWith('manifests/')) continue;
    const described = await reader.describeCopy(copy);
    for (const { name } of described?.packs ?? []) named.add(name);
    if (described?.plain !== undefined) named.add(described.plain);
  }
  return [there.sort(), [...named].sort()];
}

/** Nothing takes space that nothing can find, and nothing is named that is not there. */
async function expectNothingUnnamed(storage: DataStoreStorage): Promise<void> {
  const [there, named] = await packsAndNamed(storage);
  expect(there).toEqual(named);
}

type End = 'ends' | 'fails' | 'is aborted';

/** A stream of several packs' worth of turns, which ends in one of these ways. */
async function* endingStream(
  bytes: Uint8Array,
  end: End,
  abort: AbortController,
): AsyncGenerator<Uint8Array> {
  yield* streamOf(bytes.subarray(0, bytes.length - 10), LENGTHS);
  await nextTurn();
  if (end === 'fails') throw new Error('connection reset');
  if (end === 'is aborted') abort.abort();
  yield bytes.subarray(bytes.length - 10);
}

type Way = 'blob' | 'data' | 'bytes' | 'file';

async function save(store: ContentAddressedStore, way: Way, bytes: Uint8Array, end: End): Promise<string> {
  const abort = new AbortController();
  const { signal } = abort;
  const stream = endingStream(bytes, end, abort);
  if (way === 'data')
    return (await store.saveData([{ name: 'x', data: stream }], { signal }))[0]?.key as string;
  const blob = way === 'bytes' ? bytes : stream;
  return (await store.saveBlobs([blob], { signal }))[0]?.key as string;
}

const anyWay = fc.constantFrom<Way>('blob', 'data', 'bytes');
const anyEnd = fc.constantFrom<End>('ends', 'ends', 'fails', 'is aborted');
const anySave = fc.record({
  store: fc.nat(2),
  way: anyWay,
  seed: fc.integer({ min: 1, max: 2 }),
  end: anyEnd,
});
const anyBytes = (seed: number): Uint8Array => {
  // Two contents that share most of their chunks.
  const bytes = contentOf(300_000, 5);
  bytes.set(contentOf(2_000, seed), 200_000);
  return bytes;
};

describe('what nothing names does not stay', () => {
  test.prop([fc.array(anySave, { minLength: 1, maxLength: 6 }), fc.boolean(), fc.boolean()], {
    numRuns: Math.ceil(propertyRuns / 20),
  })('however saves end, side by side or one after the other', async (saves, localReads, together) => {
    const storage = new ObservedStorage(new MemoryStorage(), { localReads });
    const stores = [0, 1, 2].map(() => freshStore(storage));
    const run = ({ store, way, seed, end }: (typeof saves)[number]): Promise<string> =>
      save(stores[store] as ContentAddressedStore, way, anyBytes(seed), end);
    const saved: PromiseSettledResult<string>[] = [];
    if (together) saved.push(...(await Promise.allSettled(saves.map(run))));
    else for (const one of saves) saved.push(...(await Promise.allSettled([run(one)])));
    saves.forEach(({ way, end }, index) => {
      expect(saved[index]?.status === 'fulfilled').toBe(end === 'ends' || way === 'bytes');
    });
    await expectNothingUnnamed(storage);
    if (!together) {
      // One copy of each kind: a plain object is a copy, too, but chunks are none to a plain object.
      expect((await namesOf(storage, 'plain/')).length).toBeLessThanOrEqual(2);
      const chunked = (await copiesIn(storage)).length - (await namesOf(storage, 'plain/')).length;
      expect(chunked).toBeLessThanOrEqual(2);
    }
    const reader = freshStore(storage);
    for (const [index, { seed }] of saves.entries()) {
      const result = saved[index];
      if (result?.status !== 'fulfilled') continue;
      for await (const { blob } of reader.loadBlobs([result.value]))
        expect(digestHex(blob)).toBe(digestHex(anyBytes(seed)));
    }
  });

  test.each<[Way, 'before' | 'after']>([
    ['blob', 'before'],
    ['blob', 'after'],
    ['data', 'before'],
    ['data', 'after'],
    ['bytes', 'before'],
    ['bytes', 'after'],
  ])('where any one call fails: a save as %s, the call failing %s it took effect', async (way, kind) => {
    const bytes = contentOf(270_000, 3);
    for (let at = 0; ; at++) {
      const storage = new MemoryStorage();
      let wasReached = false;
      let failed = '';
      const faulty = new FaultStorage(storage, (operation, name, index) => {
        if (index !== at) return undefined;
        wasReached = true;
        failed = `${operation} ${name}`;
        return { kind };
      });
      const saved = await codeOf(save(freshStore(faulty), way, bytes, 'ends'));
      if (!wasReached) break;
      const [there, named] = await packsAndNamed(storage);
      // What a manifest or locator names stays; so does what one was to name whose creation had begun.
      expect(there).toEqual(expect.arrayContaining(named));
      if (!failed.startsWith('create manifests/') && !failed.startsWith('delete '))
        expect([failed, there]).toEqual([failed, named]);
      if (saved === undefined) expect(named).toHaveLength(1);
      const again = freshStore(storage);
      const key = await save(again, way, bytes, 'ends');
      for await (const { blob } of again.loadBlobs([key])) expect(digestHex(blob)).toBe(digestHex(bytes));
    }
  });

  test('a manifest that was written though its creation seemed to fail: who finds it may rely on it', async () => {
    const storage = new MemoryStorage();
    const faulty = new FaultStorage(storage, (operation, name) =>
      operation === 'create' && name.startsWith('manifests/') ? { kind: 'after' } : undefined,
    );
    const bytes = contentOf(600_000);
    expect(await codeOf(save(freshStore(faulty), 'blob', bytes, 'ends'))).toBe('STORAGE_UNAVAILABLE');
    const packs = await namesOf(storage, 'packs/');
    const key = await save(freshStore(storage), 'blob', bytes, 'ends');
    expect(await namesOf(storage, 'packs/')).toEqual(packs);
    for await (const { blob } of freshStore(storage).loadBlobs([key]))
      expect(digestHex(blob)).toBe(digestHex(bytes));
  });

  test('chunks are found by others only once a manifest names their pack', async () => {
    const storage = new ObservedStorage(new MemoryStorage());
    const store = freshStore(storage);
    const abort = new AbortController();
    let packed = () => {};
    const isPacked = new Promise<void>((resolve) => {
      packed = resolve;
    });
    let goOn = () => {};
    const mayGoOn = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const key = digestHex(anyBytes(1));
    // The first save stands still where its packs are written and its key is looked for.
    storage.before = async (operation, name) => {
      if (operation !== 'list' || !name.includes(key)) return;
      storage.before = () => {};
      packed();
      await mayGoOn;
    };
    const first = codeOf(store.saveBlobs([streamOf(anyBytes(1), LENGTHS)], { signal: abort.signal }));
    await isPacked;
    const [second] = await store.saveBlobs([streamOf(anyBytes(2), LENGTHS)]);
    abort.abort();
    goOn();
    expect(await first).toBe('ABORTED');
    await expectNothingUnnamed(storage);
    for await (const { blob } of freshStore(storage).loadBlobs([second?.key as string]))
      expect(digestHex(blob)).toBe(digestHex(anyBytes(2)));
  });

  test.each(['blob', 'data', 'artifact', 'blob elsewhere'])(
    'of a silent stream as %s whose flow is closed',
    async (way) => {
      const path = join(folder, `closed ${way}`);
      const options = way === 'blob elsewhere' ? { rawDataPath: join(path, 'elsewhere') } : {};
      const flow = await FlowDataStore.open({ flowName: 'F', storage: join(path, 'store'), ...options });
      let sent = () => {};
      const isSent = new Promise<void>((resolve) => {
        sent = resolve;
      });
      const silent = async function* (): AsyncGenerator<Uint8Array> {
        for (let i = 0; i < 18; i++) yield randomBytes(1_000_000); // more than a pack
        sent();
        await new Promise(() => {});
      };
      const saving = way.startsWith('blob')
        ? flow.caStore.saveBlobs([silent()])
        : way === 'data'
          ? flow.saveData([{ name: 'x', data: silent() }])
          : flow.task({ runId: 'r', stepName: 's', taskId: '0' }, (task) =>
              task.saveArtifactStream('film', silent()),
            );
      const ended = codeOf(saving);
      await isSent;
      await flow.close();
      expect(await ended).toBe('STORAGE_CLOSED');
      const bytes = readdirSync(path, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
      expect(bytes).toBeLessThan(10_000);
    },
  );

  test('what cannot be removed is told, and the save has its own outcome', async () => {
    const told: LeftBehind[] = [];
    const listener = (message: unknown): void => {
      told.push(message as LeftBehind);
    };
    subscribe('stowage:left-behind', listener);
    try {
      const storage = new MemoryStorage();
      const faulty = new FaultStorage(storage, (operation) =>
        operation === 'delete' ? { kind: 'before' } : undefined,
      );
      const bytes = contentOf(600_000);
      await save(freshStore(storage), 'blob', bytes, 'ends');
      await save(freshStore(faulty), 'blob', bytes, 'ends');
      const [there, named] = await packsAndNamed(storage);
      expect(told.flatMap(({ names }) => names)).toEqual(there.filter((name) => !named.includes(name)));
      expect(told).toEqual([{ names: [expect.any(String)], error: expect.any(Error) }]);
    } finally {
      unsubscribe('stowage:left-behind', listener);
    }
  });

  test('in a folder not even as a folder', async () => {
    const path = join(folder, 'twice');
    const storage = await LocalStorage.open(path);
    for (const _ of [1, 2, 3]) await save(freshStore(storage), 'blob', contentOf(600_000), 'ends');
    expect(readdirSync(join(path, 'packs'))).toHaveLength(1);
    await storage.close();
  });
});

describe('a stream that can be read again', () => {
  test('is sent only where its content is not stored', async () => {
    const storage = new ObservedStorage(new MemoryStorage());
    const flow = await FlowDataStore.open({ flowName: 'F', storage });
    const bytes = contentOf(600_000);
    const read = (): AsyncIterable<Uint8Array> => streamOf(bytes, LENGTHS);
    const created: number[] = [];
    for (const taskId of ['0', '1']) {
      const before = storage.calls.length;
      await flow.task({ runId: 'r', stepName: 's', taskId }, (task) =>
        task.saveArtifactFile('film', read, {}),
      );
      created.push(storage.calls.slice(before).filter((call) => call.startsWith('create packs/')).length);
      const task = await flow.getTaskDataStore(`r/s/${taskId}`);
      expect(digestHex((await task.get('film')) as Uint8Array)).toBe(digestHex(bytes));
    }
    expect(created).toEqual([1, 0]);
    await flow.close();
  });

  test('is what it was when it was sent, though it changed after it was read', async () => {
    const flow = await FlowDataStore.open({ flowName: 'F', storage: 'memory:' });
    let reads = 0;
    const read = (): AsyncIterable<Uint8Array> => streamOf(contentOf(600_000, ++reads), LENGTHS);
    await flow.task({ runId: 'r', stepName: 's', taskId: '0' }, (task) =>
      task.saveArtifactFile('film', read, {}),
    );
    const task = await flow.getTaskDataStore('r/s/0');
    expect(digestHex((await task.get('film')) as Uint8Array)).toBe(digestHex(contentOf(600_000, 2)));
    await flow.close();
  });
});
