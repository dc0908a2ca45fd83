import type { ShownValue } from '../../../views/previews/shown.ts';
import { lineOf } from './value-rows.ts';

/** The most characters of a cell. */
const MAX_CELL = 200;
const NUMBERS = /^(?:u?int\d*|float\d*|decimal|double|number|bigint)\b/i;

/**
 * True of a column whose cells are aligned at the right: of a type of numbers, or, where the table declares none, with nothing but numbers
 * in its first rows.
 */
export function isNumeric(type: string | undefined, first: readonly ShownValue[]): boolean {
  if (type !== undefined) return NUMBERS.test(type);
  const values = first.filter((value) => value !== null);
  return values.length > 0 && values.every(isNumber);
}

function isNumber(value: ShownValue): boolean {
  if (typeof value === 'number') return true;
  return typeof value === 'object' && value?.is === 'scalar' && /^(?:number|bigint)$/.test(value.type);
}

/** A cell as one line. Text is as it is, without quotes. */
export function cellText(value: ShownValue): string {
  const text =
    typeof value === 'string'
      ? value
      : typeof value === 'object' && value?.is === 'text'
        ? value.text
        : lineOf(value);
  const line = text.slice(0, MAX_CELL + 1).replaceAll(/[\r\n\t]/g, ' ');
  return line.length > MAX_CELL ? `${line.slice(0, MAX_CELL).replace(/[\ud800-\udbff]$/, '')}…` : line;
}

const MIN_WIDTH = 5;
const MAX_WIDTH = 40;

/** The width of each column in characters, by its name, its type and what its first rows hold. */
export function columnWidths(
  columns: readonly { name: string; type?: string }[],
  rows: readonly (readonly ShownValue[])[],
): number[] {
  return columns.map(({ name, type = '' }, index) => {
    const lengths = rows.slice(0, 50).map((row) => cellText(row[index] ?? null).length);
    return Math.min(Math.max(MIN_WIDTH, name.length + 1, type.length, ...lengths), MAX_WIDTH);
  });
}
