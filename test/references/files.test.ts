import { appendFileSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestHex } from '../../src/digest/blake3.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { FileRef } from '../../src/references/file-ref.ts';
import type { Files, SaveFileOptions } from '../../src/references/files.ts';
import type { OpenFileOptions } from '../../src/references/readable-file.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { CACHE_DIGEST, type CacheDigest } from '../../src/values/cache-digest.ts';
import { errorOf, noise, objectNames, openFlow, scratchFolder } from '../flow/fixtures.ts';
import { test } from '../property.ts';

const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };
const isContent = (name: string): boolean => /^(data|manifests|packs|plain)\//.test(name);

/** The text by which a reference counts in cache keys. */
function counts(file: FileRef): string {
  return (file as unknown as CacheDigest)[CACHE_DIGEST]();
}

function fileOf(bytes: Uint8Array | string, name = 'x.bin'): string {
  const path = join(scratchFolder(), name);
  writeFileSync(path, bytes);
  return path;
}

/** The ways by which the same bytes become a file of the store. */
const WAYS: [string, (files: Files, bytes: Uint8Array, options?: SaveFileOptions) => Promise<FileRef>][] = [
  ['fromLocal', (files, bytes, options) => files.fromLocal(fileOf(bytes), options)],
  [
    'fromLocal, plain',
    (files, bytes, options) => files.fromLocal(fileOf(bytes), { ...options, plain: true }),
  ],
  ['fromData', (files, bytes, options) => files.fromData('x.bin', bytes, options)],
  [
    'fromData, of a stream',
    (files, bytes, options) => files.fromData('x.bin', pieces(bytes, 7_001), options),
  ],
  [
    'create',
    async (files, bytes, options) => {
      const writer = files.create('x.bin', options);
      for await (const piece of pieces(bytes, 50_000)) await writer.write(piece);
      return writer.close();
    },
  ],
];

async function* pieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += length) yield bytes.subarray(start, start + length);
}

describe.each(WAYS)('%s', (_way, save) => {
  it.each([0, 1, 5_000, 300_000, 2_000_000])(
    'keeps %i bytes, which are read in every way',
    async (length) => {
      const flow = await openFlow();
      const bytes = noise(length, 3);
      const file = await save(flow.files, bytes);
      expect(file).toMatchObject({ kind: 'file', name: 'x.bin', size: length, digest: digestHex(bytes) });
      expect(Buffer.from(await file.bytes())).toEqual(Buffer.from(bytes));
      expect(Buffer.from(await file.range(3, 1_000))).toEqual(Buffer.from(bytes.subarray(3, 1_003)));
      const streamed: Uint8Array[] = [];
      for await (const piece of file.open()) streamed.push(piece);
      expect(Buffer.concat(streamed)).toEqual(Buffer.from(bytes));
      expect(Buffer.from(await (await file.toBlob()).arrayBuffer())).toEqual(Buffer.from(bytes));
      const path = await file.download(join(scratchFolder(), 'deep/er/copy.bin'));
      expect(readFileSync(path)).toEqual(Buffer.from(bytes));
      expect(readdirSync(join(path, '..'))).toEqual(['copy.bin']);
      expect(await file.exists()).toBe(true);
    },
  );

  it('counts by the digest that a function of the bytes makes, however it is referenced', async () => {
    const flow = await openFlow();
    const digest = async (bytes: AsyncIterable<Uint8Array>): Promise<string> => {
      let length = 0;
      for await (const piece of bytes) length += piece.length;
      return `${length} bytes`;
    };
    const file = await save(flow.files, noise(300_000), { digest });
    expect(file.digest).toBe('300000 bytes');
    expect(counts(file)).toBe('file:given:300000 bytes');
  });

  it('takes a function that reads a part of the bytes', async () => {
    const flow = await openFlow();
    const digest = async (bytes: AsyncIterable<Uint8Array>): Promise<string> => {
      for await (const piece of bytes) return `begins with ${piece[0]}`;
      return 'empty';
    };
    const bytes = Uint8Array.from({ length: 3_000_000 }, (_, index) => index % 251);
    expect((await save(flow.files, bytes, { digest })).digest).toBe('begins with 0');
  });

  it('in a task makes a value that equals one made before, and its content is stored once', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const bytes = noise(400_000);
    await flow.task(spec, async (task) => {
      await task.saveArtifacts({ nested: { deep: [new Map([['x', await save(task.files, bytes)]])] } });
    });
    const first = (await objectNames(storage)).filter(isContent).sort();
    await flow.task({ ...spec, taskId: '1' }, async (task) => {
      await task.saveArtifacts({ nested: { deep: [new Map([['x', await save(task.files, bytes)]])] } });
    });
    expect((await objectNames(storage)).filter(isContent).sort()).toEqual(first);
    const keys = await Promise.all(
      ['0', '1'].map(async (id) => (await flow.getTaskDataStore(`r1/fit/${id}`)).info('nested').key),
    );
    expect(keys[0]).toBe(keys[1]);
    const task = await flow.getTaskDataStore('r1/fit/1');
    const { nested } = await task.loadArtifacts<{ nested: { deep: [Map<string, FileRef>] } }>(['nested']);
    const loaded = nested.deep[0].get('x') as FileRef;
    expect(Buffer.from(await loaded.bytes())).toEqual(Buffer.from(bytes));
  });
});

