import { keepListening, nextOrAborted } from '../async/next-or-aborted.ts';
import { invalidArgument, throwIfAborted } from '../errors.ts';
import { checkUnread } from './read-once.ts';

/**
 * Passes on the chunks of a stream until `signal` is aborted, even while the stream keeps silent.
 * However the loop over it ends, the stream is told to clean up (`return`).
 *
 * @throws StowageError `INVALID_ARGUMENT` for a chunk that is not a `Uint8Array`; `ABORTED`; what the stream throws.
 */
export async function* readChunks(
  stream: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  throwIfAborted(signal);
  const iterator = stream[Symbol.asyncIterator]();
  let ended = false;
  const leave = keepListening(signal);
  try {
    while (true) {
      const result = await nextOrAborted(iterator, signal);
      if (result.done) break;
      yield checkedChunk(result.value);
      throwIfAborted(signal);
    }
    ended = true;
  } finally {
    leave();
    // Not awaited: a stream that hangs in `next` hangs in `return` as well.
    if (!ended) Promise.resolve(iterator.return?.()).catch(() => {});
  }
}

/** True if `body` is a stream rather than bytes. */
export function isStream(body: unknown): body is AsyncIterable<Uint8Array> {
  return typeof body === 'object' && body !== null && Symbol.asyncIterator in body;
}

/**
 * Checks that a body is something that can be written.
 *
 * @throws StowageError `INVALID_ARGUMENT`
 */
export function checkBody(body: unknown): void {
  if (body instanceof Uint8Array) return;
  if (isStream(body)) {
    checkUnread(body, 'The body of an object');
    return;
  }
  throw invalidArgument(
    `The body of an object is a Uint8Array or an AsyncIterable of them, not ${typeof body}; encode it first.`,
  );
}

function checkedChunk(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  throw invalidArgument(
    `A stream of bytes yielded ${typeof chunk}, not a Uint8Array; encode what it yields.`,
  );
}
