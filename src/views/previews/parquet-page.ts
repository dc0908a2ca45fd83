import type { CallOptions } from '../../async/call-options.ts';
import type { FrameColumn, TimeUnit } from '../../parquet/frame-columns.ts';
import { parquetParts } from '../../parquet/load-parts.ts';
import { decimalText } from '../../parquet/row-values.ts';
import { typeText } from '../../parquet/type-text.ts';
import { type SecondDigits, timestampText, timeText } from '../values/ticks.ts';
import type { ByteSource } from './byte-source.ts';
import { MAX_COLUMNS, type PageChoice, type PageRows, plainInteger } from './table-page.ts';

const MS_PER_DAY = 86_400_000;
const DIGITS: Readonly<Record<TimeUnit, SecondDigits>> = { ms: 3, us: 6, ns: 9 };

/**
 * Reads the rows of a page out of a Parquet file: its footer, and the first columns of the row groups with these rows.
 *
 * @throws StowageError `INVALID_PARQUET`, `CONTENT_TOO_LARGE`, `CODEC_UNAVAILABLE`
 */
export async function parquetPage(
  source: ByteSource,
  { offset, limit }: PageChoice,
  options: CallOptions,
): Promise<PageRows> {
  const { readFooter, planScan } = await parquetParts();
  const { size } = source;
  const file = { shown: `The file ${source.name}`, size: async () => size, read: source.read };
  const footer = await readFooter(file, options);
  const all = footer.columns.map(({ column }) => column);
  const readable = all.slice(0, MAX_COLUMNS).filter(({ type }) => type !== 'unsupported');
  const columns = all.slice(0, MAX_COLUMNS).map((column) => ({ name: column.name, type: typeText(column) }));
  const rows: unknown[][] = [];
  if (readable.length > 0 && offset < footer.rows) {
    const shown = readable.map(shownValues);
    const at = all.slice(0, MAX_COLUMNS).map((column) => readable.indexOf(column));
    const scan = planScan(footer, { columns: readable.map(({ name }) => name), offset, limit });
    for await (const part of scan.rows(options)) {
      for (let row = 0; row < part.rows; row++)
        rows.push(at.map((index) => (index === -1 ? null : shown[index]?.(part.columns[index]?.[row]))));
    }
  }
  return { columns, totalColumns: all.length, rows, total: footer.rows };
}

/** Shows exact values of a column: times and decimals as the text that says them exactly, integers as numbers where these hold them. */
function shownValues(column: FrameColumn): (value: unknown) => unknown {
  const show = ofPresent(column);
  return (value) => (value === null || value === undefined ? null : show(value));
}

function ofPresent(column: FrameColumn): (value: unknown) => unknown {
  switch (column.type) {
    case 'date':
      return (value) => dateText(value as number);
    case 'time': {
      const digits = DIGITS[column.unit];
      return (value) => timeText(BigInt(value as number | bigint), digits);
    }
    case 'timestamp': {
      const { unit, utc } = column;
      return (value) => timestampText(value as bigint, DIGITS[unit], utc);
    }
    case 'decimal':
      return (value) => decimalText(value as bigint, column.scale);
    case 'list': {
      const element = shownValues(column.element);
      return (value) => Array.from(value as ArrayLike<unknown>, element);
    }
    case 'struct': {
      const fields = column.fields.map((field) => [field.name, shownValues(field)] as const);
      return (value) => {
        const members = value as Readonly<Record<string, unknown>>;
        return Object.fromEntries(fields.map(([name, show]) => [name, show(members[name])]));
      };
    }
    case 'map': {
      const [key, item] = [shownValues(column.key), shownValues(column.value)];
      return (value) =>
        new Map((value as { key: unknown; value: unknown }[]).map((one) => [key(one.key), item(one.value)]));
    }
    default:
      return plainInteger;
  }
}

/** A day in ISO 8601; its number where that has no word for the year. */
function dateText(days: number): unknown {
  const date = new Date(days * MS_PER_DAY);
  return Number.isNaN(date.getTime()) ? days : date.toISOString().replace(/T.*/, '');
}
