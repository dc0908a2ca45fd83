import type { LinkedAbort } from '../../async/linked-abort.ts';
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

/** Parts that are moved side by side. */
export interface PartTransfer<Part, Result> {
  parts: AsyncIterable<Part> | Iterable<Part>;
  bytesOf: (part: Part) => number;
  /** Moves one part; must not wait for other parts, or for another transfer of the same budget. */
  move: (part: Part, index: number) => Promise<Result>;
  budget: TransferBudget;
  /** Aborted when a part fails: whatever gives and moves parts should listen to it. Aborting it ends the transfer. */
  stop: LinkedAbort;
  /** True if a part is moved only once the one before it was. Default: side by side. */
  inOrder?: boolean | undefined;
}

/**
 * Moves parts, as many at a time as the budget allows; the next one is asked for once the last one has begun. Gives the
 * results in the order of the parts. When one fails the transfer stops, and once all that began have ended the first
 * failure is thrown.
 */
export async function transferParts<Part, Result>(transfer: PartTransfer<Part, Result>): Promise<Result[]> {
  const { parts, bytesOf, move, budget, stop, inOrder = false } = transfer;
  const results: Result[] = [];
  const underWay: Promise<void>[] = [];
  let failure: { error: unknown } | undefined;
  const fail = (error: unknown): void => {
    failure ??= { error };
    stop.abort(error);
  };
  try {
    for await (const part of parts) {
      const index = underWay.length;
      if (inOrder) await underWay.at(-1);
      const free = await budget.take(bytesOf(part), stop.signal);
      const moved = move(part, index).then((result) => {
        results[index] = result;
      }, fail);
      underWay.push(moved.finally(free));
    }
  } catch (error) {
    fail(error);
  }
  await Promise.all(underWay);
  if (failure) throw failure.error;
  return results;
}
