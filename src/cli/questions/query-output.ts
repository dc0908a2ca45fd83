import type { QueryRow, QueryValue } from '../../store-index/query.ts';
import type { Invocation } from '../invocation.ts';
import type { Cell, Column } from '../ui/table.ts';
import { TerminalSink } from '../ui/terminal-filter.ts';
import { type CsvLine, cellText, writeCsvLines } from '../values/csv.ts';
import { ValueJson } from '../values/value-json.ts';

/** A table shows its rows by so many, each time with its columns as wide as these take. */
const ROWS_OF_TABLE = 1_000;

/** Rows up to a limit. */
export class LimitedRows implements AsyncIterable<QueryRow> {
  /** So many were taken. */
  count = 0;
  /** True if there are more. */
  isCut = false;
  readonly #rows: AsyncIterable<QueryRow>;
  readonly #limit: number;

  constructor(rows: AsyncIterable<QueryRow>, limit: number) {
    this.#rows = rows;
    this.#limit = limit;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<QueryRow> {
    for await (const row of this.#rows) {
      this.isCut = this.count === this.#limit;
      if (this.isCut) return;
      this.count += 1;
      yield row;
    }
  }
}

/** A line for each row behind one with the names of the columns; nothing where there is no row. */
export async function writeCsvRows({ output, signal }: Invocation, rows: LimitedRows): Promise<void> {
  if (!output.isTerminal) return writeCsvLines(csvLines(rows), output, signal);
  const sink = new TerminalSink(output, { isJson: false });
  await writeCsvLines(csvLines(rows), sink, signal);
  await sink.end();
}

async function* csvLines(rows: LimitedRows): AsyncGenerator<CsvLine> {
  for await (const row of rows) {
    if (rows.count === 1) yield Object.keys(row);
    const cells = Object.values(row).map(cellText);
    // A line with nothing on it is no row to those who read it.
    if (cells.length === 1) cells[0] ??= '';
    yield cells;
  }
}

/** A line for each row, written as it was read. */
export async function writeJsonRows(
  { output }: Invocation,
  rows: LimitedRows,
  caughtUpAt: string | undefined,
): Promise<void> {
  const head = `${JSON.stringify({ caughtUpAt }).slice(0, -1)},"rows":[`;
  for await (const row of rows) {
    await output.jsonPiece(rows.count === 1 ? `${head}\n` : ',\n');
    for (const piece of new ValueJson({ compact: true }).pieces(row)) await output.jsonPiece(piece);
  }
  const start = rows.count === 0 ? head : '\n';
  await output.jsonPiece(`${start}],"isCut":${rows.isCut}}\n`);
}

/** Tables of many rows each. */
export async function writeTables(invocation: Invocation, rows: LimitedRows): Promise<void> {
  let shown: QueryRow[] = [];
  for await (const row of rows) {
    shown.push(row);
    if (shown.length < ROWS_OF_TABLE) continue;
    await writeTable(invocation, shown);
    shown = [];
  }
  if (shown.length > 0) await writeTable(invocation, shown);
}

async function writeTable({ output }: Invocation, rows: readonly QueryRow[]): Promise<void> {
  const columns = Object.keys(rows[0] as QueryRow).map((header): Column => {
    const isNumeric = rows.every(
      (row) => row[header] === null || /^(number|bigint)$/.test(typeof row[header]),
    );
    return { header, shrinks: true, ...(isNumeric ? { align: 'right' } : {}) };
  });
  await output.table(
    columns,
    rows.map((row) => Object.values(row).map(cellOf)),
  );
}

function cellOf(value: QueryValue): Cell {
  return value === null ? { text: 'null', style: 'dim' } : { text: cellText(value) ?? '' };
}
