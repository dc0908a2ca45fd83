import { getEventListeners } from 'node:events';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import type { CallOptions } from '../../src/async/call-options.ts';
import { throwIfAborted } from '../../src/errors.ts';
import { webStream } from '../../src/streams/web-stream.ts';
import { contentOf, MIB } from '../content/contents.ts';
import { codeOf } from '../content/storages.ts';
import { test } from '../property.ts';
import { gate, until } from '../waiting.ts';

/** A source that tells what was asked of it. Its pieces lie in one buffer, as those of a window of chunks do. */
class Source {
  readonly memory: Uint8Array;
  asked = 0;
  ended = 0;
  /** The pieces from this one on fail. */
  failsAt = Number.POSITIVE_INFINITY;
  /** The pieces from this one on do not come before the reading is ended. */
  hangsAt = Number.POSITIVE_INFINITY;
  readonly hanging = gate();
  readonly #lengths: readonly number[];

  constructor(lengths: readonly number[]) {
    this.#lengths = lengths;
    this.memory = contentOf(
      lengths.reduce((sum, length) => sum + length, 0),
      5,
    );
  }

  async *read({ signal }: CallOptions): AsyncGenerator<Uint8Array> {
    try {
      let at = 0;
      for (const [index, length] of this.#lengths.entries()) {
        this.asked += 1;
        if (index >= this.failsAt) throw new RangeError('the source failed');
        if (index >= this.hangsAt) await this.#hang(signal as AbortSignal);
        yield this.memory.subarray(at, at + length);
        at += length;
      }
    } finally {
      this.ended += 1;
    }
  }

  async #hang(signal: AbortSignal): Promise<void> {
    this.hanging.open();
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    throwIfAborted(signal);
  }

  open(options?: CallOptions): ReadableStream<Uint8Array> {
    return webStream((own) => this.read(own), options);
  }
}

type Reading = (stream: ReadableStream<Uint8Array>, viewBytes: number) => Promise<Uint8Array>;

const byDefaultReader: Reading = async (stream) => {
  const reader = stream.getReader();
  const pieces: Uint8Array[] = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(pieces);
    pieces.push(structuredClone(value, { transfer: [value.buffer as ArrayBuffer] }));
  }
};

const byOwnMemory: Reading = async (stream, viewBytes) => {
  const reader = stream.getReader({ mode: 'byob' });
  const pieces: Uint8Array[] = [];
  let memory = new ArrayBuffer(viewBytes + 3);
  for (;;) {
    const { done, value } = await reader.read(new Uint8Array(memory, 3, viewBytes));
    if (done) return Buffer.concat(pieces);
    const piece = value as Uint8Array;
    pieces.push(piece.slice());
    memory = piece.buffer as ArrayBuffer;
  }
};

const READINGS: Record<string, Reading> = {
  'a reader that transfers what it gets': byDefaultReader,
  'a reader that brings its memory': byOwnMemory,
  Response: async (stream) => new Uint8Array(await new Response(stream).arrayBuffer()),
  'for await': async (stream) => {
    const pieces: Uint8Array[] = [];
    for await (const piece of stream) pieces.push(piece);
    return Buffer.concat(pieces);
  },
  pipeTo: async (stream) => {
    const pieces: Uint8Array[] = [];
    await stream.pipeTo(new WritableStream({ write: (piece: Uint8Array) => void pieces.push(piece) }));
    return Buffer.concat(pieces);
  },
  'Readable.fromWeb': async (stream) => Buffer.concat(await Readable.fromWeb(stream).toArray()),
  tee: async (stream) => {
    const [one, two] = stream.tee();
    const [first, second] = await Promise.all([byDefaultReader(one, 0), byDefaultReader(two, 0)]);
    expect(Buffer.compare(first, second)).toBe(0);
    return first;
  },
};

