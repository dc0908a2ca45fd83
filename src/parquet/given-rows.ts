import { invalidArgument } from '../errors.ts';
import { checkColumnName, columnsOfSpec, type FrameColumn, type FrameSpec } from './frame-columns.ts';
import { elementType, inferColumns, inferType } from './infer-columns.ts';
import { unsupportedColumn } from './parquet-errors.ts';
import type { Rows } from './row-groups.ts';
import { type FrameRow, isPlainObject, isTypedArray, rowTaker } from './row-values.ts';

/** What a data frame is made of: its columns, and its rows. */
export interface FrameData {
  readonly columns: readonly FrameColumn[];
  readonly batches: AsyncIterable<Rows>;
}

/** Of so many rows the types are told, where no schema is given. */
const SAMPLE_ROWS = 10_000;
const BATCH_ROWS = 1024;

/**
 * Rows that a program gives, all at once or one after the other.
 *
 * @throws StowageError `INVALID_ARGUMENT`, `UNSUPPORTED_COLUMN`; rows beyond the first 10,000 are checked as they come
 */
export async function givenRows(
  rows: Iterable<FrameRow> | AsyncIterable<FrameRow>,
  spec: FrameSpec | undefined,
): Promise<FrameData> {
  const source = iteratorOf(rows);
  const sample: FrameRow[] = [];
  let isAll = false;
  try {
    while (spec === undefined && sample.length < SAMPLE_ROWS && !isAll) {
      const next = await source.next();
      if (next.done) isAll = true;
      else sample.push(checkRow(next.value, sample.length));
    }
    const columns = spec === undefined ? inferColumns(sample) : columnsOfSpec(spec);
    if (columns.length === 0)
      throw invalidArgument(
        'There are no rows, or none with a property, to tell the columns by. Give a `schema`.',
      );
    return { columns, batches: batchesOf(columns, sample, isAll ? undefined : source) };
  } catch (error) {
    if (!isAll) await source.return?.();
    throw error;
  }
}

function iteratorOf(
  rows: Iterable<FrameRow> | AsyncIterable<FrameRow>,
): AsyncIterator<FrameRow> | Iterator<FrameRow> {
  if (typeof rows === 'object' && rows !== null) {
    if (Symbol.asyncIterator in rows) return rows[Symbol.asyncIterator]();
    if (Symbol.iterator in rows) return rows[Symbol.iterator]();
  }
  throw invalidArgument('Rows are an array of objects, or an iterable of them, which may be asynchronous.');
}

async function* batchesOf(
  columns: readonly FrameColumn[],
  sample: readonly FrameRow[],
  rest: AsyncIterator<FrameRow> | Iterator<FrameRow> | undefined,
): AsyncGenerator<Rows> {
  const takers = columns.map((column) => ({ name: column.name, take: rowTaker(column) }));
  const names = new Set(columns.map(({ name }) => name));
  let batch = columns.map((): unknown[] => []);
  let rows = 0;
  const add = (row: FrameRow, at: number): void => {
    for (const name of Object.keys(row)) {
      if (!names.has(name)) throw unknownColumn(name, at);
    }
    for (const [index, { name, take }] of takers.entries()) {
      (batch[index] as unknown[]).push(take(Object.hasOwn(row, name) ? row[name] : null, at));
    }
    rows++;
  };
  let isEnded = rest === undefined;
  try {
    for (let at = 0; ; at++) {
      let row = sample[at];
      if (at >= sample.length) {
        const next = await rest?.next();
        isEnded = next?.done ?? true;
        if (!next || next.done) break;
        row = checkRow(next.value, at);
      }
      add(row as FrameRow, at);
      if (rows < BATCH_ROWS) continue;
      yield { rows, columns: batch };
      batch = columns.map(() => []);
      rows = 0;
    }
  } finally {
    if (!isEnded) await rest?.return?.();
  }
  if (rows > 0) yield { rows, columns: batch };
}

function checkRow(row: unknown, at: number): FrameRow {
  if (isPlainObject(row)) return row;
  throw invalidArgument(`Row ${at} is no plain object of values by the names of their columns.`, { row: at });
}

function unknownColumn(name: string, row: number): Error {
  return unsupportedColumn(
    name,
    `comes up in row ${row}, and neither in the schema nor in the first ${SAMPLE_ROWS} rows. Give a \`schema\` that names it, or leave it out.`,
    { row },
  );
}

/**
 * Columns that a program gives: arrays of numbers keep their type and hold no nulls; the types of other arrays are told by their values, or
 * by the schema.
 *
 * @throws StowageError `INVALID_ARGUMENT`, `UNSUPPORTED_COLUMN`
 */
export function givenColumns(
  given: Readonly<Record<string, ArrayLike<unknown>>>,
  spec: FrameSpec | undefined,
): FrameData {
  if (!isPlainObject(given) || Object.keys(given).length === 0)
    throw invalidArgument('Columns are an object of arrays by the names of the columns, with at least one.');
  const known = new Map(spec === undefined ? [] : columnsOfSpec(spec).map((column) => [column.name, column]));
  const columns = Object.entries(given).map(([name, values]): FrameColumn => {
    checkColumnName(name, name);
    if (!Array.isArray(values) && !isTypedArray(values))
      throw invalidArgument(`Column "${name}" is no array.`, { column: name });
    const column = known.get(name);
    if (spec !== undefined && !column)
      throw invalidArgument(`The schema does not name the column "${name}".`, { column: name });
    if (column) return column;
    const element = Array.isArray(values) ? undefined : elementType(values);
    if (element) return { name, nullable: false, ...element };
    return { name, nullable: true, ...inferType(name, Array.from(values)) };
  });
  const missing = [...known.keys()].find((name) => !Object.hasOwn(given, name));
  if (missing !== undefined)
    throw invalidArgument(`The column "${missing}" of the schema is missing.`, { column: missing });
  const [first, ...others] = Object.entries(given);
  const rows = first?.[1].length ?? 0;
  const other = others.find(([, values]) => values.length !== rows);
  if (other)
    throw invalidArgument(
      `Columns have equal lengths, but "${first?.[0]}" has ${rows} values and "${other[0]}" ${other[1].length}.`,
      {
        columns: [first?.[0], other[0]],
      },
    );
  return { columns, batches: columnBatches(columns, Object.values(given), rows) };
}

async function* columnBatches(
  columns: readonly FrameColumn[],
  given: readonly ArrayLike<unknown>[],
  rows: number,
): AsyncGenerator<Rows> {
  const takers = columns.map(rowTaker);
  for (let start = 0; start < rows; start += BATCH_ROWS) {
    const count = Math.min(BATCH_ROWS, rows - start);
    yield {
      rows: count,
      columns: given.map((values, index) =>
        Array.from({ length: count }, (_, row) => takers[index]?.(values[start + row], start + row)),
      ),
    };
  }
}
