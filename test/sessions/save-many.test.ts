import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import type { Blob, SavedBlob } from '../../src/content-addressed-store.ts';
import { digestHex } from '../../src/digest/blake3.ts';
import { isStowageError, StowageError } from '../../src/errors.ts';
import { decodeDescription } from '../../src/format/description.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { type Fault, FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { contentOf, KIB, MIB, streamOf } from '../content/contents.ts';
import { bodyOf, codeOf, copiesIn, freshStore, namesOf, ObservedStorage } from '../content/storages.ts';
import { propertyRuns, test } from '../property.ts';

/** Few contents, so that equal ones and near ones are often among those of a list. */
const anyBytes = fc
  .record({
    bytes: fc.constantFrom(0, 1, 1000, 20 * KIB, 256 * KIB - 1, 256 * KIB, 300_000),
    seed: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ bytes, seed }) => contentOf(bytes, seed));
const anyList = fc.array(fc.record({ content: anyBytes, isStream: fc.boolean() }), { maxLength: 8 });
type Item = { content: Uint8Array; isStream: boolean };

const toBlob = ({ content, isStream }: Item): Blob =>
  isStream ? streamOf(content, { lengths: [70_000, 11], reused: true }) : content;

/** Lists, and what gives one content after the other in the same memory. */
const anyContainer = fc.constantFrom<(items: Item[]) => Iterable<Blob> | AsyncIterable<Blob>>(
  (items) => items.map(toBlob),
  (items) => new Set(items.map((item) => toBlob({ ...item, content: item.content.slice() }))),
  function* (items) {
    const buffer = new Uint8Array(300_000);
    for (const item of items) {
      if (item.isStream) yield toBlob(item);
      else {
        buffer.fill(0xaa).set(item.content);
        yield buffer.subarray(0, item.content.length);
      }
    }
  },
  async function* (items) {
    for (const item of items) {
      await undefined;
      yield toBlob(item);
    }
  },
);

const remote = (memory = new MemoryStorage()): ObservedStorage =>
  new ObservedStorage(memory, { localReads: false });

async function oneByOne(storage: DataStoreStorage, items: Item[]): Promise<SavedBlob[]> {
  const store = freshStore(storage);
  const saved: SavedBlob[] = [];
  for (const item of items) saved.push(...(await store.saveBlobs([toBlob(item)])));
  return saved;
}

/** What lies in a store for its contents: names differ from store to store, contents and lengths do not. */
async function shape(storage: DataStoreStorage): Promise<object> {
  const lengths = async (prefix: string) => {
    const bodies = (await namesOf(storage, prefix)).map((name) => bodyOf(storage, name));
    return (await Promise.all(bodies)).map(({ length }) => length).sort((a, b) => a - b);
  };
  const keys = (await copiesIn(storage)).map((name) => name.split('/')[2]?.split('.')[0]).sort();
  return { keys, data: await lengths('data/'), packs: await lengths('packs/') };
}

const withoutNames = ({ key, bytes, storedBytes, root }: SavedBlob) => ({ key, bytes, storedBytes, root });

/** The keys that closed sessions keep. */
async function keptIn(storage: DataStoreStorage): Promise<string[]> {
  const names = new Set(await namesOf(storage, 'loose/'));
  const keys: string[] = [];
  for (const name of names) {
    if (!name.endsWith('.metadata.json') || names.has(name.replace('metadata.json', 'DELETED'))) continue;
    const { table } = decodeDescription(await bodyOf(storage, name), name, { loose: true });
    for (const { key } of typeof table === 'function' ? table().artifacts : []) keys.push(key);
  }
  return keys;
}

