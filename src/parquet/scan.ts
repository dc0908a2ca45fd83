import { mapInOrder } from '../async/bounded-work.ts';
import type { CallOptions } from '../async/call-options.ts';
import { invalidArgument } from '../errors.ts';
import { didYouMean, listed, suggest } from '../options/suggestions.ts';
import type { Footer, Group } from './footer.ts';
import { type ColumnFilter, columnFilter } from './frame-filter.ts';
import type { ParquetColumn } from './parquet-schema.ts';
import { readGroup } from './read-group.ts';
import type { Rows } from './row-groups.ts';
import type { ScanOptions } from './scan-options.ts';
import type { ExactValues } from './stored-values.ts';

const MAX_GROUP_BYTES = 512 * 1024 ** 2;

/** A row group is decoded while the next one is fetched. */
const GROUPS = 2;

/** A row group, and which of its rows are wanted where no filter decides it. */
interface GroupPlan {
  readonly group: Group;
  readonly start: number;
  readonly end: number;
}

/** Columns, rows and row groups that a read is about. */
export interface Scan {
  readonly columns: readonly ParquetColumn[];
  /** The values of the columns, by row groups. Each call reads anew. */
  rows(options: CallOptions): AsyncGenerator<Rows>;
}

/**
 * Plans a read of a data frame, without reading more than the footer.
 *
 * @throws StowageError `INVALID_ARGUMENT` for a column that there is not, and for filters
 */
export function planScan(footer: Footer, options: ScanOptions): Scan {
  const { limit = Number.POSITIVE_INFINITY, offset = 0, maxGroupBytes = MAX_GROUP_BYTES } = options;
  const columns = options.columns?.map((name) => columnNamed(footer, name)) ?? footer.columns;
  if (columns.length === 0) throw invalidArgument('No column is to be read; name one.');
  if (new Set(columns).size < columns.length)
    throw invalidArgument('A column is named twice; each is read once.');
  const filters = Object.entries(options.filter ?? {}).map(([name, conditions]) =>
    columnFilter(columnNamed(footer, name).column, conditions),
  );
  const plans = planGroups(footer, filters, offset, limit);
  // What follows the last row that is wanted would be fetched for nothing.
  const isBounded = filters.length > 0 && limit < footer.rows;
  return {
    columns,
    async *rows({ signal }) {
      let skipped = 0;
      let left = limit;
      const read = (plan: GroupPlan): Promise<Rows> =>
        readPlanned(footer, plan, columns, filters, { signal, maxGroupBytes });
      if (left === 0) return;
      for await (const found of mapInOrder(plans, isBounded ? 1 : GROUPS, read)) {
        const start = filters.length > 0 ? Math.min(offset - skipped, found.rows) : 0;
        skipped += start;
        const end = Math.min(found.rows, start + left);
        if (end > start) yield start === 0 && end === found.rows ? found : sliced(found, start, end);
        left -= end - start;
        if (left === 0) return;
      }
    },
  };
}

/** The column of that name. */
export function columnNamed({ columns, source }: Footer, name: string): ParquetColumn {
  const column = columns.find((one) => one.column.name === name);
  if (column) return column;
  const names = columns.map((one) => one.column.name);
  throw invalidArgument(
    `${source.shown} has no column ${JSON.stringify(name)}.${didYouMean(suggest(name, names))} It has: ${listed(names)}.`,
    {
      column: name,
      columns: names,
    },
  );
}

/** The chunk of a column that is one leaf. */
function statisticsOf(
  footer: Footer,
  { chunks }: Group,
  { column }: ColumnFilter,
): Group['chunks'][number]['statistics'] {
  let first = 0;
  for (const other of footer.columns) {
    if (other.column === column) return other.leaves.length === 1 ? (chunks[first]?.statistics ?? {}) : {};
    first += other.leaves.length;
  }
  return {};
}

function planGroups(
  footer: Footer,
  filters: readonly ColumnFilter[],
  offset: number,
  limit: number,
): GroupPlan[] {
  if (filters.length > 0)
    return footer.groups
      .filter((group) => filters.every((filter) => group.rows > 0 && mayMatch(footer, group, filter)))
      .map((group) => ({ group, start: 0, end: group.rows }));
  const plans: GroupPlan[] = [];
  let first = 0;
  for (const group of footer.groups) {
    const start = Math.max(0, offset - first);
    const end = Math.min(group.rows, offset + limit - first);
    if (start < end) plans.push({ group, start, end });
    first += group.rows;
  }
  return plans;
}

function mayMatch(footer: Footer, group: Group, filter: ColumnFilter): boolean {
  const { type } = filter.column;
  // Of what is nested statistics tell about its parts.
  const isFlat = type !== 'list' && type !== 'struct' && type !== 'map';
  return !isFlat || filter.mayMatch(statisticsOf(footer, group, filter), group.rows);
}

/** The rows of a group that are wanted: those of the filter's columns first, and the others where some row matches. */
async function readPlanned(
  footer: Footer,
  { group, start, end }: GroupPlan,
  columns: readonly ParquetColumn[],
  filters: readonly ColumnFilter[],
  options: CallOptions & { maxGroupBytes: number },
): Promise<Rows> {
  if (filters.length === 0) {
    const read = await readGroup(footer, group, columns, options);
    return start === 0 && end === group.rows ? read : sliced(read, start, end);
  }
  const sought = filters.map(({ column }) => columnNamed(footer, column.name));
  const first = await readGroup(footer, group, sought, options);
  const matching: number[] = [];
  for (let row = 0; row < group.rows; row++) {
    if (filters.every(({ matches }, index) => matches((first.columns[index] as ExactValues)[row])))
      matching.push(row);
  }
  if (matching.length === 0) return { rows: 0, columns: columns.map(() => []) };
  const others = columns.filter((column) => !sought.includes(column));
  const rest = others.length > 0 ? await readGroup(footer, group, others, options) : undefined;
  const known = new Map([
    ...sought.map((column, index) => [column, first.columns[index] as ExactValues] as const),
    ...others.map((column, index) => [column, rest?.columns[index] as ExactValues] as const),
  ]);
  const picked = columns.map((column) => pick(known.get(column) as ExactValues, matching));
  return { rows: matching.length, columns: picked };
}

function sliced({ columns }: Rows, start: number, end: number): Rows {
  const values = columns.map((column) => (column as unknown[] | Float64Array).slice(start, end));
  return { rows: end - start, columns: values };
}

function pick(values: ExactValues, rows: readonly number[]): ExactValues {
  if (rows.length === values.length) return values;
  const picked = Array.isArray(values) ? new Array(rows.length) : new (classOf(values))(rows.length);
  for (const [index, row] of rows.entries()) picked[index] = values[row];
  return picked;
}

function classOf(values: ExactValues): new (length: number) => unknown[] {
  return values.constructor as new (
    length: number,
  ) => unknown[];
}
