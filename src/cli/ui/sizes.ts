import { SIZE_EXAMPLES, sizeOfText } from '../../options/measures.ts';
import { usageError } from '../cli-error.ts';

/** A size from the command line in bytes: `4096`, `64kB`, `10MB`, `1.5 GB`, in powers of 1,000, and `10MiB` in powers of 1,024. */
export function parseBytes(text: string, option: string): number {
  const bytes = sizeOfText(text);
  if (bytes !== undefined) return bytes;
  throw usageError(`${option} is a size such as ${SIZE_EXAMPLES}, not ${JSON.stringify(text)}.`);
}

/** A count from the command line, from 1 on; `all` is no limit. */
export function parseLimit(text: string, option = '--limit'): number {
  if (text === 'all') return Number.POSITIVE_INFINITY;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw usageError(`${option} is a number from 1 on, or "all", not ${JSON.stringify(text)}.`);
}

/** A number of items to leave out, from 0 on, which is the default. */
export function parseOffset(text = '0', what = 'items'): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw usageError(`--offset is a number of ${what}, not ${JSON.stringify(text)}.`);
}