test.prop([
  fc.uint8Array({ maxLength: 3_000 }),
  fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1 }),
])('a digest covers every byte, however a stream comes in pieces', async (bytes, lengths) => {
  const flow = await openFlow();
  async function* cut(): AsyncGenerator<Uint8Array> {
    for (let start = 0, turn = 0; start < bytes.length; turn++) {
      const end = start + (lengths[turn % lengths.length] as number);
      yield bytes.subarray(start, end);
      start = end;
    }
  }
  expect((await flow.files.fromData('x', cut())).digest).toBe(digestHex(bytes));
});

describe('a file of this machine', () => {
  it('is copied, so that what becomes of it later is not seen', async () => {
    const flow = await openFlow();
    const path = fileOf('one');
    const file = await flow.files.fromLocal(path);
    writeFileSync(path, 'another');
    expect(await file.text()).toBe('one');
    expect(file.uri).toBeUndefined();
  });

  it.each([
    ['is missing', (): string => join(scratchFolder(), 'nothing'), 'REFERENCE_NOT_FOUND'],
    ['is a folder', (): string => scratchFolder(), 'REFERENCE_UNREADABLE'],
    ['is a device', (): string => '/dev/null', 'REFERENCE_UNREADABLE'],
    ['has an impossible path', (): string => 'a\0b', 'INVALID_ARGUMENT'],
    ['has no path', (): string => '', 'INVALID_ARGUMENT'],
  ] as const)('that %s is refused, and nothing is left', async (_what, path, code) => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    await errorOf(flow.files.fromLocal(path(), { name: 'x' }), code);
    expect((await objectNames(storage)).filter(isContent)).toEqual([]);
    await flow.task(spec, async (task) => {
      await errorOf(task.files.fromLocal(path(), { name: 'x' }), code);
    });
    expect((await flow.getTaskDataStore('r1/fit/0')).isDone).toBe(true);
  });

  it.each([
    ['grows', (path: string) => appendFileSync(path, 'more')],
    ['shrinks', (path: string) => writeFileSync(path, 'less')],
    ['is replaced by as many bytes', (path: string) => writeFileSync(path, noise(600_000, 8))],
  ])('that %s while it is read is refused, and nothing is left', async (_how, change) => {
    for (const plain of [false, true]) {
      const storage = new MemoryStorage();
      const flow = await openFlow({ storage });
      const path = fileOf(noise(600_000));
      utimesSync(path, 1, 1);
      const digest = async (bytes: AsyncIterable<Uint8Array>): Promise<string> => {
        for await (const _ of bytes) change(path);
        return 'seen';
      };
      const error = await errorOf(flow.files.fromLocal(path, { plain, digest }), 'REFERENCE_CHANGED');
      expect(error.message).toContain(path);
      expect((await objectNames(storage)).filter(isContent)).toEqual([]);
    }
  });

  it('is named by its path or by its URL, and by no other address', async () => {
    const flow = await openFlow();
    const path = fileOf('one', 'ro ws:1%.csv');
    for (const named of [path, pathToFileURL(path), pathToFileURL(path).href]) {
      const file = await flow.files.fromLocal(named);
      expect([file.name, await file.text()]).toEqual(['ro ws:1%.csv', 'one']);
    }
    for (const address of [
      'https://host/x.csv?signature=1',
      's3://bucket/x.csv',
      new URL('https://host/x.csv'),
    ]) {
      const error = await errorOf(flow.files.fromLocal(address), 'INVALID_ARGUMENT');
      expect(error.message).toMatch(/of this machine, and (https|s3):.*x\.csv is an address/);
      expect(error.message).not.toContain('signature');
    }
    await errorOf(flow.files.fromLocal(5 as never), 'INVALID_ARGUMENT');
    await errorOf(flow.files.fromLocal('file://other-host/x'), 'INVALID_ARGUMENT');
  });

  it('has its own name, unless another is given that is one', async () => {
    const flow = await openFlow();
    const path = fileOf('a', 'rows.csv');
    expect((await flow.files.fromLocal(path)).name).toBe('rows.csv');
    expect((await flow.files.fromLocal(path, { name: 'b' })).name).toBe('b');
    for (const name of ['../b', 'a/b', '', '.', 'a\nb'])
      await errorOf(flow.files.fromLocal(path, { name }), 'INVALID_NAME');
  });

  it('counts by its content alone, not by its name or path', async () => {
    const flow = await openFlow();
    const [a, b] = [
      await flow.files.fromLocal(fileOf('same', 'a')),
      await flow.files.fromLocal(fileOf('same', 'b')),
    ];
    expect(counts(a)).toBe(counts(b));
  });
});

