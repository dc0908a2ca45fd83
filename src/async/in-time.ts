import { clearTimeout, setTimeout } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';
import { abortError } from '../errors.ts';

/** The result of {@link inTime} when the time is over. */
export const TOO_LATE: unique symbol = Symbol('too late');

/** Gives the result of `running`, or tells that it takes longer than `limitMs`. Throws `ABORTED` at once when `signal` is aborted. */
export function inTime<T>(
  running: Promise<T>,
  limitMs: number,
  signal: AbortSignal | undefined,
): Promise<T | typeof TOO_LATE> {
  return new Promise((resolve, reject) => {
    const settle = (end: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      end();
    };
    const onAbort = (): void => settle(() => reject(abortError(signal as AbortSignal)));
    const timer = setTimeout(() => settle(() => resolve(TOO_LATE)), limitMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    running.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    );
  });
}

/** Waits for `ms` milliseconds. Throws `ABORTED` at once when `signal` is aborted. */
export async function delay(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    throw signal?.aborted ? abortError(signal) : error;
  }
}
