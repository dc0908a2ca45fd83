import type { CallOptions } from '../async/call-options.ts';
import { LinkedAbort } from '../async/linked-abort.ts';
import { onAbort } from '../async/on-abort.ts';
import { abortError } from '../errors.ts';

/** The longest piece that is given at once. */
const PIECE_BYTES = 1024 * 1024;

/**
 * Gives the pieces of a reader as a web stream of bytes. It reads when it is asked, and nothing before; a BYOB reader has its own
 * memory filled. Every piece is a copy, for its reader may transfer the buffer, and with it all that others have in it.
 *
 * Ends the reading, and waits until that has let go of what it holds, once the stream is cancelled. Once `signal` is aborted the stream
 * fails at once with `ABORTED`, asked or not; it fails with what `read` throws.
 *
 * @param read - begins to read; ends by the signal that it is given
 */
export function webStream(
  read: (options: CallOptions) => AsyncIterable<Uint8Array>,
  { signal }: CallOptions = {},
): ReadableStream<Uint8Array> {
  const call = new LinkedAbort(signal);
  const pieces = read({ signal: call.signal })[Symbol.asyncIterator]();
  /** What came, and was not given yet. */
  let rest: Uint8Array = new Uint8Array(0);
  let unlink = (): void => {};
  const letGo = (): void => {
    unlink();
    call.release();
    rest = new Uint8Array(0);
  };
  const end = async (): Promise<void> => {
    letGo();
    call.abort();
    await pieces.return?.();
  };
  return new ReadableStream({
    type: 'bytes',
    start(controller): void {
      if (!signal) return;
      const fail = (): void => {
        controller.error(abortError(signal));
        // The stream has failed already: nobody is left to be told how its reading ended.
        end().catch(() => {});
      };
      if (signal.aborted) fail();
      else unlink = onAbort(signal, fail);
    },
    async pull(controller): Promise<void> {
      try {
        while (rest.length === 0) {
          const next = await pieces.next();
          if (call.signal.aborted) return;
          if (next.done) {
            letGo();
            controller.close();
            controller.byobRequest?.respond(0);
            return;
          }
          rest = next.value;
        }
      } catch (error) {
        letGo();
        throw error;
      }
      rest = rest.subarray(give(controller, rest));
    },
    cancel: end,
  });
}

/** Gives as many bytes as are asked for at once, and returns how many. */
function give(controller: ReadableByteStreamController, bytes: Uint8Array): number {
  const asked = controller.byobRequest;
  const room = asked?.view?.byteLength ?? PIECE_BYTES;
  const piece = bytes.subarray(0, room);
  if (asked?.view) {
    const { buffer, byteOffset } = asked.view;
    new Uint8Array(buffer, byteOffset).set(piece);
    asked.respond(piece.length);
  } else {
    const copy = new Uint8Array(Buffer.allocUnsafeSlow(piece.length).buffer);
    copy.set(piece);
    controller.enqueue(copy);
  }
  return piece.length;
}
