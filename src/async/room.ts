import { invalidArgument } from '../errors.ts';
import { orAborted } from './next-or-aborted.ts';

/** Room for so many bytes of memory, or other things, at once, which work takes before it begins: others wait until there is enough, in order. */
export class Room {
  readonly #size: number;
  #left: number;
  readonly #waiting = new Set<{ bytes: number; begin: () => void }>();

  constructor(size: number) {
    this.#size = size;
    this.#left = size;
  }

  /**
   * Takes room, once there is enough and nobody waits longer. Resolves to what gives it back; a second call of that does nothing.
   *
   * @throws StowageError `INVALID_ARGUMENT` for more than there can be; `ABORTED`
   */
  async take(bytes: number, signal: AbortSignal | undefined): Promise<() => void> {
    if (bytes > this.#size)
      throw invalidArgument(`There is room for ${this.#size} bytes, not for ${bytes}.`, { bytes });
    let begin: () => void = () => {};
    const turn = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const own = { bytes, begin };
    this.#waiting.add(own);
    this.#next();
    try {
      await orAborted(() => turn, signal);
    } catch (error) {
      // Room that was given at the same moment goes back.
      if (!this.#waiting.delete(own)) this.#left += bytes;
      this.#next();
      throw error;
    }
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      this.#left += bytes;
      this.#next();
    };
  }

  #next(): void {
    for (const first of this.#waiting) {
      if (first.bytes > this.#left) return;
      this.#waiting.delete(first);
      this.#left -= first.bytes;
      first.begin();
    }
  }
}
