import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { MemoryCache } from '../../src/content/caches/memory-cache.ts';
import type { SavedBlob } from '../../src/content-addressed-store.ts';
import { StowageError } from '../../src/errors.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { propertyRuns, test } from '../property.ts';
import { until } from '../waiting.ts';
import { contentOf, KIB, MIB } from './contents.ts';
import { codeOf, freshStore, ObservedStorage } from './storages.ts';

const remote = (memory = new MemoryStorage()): ObservedStorage =>
  new ObservedStorage(memory, { localReads: false });
const twenty = (bytes: number) => Array.from({ length: 20 }, (_, i) => contentOf(bytes, i + 1));
const requestsOf = (storage: ObservedStorage): number => storage.calls.splice(0).length;

async function loadAll(
  store: ReturnType<typeof freshStore>,
  ...call: Parameters<ReturnType<typeof freshStore>['loadBlobs']>
): Promise<Uint8Array[]> {
  const blobs: Uint8Array[] = [];
  for await (const { blob } of store.loadBlobs(...call)) blobs.push(blob);
  return blobs;
}

describe('contents that are loaded together', () => {
  const anyLength = fc.constantFrom(0, 1, 1000, 20 * KIB, 256 * KIB - 1, 256 * KIB, 300_000);
  const anyContent = fc.record({ bytes: anyLength, seed: fc.integer({ min: 1, max: 3 }) });

  test.prop(
    [
      fc.array(fc.record({ content: anyContent, by: fc.constantFrom('key', 'address', 'length') }), {
        maxLength: 12,
      }),
      fc.boolean(),
      fc.option(fc.nat(11), { nil: undefined }),
    ],
    { numRuns: propertyRuns },
  )('come in order, by key or by record, up to one that is gone', async (items, isCached, gone) => {
    const memory = new MemoryStorage();
    const contents = items.map(({ content }) => contentOf(content.bytes, content.seed));
    const saved = await freshStore(memory).saveBlobs(contents);
    const reading = freshStore(remote(memory));
    if (isCached) reading.setBlobCache(await MemoryCache.open({ maxBytes: 16 * MIB }));
    const absent = { key: 'ab'.repeat(32), bytes: 5 };
    const addresses = items.map(({ by }, index) => {
      const { key, bytes } = index === gone ? absent : (saved[index] as SavedBlob);
      if (index === gone || by === 'length') return { key, bytes };
      return by === 'key' ? key : (saved[index] as SavedBlob);
    });
    for (let round = 0; round < 2; round++) {
      const given: Uint8Array[] = [];
      const load = async (): Promise<void> => {
        for await (const { blob } of reading.loadBlobs(addresses)) given.push(blob);
      };
      const isGone = gone !== undefined && gone < items.length;
      expect(await codeOf(load())).toBe(isGone ? 'CONTENT_NOT_FOUND' : undefined);
      expect(given).toHaveLength(isGone ? gone : items.length);
      for (const [index, blob] of given.entries())
        expect(Buffer.compare(blob, contents[index] as Uint8Array)).toBe(0);
    }
  });

  test.each([
    ['20 KiB', 20 * KIB, { byRecord: 20, byKey: 40 }],
    ['300 KB', 300_000, { byRecord: 40, byKey: 80 }],
  ])('20 of %s take as many requests as they need, by record and by key', async (_, bytes, expected) => {
    const storage = remote();
    const saved = await freshStore(storage).saveBlobs(twenty(bytes));
    const reading = freshStore(storage);
    await loadAll(reading, []);
    requestsOf(storage);
    await loadAll(reading, saved);
    expect(requestsOf(storage)).toBe(expected.byRecord);
    await loadAll(
      reading,
      saved.map(({ key }) => key),
    );
    expect(requestsOf(storage)).toBe(expected.byKey);
    await loadAll(
      reading,
      saved.map(({ key, bytes }) => ({ key, bytes })),
    );
    expect(requestsOf(storage)).toBe(expected.byRecord + 20);
  });

  test.each(['by record', 'by key'])('20 are read at once, %s', async (how) => {
    const storage = remote();
    const saved = await freshStore(storage).saveBlobs(twenty(1000));
    const held: (() => void)[] = [];
    storage.before = async (operation, name) => {
      if (operation !== 'get' || !name.startsWith('data/')) return;
      // All go on once the twentieth has come.
      await new Promise<void>((resolve) => {
        if (held.push(resolve) === 20) for (const goOn of held) goOn();
      });
    };
    const keys = how === 'by key' ? saved.map(({ key }) => key) : saved;
    expect(await loadAll(freshStore(storage), keys)).toHaveLength(20);
  });

  test('what a cache has is not looked for, by its key alone either', async () => {
    const storage = remote();
    const saved = await freshStore(storage).saveBlobs(twenty(1000));
    const keys = saved.map(({ key }) => key);
    const reading = freshStore(storage);
    reading.setBlobCache(await MemoryCache.open({ maxBytes: 16 * MIB }));
    await loadAll(reading, keys);
    requestsOf(storage);
    expect(await loadAll(reading, keys)).toHaveLength(20);
    expect(requestsOf(storage)).toBe(0);
  });
});

describe('memory', () => {
  test('no more than 32 MiB are loaded before anybody takes them, and no large content of which the length is not known', async () => {
    const storage = remote();
    const saved = await freshStore(storage).saveBlobs(twenty(4 * MIB).slice(0, 12));
    for (const [keys, most] of [
      [saved, 8],
      [saved.map(({ key }) => key), 1],
    ] as const) {
      const begun = new Set<string>();
      storage.before = (operation, name) => {
        if (operation === 'get' && name.startsWith('packs/')) begun.add(name);
      };
      let taken = 0;
      for await (const _ of freshStore(storage).loadBlobs(keys)) {
        await until(() => begun.size >= Math.min(12, taken + most));
        for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate); // in which more could be begun
        expect(begun.size).toBe(Math.min(12, taken + most));
        taken += 1;
      }
      expect(taken).toBe(12);
    }
  });
});

describe('an end before the end', () => {
  test('ends the source of the keys, and what is being loaded', async () => {
    const storage = remote();
    const saved = await freshStore(storage).saveBlobs(twenty(1000));
    let [isEnded, running] = [false, 0];
    const get = storage.get.bind(storage);
    storage.get = async (name, options) => {
      if (!name.startsWith('data/') || name === saved[0]?.copy) return get(name, options);
      running += 1;
      await new Promise((resolve) => options?.signal?.addEventListener('abort', resolve));
      running -= 1;
      throw new StowageError('ABORTED', 'aborted');
    };
    const keys = (function* () {
      try {
        yield* saved;
      } finally {
        isEnded = true;
      }
    })();
    for await (const { key } of freshStore(storage).loadBlobs(keys)) {
      expect(key).toBe(saved[0]?.key);
      break;
    }
    expect([isEnded, running]).toEqual([true, 0]);
  });

  test('an abort ends the wait for the next key', async () => {
    const abort = new AbortController();
    const storage = remote();
    const saved = await freshStore(storage).saveBlobs([contentOf(1000)]);
    const keys = (async function* () {
      yield* saved;
      await new Promise(() => {});
    })();
    const load = async (): Promise<void> => {
      for await (const _ of freshStore(storage).loadBlobs(keys, { signal: abort.signal })) abort.abort();
    };
    expect(await codeOf(load())).toBe('ABORTED');
  });
});