describe('a plain file', () => {
  it('lies at an address that any tool opens, under its own name, and is found there again', async () => {
    const folder = join(scratchFolder(), 'store');
    const flow = await openFlow({ storage: folder });
    const file = await flow.files.fromLocal(fileOf('<p>', 'report.html'), { plain: true });
    const address = (await file.address()) as string;
    expect(address).toMatch(/^file:.*\/report\.html$/);
    expect(readFileSync(new URL(address), 'utf8')).toBe('<p>');
    const again = await flow.files.fromLocal(fileOf('<p>', 'other.html'), { plain: true });
    expect(await again.address()).toBe(address);
    const chunked = await flow.files.fromLocal(fileOf('in chunks'));
    expect(await chunked.address()).toBeUndefined();
  });
});

describe('a file that is written', () => {
  it('is not there before it is closed, and an aborted one leaves nothing', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const writer = flow.files.create('x');
    await writer.write(noise(400_000));
    await writer.abort();
    await errorOf(writer.close(), 'ABORTED');
    await errorOf(writer.write('more'), 'INVALID_ARGUMENT');
    expect((await objectNames(storage)).filter(isContent)).toEqual([]);
  });

  it('is given up where its scope ends without close()', async () => {
    const flow = await openFlow();
    const writer = flow.files.create('x');
    {
      await using scoped = writer;
      await scoped.write('a');
    }
    await errorOf(writer.close(), 'ABORTED');
  });

  it('that nobody closes keeps no task from being done', async () => {
    const flow = await openFlow();
    const forgotten = await flow.task(spec, async (task) => {
      const writer = task.files.create('x');
      await writer.write('a');
      return writer;
    });
    expect((await flow.getTaskDataStore('r1/fit/0')).isDone).toBe(true);
    await errorOf(forgotten.close(), 'ATTEMPT_CLOSED');
  });

  it('copies what it is given, which may change at once', async () => {
    const flow = await openFlow();
    const writer = flow.files.create('x');
    const buffer = Buffer.from('first ');
    const first = writer.write(buffer);
    buffer.fill('x');
    await first;
    await writer.write('second');
    expect(await (await writer.close()).text()).toBe('first second');
  });

  it('gives who closes it the reason for which it was aborted', async () => {
    const writer = (await openFlow()).files.create('x');
    await writer.write('a');
    await writer.abort(new Error('mine'));
    await expect(writer.close()).rejects.toThrow('mine');
  });
});

