import { AsyncLocalStorage } from 'node:async_hooks';

/** Work under way in this process, and what it waits for. */
export interface Work {
  /** The name that an error has for it. */
  readonly title: string;
  /** The work within which it was begun. */
  readonly outer: Work | undefined;
  /** One for each of its calls. */
  readonly waits: Set<Wait>;
  isOver: boolean;
}

/** A wait for the end of some work. */
export interface Wait {
  readonly work: Work;
  /** Grows with every wait of the process. */
  readonly number: number;
}

/** The work within which code runs. */
export const within: AsyncLocalStorage<Work> = new AsyncLocalStorage();

let begunWaits = 0;

/** The innermost work within which the caller runs that has not ended. What a work began may go on after it, in a pool say. */
export function currentWork(): Work | undefined {
  let found = within.getStore();
  while (found?.isOver) found = found.outer;
  return found;
}

/** Notes that one work waits for another, until the function is called that it returns. */
export function noteWait(waiter: Work | undefined, work: Work): () => void {
  begunWaits += 1;
  const wait = { work, number: begunWaits };
  waiter?.waits.add(wait);
  return () => waiter?.waits.delete(wait);
}

/** The works from one to another of which each waits for the next; `undefined` where there is no such way. */
export function wayTo(end: Work, start: Work): Work[] | undefined {
  const ways: Work[][] = [[start]];
  const seen = new Set([start]);
  for (const way of ways) {
    const last = way.at(-1) as Work;
    if (last === end) return way;
    for (const { work } of last.waits) {
      if (seen.has(work)) continue;
      seen.add(work);
      ways.push([...way, work]);
    }
  }
  return undefined;
}

/**
 * All that a work waits for, itself or by way of others, and the number of the youngest wait on the way there, of the oldest way. As long
 * as that stays the same, there has been a way all the time: each of its waits was there when the youngest began.
 */
export function allAwaited(work: Work): Map<Work, number> {
  const found = new Map([[work, 0]]);
  const open = [work];
  for (const waiter of open) {
    for (const wait of waiter.waits) {
      const youngest = Math.max(found.get(waiter) as number, wait.number);
      if (youngest >= (found.get(wait.work) ?? Number.POSITIVE_INFINITY)) continue;
      found.set(wait.work, youngest);
      open.push(wait.work);
    }
  }
  return found;
}
