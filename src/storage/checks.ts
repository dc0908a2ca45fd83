import { invalidArgument, StowageError } from '../errors.ts';
import { AMOUNT } from '../options/option-table.ts';
import { type ByteRange, DEFAULT_MAX_GET_BYTES, type GetOptions, type ListOptions } from './contract.ts';

/** A storage that was closed. */
export function closedError(type: string): StowageError {
  return new StowageError(
    'STORAGE_CLOSED',
    `This ${type} storage was closed; open it again before you use it.`,
    { details: { type } },
  );
}

/** A store that was there, and is not any more, or not the same. @param uri the address of the store */
export function goneError(uri: string, how: 'removed' | 'replaced' = 'removed'): StowageError {
  const what =
    how === 'removed'
      ? 'was removed, renamed or emptied, or is not mounted any more'
      : 'was replaced, or put back to what it was before';
  return new StowageError(
    'STORE_GONE',
    `The store at ${uri} that this process works in ${what}. Nothing was written there. Bring it back and try again, or open it anew.`,
    { details: { uri } },
  );
}

/**
 * The part of an object of `bytes` bytes that a `get` with these options returns.
 *
 * @throws StowageError `OBJECT_TOO_LARGE`, `INVALID_ARGUMENT`
 */
export function readableRange(name: string, bytes: number, options: GetOptions): ByteRange {
  const { range, maxBytes = DEFAULT_MAX_GET_BYTES } = options;
  const offset = Math.min(range ? count('range.offset', range.offset) : 0, bytes);
  const length = Math.min(range ? count('range.length', range.length) : bytes, bytes - offset);
  if (length <= amount('maxBytes', maxBytes)) return { offset, length };
  throw new StowageError(
    'OBJECT_TOO_LARGE',
    `"${name}" has ${length} bytes to read, more than the ${maxBytes} allowed; raise maxBytes or read it by ranges.`,
    { details: { name, bytes: length, maxBytes } },
  );
}

/**
 * Checks the number of entries that a listing may give.
 *
 * @throws StowageError `INVALID_ARGUMENT`
 */
export function listLimit(options: ListOptions): number {
  return options.limit === undefined ? Number.POSITIVE_INFINITY : count('limit', options.limit);
}

/** Any number, also no limit at all. */
function amount(what: string, value: number): number {
  if (AMOUNT.accepts(value)) return value;
  throw invalidArgument(`${what} is ${value}; give ${AMOUNT.expects}.`, { what, value: String(value) });
}

function count(what: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw invalidArgument(`${what} is ${value}; give a whole number of at least 0.`, {
    what,
    value: String(value),
  });
}
