import { clearTimeout, setTimeout } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';
import { abortError } from '../errors.ts';
import { type AbortSource, whenAborted } from './linked-abort.ts';

/** The result of {@link inTime} when the time is over. */
export const TOO_LATE: unique symbol = Symbol('too late');

/** Gives the result of `running`, or tells that it takes longer than `limitMs`. Throws `ABORTED` at once when `signal` is aborted. */
export function inTime<T>(
  running: Promise<T>,
  limitMs: number,
  signal: AbortSource | undefined,
): Promise<T | typeof TOO_LATE> {
  return new Promise((resolve, reject) => {
    const settle = (end: () => void): void => {
      clearTimeout(timer);
      forget?.();
      end();
    };
    const timer = setTimeout(() => settle(() => resolve(TOO_LATE)), limitMs);
    const forget = signal && whenAborted(signal, () => settle(() => reject(abortError(signal))));
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
