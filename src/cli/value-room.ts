import { Room } from '../async/room.ts';
import { MAX_DECODED_BYTES } from '../page/content-bounds.ts';

/** Those of fewer bytes wait for nobody: there are as many as contents that are sent, and commands that run, at once. */
const SMALL_BYTES = 512 * 1024;

/** Room for the values that a server has in memory, which takes ten to eighty times the bytes that they are stored in. */
export class ValueRoom {
  /** Values of more bytes are not loaded. */
  readonly maxBytes: number = MAX_DECODED_BYTES;
  readonly #room = new Room(MAX_DECODED_BYTES);

  /**
   * Waits until there is room for a value of so many serialized bytes. Resolves to what gives it back.
   *
   * @throws StowageError `INVALID_ARGUMENT` for more than `maxBytes`; `ABORTED`
   */
  async take(bytes: number, signal: AbortSignal): Promise<() => void> {
    return bytes <= SMALL_BYTES ? () => {} : this.#room.take(bytes, signal);
  }
}
