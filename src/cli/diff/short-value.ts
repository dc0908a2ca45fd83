import { messageOf } from '../../errors.ts';
import { formatBytes, formatCount } from '../../options/figures.ts';
import { isArrowTable } from '../../views/values/arrow-table.ts';
import { bytesOf, isPlainObject, isTypedArray, kindOf, patternText } from '../../views/values/value-kind.ts';

/** The longest text of a value. */
const MAX_LENGTH = 60;
/** So much of two texts is shown before they part. */
const LEAD_LENGTH = 15;

/** A value on one line: as JSON, or by the nearest words; what is long is cut. */
export function shortValue(value: unknown, maxLength: number = MAX_LENGTH): string {
  let text = '';
  for (const piece of piecesOf(value, maxLength)) {
    text += piece;
    if (text.length > maxLength) return `${text.slice(0, maxLength - 1)}…`;
  }
  return text;
}

/** Two different values, each on one line; of long texts that begin alike, the place where they part. */
export function shortPair(a: unknown, b: unknown): [string, string] {
  const isLong =
    typeof a === 'string' && typeof b === 'string' && Math.max(a.length, b.length) > MAX_LENGTH - 2;
  if (!isLong) return [shortValue(a), shortValue(b)];
  let same = 0;
  while (same < a.length && a.charCodeAt(same) === b.charCodeAt(same)) same += 1;
  const start = same > LEAD_LENGTH + 5 ? same - LEAD_LENGTH : 0;
  const from = (text: string): string => {
    const rest = text.slice(start, start + MAX_LENGTH + 1);
    return shortValue(start === 0 ? rest : `…${rest}`);
  };
  return [from(a), from(b)];
}

/** The distance from one number to another, if both are numbers: `(+0.02)`. */
export function shortDifference(a: unknown, b: unknown): string {
  if (typeof a === 'bigint' && typeof b === 'bigint') return `  (${b > a ? '+' : ''}${b - a})`;
  if (typeof a !== 'number' || typeof b !== 'number' || !Number.isFinite(b - a)) return '';
  return `  (${b > a ? '+' : ''}${Number((b - a).toPrecision(3))})`;
}

/** The text piece by piece, so that of a large value only the beginning is made. */
function* piecesOf(value: unknown, maxLength: number): Generator<string> {
  if (typeof value === 'string') yield JSON.stringify(value.slice(0, maxLength + 1));
  else if (typeof value === 'bigint') yield `${value}n`;
  else if (typeof value !== 'object' || value === null) yield Object.is(value, -0) ? '-0' : String(value);
  else if (Array.isArray(value)) yield* listPieces('[', value, ']', maxLength);
  else if (isPlainObject(value)) yield* memberPieces('{', Object.entries(value), '}', maxLength);
  else if (value instanceof Map) yield* memberPieces('Map {', value, '}', maxLength);
  else if (value instanceof Set) yield* listPieces('Set {', [...value], '}', maxLength);
  else if (isTypedArray(value)) yield* listPieces(`${kindOf(value)} [`, value, ']', maxLength);
  else if (value instanceof Error) yield errorText(value);
  else if (value instanceof Date) yield Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  else if (value instanceof RegExp) yield patternText(value);
  else if (value instanceof URL) yield String(value);
  else if (isArrowTable(value)) yield `a table of ${formatCount(value.numRows)} rows`;
  else yield bytesText(value);
}

/** Saved errors may have anything for a name and a message. */
function errorText(error: Error): string {
  const { name, message } = error as { name: unknown; message: unknown };
  return `${typeof name === 'string' ? name : 'Error'}: ${messageOf(message)}`;
}

function* listPieces(
  open: string,
  items: ArrayLike<unknown>,
  close: string,
  maxLength: number,
): Generator<string> {
  yield open;
  for (let index = 0; index < items.length; index++) {
    if (index > 0) yield ', ';
    yield* piecesOf(items[index], maxLength);
  }
  yield close;
}

function* memberPieces(
  open: string,
  members: Iterable<readonly [unknown, unknown]>,
  close: string,
  maxLength: number,
): Generator<string> {
  let lead = open;
  for (const [key, member] of members) {
    yield lead;
    yield* piecesOf(key, maxLength);
    yield ': ';
    yield* piecesOf(member, maxLength);
    lead = ', ';
  }
  yield lead === open ? open + close : close;
}

function bytesText(value: object): string {
  const bytes = bytesOf(value);
  return bytes ? `${formatBytes(bytes.length)} of bytes` : kindOf(value);
}
