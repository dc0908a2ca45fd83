import { pipeline } from 'node:stream/promises';
import { abortError } from '../../errors.ts';
import type { Tabular } from '../../views/values/tabular-value.ts';
import { bytesOf } from '../../views/values/value-kind.ts';
import type { Sink } from '../ui/output.ts';
import { ValueJson } from './value-json.ts';

/** A line of a table, its cells as text; `undefined` for what is absent. */
export type CsvLine = (string | undefined)[];

/**
 * Writes a table as {@link writeCsvLines} does.
 *
 * @param onRow is called after each row, for progress
 */
export function writeCsv(
  table: Tabular,
  sink: Sink,
  { signal, onRow }: { signal: AbortSignal; onRow?: (rows: number) => void },
): Promise<void> {
  return writeCsvLines(textRows(table, onRow), sink, signal);
}

/**
 * Writes lines as CSV by RFC 4180, as they are made: lines end in CRLF, and a field is quoted if it has to be. Empty text
 * is `""`, and what is absent is nothing, so that both can be told apart.
 */
export async function writeCsvLines(
  lines: Iterable<CsvLine> | AsyncIterable<CsvLine>,
  sink: Sink,
  signal: AbortSignal,
): Promise<void> {
  const { stringify } = await import('csv-stringify');
  const options = { record_delimiter: 'windows', quote_record_delimiter: true, quoted_match: /^$/ } as const;
  try {
    await pipeline(
      lines,
      stringify(options),
      async (pieces: AsyncIterable<Buffer>) => {
        for await (const piece of pieces) await sink.write(piece);
      },
      { signal },
    );
  } catch (error) {
    if (signal.aborted) throw abortError(signal);
    throw error;
  }
}

function* textRows(
  { header, rows }: Tabular,
  onRow: ((rows: number) => void) | undefined,
): Generator<CsvLine> {
  if (header && header.length > 0) yield [...header];
  let count = 0;
  for (const row of rows()) {
    const cells = row.map(cellText);
    // A line with nothing on it is no row to those who read it.
    if (cells.length === 1) cells[0] ??= '';
    if (cells.length > 0) yield cells;
    onRow?.(++count);
  }
}

/** A cell without quotes: as people write it, or as JSON what has parts; `undefined` for what is absent. */
export function cellText(value: unknown): string | undefined {
  switch (typeof value) {
    case 'undefined':
      return undefined;
    case 'string':
      return value;
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value);
    case 'object':
      return value === null ? undefined : objectText(value);
    default:
      return String(value);
  }
}

function objectText(value: object): string {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (value instanceof URL || value instanceof RegExp) return String(value);
  const json = [...new ValueJson({ compact: true }).pieces(value)].join('');
  // Bytes are text in JSON.
  return bytesOf(value) ? json.slice(1, -1) : json;
}
