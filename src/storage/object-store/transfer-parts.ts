import type { LinkedAbort } from '../../async/linked-abort.ts';
import type { TransferBudget } from './transfer-budget.ts';

/** Parts that are moved side by side. */
export interface PartTransfer<Part, Result> {
  parts: AsyncIterable<Part> | Iterable<Part>;
  bytesOf: (part: Part) => number;
  /** Moves one part; must not wait for other parts, or for another transfer of the same budget. */
  move: (part: Part, index: number) => Promise<Result>;
  budget: TransferBudget;
  /** Aborted when a part fails: whatever gives and moves parts should listen to it. Aborting it ends the transfer. */
  stop: LinkedAbort;
}

/**
 * Moves parts, as many at a time as the budget allows; the next one is asked for once the last one has begun. Gives the
 * results in the order of the parts. When one fails the transfer stops, and once all that began have ended the first
 * failure is thrown.
 */
export async function transferParts<Part, Result>(transfer: PartTransfer<Part, Result>): Promise<Result[]> {
  const { parts, bytesOf, move, budget, stop } = transfer;
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
