import type { CallOptions } from '../async/call-options.ts';
import { LinkedAbort } from '../async/linked-abort.ts';
import { throwIfAborted } from '../errors.ts';

/** The default of how many fetches are on their way while one is given. */
const AHEAD = 3;

/** A request, and its result. */
export interface Fetched<T, R> {
  item: T;
  result: R;
}

/**
 * Fetches items side by side, a few ahead of the one whose turn it is, and gives them in their order. Once it ends, for whatever
 * reason, what is still on its way is ended as well, and waited for.
 */
export async function* readAhead<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  fetch: (item: T, options: CallOptions) => Promise<R>,
  { signal }: CallOptions,
  ahead: number = AHEAD,
): AsyncGenerator<Fetched<T, R>, void> {
  const ending = new LinkedAbort(signal);
  const pending: { item: T; coming: Promise<R> }[] = [];
  const next = async (): Promise<Fetched<T, R>> => {
    const { item, coming } = pending[0] as (typeof pending)[number];
    const result = await coming;
    throwIfAborted(signal); // what came before the abort is not wanted any more
    pending.shift();
    return { item, result };
  };
  try {
    for await (const item of items) {
      const coming = fetch(item, { signal: ending.signal });
      coming.catch(() => {}); // reported when its turn comes
      pending.push({ item, coming });
      if (pending.length > ahead) yield await next();
    }
    while (pending.length > 0) yield await next();
  } finally {
    ending.abort();
    await Promise.allSettled(pending.map(({ coming }) => coming));
    ending.release();
  }
}
