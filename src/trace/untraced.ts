import { checkTraced } from './trace-key.ts';
import { iterableCall } from './traced-call.ts';
import type { Traced } from './traces.ts';

/**
 * Wraps a function as a trace does, where nothing is recorded or replayed.
 *
 * @throws StowageError `INVALID_NAME`, `INVALID_ARGUMENT`
 */
export function untraced<Args extends unknown[], R>(name: string, fn: (...args: Args) => R): Traced<Args, R> {
  checkTraced(name, fn);
  return ((...args: Args) => iterableCall(name, (async () => fn(...args))())) as unknown as Traced<Args, R>;
}
