import { onAbort } from '../../async/on-abort.ts';
import { abortError, throwIfAborted } from '../../errors.ts';

interface Waiting {
  bytes: number;
  enter: () => void;
}

/**
 * Bounds the bytes that all parallel transfers of a storage together have under way, and with them sockets and memory.
 * First come, first served. A transfer larger than the whole budget passes when it is alone.
 */
export class TransferBudget {
  readonly #maxBytes: number;
  readonly #waiting: Waiting[] = [];
  #bytesUnderWay = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Waits until `bytes` fit; they count until the returned function is called, once.
   *
   * @throws StowageError `ABORTED`
   */
  async take(bytes: number, signal?: AbortSignal): Promise<() => void> {
    throwIfAborted(signal);
    if (this.#waiting.length === 0 && this.#fits(bytes)) this.#bytesUnderWay += bytes;
    else await this.#turn(bytes, signal);
    return () => {
      this.#bytesUnderWay -= bytes;
      this.#letIn();
    };
  }

  #fits(bytes: number): boolean {
    return this.#bytesUnderWay === 0 || this.#bytesUnderWay + bytes <= this.#maxBytes;
  }

  #turn(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = (): void => {
        forget?.();
        resolve();
      };
      const waiting = { bytes, enter };
      const forget =
        signal &&
        onAbort(signal, () => {
          this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
          reject(abortError(signal));
          this.#letIn();
        });
      this.#waiting.push(waiting);
    });
  }

  #letIn(): void {
    for (let next = this.#waiting[0]; next && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#bytesUnderWay += next.bytes;
      next.enter();
    }
  }
}
