import { createHook } from 'node:async_hooks';
import { createReadStream, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findLog } from '../../src/logs/log-reader.ts';
import type { LogData, LogStreams } from '../../src/logs/log-streams.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { errorOf, noise, objectNames, scratchFolder } from '../flow/fixtures.ts';
import { propertyRuns } from '../property.ts';
import { until } from '../waiting.ts';
import { bytesOf, expectBytes, partsIn, path, pause, STORAGES, textOf, writerOn } from './log-fixtures.ts';

const MIB = 1024 * 1024;

/** A stream that a test feeds, and that tells what became of it. */
class Feed implements AsyncIterable<string | Uint8Array> {
  readonly #pieces: (string | Uint8Array)[] = [];
  #wake = (): void => {};
  #ended = false;
  isReturned = false;
  isAsked = false;
  /** True while its reader has had everything and asks for more. */
  isWaiting = false;

  push(...pieces: (string | Uint8Array)[]): void {
    this.#pieces.push(...pieces);
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  [Symbol.asyncIterator](): AsyncIterator<string | Uint8Array> {
    return {
      next: async () => {
        this.isAsked = true;
        while (this.#pieces.length === 0 && !this.#ended) {
          this.isWaiting = true;
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
          this.isWaiting = false;
        }
        const value = this.#pieces.shift();
        return value === undefined ? { done: true, value: undefined } : { done: false, value };
      },
      return: async () => {
        this.isReturned = true;
        return { done: true, value: undefined };
      },
    };
  }
}

/** A text, cut into pieces of text and of bytes; `null` is a pause. */
type Cut = (string | Uint8Array | null)[];

const cutOfText = fc
  .tuple(fc.string({ unit: 'binary', maxLength: 12 }), fc.array(fc.nat(24), { maxLength: 3 }), fc.boolean())
  .map(([text, at, asBytes]) => {
    const whole = asBytes ? Buffer.from(text) : text;
    const cuts = [0, ...at.map((index) => Math.min(index, whole.length)).sort((a, b) => a - b), whole.length];
    return cuts.slice(1).map((end, index) => whole.slice(cuts[index], end));
  });

const anyCut: fc.Arbitrary<Cut> = fc
  .array(fc.oneof({ weight: 4, arbitrary: cutOfText }, { weight: 1, arbitrary: fc.constant([null]) }), {
    maxLength: 6,
  })
  .map((pieces) => pieces.flat());

/** What the pieces are in UTF-8: pieces of text that meet are one text. */
function expectedOf(cut: Cut): Buffer {
  const encoded: Uint8Array[] = [];
  let text = '';
  for (const piece of cut) {
    if (piece === null || piece.length === 0) continue;
    if (typeof piece === 'string') {
      text += piece;
    } else {
      encoded.push(Buffer.from(text), piece);
      text = '';
    }
  }
  return Buffer.concat([...encoded, Buffer.from(text)]);
}

async function* played(cut: Cut): AsyncGenerator<string | Uint8Array> {
  for (const piece of cut) {
    if (piece === null) await pause(2);
    else yield piece;
  }
}

const forms: [string, (cut: Cut) => LogData][] = [
  ['an async generator', played],
  ['a Node Readable', (cut) => Readable.from(played(cut))],
  ['a web ReadableStream', (cut) => ReadableStream.from(played(cut)) as AsyncIterable<string>],
  [
    'a source that reuses its memory',
    async function* (cut) {
      const memory = new Uint8Array(4096);
      for await (const piece of played(cut)) {
        if (typeof piece === 'string') yield piece;
        else {
          memory.set(piece);
          yield memory.subarray(0, piece.length);
          memory.fill(0);
        }
      }
    },
  ],
];

describe.each(STORAGES)('logs on %s', (_, open) => {
  it('are the same however a text is cut into pieces', async () => {
    const streams = fc.uniqueArray(fc.tuple(fc.constantFrom('stdout', 'stderr', 'x'), anyCut, fc.nat(3)), {
      selector: ([stream]) => stream,
      minLength: 1,
    });
    await fc.assert(
      fc.asyncProperty(streams, fc.constantFrom(0, 1, 2000), async (calls, flushMs) => {
        const storage = await open();
        const opened = calls.map(([stream, cut, form]) => [stream, forms[form]?.[1](cut)]);
        await writerOn(storage).append('task', Object.fromEntries(opened) as LogStreams, { flushMs });
        for (const [stream, cut] of calls) {
          const expected = expectedOf(cut);
          expectBytes(await bytesOf(storage, stream), expected);
          expect((await findLog(storage, path, 0, { source: 'task', stream }, {}))?.bytes).toBe(
            expected.length,
          );
          const sizes = await Promise.all(
            (await objectNames(storage, `logs/Test/r1/fit/0/0.task.${stream}.`)).map(
              async (name) => (await storage.head(name))?.bytes,
            ),
          );
          if (expected.length > 0) expect(sizes).not.toContain(0);
          else expect(sizes).toEqual([0]);
        }
      }),
      { numRuns: propertyRuns },
    );
  });

  it('are cut from a long piece into parts of 1 MiB', async () => {
    const storage = await open();
    const bytes = noise(3 * MIB + 5);
    const stream = (async function* () {
      yield 'begin';
      yield bytes;
      yield 'end';
    })();
    await writerOn(storage).append('task', { stdout: stream });
    expectBytes(await bytesOf(storage), Buffer.concat([Buffer.from('begin'), bytes, Buffer.from('end')]));
    const sizes = await Promise.all(
      (await objectNames(storage, 'logs/')).map(async (name) => (await storage.head(name))?.bytes),
    );
    expect(sizes).toEqual([MIB, MIB, MIB, 13]);
  });

  it('are read from files, by path and by URL', async () => {
    const storage = await open();
    const file = join(scratchFolder(), 'a log.txt');
    const bytes = noise(2 * MIB + 1);
    writeFileSync(file, bytes);
    const writer = writerOn(storage);
    await writer.append('task', { stdout: { path: file }, stderr: { path: pathToFileURL(file) } });
    await writer.append('task', { more: createReadStream(file) });
    for (const stream of ['stdout', 'stderr', 'more'])
      expectBytes(await bytesOf(storage, stream), Buffer.from(bytes));
  });
});

describe('appends to one log', () => {
  it('that fail, though some took effect, leave every other one once, in order, and no number out', async () => {
    const fault = fc.constantFrom('before', 'after', 'delay', undefined, undefined, undefined);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fault, { maxLength: 24 }),
        fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 12 }),
        async (faults, sizes) => {
          const storage = new MemoryStorage();
          const faulty = new FaultStorage(storage, (operation, _name, call) => {
            const kind = operation === 'create' ? faults[call] : undefined;
            return kind === 'delay' ? { kind, ms: 0 } : kind && { kind };
          });
          const writer = writerOn(faulty);
          const outcomes = await Promise.allSettled(
            sizes.map((size, i) => writer.append('task', { stdout: `${i} `.repeat(size) })),
          );
          const found = ((await textOf(storage)) ?? '').split(' ').slice(0, -1).map(Number);
          expect(found).toEqual([...found].sort((a, b) => a - b));
          for (const [i, { status }] of outcomes.entries()) {
            const times = found.filter((one) => one === i).length;
            if (status === 'fulfilled' || times > 0) expect(times).toBe(sizes[i]);
          }
          const parts = await partsIn(storage);
          expect(parts).toEqual(parts.map((_part, i) => `task.stdout.${String(i).padStart(8, '0')}`));
        },
      ),
      { numRuns: propertyRuns },
    );
  });

  it('whose answer was lost can be tried again, and is there once', async () => {
    const storage = new MemoryStorage();
    const losing = new FaultStorage(storage, (_operation, _name, call) =>
      call === 0 ? { kind: 'after' } : undefined,
    );
    const writer = writerOn(losing);
    await errorOf(writer.append('task', { stdout: 'once\n' }), 'STORAGE_UNAVAILABLE');
    await writer.append('task', { stdout: 'once\n' });
    expect(await textOf(storage)).toBe('once\n');
  });

  it('are written one after the other, and a source waits for them', async () => {
    const storage = new MemoryStorage();
    let writing = 0;
    let mostWriting = 0;
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    class Gated extends FaultStorage {
      override async create(...args: Parameters<FaultStorage['create']>): Promise<boolean> {
        writing += 1;
        mostWriting = Math.max(mostWriting, writing);
        await gate;
        const created = await super.create(...args);
        writing -= 1;
        return created;
      }
    }
    const writer = writerOn(new Gated(storage, () => undefined));
    let pulled = 0;
    const source = async function* (): AsyncGenerator<Uint8Array> {
      for (; pulled < 80; pulled++) yield new Uint8Array(MIB / 16);
    };
    const appended = Promise.all([
      writer.append('task', { stdout: source() }),
      writer.append('task', { stdout: 'text' }),
      writer.append('task', { stdout: 'more text' }),
    ]);
    await until(() => writing === 1);
    await pause(20); // in which a source that does not wait would go on
    expect(writing).toBe(1);
    expect(pulled).toBeLessThanOrEqual(17);
    open();
    await appended;
    expect(mostWriting).toBe(1);
    expect((await bytesOf(storage))?.length).toBe(5 * MIB + 13);
  });
});

