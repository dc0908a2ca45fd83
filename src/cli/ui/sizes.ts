import { SIZE_EXAMPLES, sizeOfText } from '../../options/measures.ts';
import { usageError } from '../cli-error.ts';

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** A number of bytes for people: `0 B`, `999 B`, `1.2 MB`, `340 MB`; powers of 1,000. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.95 and more would be shown as 1000.
  while (unit < UNITS.length - 1 && value >= (unit === 0 ? 1000 : 999.5)) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** `part` of `whole` for people: `12.3 %`, `< 0.1 %`; `-` of nothing. */
export function formatPercent(part: number, whole: number): string {
  if (whole === 0) return '-';
  const percent = (part / whole) * 100;
  if (percent > 0 && percent < 0.1) return '< 0.1 %';
  return `${percent.toFixed(percent >= 99.95 ? 0 : 1)} %`;
}

/** A ratio: `1.0x`, `3.2x`, `150x`; `-` of nothing. */
export function formatRatio(ratio: number | null): string {
  if (ratio === null) return '-';
  return `${ratio.toFixed(ratio >= 99.95 ? 0 : 1)}x`;
}

/** A count with its thousands apart: `12,345`. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 run`, `2 runs`, `12,345 runs`. */
export function countOf(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** `196 done, 4 failed`; where all are one thing, with `all` before it in place of the number, if that is given. */
export function countsOf(things: readonly string[], all?: string): string {
  const counts = new Map<string, number>();
  for (const thing of things) counts.set(thing, (counts.get(thing) ?? 0) + 1);
  if (all !== undefined && counts.size === 1) return `${all}${things[0]}`;
  return [...counts].map(([thing, count]) => `${formatCount(count)} ${thing}`).join(', ');
}

/** A size from the command line in bytes: `4096`, `64kB`, `10MB`, `1.5 GB`, in powers of 1,000, and `10MiB` in powers of 1,024. */
export function parseBytes(text: string, option: string): number {
  const bytes = sizeOfText(text);
  if (bytes !== undefined) return bytes;
  throw usageError(`${option} is a size such as ${SIZE_EXAMPLES}, not ${JSON.stringify(text)}.`);
}

/** A count from the command line, from 1 on; `all` is no limit. */
export function parseLimit(text: string): number {
  if (text === 'all') return Number.POSITIVE_INFINITY;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw usageError(`--limit is a number from 1 on, or "all", not ${JSON.stringify(text)}.`);
}
