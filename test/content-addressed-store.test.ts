import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { type Blob, ContentAddressedStore, type SaveBlobsOptions } from '../src/content-addressed-store.ts';
import { digestHex } from '../src/digest/blake3.ts';
import { encodeRecord } from '../src/format/record.ts';
import { LocalStorage } from '../src/storage/local.ts';
import { MemoryStorage } from '../src/storage/memory.ts';
import { anyCompression, anyContent, anyForm } from './content/arbitrary-content.ts';
import { contentOf, MIB, streamOf } from './content/contents.ts';
import { codeOf, freshStore, namesOf, plainAt } from './content/storages.ts';
import { propertyRuns, test } from './property.ts';
import { scratchFolder } from './storage/scratch.ts';

const folder = scratchFolder();
let folders = 0;
const openLocal = (): Promise<LocalStorage> => LocalStorage.open(`${folder}/${folders++}`, { fsync: false });

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return new Uint8Array(Buffer.concat(all));
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

describe('what was saved is what is loaded', () => {
  const anyItem = fc.record({ content: anyContent, form: anyForm });

  test.prop([fc.array(anyItem, { maxLength: 4 }), anyCompression, fc.nat(16)], { numRuns: propertyRuns })(
    'in any form, of any length, under any compression, by key and by record',
    async (items, compression, elementBytes) => {
      const storage = new MemoryStorage();
      const options: SaveBlobsOptions = { compression, elementBytes };
      const saved = await freshStore(storage).saveBlobs(
        items.map(({ content, form }) => form(content)),
        options,
      );
      expect(saved.map(({ key }) => key)).toEqual(items.map(({ content }) => digestHex(content)));
      const reading = freshStore(storage);
      let index = 0;
      for await (const { key, blob } of reading.loadBlobs(saved.map(({ key }) => key))) {
        const { content } = items[index] as (typeof items)[number];
        const record = saved[index] as (typeof saved)[number];
        expect(key).toBe(record.key);
        expect(same(blob, content)).toBe(true);
        expect(same(await reading.reader.load(record), content)).toBe(true);
        expect(record.bytes).toBe(content.length);
        index++;
      }
    },
  );

  test.prop([anyContent, fc.nat(1_600_000), fc.nat(1_600_000), anyForm], { numRuns: propertyRuns })(
    'a range is the slice, also where it begins or ends past the content',
    async (content, offset, length, form) => {
      const store = freshStore(new MemoryStorage());
      const [saved] = await store.saveBlobs([form(content)]);
      const slice = content.subarray(offset, offset + length);
      for (const address of [saved?.key as string, saved as NonNullable<typeof saved>]) {
        expect(same(await collect(store.streamBlob(address, { range: { offset, length } })), slice)).toBe(
          true,
        );
      }
    },
  );

  test.each([
    [4 * MIB + 1, 'random'],
    [9 * MIB, 'lines'],
    [20 * MIB + 3, 'random'],
    [6 * MIB, 'zeros'],
  ])('%i bytes of %s, which fill several packs or none, on a local storage', async (bytes, kind) => {
    await using storage = await openLocal();
    const content = contentOf(bytes, 7, kind);
    const [asBytes] = await freshStore(storage).saveBlobs([content]);
    const lengths = [1_000_003, 0, 17];
    const [asStream] = await freshStore(storage).saveBlobs([streamOf(content, { lengths, reused: true })]);
    expect(asStream?.copy).toBe(asBytes?.copy);
    const reading = freshStore(storage);
    expect(same(await reading.reader.load(asBytes as { key: string }), content)).toBe(true);
    const range = { offset: (bytes >>> 1) - 5, length: MIB };
    const part = await collect(reading.streamBlob(asBytes?.key as string, { range }));
    expect(same(part, content.subarray(range.offset, range.offset + range.length))).toBe(true);
  });

  test('a stream of single bytes, around the length where contents are chunked', async () => {
    const store = freshStore(new MemoryStorage());
    for (const bytes of [256 * 1024]) {
      const content = contentOf(bytes, bytes);
      const lengths = [bytes - 10_000, ...Array<number>(10_000).fill(1)];
      const [saved] = await store.saveBlobs([streamOf(content, { lengths, reused: true })]);
      expect(saved?.key).toBe(digestHex(content));
      expect(same(await store.reader.load({ key: saved?.key as string }), content)).toBe(true);
    }
  });

  test('a web stream and a Node stream are streams', async () => {
    const { Readable } = await import('node:stream');
    const store = freshStore(new MemoryStorage());
    const content = contentOf(700_000);
    const blobs = [
      new Response(content as Uint8Array<ArrayBuffer>).body,
      Readable.from([content]),
    ] as unknown as Blob[];
    const saved = await store.saveBlobs(blobs);
    expect(saved.map(({ key }) => key)).toEqual([digestHex(content), digestHex(content)]);
  });

  test('loaded bytes are the caller’s own: changing them changes nothing that is read later', async () => {
    const store = freshStore(new MemoryStorage());
    for (const bytes of [100, 300_000]) {
      const content = contentOf(bytes);
      const [saved] = await store.saveBlobs([content]);
      (await store.reader.load(saved as { key: string })).fill(0);
      expect(same(await store.reader.load(saved as { key: string }), content)).toBe(true);
    }
  });
});