describe('a stream that goes on', () => {
  it('is written while it does, and its silence is not', async () => {
    const storage = new MemoryStorage();
    const feed = new Feed();
    const appended = writerOn(storage).append('task', { stdout: feed }, { flushMs: 1 });
    feed.push('epoch 1\n');
    await until(async () => (await textOf(storage)) === 'epoch 1\n');
    await pause(10);
    feed.push('', new Uint8Array(0));
    await pause(10);
    expect(await partsIn(storage)).toHaveLength(1);
    feed.push('epoch 2\n');
    await until(async () => (await textOf(storage)) === 'epoch 1\nepoch 2\n');
    feed.end();
    await appended;
    expect(await partsIn(storage)).toHaveLength(2);
    expect(feed.isReturned).toBe(false);
  });

  it('holds half a character back until the other half comes, or the end', async () => {
    const storage = new MemoryStorage();
    const [stdout, stderr] = [new Feed(), new Feed()];
    const appended = writerOn(storage).append('task', { stdout, stderr }, { flushMs: 1 });
    stdout.push('\ud83d');
    stderr.push('x', '\ud83d');
    await until(async () => (await textOf(storage, 'stderr')) === 'x');
    await pause(10);
    expect(await textOf(storage)).toBeUndefined();
    stdout.push('\ude00');
    await until(async () => (await textOf(storage)) === '\u{1f600}');
    stdout.end();
    stderr.end();
    await appended;
    expect(await textOf(storage, 'stderr')).toBe('x\ufffd');
  });

  it('ends where it is when the streams are stopped, and keeps what it gave', async () => {
    const storage = new MemoryStorage();
    const feed = new Feed();
    const child = new PassThrough();
    const writer = writerOn(storage);
    const appended = writer.append('task', { stdout: feed, stderr: child });
    feed.push('so far');
    child.write('so good');
    await until(() => feed.isWaiting && child.readableLength === 0);
    writer.stopStreams();
    await appended;
    expect([await textOf(storage), await textOf(storage, 'stderr')]).toEqual(['so far', 'so good']);
    expect([feed.isReturned, child.destroyed]).toEqual([true, true]);
  });
});

