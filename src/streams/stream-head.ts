import type { CallOptions } from '../async/call-options.ts';
import { keepListening, nextOrAborted } from '../async/next-or-aborted.ts';
import { throwIfAborted } from '../errors.ts';
import { ensureBytes } from './chunk-stream.ts';
import { endSource } from './end-source.ts';
import { changedMeanwhile, ensureThere } from './lent-memory.ts';
import { takeOnce } from './read-once.ts';

/** The beginning of a stream. */
export interface StreamHead {
  /** All of the stream where `rest` is absent. */
  head: Uint8Array;
  /** The whole stream, head included, where it is at least as long as was asked. */
  rest: AsyncIterable<Uint8Array> | undefined;
}

/** Reads a stream until `bytes` are there, so that short ones can be handled whole. */
export async function readHead(source: AsyncIterable<Uint8Array>, bytes: number): Promise<StreamHead> {
  const iterator = source[Symbol.asyncIterator]();
  const pieces: Uint8Array[] = [];
  let length = 0;
  while (length < bytes) {
    const next = await iterator.next();
    if (next.done) return { head: Buffer.concat(pieces, length), rest: undefined };
    ensureThere(next.value);
    // A copy: the source may reuse its buffer for the next piece.
    pieces.push(Uint8Array.from(next.value));
    length += next.value.length;
  }
  return { head: new Uint8Array(0), rest: continueFrom(pieces, source, iterator) };
}

async function* continueFrom(
  pieces: readonly Uint8Array[],
  source: object,
  iterator: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* pieces;
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
  } finally {
    await endSource(source, () => iterator.return?.());
  }
}

/**
 * The user's stream, checked piece by piece; it ends as {@link untilAborted} does.
 *
 * @throws StowageError `INVALID_ARGUMENT` for a piece that is no bytes, and for one whose memory is gone before the next one is asked for: nobody knows
 * how much of it was taken
 */
export async function* abortable(
  source: AsyncIterable<Uint8Array>,
  options: CallOptions,
): AsyncGenerator<Uint8Array> {
  for await (const piece of untilAborted(source, options)) {
    ensureBytes(piece);
    ensureThere(piece);
    const { length } = piece;
    yield piece;
    if (piece.length !== length) throw changedMeanwhile();
  }
}

/**
 * The items of a user's iterable. Ends with `ABORTED` at once when `signal` is aborted, even while it waits for the next item. A source that is
 * not read to its end is ended by {@link endSource}.
 */
export async function* untilAborted<T>(source: AsyncIterable<T>, { signal }: CallOptions): AsyncGenerator<T> {
  throwIfAborted(signal);
  const iterator = takeOnce(source)[Symbol.asyncIterator]();
  let waiting = false;
  const leave = keepListening(signal);
  try {
    for (;;) {
      waiting = true;
      const next = await nextOrAborted(iterator, signal);
      waiting = false;
      if (next.done) return;
      yield next.value;
    }
  } finally {
    leave();
    // A source that is stuck in a read cannot be waited for. What an iterator written by hand returns need not be a promise.
    if (waiting) Promise.resolve(iterator.return?.()).catch(() => {});
    else await endSource(source, () => iterator.return?.());
  }
}