describe('a web stream of a file', () => {
  const bytes = noise(700_000, 5);
  const opened = async (options: OpenFileOptions = {}): Promise<ReadableStream<Uint8Array>> =>
    (await (await openFlow()).files.fromData('x.bin', bytes)).open(options);

  it('is the body of a response, piped, and read by a reader', async () => {
    expect(Buffer.from(await new Response(await opened()).arrayBuffer())).toEqual(Buffer.from(bytes));
    const piped: Uint8Array[] = [];
    await (await opened({ range: { offset: 5, length: 400_000 } })).pipeTo(
      new WritableStream({ write: (piece: Uint8Array) => void piped.push(piece) }),
    );
    expect(Buffer.concat(piped)).toEqual(Buffer.from(bytes.subarray(5, 400_005)));
    const reader = (await opened()).getReader();
    const first = await reader.read();
    expect(Buffer.from(first.value ?? [])).toEqual(Buffer.from(bytes.subarray(0, first.value?.length)));
    await reader.cancel();
    expect((await reader.read()).done).toBe(true);
  });

  it('fills the memory of its reader', async () => {
    const reader = (await opened()).getReader({ mode: 'byob' });
    const { value } = await reader.read(new Uint8Array(1_000));
    expect(value?.length).toBeGreaterThan(0);
    expect(Buffer.from(value ?? [])).toEqual(Buffer.from(bytes.subarray(0, value?.length)));
    await reader.cancel();
  });
});

describe.each([
  ['in chunks', {}],
  ['as a plain object', { plain: true }],
])('a file of this machine that is saved %s', (_how, options) => {
  const bytes = noise(1_000_000, 6);

  it('is sent where nothing is stored of its digest, and otherwise not', async () => {
    const storage = new CountStorage(new MemoryStorage('', { localReads: false }));
    // Flows that remember nothing of each other's files.
    const [one, other] = [await openFlow({ storage }), await openFlow({ storage })];
    const first = await one.files.fromLocal(fileOf(bytes), options);
    expect(storage.snapshot().create.bytes).toBeGreaterThan(1_000_000);
    storage.reset();
    const again = await other.files.fromLocal(fileOf(bytes, 'y.bin'), options);
    expect(again.digest).toBe(first.digest);
    expect(storage.snapshot().create.bytes).toBeLessThan(10_000);
    expect(storage.snapshot().get.bytes).toBeLessThan(10_000);
    await other.files.fromLocal(fileOf(bytes.subarray(1), 'y.bin'), { plain: true });
    expect(storage.snapshot().create.bytes).toBeGreaterThan(999_000);
  });

  it('has the same name, digest and value in each attempt of a task', async () => {
    const flow = await openFlow();
    const path = fileOf(bytes);
    const attempt = (fails: boolean): Promise<unknown> =>
      flow.task(spec, async (task) => {
        const writer = task.files.create('written', options);
        await writer.write(bytes.subarray(0, fails ? 10 : 700_000));
        await writer.write(bytes.subarray(fails ? 10 : 700_000));
        await task.saveArtifacts({
          files: [await task.files.fromLocal(path, options), await writer.close()],
        });
        if (fails) throw new RangeError('for once');
      });
    await expect(attempt(true)).rejects.toThrow('for once');
    await attempt(false);
    const seen = await Promise.all(
      [0, 1].map(async (number) => {
        const task = await flow.getTaskDataStore('r1/fit/0', { attempt: number, allowNotDone: true });
        const { files } = await task.loadArtifacts<{ files: FileRef[] }>(['files']);
        return [task.info('files').key, ...files.map((file) => [file.name, file.digest, counts(file)])];
      }),
    );
    expect(seen[0]).toEqual(seen[1]);
    expect(seen[0]?.slice(1).map(([name]) => name)).toEqual(['x.bin', 'written']);
  });
});

