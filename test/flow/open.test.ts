import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { describe, expect, expectTypeOf } from 'vitest';
import type { TaskDataStore } from '../../src/flow/task-data-store.ts';
import { DataFrameRef } from '../../src/references/data-frame-ref.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { cloneOf, codeOf, namesOf, ObservedStorage, withFlippedBit } from '../content/storages.ts';
import { test } from '../property.ts';
import { errorOf, noise, openFlow, saveTask } from './fixtures.ts';

/** Bytes in each place that an artifact may lie in. */
const BYTES = {
  inline: noise(1000, 1),
  own: noise(40_000, 2),
  single: noise(200_000, 3),
  chunked: noise(3_000_000, 4),
  empty: new Uint8Array(0),
};
type Name = keyof typeof BYTES;
const NAMES = Object.keys(BYTES) as Name[];

let made: Promise<MemoryStorage> | undefined;

/** A store as a bucket is one, with one task, and a copy of the store for each reader. */
async function savedOnce(): Promise<MemoryStorage> {
  made ??= (async () => {
    const storage = new MemoryStorage('', { localReads: false });
    await saveTask(await openFlow({ storage }), { ...BYTES, view: new DataView(new ArrayBuffer(4)) });
    return storage;
  })();
  return made;
}

async function readTask(): Promise<{ task: TaskDataStore; counted: CountStorage }> {
  const counted = new CountStorage(await savedOnce());
  const task = await (await openFlow({ storage: counted })).getTaskDataStore('r1/fit/0');
  counted.reset();
  return { task, counted };
}

/** Reads to the end, and transfers all that it gets. */
async function collect(stream: ReadableStream<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) {
    pieces.push(structuredClone(piece, { transfer: [piece.buffer as ArrayBuffer] }));
  }
  return Buffer.concat(pieces);
}

describe('an artifact that is opened', () => {
  test.prop([fc.constantFrom(...NAMES), fc.nat(3_100_000), fc.oneof(fc.nat(300), fc.nat(3_100_000))])(
    'is the range of its bytes, wherever they lie',
    async (name, offset, length) => {
      const { task } = await readTask();
      const range = { offset: offset % (BYTES[name].length + 10), length };
      const expected = BYTES[name].subarray(range.offset, range.offset + length);
      expect(Buffer.compare(await collect(task.open(name, { range })), expected)).toBe(0);
      const pieces = await Readable.from(task.streamArtifact(name, { range })).toArray();
      expect(Buffer.compare(Buffer.concat(pieces), expected)).toBe(0);
    },
  );

  test('gives all of it, and says how far it is', async () => {
    const { task } = await readTask();
    for (const name of NAMES) {
      const told: number[] = [];
      const onProgress = (progress: { bytesDone: number; bytesTotal?: number | undefined }): void => {
        expect(progress.bytesTotal).toBe(BYTES[name].length);
        told.push(progress.bytesDone);
      };
      const stream = task.open(name, { onProgress });
      expectTypeOf(stream).toEqualTypeOf<ReadableStream<Uint8Array>>();
      expect(Buffer.compare(await collect(stream), BYTES[name])).toBe(0);
      expect(told.at(-1)).toBe(BYTES[name].length);
    }
    expect((await collect(task.open('view'))).length).toBe(4);
  });

  test('is a body for Response, and a source of Node.js', async () => {
    const flow = await openFlow();
    const task = await flow.getTaskDataStore(await saveTask(flow, { page: Buffer.from('<h1>ä</h1>') }));
    expect(await new Response(task.open('page')).text()).toBe('<h1>ä</h1>');
    expect(await text(Readable.fromWeb(task.open('page')))).toBe('<h1>ä</h1>');
  });

  test('asks the store for nothing before it is read, and for its chunks alone', async () => {
    const { task, counted } = await readTask();
    const stream = task.open('chunked', { range: { offset: 2_000_000, length: 10 } });
    expect(counted.snapshot().requests).toBe(0);
    await collect(stream);
    const { requests, get } = counted.snapshot();
    expect(requests).toBe(2);
    // A manifest, and two chunks at most.
    expect(get.bytes).toBeLessThan(10_000 + 2 * 262_144);
  });

  test('can be saved as an artifact of another task', async () => {
    const { task } = await readTask();
    const flow = await openFlow();
    await flow.task({ runId: 'r1', stepName: 'copy', taskId: '0' }, (copy) =>
      copy.saveArtifactStream('film', task.open('chunked')),
    );
    const film = await (await flow.getTaskDataStore('r1/copy/0')).get<Uint8Array>('film');
    expect(Buffer.compare(film, BYTES.chunked)).toBe(0);
  });

  test.each(['MemoryStorage', 'prefetched'])(
    'takes no memory of others: what is transferred is still there (%s)',
    async (how) => {
      const flow = await openFlow({ storage: await cloneOf(await savedOnce()) });
      const [task] = await (how === 'prefetched'
        ? flow.getTaskDataStoreSet({ runId: 'r1', prefetch: [...NAMES] })
        : flow.getTaskDataStores({ runId: 'r1' }));
      for (let round = 0; round < 2; round++) {
        for (const name of NAMES) {
          expect(Buffer.compare(await collect((task as TaskDataStore).open(name)), BYTES[name])).toBe(0);
        }
      }
    },
  );

  test.prop([fc.constantFrom<Name>('own', 'single', 'chunked'), fc.double({ min: 0, max: 1, noNaN: true })])(
    'gives nothing that was not verified: a flipped bit ends it where it lies',
    async (name, where) => {
      const storage = await cloneOf(await savedOnce());
      const folder = { own: 'values/', single: 'data/', chunked: 'packs/' }[
        name as 'own' | 'single' | 'chunked'
      ];
      const [object] = await namesOf(storage, folder);
      const body = (await storage.get(object as string))?.body as Uint8Array;
      const flipped = withFlippedBit(body, Math.floor(where * (body.length * 8 - 1)));
      await storage.delete([object as string]);
      await storage.create(object as string, flipped);
      const task = await (await openFlow({ storage })).getTaskDataStore('r1/fit/0');
      const reader = task.open(name).getReader();
      let given = 0;
      const reading = (async () => {
        for (;;) {
          const { done, value } = await reader.read();
          if (done) return;
          expect(Buffer.compare(value, BYTES[name].subarray(given, given + value.length))).toBe(0);
          given += value.length;
        }
      })();
      expect(await codeOf(reading)).toBe('CONTENT_DAMAGED');
      expect(given).toBeLessThan(BYTES[name].length);
    },
  );

  test('and cancelled reads no more', async () => {
    const observed = new ObservedStorage(await savedOnce());
    const task = await (await openFlow({ storage: observed })).getTaskDataStore('r1/fit/0');
    const reader = task.open('chunked').getReader();
    await reader.read();
    await reader.cancel();
    const { length } = observed.calls;
    expect(await codeOf(reader.closed)).toBeUndefined();
    expect(observed.calls.length).toBe(length);
  });

  test('under a signal fails with it', async () => {
    const { task } = await readTask();
    const ending = new AbortController();
    const reader = task.open('chunked', { signal: ending.signal }).getReader();
    await reader.read();
    ending.abort();
    expect(await codeOf(reader.read())).toBe('ABORTED');
  });
});