describe('contents of one call', () => {
  test.prop([anyList, anyContainer, fc.boolean()], { numRuns: Math.ceil(propertyRuns / 2) })(
    'are stored as if each were saved by itself: any sizes, equal ones, bytes and streams',
    async (items, container, localReads) => {
      const [many, single] = [0, 1].map(() => new ObservedStorage(new MemoryStorage(), { localReads }));
      const saved = await freshStore(many as ObservedStorage).saveBlobs(container(items));
      const expected = await oneByOne(single as ObservedStorage, items);
      expect(saved.map(withoutNames)).toEqual(expected.map(withoutNames));
      expect(await shape(many as ObservedStorage)).toEqual(await shape(single as ObservedStorage));
      const reading = freshStore(many as ObservedStorage);
      for (const [index, record] of saved.entries()) {
        const { content } = items[index] as Item;
        expect(Buffer.compare(await reading.reader.load(record), content)).toBe(0);
      }
    },
  );

  test.prop([anyList, fc.nat(40), fc.constantFrom<Fault['kind']>('before', 'after'), fc.boolean()], {
    numRuns: propertyRuns,
  })(
    'are kept all or not at all, whichever call fails, and saving them again makes up for it',
    async (items, failing, kind, localReads) => {
      const memory = new MemoryStorage();
      const inner = new ObservedStorage(memory, { localReads });
      let calls = 0;
      const storage = new FaultStorage(inner, () => (calls++ === failing ? ({ kind } as Fault) : undefined));
      const keys = items.map(({ content }) => digestHex(content));
      const call = freshStore(storage).saveBlobs(items.map(toBlob));
      const failed = await call.then(
        () => false,
        (error) => isStowageError(error, 'STORAGE_UNAVAILABLE'),
      );
      expect(await keptIn(memory)).toEqual(failed ? [] : keys);
      const again = await freshStore(inner).saveBlobs(items.map(toBlob));
      expect(again.map(({ key }) => key)).toEqual(keys);
      const reading = freshStore(inner);
      for (const [index, record] of again.entries()) {
        const { content } = items[index] as Item;
        expect(Buffer.compare(await reading.reader.load(record), content)).toBe(0);
      }
    },
  );
});

describe('requests where a look costs one', () => {
  const count = async (counter: CountStorage, work: () => Promise<unknown>): Promise<number> => {
    counter.reset();
    await work();
    const { requests, persist } = counter.snapshot();
    return requests - persist.calls;
  };
  const twenty = (bytes: number) => Array.from({ length: 20 }, (_, i) => contentOf(bytes, i + 1));

  test.each([
    ['20 KiB', 20 * KIB, { fresh: 44, known: 4, elsewhere: 24 }],
    ['300 KB', 300_000, { fresh: 64, known: 4, elsewhere: 64 }],
  ])('20 contents of %s', async (_, bytes, expected) => {
    const counter = new CountStorage(remote());
    const [store, other] = [freshStore(counter), freshStore(counter)];
    for (const one of [store, other]) await one.saveBlobs([contentOf(10)]);
    expect(await count(counter, () => store.saveBlobs(twenty(bytes)))).toBe(expected.fresh);
    expect(await count(counter, () => store.saveBlobs(twenty(bytes)))).toBe(expected.known);
    expect(await count(counter, () => other.saveBlobs(twenty(bytes)))).toBe(expected.elsewhere);
  });

  test('20 short streams take as many', async () => {
    const counter = new CountStorage(remote());
    const store = freshStore(counter);
    await store.saveBlobs([contentOf(10)]);
    const streams = () =>
      twenty(20 * KIB).map((content) => streamOf(content, { lengths: [9_000], reused: true }));
    expect(await count(counter, () => store.saveBlobs(streams()))).toBe(44);
  });

  test('20 looks are under way at once, and so are 20 writes', async () => {
    const storage = remote();
    const store = freshStore(storage);
    await store.saveBlobs([contentOf(10)]);
    const waiting = { list: [] as (() => void)[], create: [] as (() => void)[] };
    storage.before = async (operation, name) => {
      if (!name.startsWith('data/') || (operation !== 'list' && operation !== 'create')) return;
      const held = waiting[operation];
      // All go on once the twentieth has come.
      await new Promise<void>((resolve) => {
        if (held.push(resolve) === 20) for (const goOn of held) goOn();
      });
    };
    await store.saveBlobs(twenty(1000));
    expect([waiting.list.length, waiting.create.length]).toEqual([20, 20]);
  });
});

describe('equal contents', () => {
  test.each([true, false])(
    'many at once are one object, in one call (reads are local: %s)',
    async (localReads) => {
      for (const [bytes, length] of [
        [1000, 1_000],
        [300_000, 50],
      ] as const) {
        const storage = new ObservedStorage(new MemoryStorage(), { localReads });
        const content = contentOf(bytes);
        const saved = await freshStore(storage).saveBlobs(Array.from({ length }, () => content));
        expect(new Set(saved.map(({ copy }) => copy)).size).toBe(1);
        expect(await copiesIn(storage)).toHaveLength(1);
      }
    },
  );

  test.each([true, false])(
    'of many calls at once are one object (reads are local: %s)',
    async (localReads) => {
      for (const [bytes, calls] of [
        [1000, 300],
        [300_000, 20],
      ] as const) {
        const storage = new ObservedStorage(new MemoryStorage(), { localReads });
        const store = freshStore(storage);
        const [content, other] = [contentOf(bytes, 1), contentOf(bytes, 2)];
        await Promise.all(Array.from({ length: calls }, () => store.saveBlobs([content, other])));
        expect(await copiesIn(storage)).toHaveLength(2);
      }
    },
  );
});