describe('nothing at all', () => {
  it('is an empty log, by text or stream, and adds nothing to one that is there', async () => {
    const storage = new MemoryStorage();
    const writer = writerOn(storage);
    const nothing = { text: '', bytes: new Uint8Array(0), stream: Readable.from([]) };
    await writer.append('task', nothing);
    await writer.append('task', { text: '', bytes: new Uint8Array(0), stream: Readable.from(['']) });
    expect(await partsIn(storage)).toEqual([
      'task.bytes.00000000',
      'task.stream.00000000',
      'task.text.00000000',
    ]);
    expect(await textOf(storage, 'stream')).toBe('');
    expect(await findLog(storage, path, 0, { source: 'task', stream: 'none' }, {})).toBe(undefined);
  });
});

describe('a stream that fails', () => {
  it('throws its error as it is; all streams keep what they gave, are told to end, and write no more', async () => {
    const storage = new MemoryStorage();
    const fault = new TypeError('the pipe broke');
    const [idle, pulled, child] = [new Feed(), { isReturned: false }, new PassThrough()];
    let cancelled: unknown;
    let isWebRead = false;
    const web = new ReadableStream<string>({
      start: (controller) => controller.enqueue('web'),
      // Asked for more, as what was there is taken.
      pull: () => {
        isWebRead = true;
      },
      cancel: (reason) => {
        cancelled = [reason];
      },
    });
    const endless = async function* (): AsyncGenerator<string> {
      try {
        while (true) {
          await pause(1);
          yield 'z';
        }
      } finally {
        await pause(3);
        pulled.isReturned = true;
      }
    };
    const broken = async function* (): AsyncGenerator<string> {
      yield 'before';
      await until(() => idle.isWaiting && isWebRead && child.readableLength === 0);
      throw fault;
    };
    idle.push('idle');
    child.write('child');
    const streams = { broken: broken(), idle, web, child, endless: endless() };
    const appended = writerOn(storage).append('task', streams as LogStreams);
    await expect(appended).rejects.toBe(fault);
    const names = await partsIn(storage);
    expect(await textOf(storage, 'broken')).toBe('before');
    for (const stream of ['idle', 'web', 'child']) expect(await textOf(storage, stream)).toBe(stream);
    expect([idle.isReturned, cancelled, child.destroyed]).toEqual([true, [undefined], true]);
    await until(() => pulled.isReturned);
    await pause(5);
    expect(await partsIn(storage)).toEqual(names);
  });

  it('before anybody could read it does not end the process', async () => {
    const storage = new MemoryStorage();
    const missing = createReadStream('/nowhere/at/all');
    const file = join(scratchFolder(), 'there');
    writeFileSync(file, 'there');
    const appended = writerOn(storage).append('task', { stdout: missing, stderr: { path: file } });
    await expect(appended).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it.each([
    ['a number', 5, 'a number'],
    ['an object', { line: 'x' }, 'an object'],
    ['null', null, 'null'],
    ['undefined', undefined, 'undefined'],
    ['a list', ['x'], 'a list'],
    ['other than bytes', Uint16Array.of(1), 'a Uint16Array'],
  ])('by yielding %s is refused, by name, and keeps what came before', async (_, piece, kind) => {
    const storage = new MemoryStorage();
    let isReturned = false;
    const stream = async function* (): AsyncGenerator<unknown> {
      try {
        yield 'before';
        yield piece;
        yield 'after';
      } finally {
        await pause(2);
        isReturned = true;
      }
    };
    const error = await errorOf(
      writerOn(storage).append('task', { out: stream() as AsyncIterable<string> }),
      'INVALID_ARGUMENT',
    );
    expect(error.message).toContain(`The log stream out yielded ${kind},`);
    expect(error.message).toContain('was logged');
    expect(error.details).toEqual({ stream: 'out' });
    expect(await textOf(storage, 'out')).toBe('before');
    expect(isReturned).toBe(true);
  });

  it('to be written ends the others', async () => {
    const storage = new FaultStorage(new MemoryStorage(), (operation, name) =>
      operation === 'create' && name.includes('stderr') ? { kind: 'before' } : undefined,
    );
    const feed = new Feed();
    feed.push('kept');
    const appended = writerOn(storage).append('task', { stdout: feed, stderr: 'refused' });
    await errorOf(appended, 'STORAGE_UNAVAILABLE');
    expect([feed.isReturned, await textOf(storage)]).toEqual([true, 'kept']);
  });

  it('whose end fails as well tells why it failed first', async () => {
    const stream: AsyncIterable<string> = {
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: false, value: 5 as never }),
        return: () => Promise.reject(new Error('cannot end')),
      }),
    };
    await errorOf(writerOn(new MemoryStorage()).append('task', { stream }), 'INVALID_ARGUMENT');
  });
});

