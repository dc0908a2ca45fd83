import { invalidArgument } from '../errors.ts';

/**
 * Checks the options of a cache; resolves to its `maxBytes`.
 *
 * @param call - how the caller wrote it, for errors.
 * @throws StowageError `INVALID_ARGUMENT`
 */
export function checkCacheOptions(
  call: string,
  options: { maxBytes?: number | undefined },
  known: readonly string[],
  defaultMaxBytes: number,
): number {
  if (typeof options !== 'object' || options === null) {
    throw invalidArgument(`${call} takes its options as an object: { maxBytes }.`);
  }
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw invalidArgument(`${call} has no option ${unknown}; it has ${known.join(', ')}.`, {
      option: unknown,
    });
  }
  const { maxBytes = defaultMaxBytes } = options;
  if (Number.isSafeInteger(maxBytes) && maxBytes > 0) return maxBytes;
  throw invalidArgument(`maxBytes must be a whole number of bytes from 1 on, not ${String(maxBytes)}.`, {
    maxBytes: String(maxBytes),
  });
}
