import type { StowageError } from '../../errors.ts';

/** Options of every bucket storage: its prefix and its transfers. */
interface TransferOptions {
  prefix?: string | undefined;
  requestTimeoutMs?: number | undefined;
  partBytes?: number | undefined;
  concurrency?: number | undefined;
}

const MIB = 1024 * 1024;
const MAX_PART_BYTES = 1024 * MIB;
/** The longest time that a timer of Node.js can wait. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
const MAX_CONCURRENCY = 1000;

/** @throws what `invalid` makes of options that are not known */
export function checkOptionsKnown(
  options: object,
  known: readonly string[],
  invalid: (why: string) => StowageError,
): void {
  const unknown = Object.keys(options).filter((option) => !known.includes(option));
  if (unknown.length === 0) return;
  throw invalid(`no option is called ${unknown.join(', ')}; the options are ${known.join(', ')}`);
}

/**
 * The options with their defaults.
 *
 * @param minPartBytes the smallest part that the service takes
 * @throws what `invalid` makes of what is wrong
 */
export function checkTransfers(
  options: TransferOptions,
  minPartBytes: number,
  invalid: (why: string) => StowageError,
): { prefix: string; requestTimeoutMs: number; partBytes: number; concurrency: number } {
  const { prefix = '', requestTimeoutMs = 60_000, partBytes = 8 * MIB, concurrency = 8 } = options;
  const checkCount = (option: string, value: number, min: number, max: number): void => {
    if (Number.isSafeInteger(value) && value >= min && value <= max) return;
    throw invalid(`${option} is ${String(value)}; give a whole number from ${min} to ${max}`);
  };
  checkCount('requestTimeoutMs', requestTimeoutMs, 1, MAX_TIMEOUT_MS);
  checkCount('partBytes', partBytes, minPartBytes, MAX_PART_BYTES);
  checkCount('concurrency', concurrency, 1, MAX_CONCURRENCY);
  return { prefix, requestTimeoutMs, partBytes, concurrency };
}