describe('loading into memory', () => {
  const saved = async (text: string): Promise<FileRef> => (await openFlow()).files.fromData('x', text);

  it('is bounded by maxBytes', async () => {
    const file = await saved('0123456789');
    for (const load of ['bytes', 'text', 'json', 'toBlob'] as const)
      await errorOf(file[load]({ maxBytes: 9 }), 'CONTENT_TOO_LARGE');
    expect(await file.text({ maxBytes: 10 })).toBe('0123456789');
    expect(Buffer.from(await file.range(5, 3, { maxBytes: 3 })).toString()).toBe('567');
  });

  it('gives JSON, or says that it is none', async () => {
    expect(await (await saved('{"a":[1]}')).json()).toEqual({ a: [1] });
    await errorOf((await saved('{')).json(), 'UNDECODABLE_ARTIFACT');
  });

  it('refuses a range that is none, and options that there are not', async () => {
    const file = await saved('abc');
    await errorOf(file.range(-1, 2), 'INVALID_ARGUMENT');
    await errorOf(file.range(0, 1.5), 'INVALID_ARGUMENT');
    await errorOf(file.bytes({ maxByte: 1 } as never), 'INVALID_ARGUMENT');
    expect((await file.range(10, 5)).length).toBe(0);
  });

  it('tells its progress', async () => {
    const told: number[] = [];
    const file = await saved('abc');
    await file.text({ onProgress: ({ bytesDone }) => told.push(bytesDone) });
    expect(told.at(-1)).toBe(3);
  });
});

describe('download', () => {
  it('leaves what was there where it fails, and nothing else', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const file = await flow.files.fromData('x.bin', noise(500_000));
    const folder = scratchFolder();
    writeFileSync(join(folder, 'x.bin'), 'before');
    await storage.delete(await objectNames(storage, 'packs/'));
    await errorOf(file.download(folder), 'CONTENT_DAMAGED');
    expect(readdirSync(folder)).toEqual(['x.bin']);
    expect(readFileSync(join(folder, 'x.bin'), 'utf8')).toBe('before');
    expect(await file.exists()).toBe(false);
  });

  it('replaces a file, or refuses to', async () => {
    const file = await (await openFlow()).files.fromData('x.bin', 'after');
    const folder = scratchFolder();
    writeFileSync(join(folder, 'x.bin'), 'before');
    await errorOf(file.download(folder, { overwrite: false }), 'INVALID_ARGUMENT');
    expect(readFileSync(await file.download(folder), 'utf8')).toBe('after');
    expect(readFileSync(await file.download(join(folder, 'y'), { overwrite: false }), 'utf8')).toBe('after');
    expect(readdirSync(folder).sort()).toEqual(['x.bin', 'y']);
  });

  it('to a path with a separator at its end is into that folder, which is made', async () => {
    const file = await (await openFlow()).files.fromData('x.bin', 'after');
    const folder = scratchFolder();
    expect(await file.download(`${folder}/a/b/`)).toBe(join(folder, 'a/b/x.bin'));
    expect(readdirSync(join(folder, 'a/b'))).toEqual(['x.bin']);
  });

  it('says where nothing can be written', async () => {
    const file = await (await openFlow()).files.fromData('x.bin', 'after');
    const folder = scratchFolder();
    writeFileSync(join(folder, 'file'), '');
    mkdirSync(join(folder, 'sub/x.bin'), { recursive: true });
    await errorOf(file.download(join(folder, 'file/below')), 'DOWNLOAD_FAILED');
    await errorOf(file.download(join(folder, 'sub')), 'DOWNLOAD_FAILED');
    await errorOf(file.download('a\0b'), 'INVALID_ARGUMENT');
  });
});