describe('an aborted append', () => {
  it('ends at once, however silent its streams, and lets go of them', async () => {
    const storage = new MemoryStorage();
    const controller = new AbortController();
    const { signal } = controller;
    const [feed, child] = [new Feed(), new PassThrough()];
    let isCancelled = false;
    const web = new ReadableStream<string>({
      cancel: () => {
        isCancelled = true;
      },
    });
    const writer = writerOn(storage);
    const streams = { feed, child, web } as LogStreams;
    const appended = writer.append('task', streams, { signal, flushMs: 1 });
    feed.push('written');
    await until(async () => (await textOf(storage, 'feed')) === 'written');
    controller.abort(new Error('user left'));
    expect(((await errorOf(appended, 'ABORTED')).cause as Error).message).toBe('user left');
    expect([feed.isReturned, child.destroyed, isCancelled]).toEqual([true, true, true]);
    await writer.append('task', { feed: ', and on' });
    expect(await textOf(storage, 'feed')).toBe('written, and on');
  });

  it('before it began touches no stream', async () => {
    const storage = new MemoryStorage();
    const feed = new Feed();
    const appended = writerOn(storage).append(
      'task',
      { feed, text: 'x' },
      { signal: AbortSignal.abort('left') },
    );
    expect((await errorOf(appended, 'ABORTED')).cause).toBe('left');
    expect([feed.isAsked, feed.isReturned, await partsIn(storage)]).toEqual([false, false, []]);
  });
});