describe('saveData', () => {
  test.prop([anyContent, anyForm], { numRuns: propertyRuns })(
    'the plain object is the content itself, and it is found by key, record and range',
    async (content, form) => {
      const storage = new MemoryStorage();
      const [saved] = await freshStore(storage).saveData([{ name: 'report.html', data: form(content) }]);
      const { key, copy, bytes } = saved as NonNullable<typeof saved>;
      const plain = await plainAt(storage, saved as NonNullable<typeof saved>);
      expect(same((await storage.get(plain))?.body as Uint8Array, content)).toBe(true);
      const reading = freshStore(storage);
      expect(same(await reading.reader.load({ key }), content)).toBe(true);
      expect(same(await reading.reader.load({ key, copy, bytes }), content)).toBe(true);
      const range = { offset: 3, length: 1000 };
      expect(same(await collect(reading.streamBlob(key, { range })), content.subarray(3, 1003))).toBe(true);
    },
  );

  test.each([
    '',
    '.',
    '..',
    '../x',
    'a/b',
    'a\\b',
    '/etc/passwd',
    'nul\0',
    'line\nbreak',
    'e\u0301',
    '\ud800',
    'x'.repeat(129),
    '💾'.repeat(40),
    undefined,
    null,
    7,
    {},
  ])('the name %j is refused, and nothing is kept', async (name) => {
    const storage = new MemoryStorage();
    const call = freshStore(storage).saveData([{ name: name as string, data: contentOf(10) }]);
    expect(await codeOf(call)).toBe('INVALID_NAME');
    expect((await namesOf(storage)).filter((found) => !/^(loose|stowage)/.test(found))).toEqual([]);
  });

  test.each(['con', 'a:b', 'trailing.', '.hidden', 'é', '100%', 'x'.repeat(128), 'x.damaged', 'a b'])(
    'the name %j is kept, and found, on a local storage too',
    async (name) => {
      await using storage = await openLocal();
      const content = contentOf(1000);
      const [saved] = await freshStore(storage).saveData([{ name, data: content }]);
      const plain = await plainAt(storage, saved as NonNullable<typeof saved>);
      expect(plain.endsWith(`/${name}`)).toBe(true);
      const again = await freshStore(storage).saveData([{ name: 'other', data: content }]);
      expect(again[0]?.uri).toBe(saved?.uri);
      expect(same(await freshStore(storage).reader.load(saved as { key: string }), content)).toBe(true);
    },
  );
});

