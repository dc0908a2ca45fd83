import { describe, expect, test } from 'vitest';
import type { Blob } from '../../src/content-addressed-store.ts';
import { LocalStorage } from '../../src/storage/local.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { contentOf } from '../content/contents.ts';
import { codeOf, copiesIn, freshStore, namesOf } from '../content/storages.ts';
import { scratchFolder } from '../storage/scratch.ts';

const folder = scratchFolder();
let folders = 0;

const STORAGES = [
  ['memory', async () => new MemoryStorage()],
  ['local', () => LocalStorage.open(`${folder}/${folders++}`, { fsync: false })],
] as const;

type Save = (
  store: ReturnType<typeof freshStore>,
  data: Blob,
  signal?: AbortSignal | undefined,
) => Promise<unknown>;

/** Both ways in which a stream is saved. */
const SAVES: [string, Save][] = [
  ['saveBlobs', (store, data, signal) => store.saveBlobs([data], { signal })],
  ['saveData', (store, data, signal) => store.saveData([{ name: 'x', data }], { signal })],
];

/** Yields `bytes` of content, then does `then`. */
async function* begun(bytes: number, then: () => unknown): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes; at += 50_000) yield contentOf(Math.min(50_000, bytes - at), at + 1);
  yield (await then()) as Uint8Array;
}

const never = (): Promise<never> => new Promise(() => {});
/** Before a stream counts as long, within one pack, and beyond several. */
const LENGTHS = [0, 100_000, 700_000, 17 << 20];

describe.each(STORAGES)('on %s', (_, open) => {
  describe.each(SAVES)('%s', (_, save) => {
    test.each(LENGTHS)(
      'a stream that throws after %i bytes: its own error, and nothing to find',
      async (bytes) => {
        await using storage = await open();
        const error = new Error('the disk of the camera is full');
        const failing = begun(bytes, () => {
          throw error;
        });
        await expect(save(freshStore(storage), failing)).rejects.toBe(error);
        expect(await copiesIn(storage)).toEqual([]);
        expect(await namesOf(storage, 'plain/')).toEqual([]);
      },
    );

    test.each([null, undefined, 'text', 5, {}, [1], new ArrayBuffer(4), new Uint16Array(4)])(
      'a stream that yields %j is refused, at its beginning and later on',
      async (piece) => {
        await using storage = await open();
        for (const bytes of [0, 300_000]) {
          const call = save(
            freshStore(storage),
            begun(bytes, () => piece),
          );
          expect(await codeOf(call)).toBe('INVALID_ARGUMENT');
        }
        expect(await copiesIn(storage)).toEqual([]);
        expect(await namesOf(storage, 'plain/')).toEqual([]);
      },
    );

    test.each(LENGTHS)('a stream that hangs after %i bytes ends when it is aborted', async (bytes) => {
      await using storage = await open();
      const abort = new AbortController();
      const hanging = begun(bytes, () => {
        setImmediate(() => abort.abort(new Error('no longer needed')));
        return never();
      });
      const call = save(freshStore(storage), hanging, abort.signal);
      await expect(call).rejects.toMatchObject({ code: 'ABORTED', cause: new Error('no longer needed') });
      expect(await copiesIn(storage)).toEqual([]);
      expect(await namesOf(storage, 'plain/')).toEqual([]);
    });

    test('an endless stream ends when it is aborted, and is told to clean up', async () => {
      await using storage = await open();
      const abort = new AbortController();
      let closed = false;
      async function* endless(): AsyncGenerator<Uint8Array> {
        try {
          for (let i = 1; ; i++) {
            if (i === 40) abort.abort();
            yield contentOf(20_000, i);
          }
        } finally {
          closed = true;
        }
      }
      expect(await codeOf(save(freshStore(storage), endless(), abort.signal))).toBe('ABORTED');
      expect(closed).toBe(true);
    });

    test('a signal that was aborted before ends the save before anything is written', async () => {
      await using storage = await open();
      const store = freshStore(storage);
      await store.prepareToWrite();
      for (const data of [contentOf(10), contentOf(400_000), begun(10, () => contentOf(1))]) {
        expect(await codeOf(save(store, data, AbortSignal.abort()))).toBe('ABORTED');
      }
      expect(await namesOf(storage)).toEqual(['stowage.json']);
    });

    test.each<[string, () => unknown]>([
      ['nothing', () => undefined],
      ['no promise', () => ({ done: true, value: undefined })],
      ['a rejection', () => Promise.reject(new Error('cannot close'))],
    ])('an iterator written by hand whose return gives %s does not hide the error', async (_, end) => {
      await using storage = await open();
      const error = new Error('read failed');
      const stream = {
        [Symbol.asyncIterator]: () => ({
          next: () => Promise.reject(error),
          return: end as () => Promise<IteratorResult<Uint8Array>>,
        }),
      };
      await expect(save(freshStore(storage), stream)).rejects.toBe(error);
    });
  });
});

test('a list of contents that hangs ends when it is aborted', async () => {
  const storage = new MemoryStorage();
  const abort = new AbortController();
  async function* blobs(): AsyncGenerator<Uint8Array> {
    yield contentOf(10);
    setImmediate(() => abort.abort());
    await never();
  }
  expect(await codeOf(freshStore(storage).saveBlobs(blobs(), { signal: abort.signal }))).toBe('ABORTED');
});

test('nothing of a stream stays behind in tmp of a local storage', async () => {
  const { readdir } = await import('node:fs/promises');
  const path = `${folder}/tmp-of-it`;
  await using storage = await LocalStorage.open(path, { fsync: false });
  const abort = new AbortController();
  const hanging = begun(3 << 20, () => {
    setImmediate(() => abort.abort());
    return never();
  });
  const call = freshStore(storage).saveData([{ name: 'x', data: hanging }], { signal: abort.signal });
  expect(await codeOf(call)).toBe('ABORTED');
  expect(await readdir(`${path}/.stowage-tmp`)).toEqual([]);
});
