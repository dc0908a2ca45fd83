import { inspect } from 'node:util';
import { invalidArgument } from '../errors.ts';
import { checkOptions, NAMES, TEXT, wholeNumber } from '../options/option-table.ts';
import { escapeHtml } from './html-text.ts';

/** Options of a table in a report. */
export interface ReportTableOptions {
  /** The columns, in their order. Default: all members of the rows, in the order in which they first come. */
  columns?: readonly string[] | undefined;
  /** A line above the table. Default: none. */
  caption?: string | undefined;
  /** The most rows that are shown, 1 to 10,000; below them stands how many more there are. Default 1,000. */
  maxRows?: number | undefined;
}

const MAX_ROWS = 10_000;
const DEFAULT_ROWS = 1_000;
/** The most columns that are shown. */
const MAX_COLUMNS = 200;
/** The most characters of a cell. */
const MAX_CELL = 2_000;

/**
 * Renders a list of objects as an HTML table, a row each.
 *
 * @throws StowageError `INVALID_ARGUMENT`
 */
export function renderTable(rows: readonly object[], options: ReportTableOptions = {}): string {
  checkOptions<ReportTableOptions>(options, 'report.table', {
    columns: NAMES,
    caption: TEXT,
    maxRows: wholeNumber(1, MAX_ROWS, 'a number of rows'),
  });
  if (!Array.isArray(rows) || rows.some((row) => typeof row !== 'object' || row === null)) {
    throw invalidArgument(
      'A table of a report is a list of objects, one for each row: [{ epoch: 1, loss: 0.5 }].',
    );
  }
  const { maxRows = DEFAULT_ROWS, caption } = options;
  const shown = rows.slice(0, maxRows) as Record<string, unknown>[];
  const columns = options.columns ?? [...new Set(shown.flatMap((row) => Object.keys(row)))];
  if (columns.length > MAX_COLUMNS) {
    throw invalidArgument(
      `A table of a report has at most ${MAX_COLUMNS} columns, and this one has ${columns.length}. Choose some by \`columns\`.`,
      { columns: columns.length },
    );
  }
  const isNumeric = columns.map((column) => shown.every((row) => isNumber(row[column])));
  const cell = (tag: string, text: string, index: number): string =>
    `<${tag}${isNumeric[index] ? ' class="right"' : ''}>${escapeHtml(text)}</${tag}>`;
  const head = columns.map((column, index) => cell('th', column, index)).join('');
  const body = shown.map(
    (row) =>
      `<tr>${columns.map((column, index) => cell('td', cellText(row[column]), index)).join('')}</tr>\n`,
  );
  const left = rows.length - shown.length;
  return [
    caption === undefined ? '' : `<p class="caption">${escapeHtml(caption)}</p>\n`,
    `<table>\n<tr>${head}</tr>\n${body.join('')}</table>\n`,
    left > 0 ? `<p class="caption">and ${left} more rows</p>\n` : '',
  ].join('');
}

function isNumber(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'bigint' || value === null || value === undefined;
}

/** No getter and no method of the value runs, but those of a date. */
function cellText(value: unknown): string {
  if (value === null || value === undefined) return '';
  const text =
    typeof value === 'string'
      ? value
      : inspect(value, {
          depth: 2,
          compact: true,
          breakLength: Number.POSITIVE_INFINITY,
          customInspect: false,
          maxArrayLength: 20,
          maxStringLength: MAX_CELL,
        });
  return text.length <= MAX_CELL ? text : `${text.slice(0, MAX_CELL - 1)}…`;
}
