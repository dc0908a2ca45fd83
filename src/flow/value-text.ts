import { inspect } from 'node:util';
import { printable, printableLines } from '../codec/printable-text.ts';
import type { ArrowTable } from '../values/arrow-library.ts';
import { isArrowTable } from '../values/arrow-table.ts';

const MAX_LINES = 8;
const MAX_CHARACTERS = 1_200;
/** One line but for the stacks of errors; no code of a loaded class decides how it looks. */
const SHOWN = {
  compact: true,
  breakLength: Number.POSITIVE_INFINITY,
  customInspect: false,
  depth: 4,
  maxArrayLength: 20,
  maxStringLength: 1_000,
} as const;

/** A loaded value for people, cut to a few lines: `Table of 2 rows: year Int32, rating Float64`. */
export function valueText(value: unknown): string {
  return cut(printableLines(textOf(value)));
}

function textOf(value: unknown): string {
  if (isArrowTable(value)) return tableText(value);
  if (value instanceof URL) return `URL ${value.href}`;
  try {
    return inspect(value, SHOWN);
  } catch (error) {
    // A getter of a registered class threw, of its name say: the other artifacts are shown nevertheless.
    return `<cannot be shown: ${inspect(error, { depth: 0, customInspect: false })}>`;
  }
}

function tableText({ schema, batches }: ArrowTable): string {
  const rows = batches.reduce((sum, { numRows }) => sum + numRows, 0);
  const columns = schema.fields.map(({ name, type }) => `${printable(name)} ${printable(String(type))}`);
  return `Table of ${rows} ${rows === 1 ? 'row' : 'rows'}: ${columns.join(', ') || 'no columns'}`;
}

function cut(text: string): string {
  const lines = text.split('\n');
  const few = lines.slice(0, MAX_LINES).join('\n');
  const short = few.slice(0, MAX_CHARACTERS).replace(/[\ud800-\udbff]$/, '');
  return short.length < text.length ? `${short}…` : text;
}