describe('a failure', () => {
  test('tells the content by its place in the list', async () => {
    const contents = Array.from({ length: 20 }, (_, i) => contentOf(1000, i + 1));
    const seventh = digestHex(contents[7] as Uint8Array);
    const storage = new FaultStorage(remote(), (operation, name) =>
      operation === 'create' && name.includes(seventh) ? { kind: 'before' } : undefined,
    );
    const error = await freshStore(storage)
      .saveBlobs(contents)
      .catch((thrown) => thrown);
    expect(error).toBeInstanceOf(StowageError);
    expect(error).toMatchObject({ code: 'STORAGE_UNAVAILABLE', details: { index: 7 } });
    expect(error.message).toMatch(/^Content 7 of the list: /);
  });

  test.each<[string, unknown]>([
    ['text', 'text'],
    ['a stream of text', Readable.from(['text'])],
  ])('of what is no content tells it too: %s', async (_, blob) => {
    const call = freshStore(new MemoryStorage()).saveBlobs([contentOf(3), contentOf(4), blob as Blob]);
    await expect(call).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', details: { index: 2 } });
  });

  test('ends what is under way, and begins no more', async () => {
    const storage = remote();
    const begun: string[] = [];
    const ended: unknown[] = [];
    const inner = storage.create.bind(storage);
    storage.create = async (name, body, options) => {
      if (!name.startsWith('data/')) return inner(name, body, options);
      begun.push(name);
      if (begun.length === 5) throw new StowageError('STORAGE_FULL', 'full');
      // Ends by its signal alone.
      await new Promise((resolve) => options?.signal?.addEventListener('abort', resolve));
      ended.push(name);
      throw new StowageError('ABORTED', 'aborted');
    };
    const contents = Array.from({ length: 100 }, (_, i) => contentOf(1000, i + 1));
    expect(await codeOf(freshStore(storage).saveBlobs(contents))).toBe('STORAGE_FULL');
    expect(ended).toHaveLength(begun.length - 1);
    expect(begun.length).toBeLessThan(40);
  });

  test('ends a stream that was begun, and asks for no further content', async () => {
    const storage = new FaultStorage(remote(), (operation, name) =>
      operation === 'create' && name.startsWith('data/') ? { kind: 'before' } : undefined,
    );
    let [isEnded, isAsked] = [false, false];
    const contents = (async function* (): AsyncGenerator<Blob> {
      yield contentOf(1000);
      yield (async function* () {
        try {
          yield contentOf(300_000);
          yield contentOf(300_000);
        } finally {
          isEnded = true;
        }
      })();
      isAsked = true;
    })();
    expect(await codeOf(freshStore(storage).saveBlobs(contents))).toBe('STORAGE_UNAVAILABLE');
    expect([isEnded, isAsked]).toEqual([true, false]);
  });

  test('of the memory of one content, given away while others are saved, is told as that', async () => {
    const storage = remote();
    const contents = Array.from({ length: 4 }, (_, i) => contentOf(1000, i + 1));
    storage.before = (operation, name) => {
      if (operation === 'get' && name.startsWith('gc/'))
        structuredClone(0, { transfer: [(contents[2] as Uint8Array).buffer as ArrayBuffer] });
    };
    await expect(freshStore(storage).saveBlobs(contents)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { index: 2 },
    });
  });
});

describe('back-pressure', () => {
  test('no more than 16 MiB of what is not in memory yet are taken ahead of what is saved', async () => {
    const storage = remote();
    let [taken, mostAhead] = [0, 0];
    storage.before = (operation, name) => {
      if (operation !== 'create' || !name.startsWith('data/')) return;
      const written = storage.calls.filter((call) => call.startsWith('create data/')).length;
      mostAhead = Math.max(mostAhead, taken - written);
    };
    const bytes = 200 * KIB;
    const source = (function* () {
      for (let i = 1; i <= 250; i++) {
        taken += 1;
        yield contentOf(bytes, i);
      }
    })();
    await freshStore(storage).saveBlobs(source);
    expect(taken).toBe(250);
    expect(mostAhead * bytes).toBeGreaterThan(8 * MIB);
    expect(mostAhead * bytes).toBeLessThan(17 * MIB);
  });

  test('an abort ends the wait for the next content, and keeps nothing', async () => {
    const memory = new MemoryStorage();
    const abort = new AbortController();
    const source = (async function* (): AsyncGenerator<Blob> {
      yield contentOf(1000);
      abort.abort();
      await new Promise(() => {});
    })();
    const call = freshStore(memory).saveBlobs(source, { signal: abort.signal });
    expect(await codeOf(call)).toBe('ABORTED');
    expect(await keptIn(memory)).toEqual([]);
  });
});