describe('an append that ended', () => {
  it('leaves no timer behind, however it did', async () => {
    const timers: { _destroyed: boolean }[] = [];
    const hook = createHook({
      init: (_id, type, _trigger, resource) => {
        const timer = resource as { _idleTimeout?: number; _destroyed: boolean };
        if (type === 'Timeout' && timer._idleTimeout === 777_777) timers.push(timer);
      },
    }).enable();
    try {
      const writer = writerOn(new MemoryStorage());
      const controller = new AbortController();
      const [ended, failing, aborted] = [new Feed(), new Feed(), new Feed()];
      for (const feed of [ended, failing, aborted]) feed.push('x', 'y');
      failing.push(5 as never);
      ended.end();
      await writer.append('task', { ended }, { flushMs: 777_777 });
      await errorOf(writer.append('task', { failing }, { flushMs: 777_777 }), 'INVALID_ARGUMENT');
      const { signal } = controller;
      const work = writer.append('task', { aborted }, { flushMs: 777_777, signal });
      await until(() => timers.length === 3);
      controller.abort();
      await errorOf(work, 'ABORTED');
    } finally {
      hook.disable();
    }
    expect(timers).toHaveLength(3);
    expect(timers.filter((timer) => !timer._destroyed)).toEqual([]);
  });
});

describe('what cannot be logged', () => {
  const folder = scratchFolder;

  it.each<[string, (file: string) => unknown]>([
    ['text for streams', () => 'hello'],
    ['a stream for streams', () => Readable.from(['x'])],
    ['a number', () => ({ stdout: 'x', stderr: 5 })],
    ['null', () => ({ stdout: 'x', stderr: null })],
    ['undefined', () => ({ stdout: 'x', stderr: undefined })],
    ['a list of lines', () => ({ stdout: 'x', stderr: ['x'] })],
    ['an empty object', () => ({ stdout: 'x', stderr: {} })],
    ['a path that is no path', () => ({ stdout: 'x', stderr: { path: 5 } })],
    ['other than bytes', () => ({ stdout: 'x', stderr: new Float64Array(2) })],
    [
      'a file that does not exist',
      (file) => ({ stdout: 'x', more: { path: file }, stderr: { path: '/no' } }),
    ],
    ['a folder', () => ({ stdout: 'x', stderr: { path: folder() } })],
    ['a URL of no file', () => ({ stdout: 'x', stderr: { path: new URL('http://x/') } })],
    [
      'a stream that is passed twice',
      () => {
        const stream = Readable.from(['x']);
        return { stdout: stream, stderr: stream };
      },
    ],
    [
      'a stream that others read',
      () => {
        const stream = new ReadableStream();
        stream.getReader();
        return { stdout: 'x', stderr: stream };
      },
    ],
  ])('%s is refused before anything is written', async (_, streams) => {
    const storage = new MemoryStorage();
    const file = join(scratchFolder(), 'file');
    writeFileSync(file, 'x');
    const error = await errorOf(
      writerOn(storage).append('task', streams(file) as LogStreams),
      'INVALID_ARGUMENT',
    );
    if (error.details.stream !== undefined) {
      expect(error.details.stream).toBe('stderr');
      expect(error.message).toContain('stream stderr');
    }
    expect(await objectNames(storage)).toEqual([]);
  });

  it('a missing file is named, with the cause', async () => {
    const appended = writerOn(new MemoryStorage()).append('task', { out: { path: '/no/such/file' } });
    const error = await errorOf(appended, 'INVALID_ARGUMENT');
    expect(error.message).toContain('/no/such/file');
    expect((error.cause as NodeJS.ErrnoException).code).toBe('ENOENT');
  });

  it.skipIf(process.platform !== 'linux')('leaves no file open', async () => {
    const file = join(scratchFolder(), 'file');
    writeFileSync(file, 'x');
    const writer = writerOn(new MemoryStorage());
    const before = readdirSync('/proc/self/fd').length;
    for (let i = 0; i < 100; i++) {
      await errorOf(writer.append('task', { a: { path: file }, b: { path: '/no' } }), 'INVALID_ARGUMENT');
    }
    expect(readdirSync('/proc/self/fd').length).toBeLessThan(before + 50);
  });

  it.each([['../x', 'INVALID_NAME'] as const, ['', 'INVALID_NAME'] as const])(
    'the source or stream %j is refused',
    async (name, code) => {
      const storage = new MemoryStorage();
      await errorOf(writerOn(storage).append(name, { out: 'x' }), code);
      await errorOf(writerOn(storage).append('task', { ok: 'x', [name]: 'x' }), code);
      expect(await objectNames(storage)).toEqual([]);
    },
  );

  it.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, '5'])('flushMs %s is refused', async (flushMs) => {
    const appended = writerOn(new MemoryStorage()).append(
      'task',
      { out: 'x' },
      { flushMs: flushMs as number },
    );
    expect((await errorOf(appended, 'INVALID_ARGUMENT')).message).toContain('flushMs');
  });
});