describe('a file outside the store', () => {
  it('is read where it lies, and counts by its address', async () => {
    const flow = await openFlow();
    const path = fileOf('one');
    const [a, b] = [await flow.files.existing(path), await flow.files.remote(path)];
    expect(a.uri).toBe(new URL(`file://${path}`).href);
    expect(a.size).toBe(3);
    expect(b.size).toBeUndefined();
    expect(counts(a)).toBe(counts(b));
    expect(counts(a)).toMatch(/^file:uri:[0-9a-f]{64}$/);
    expect([await a.text(), await b.text()]).toEqual(['one', 'one']);
  });

  it.skipIf(process.platform !== 'linux')('of the system, with bytes and no length, is refused', async () => {
    const flow = await openFlow();
    const call = flow.files.fromLocal('/proc/self/status');
    await expect(call).rejects.toMatchObject({
      code: 'REFERENCE_UNREADABLE',
      message: expect.stringContaining('length 0'),
    });
    const empty = join(scratchFolder(), 'empty');
    writeFileSync(empty, '');
    expect(await (await flow.files.fromLocal(empty)).bytes()).toHaveLength(0);
  });

  it('that was changed since it was looked at is told before the first byte', async () => {
    const flow = await openFlow();
    for (const text of ['longer', 'two']) {
      const path = fileOf('one');
      utimesSync(path, 1, 1);
      const [seen, unseen] = [await flow.files.existing(path), await flow.files.remote(path)];
      writeFileSync(path, text);
      const error = await errorOf(seen.text(), 'REFERENCE_CHANGED');
      expect(error.details.uri).toBe(path);
      expect(await unseen.text()).toBe(text);
    }
  });

  it('is looked for by existing, and not by remote', async () => {
    const flow = await openFlow();
    const path = join(scratchFolder(), 'later');
    await errorOf(flow.files.existing(path), 'REFERENCE_NOT_FOUND');
    const file = await flow.files.remote(path);
    expect(await file.exists()).toBe(false);
    await errorOf(file.text(), 'REFERENCE_NOT_FOUND');
    writeFileSync(path, 'now');
    expect(await file.exists()).toBe(true);
    expect(await file.text()).toBe('now');
  });

  it('counts by the digest that a function of its bytes makes, as a local one does', async () => {
    const flow = await openFlow();
    const path = fileOf('one');
    const digest = async (bytes: AsyncIterable<Uint8Array>): Promise<string> => {
      const read: Uint8Array[] = [];
      for await (const piece of bytes) read.push(piece);
      return digestHex(Buffer.concat(read));
    };
    const all = [
      await flow.files.fromLocal(path, { digest }),
      await flow.files.existing(path, { digest }),
      await flow.files.remote(path, { digest }),
    ].map((file) => counts(file));
    expect(new Set(all)).toEqual(new Set([`file:given:${digestHex(Buffer.from('one'))}`]));
    for (const made of ['', 5, undefined])
      await errorOf(flow.files.remote(path, { digest: () => made as string }), 'INVALID_ARGUMENT');
    await expect(
      flow.files.fromLocal(path, {
        digest: () => {
          throw new Error('mine');
        },
      }),
    ).rejects.toThrow('mine');
  });

  it('is read by every scheme that openStorage knows', async () => {
    const storage = new MemoryStorage('files-outside');
    await storage.create('folder/x.bin', noise(20_000_000, 4));
    const flow = await openFlow();
    const file = await flow.files.existing('memory:files-outside/folder/x.bin');
    expect(file).toMatchObject({ name: 'x.bin', size: 20_000_000 });
    expect(digestHex(await file.bytes())).toBe(digestHex(noise(20_000_000, 4)));
    expect(Buffer.from(await file.range(9_000_000, 5))).toEqual(
      Buffer.from(noise(20_000_000, 4).subarray(9_000_000, 9_000_005)),
    );
    await flow.task(spec, (task) => task.saveArtifacts({ file }));
    const loaded = await (await flow.getTaskDataStore('r1/fit/0')).get<FileRef>('file');
    expect(await loaded.exists()).toBe(true);
    await storage.overwrite('folder/x.bin', noise(20_000_000, 5));
    await errorOf(loaded.range(0, 1), 'REFERENCE_CHANGED');
    await storage.delete(['folder/x.bin']);
    await errorOf(loaded.bytes(), 'REFERENCE_NOT_FOUND');
    expect(await loaded.exists()).toBe(false);
  });

  it.each([
    ['https://me:secret@example.org/x', 'INVALID_ARGUMENT'],
    ['https://example.org/', 'INVALID_NAME'],
    ['s3://bucket', 'INVALID_ARGUMENT'],
    ['file://host/share/x', 'INVALID_ARGUMENT'],
    ['', 'INVALID_ARGUMENT'],
    [5, 'INVALID_ARGUMENT'],
  ] as const)('at %s is refused', async (address, code) => {
    const flow = await openFlow();
    const error = await errorOf(flow.files.remote(address as string), code);
    expect(error.message).not.toContain('secret');
  });

  it('of an unknown scheme says which there are', async () => {
    const flow = await openFlow();
    await errorOf((await flow.files.remote('gopher://host/x')).bytes(), 'UNKNOWN_STORAGE_SCHEME');
  });

  it('of this machine, in a value from a store in a bucket, is not opened, since whoever wrote the store chose it', async () => {
    const storage = new MemoryStorage();
    Object.defineProperty(storage, 'type', { value: 's3' });
    const flow = await openFlow({ storage });
    const path = fileOf('secret');
    const file = await flow.files.existing(path);
    expect(await file.text()).toBe('secret');
    await flow.task(spec, (task) => task.saveArtifacts({ file }));
    const loaded = await (await flow.getTaskDataStore('r1/fit/0')).get<FileRef>('file');
    await errorOf(loaded.text(), 'PLACE_NOT_TRUSTED');
  });
});

