import { isArrowTable } from '../values/arrow-table.ts';
import { columnTypes } from '../values/table-view.ts';
import type { Tabular } from '../values/tabular-value.ts';
import type { TablePage } from './shown.ts';
import { Shower } from './shown-value.ts';

/** The rows that are asked for. */
export interface PageChoice {
  offset: number;
  limit: number;
}

/** Rows that were read for a page, the first of them that of its offset; there may be more than it takes. */
export interface PageRows {
  columns: TablePage['columns'];
  /** Default: that of `columns`. */
  totalColumns?: number;
  hasNames?: boolean;
  rows: Iterable<readonly unknown[]>;
  total: number;
}

/** The most columns of a page. */
export const MAX_COLUMNS = 100;
/** The most cells of a page: of many columns fewer rows are shown than were asked for, one at least. */
const MAX_CELLS = 20_000;
/** UTF-16 code units of all texts of a page, and of one cell at most and at least. */
const MAX_TEXT = 300_000;
const CELL_TEXT = { most: 500, least: 15 };

/** A page of rows within bounds, and whether all that the table has is on it. */
export function tablePage(
  { columns: all, totalColumns = all.length, hasNames = true, rows, total }: PageRows,
  { offset, limit }: PageChoice,
): { table: TablePage; isWhole: boolean } {
  const columns = all.slice(0, MAX_COLUMNS);
  const most = Math.min(
    limit,
    Math.max(1, Math.floor(MAX_CELLS / Math.max(1, columns.length))),
    Math.max(0, total - offset),
  );
  const cells = Math.max(1, most * columns.length);
  const text = Math.max(CELL_TEXT.least, Math.min(CELL_TEXT.most, Math.floor(MAX_TEXT / cells)));
  const shower = new Shower({
    depth: 3,
    members: 20,
    values: cells + MAX_CELLS,
    text,
    allText: 2 * MAX_TEXT,
  });
  const shown: TablePage['rows'] = [];
  if (most > 0)
    for (const row of rows) {
      shown.push(columns.map((_, index) => shower.show(row[index])));
      if (shown.length === most) break;
    }
  const isWhole = shower.isWhole && columns.length === totalColumns && shown.length === total;
  return { table: { columns, totalColumns, hasNames, rows: shown, offset, total }, isWhole };
}

/** The rows of a value that is a table; `value` tells the types of its columns. */
export function rowsOfTabular(value: unknown, tabular: Tabular, { offset }: PageChoice): PageRows {
  const { header, rowCount } = tabular;
  const types = isArrowTable(value) ? columnTypes(value) : new Map<string, string>();
  const [first = []] = header ? [] : tabular.rows();
  const names = header ?? first.map((_, index) => String(index));
  const columns = names.map((name) => {
    const type = types.get(name);
    return { name, ...(type === undefined ? {} : { type }) };
  });
  return { columns, hasNames: header !== undefined, rows: plainRows(tabular.rows(offset)), total: rowCount };
}

/** Of a column that says that it holds integers, those that a double holds are numbers. */
function* plainRows(rows: Iterable<readonly unknown[]>): Generator<readonly unknown[]> {
  for (const row of rows) yield row.map(plainInteger);
}

/** An integer as a number, where that holds it. */
export function plainInteger(value: unknown): unknown {
  if (typeof value !== 'bigint') return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
