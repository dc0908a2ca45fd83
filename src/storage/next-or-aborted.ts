import { abortError } from '../errors.ts';

/**
 * The next item of an iterator, or `ABORTED` as soon as `signal` is aborted, even while the iterator keeps silent. Each item has a
 * listener of its own: a race with one promise for all of them would hold every item until the end.
 */
export function nextOrAborted<T>(
  iterator: AsyncIterator<T>,
  signal: AbortSignal | undefined,
): Promise<IteratorResult<T>> {
  if (!signal) return iterator.next();
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(abortError(signal));
    signal.addEventListener('abort', onAbort, { once: true });
    const settle = (end: () => void): void => {
      signal.removeEventListener('abort', onAbort);
      end();
    };
    if (signal.aborted) onAbort();
    // Whatever an iterator written by hand does, it does to the promise.
    new Promise<IteratorResult<T>>((begun) => begun(iterator.next())).then(
      (next) => settle(() => resolve(next)),
      (error) => settle(() => reject(error)),
    );
  });
}