describe('a web stream', () => {
  test.prop(
    [
      fc.constantFrom(...Object.keys(READINGS)),
      fc.array(fc.oneof(fc.constantFrom(0, 1, MIB, MIB + 1), fc.nat(5000)), { maxLength: 5 }),
      fc.integer({ min: 1, max: 9000 }),
    ],
    { numRuns: 100 },
  )(
    'gives the bytes of its source, however it is read, and takes none of its memory',
    async (how, lengths, viewBytes) => {
      const source = new Source(lengths);
      const before = source.memory.slice();
      const got = await (READINGS[how] as Reading)(
        source.open(),
        Math.max(viewBytes, source.memory.length / 200),
      );
      expect(Buffer.compare(got, before)).toBe(0);
      expect(Buffer.compare(source.memory, before)).toBe(0);
      expect(source.ended).toBe(1);
    },
  );

  test('reads nothing before it is asked, and no more than that', async () => {
    const source = new Source([10, 0, 10, 10, 10]);
    const reader = source.open().getReader();
    expect(source.asked).toBe(0);
    await reader.read();
    expect(source.asked).toBe(1);
    await reader.read(); // an empty piece is none
    expect(source.asked).toBe(3);
    await reader.cancel();
    expect(source.asked).toBe(3);
  });

  test('that fails tells the very error of its source, after all that came before', async () => {
    const source = new Source([10, 10, 10]);
    source.failsAt = 2;
    const { signal } = new AbortController();
    const reader = source.open({ signal }).getReader();
    await reader.read();
    await reader.read();
    await expect(reader.read()).rejects.toBeInstanceOf(RangeError);
    await expect(reader.closed).rejects.toBeInstanceOf(RangeError);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('lets go of its signal when it ends', async () => {
    const { signal } = new AbortController();
    await byDefaultReader(new Source([10]).open({ signal }), 0);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('a web stream that is cancelled', () => {
  test('has ended its source once that is awaited, also one that hangs', async () => {
    for (const hangsAt of [1, Number.POSITIVE_INFINITY]) {
      const source = new Source([10, 10, 10]);
      source.hangsAt = hangsAt;
      const { signal } = new AbortController();
      const reader = source.open({ signal }).getReader();
      await reader.read();
      const next = reader.read();
      if (hangsAt === 1) await source.hanging.opened;
      await reader.cancel('enough');
      expect(source.ended).toBe(1);
      if (hangsAt === 1) expect((await next).done).toBe(true);
      expect(getEventListeners(signal, 'abort')).toEqual([]);
    }
  });

  test('by a loop that is left ends its source', async () => {
    const source = new Source([10, 10]);
    for await (const _ of source.open()) break;
    expect(source.ended).toBe(1);
  });

  test('before anything was read asks its source for nothing', async () => {
    const source = new Source([10]);
    await source.open().cancel();
    expect(source.asked).toBe(0);
  });
});

describe('a web stream whose signal is aborted', () => {
  test('fails at once, though nobody asks, and ends its source', async () => {
    const ending = new AbortController();
    const source = new Source([10, 10]);
    const reader = source.open({ signal: ending.signal }).getReader();
    await reader.read();
    ending.abort(new Error('hung up'));
    const error = await reader.closed.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ABORTED', cause: { message: 'hung up' } });
    expect(await codeOf(reader.read())).toBe('ABORTED');
    await until(() => source.ended === 1);
    expect(getEventListeners(ending.signal, 'abort')).toEqual([]);
  });

  test('while a source hangs fails at once', async () => {
    const ending = new AbortController();
    const source = new Source([10]);
    source.hangsAt = 0;
    const reader = source.open({ signal: ending.signal }).getReader();
    const next = reader.read();
    await source.hanging.opened;
    ending.abort();
    expect(await codeOf(next)).toBe('ABORTED');
  });

  test('before it was opened asks its source for nothing', async () => {
    const source = new Source([10]);
    const stream = source.open({ signal: AbortSignal.abort() });
    expect(await codeOf(stream.getReader().read())).toBe('ABORTED');
    expect(source.asked).toBe(0);
  });

  test('after its end stays as it is', async () => {
    const ending = new AbortController();
    const reader = new Source([]).open({ signal: ending.signal }).getReader();
    expect((await reader.read()).done).toBe(true);
    ending.abort();
    await reader.closed;
  });
});