describe('what cannot be opened', () => {
  test.each<[string, unknown, string]>([
    ['an object', { auc: 0.9 }, 'object'],
    ['text', 'a long text', 'string'],
    ['a typed array', new Float32Array(8), 'Float32Array'],
    ['nothing', undefined, 'undefined'],
  ])('%s is no bytes; the error says what loads it', async (_, value, type) => {
    const flow = await openFlow();
    const task = await flow.getTaskDataStore(await saveTask(flow, { value }));
    const error = await errorOf(async () => task.open('value'), 'ARTIFACT_NOT_BYTES');
    expect(error.message).toContain(`a value of type ${type}: load it by get, or read its bytes as`);
    expect(error.details).toMatchObject({ artifact: 'value', type, pathspec: 'r1/fit/0/0' });
  });

  test('of a reference the error says whose bytes are meant, and how these are opened', async () => {
    const flow = await openFlow();
    await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, async (saving) => {
      const file = await saving.files.fromData('a.txt', 'text');
      await saving.saveArtifacts({ file, frame: new DataFrameRef(file) });
    });
    const task = await flow.getTaskDataStore('r1/fit/0');
    const error = await errorOf(async () => task.open('file'), 'ARTIFACT_NOT_BYTES');
    expect(error.message).toMatch(/of type FileRef: load the reference by get, and call its own open\(\)\.$/);
    const frame = await errorOf(async () => task.open('frame'), 'ARTIFACT_NOT_BYTES');
    expect(frame.message).toContain(
      'of type DataFrameRef: load the reference by get, and call open() of its',
    );
  });

  test.each([{ offset: -1, length: 5 }, { offset: 0 }, { start: 0, end: 5 }, null, 'all'])(
    'the range %j is refused at once, and so is an option that is none',
    async (range) => {
      const { task } = await readTask();
      const flow = await openFlow();
      const wrong = { range } as never;
      for (const name of NAMES) await errorOf(async () => task.open(name, wrong), 'INVALID_ARGUMENT');
      await errorOf(async () => flow.caStore.open('ab'.repeat(32), wrong), 'INVALID_ARGUMENT');
      await errorOf(async () => task.streamArtifact('inline', wrong).next(), 'INVALID_ARGUMENT');
      await errorOf(async () => task.open('inline', { offset: 5 } as never), 'INVALID_ARGUMENT');
    },
  );

  test('an artifact that is not there is named', async () => {
    const { task } = await readTask();
    const error = await errorOf(async () => task.open('missing'), 'ARTIFACT_NOT_FOUND');
    expect(error.details.existing).toContain('chunked');
  });
});

describe('a content that is opened', () => {
  test('is read by its key, or by what saving it returned', async () => {
    const flow = await openFlow();
    const [saved] = await flow.caStore.saveBlobs([BYTES.chunked]);
    const { key } = saved as { key: string };
    for (const address of [key, saved as { key: string }]) {
      expect(Buffer.compare(await collect(flow.caStore.open(address)), BYTES.chunked)).toBe(0);
      const range = { offset: 1_500_000, length: 700_000 };
      const part = await collect(flow.caStore.open(address, { range }));
      expect(Buffer.compare(part, BYTES.chunked.subarray(1_500_000, 2_200_000))).toBe(0);
    }
  });

  test('fails as a stream where it is not there, or there is no store', async () => {
    const flow = await openFlow();
    expect(await codeOf(collect(flow.caStore.open('ab'.repeat(32))))).toBe('NO_SUCH_STORE');
    await flow.caStore.saveBlobs([BYTES.inline]);
    expect(await codeOf(collect(flow.caStore.open('ab'.repeat(32))))).toBe('CONTENT_NOT_FOUND');
    await errorOf(async () => flow.caStore.open('x'), 'INVALID_ARGUMENT');
  });
});
