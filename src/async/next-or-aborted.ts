import { abortError } from '../errors.ts';
import { onAbort } from './on-abort.ts';

/** Gives the result of `work`. Throws `ABORTED` as soon as `signal` is aborted, however long the work goes on. */
export function orAborted<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work();
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(abortError(signal));
    const forget = onAbort(signal, leave);
    const settle = (end: () => void): void => {
      forget();
      end();
    };
    if (signal.aborted) leave();
    // What is thrown at once counts like a promise that is rejected.
    new Promise<T>((begun) => begun(work())).then(
      (result) => settle(() => resolve(result)),
      (error) => settle(() => reject(error)),
    );
  });
}

/**
 * The next item of an iterator, or `ABORTED`. Each item is waited for by itself: a race with one promise for all of them would
 * hold every item until the end. Who asks for many of them keeps the signal's listener meanwhile, by {@link keepListening}.
 */
export function nextOrAborted<T>(
  iterator: AsyncIterator<T>,
  signal: AbortSignal | undefined,
): Promise<IteratorResult<T>> {
  return orAborted(() => iterator.next(), signal);
}

/** Keeps the one listener that a signal has, so that it is not added and removed for each item; until the returned function is called. */
export function keepListening(signal: AbortSignal | undefined): () => void {
  return signal ? onAbort(signal, () => {}) : () => {};
}
