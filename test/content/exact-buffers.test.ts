import { type Table, tableFromArrays } from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import type { StoredContent } from '../../src/format/stored-content.ts';
import { LocalStorage } from '../../src/storage/local.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { openFlow, saveTask } from '../flow/fixtures.ts';
import { test } from '../property.ts';
import { scratchFolder } from '../storage/scratch.ts';
import { anyCompression, anyContent } from './arbitrary-content.ts';
import { contentOf, MIB } from './contents.ts';
import { freshStore, ObservedStorage } from './storages.ts';

const folder = scratchFolder();
let stores = 0;

/** A folder, memory, and a storage that reads into nobody's memory. */
const STORAGES = {
  'a folder': () => LocalStorage.open(`${folder}/${stores++}`, { fsync: false }),
  memory: async () => new MemoryStorage(),
  'a storage without getInto': async () => new ObservedStorage(new MemoryStorage()),
};

function expectExact(view: ArrayBufferView, bytes: Uint8Array): void {
  const { buffer, byteOffset, byteLength } = view;
  expect({ byteOffset, byteLength, inBuffer: buffer.byteLength }).toEqual({
    byteOffset: 0,
    byteLength: bytes.length,
    inBuffer: bytes.length,
  });
  expect(Buffer.compare(new Uint8Array(buffer), bytes)).toBe(0);
}

describe.each(Object.entries(STORAGES))('in %s', (_, open) => {
  test.prop([anyContent, anyCompression, fc.constantFrom(0, 1, 2, 4, 8, 16)], { numRuns: 40 })(
    'a loaded content fills its buffer exactly, by record and by key alone',
    async (content, compression, elementBytes) => {
      const storage = await open();
      const [saved] = await freshStore(storage).saveBlobs([content], {
        ...(compression === undefined ? {} : { compression }),
        elementBytes,
      });
      const { key } = saved as StoredContent;
      for (const address of [saved as StoredContent, { key }]) {
        expectExact(await freshStore(storage).reader.load(address), content);
      }
    },
  );

  test('so does one whose chunks repeat, lie in several packs, and apart from each other', async () => {
    const storage = await open();
    const store = freshStore(storage);
    const known = contentOf(2 * MIB, 3);
    await store.saveBlobs([known]);
    const part = (at: number) => known.subarray(at, at + 300_000);
    const mixed = Buffer.concat([
      part(900_000),
      contentOf(200_000, 9),
      part(0),
      contentOf(MIB, 2, 'lines'),
      new Uint8Array(MIB),
      part(1_500_000),
      part(0),
    ]);
    const [saved] = await store.saveBlobs([mixed]);
    const { key } = saved as StoredContent;
    for (const address of [saved as StoredContent, { key }]) {
      expectExact(await freshStore(storage).reader.load(address), mixed);
    }
  });

  test('so does a plain object of several parts', async () => {
    const storage = await open();
    const data = contentOf(17 * MIB + 5, 3);
    const [saved] = await freshStore(storage).saveData([{ name: 'x', data }]);
    expectExact(await freshStore(storage).reader.load({ key: saved?.key as string }), data);
  });
});

const TYPED = [
  Uint8Array,
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
];

test.prop(
  [
    fc.constantFrom(...TYPED),
    // Inline, in one object, around the border of chunking, in chunks.
    fc.constantFrom(0, 8, 16_000, 16_400, 65_536, 262_136, 262_144, 262_152, 1_000_000),
    fc.constantFrom(0, 8, 16, 40),
    fc.constantFrom('random', 'lines', 'zeros'),
    anyCompression,
  ],
  { numRuns: 60 },
)(
  'a typed array comes back over a buffer of its own size',
  async (Class, bytes, before, kind, compression) => {
    const flow = await openFlow();
    const memory = new Uint8Array(before + bytes + 24);
    if (kind !== 'zeros') memory.set(contentOf(memory.length, 5, kind));
    const view = new Class(memory.buffer as ArrayBuffer, before, bytes / Class.BYTES_PER_ELEMENT);
    const options = compression === undefined ? {} : { compression };
    await flow.task({ runId: 'r1', stepName: 's', taskId: '0' }, (task) =>
      task.saveArtifacts({ view }, options),
    );
    const { view: loaded } = await (await flow.getTaskDataStore('r1/s/0')).loadArtifacts<{
      view: ArrayBufferView;
    }>();
    expect(loaded.constructor).toBe(Class);
    expectExact(loaded, memory.subarray(before, before + bytes));
  },
);

test('a misaligned DataView and an ArrayBuffer come back over buffers of their own size', async () => {
  const flow = await openFlow();
  const memory = contentOf(400_003, 5);
  const view = new DataView(memory.buffer, 3, 400_000);
  const pathspec = await saveTask(flow, { view, buffer: memory.buffer });
  const loaded = await (await flow.getTaskDataStore(pathspec)).loadArtifacts<{
    view: DataView;
    buffer: ArrayBuffer;
  }>();
  expectExact(loaded.view, memory.subarray(3));
  expect(loaded.buffer.byteLength).toBe(400_003);
});

test.each([1000, 10_000, 100_000])(
  'the columns of an Arrow table of %d rows lie in the one buffer that was loaded',
  async (rows) => {
    const flow = await openFlow();
    const score = Float64Array.from({ length: rows }, (_, row) => row / 7);
    const pathspec = await saveTask(flow, { table: tableFromArrays({ score, id: Int32Array.from(score) }) });
    const task = await flow.getTaskDataStore(pathspec);
    const { table } = await task.loadArtifacts<{ table: Table }>();
    expect(table.getChild('score')?.toArray()).toEqual(score);
    const buffers = new Set(
      table.batches.flatMap(({ data }) => data.children.map(({ values }) => values.buffer)),
    );
    expect([...buffers].map((buffer: ArrayBufferLike) => buffer.byteLength)).toEqual([
      task.info('table').bytes,
    ]);
  },
);