describe('what is not content', () => {
  test.each<[string, unknown]>([
    ['text', 'text'],
    ['a number', 5],
    ['null', null],
    ['undefined', undefined],
    ['an ArrayBuffer', new ArrayBuffer(8)],
    ['floats', new Float64Array(4)],
    ['a list of numbers', [1, 2]],
  ])('%s is refused, and nothing is kept', async (_, blob) => {
    const storage = new MemoryStorage();
    const store = freshStore(storage);
    expect(await codeOf(store.saveBlobs([contentOf(5), blob as Blob]))).toBe('INVALID_ARGUMENT');
    expect(await codeOf(store.saveData([{ name: 'x', data: blob as Blob }]))).toBe('INVALID_ARGUMENT');
  });

  test.each<[string, unknown]>([
    ['text', 'text'],
    ['a number', 5],
    ['null', null],
    ['nothing', undefined],
    ['a key', 'ab'.repeat(32)],
    ['bytes', contentOf(4)],
  ])('%s in place of a list of contents is refused', async (_, blobs) => {
    const storage = new MemoryStorage();
    expect(await codeOf(freshStore(storage).saveBlobs(blobs as Blob[]))).toBe('INVALID_ARGUMENT');
  });

  test.each<object>([
    { compression: 'gzip' },
    { compression: { codec: 'zstd', level: 99 } },
    { elementBytes: 17 },
    { elementBytes: -1 },
    { elementBytes: 1.5 },
  ])('the options %j are refused', async (options) => {
    const store = freshStore(new MemoryStorage());
    expect(await codeOf(store.saveBlobs([contentOf(100)], options))).toBe('INVALID_ARGUMENT');
  });

  test.each(['', 'x', 'A'.repeat(64), '../../stowage.json', 'a'.repeat(63), `${'a'.repeat(64)}\n`])(
    'the key %j is refused',
    async (key) => {
      const store = freshStore(new MemoryStorage());
      await store.saveBlobs([]);
      expect(await codeOf(collect(store.streamBlob(key)))).toBe('INVALID_ARGUMENT');
      expect(await codeOf(store.loadBlobs([key]).next())).toBe('INVALID_ARGUMENT');
    },
  );

  test.each<[number, number]>([
    [-5, 200],
    [0, -1],
    [0.5, 1],
    [Number.NaN, 1],
    [0, Number.POSITIVE_INFINITY],
  ])('the range of %d and %d is refused rather than read from the end', async (offset, length) => {
    const store = freshStore(new MemoryStorage());
    for (const bytes of [100, 300_000]) {
      const [saved] = await store.saveBlobs([contentOf(bytes)]);
      const read = collect(store.streamBlob(saved as { key: string }, { range: { offset, length } }));
      expect(await codeOf(read)).toBe('INVALID_ARGUMENT');
    }
  });

  test('no content at all is a save of nothing', async () => {
    expect(await freshStore(new MemoryStorage()).saveBlobs([])).toEqual([]);
  });
});

describe('a path without a store', () => {
  const key = 'ab'.repeat(32);

  test.each<[string, (store: ContentAddressedStore) => Promise<unknown>]>([
    ['prepareToRead', (store) => store.prepareToRead()],
    ['storeId', (store) => store.storeId()],
    ['loadBlobs', (store) => store.loadBlobs([key]).next()],
    ['streamBlob', (store) => store.streamBlob(key).next()],
    ['release', (store) => store.release('0'.repeat(26))],
  ])('%s says NO_SUCH_STORE and creates nothing', async (_, call) => {
    const memory = new MemoryStorage();
    expect(await codeOf(call(freshStore(memory)))).toBe('NO_SUCH_STORE');
    expect(await namesOf(memory)).toEqual([]);
    const path = `${folder}/absent-${folders++}`;
    await using local = await LocalStorage.open(path);
    expect(await codeOf(call(freshStore(local)))).toBe('NO_SUCH_STORE');
    const { existsSync } = await import('node:fs');
    expect(existsSync(path)).toBe(false);
  });

  test('a store of a newer format is neither read nor written', async () => {
    const storage = new MemoryStorage();
    const record = encodeRecord({ format: 2, kind: 'store', storeId: '0'.repeat(26), names: 'exact' });
    await storage.create('stowage.json', record);
    const store = new ContentAddressedStore(storage);
    expect(await codeOf(store.prepareToRead())).toBe('UNSUPPORTED_FORMAT');
    expect(await codeOf(store.saveBlobs([contentOf(3)]))).toBe('UNSUPPORTED_FORMAT');
    expect(await codeOf(store.loadBlobs([key]).next())).toBe('UNSUPPORTED_FORMAT');
    expect(await namesOf(storage)).toEqual(['stowage.json']);
  });

  test('a key that nobody saved is CONTENT_NOT_FOUND', async () => {
    const store = freshStore(new MemoryStorage());
    await store.saveBlobs([contentOf(3)]);
    expect(await codeOf(store.loadBlobs([key]).next())).toBe('CONTENT_NOT_FOUND');
  });

  test('stores that are made at the same time are one store', async () => {
    const storage = new MemoryStorage();
    const stores = Array.from({ length: 8 }, () => freshStore(storage));
    await Promise.all(stores.map((store, i) => store.saveBlobs([contentOf(10, i + 1)])));
    expect(new Set(await Promise.all(stores.map((store) => store.storeId()))).size).toBe(1);
  });
});