describe('a file saved outside a task', () => {
  it('is kept by its session, which can be released', async () => {
    const flow = await openFlow();
    const file = await flow.files.fromData('x', 'a');
    expect(file.session).toMatch(/^[0-9a-v]{26}$/);
    await flow.caStore.release(file.session as string);
    await errorOf(flow.caStore.release('0'.repeat(26)), 'SESSION_NOT_FOUND');
  });

  it('has a session only for whoever saved it: a loaded one equals it otherwise', async () => {
    const flow = await openFlow();
    const file = await flow.files.fromData('x', 'a', { mediaType: 'text/plain' });
    await flow.task(spec, (task) => task.saveArtifacts({ file }));
    const loaded = await (await flow.getTaskDataStore('r1/fit/0')).get<FileRef>('file');
    expect(loaded).toBeInstanceOf(FileRef);
    expect(JSON.stringify(loaded)).toBe(JSON.stringify(file));
    expect(loaded.session).toBeUndefined();
    const { session: _, ...told } = { ...file };
    expect({ ...loaded }).toEqual(told);
  });
});

describe('a task that was closed', () => {
  it('saves no more files', async () => {
    const flow = await openFlow();
    let files: Files | undefined;
    await flow.task(spec, async (task) => {
      files = task.files;
    });
    await errorOf((files as Files).fromData('x', 'a'), 'ATTEMPT_CLOSED');
  });

  it('ends what was being saved', async () => {
    const storage = new MemoryStorage();
    const flow: FlowDataStore = await openFlow({ storage });
    const task = await flow.createTaskDataStore(spec);
    let more: () => void = () => {};
    const waiting = new Promise<void>((resolve) => {
      more = resolve;
    });
    async function* slow(): AsyncGenerator<Uint8Array> {
      yield noise(300_000);
      await waiting;
      yield noise(300_000);
    }
    const saving = errorOf(task.files.fromData('x', slow()), 'ATTEMPT_CLOSED');
    await task.fail(new Error('no'));
    more();
    await saving;
    expect((await objectNames(storage)).filter(isContent)).toEqual([]);
  });
});
