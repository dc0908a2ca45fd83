import { isTurnOver, nextTurn } from '../async/turns.ts';
import { throwIfAborted } from '../errors.ts';
import type { FrameColumn } from './frame-columns.ts';
import { loadWriter } from './parquet-library.ts';
import { intoRowGroups, type Rows } from './row-groups.ts';
import type { ExactValue } from './stored-values.ts';
import { schemaElements } from './write-schema.ts';

/** How a data frame is written. */
export interface ParquetFormat {
  /** `none` leaves it to the store, whose compression finds what edited frames have in common; `snappy` is for plain files. */
  compression: 'none' | 'snappy';
  /** Rows of a row group, at most. */
  rowGroupRows: number;
}

/** Told to readers in the footer; no version, so that equal rows make equal bytes. */
const CREATED_BY = 'stowage';
const PAGE_BYTES = 1024 * 1024;

/**
 * Writes rows as a Parquet file, piece by piece: a row group is in memory at once. Equal columns and rows make equal bytes, however the
 * rows are dealt out to batches.
 */
export async function* writeParquet(
  columns: readonly FrameColumn[],
  batches: AsyncIterable<Rows>,
  { compression, rowGroupRows }: ParquetFormat,
  { signal }: { signal?: AbortSignal | undefined } = {},
): AsyncGenerator<Uint8Array> {
  const { ByteWriter, ParquetWriter } = await loadWriter();
  const writer = new ByteWriter();
  const file = new ParquetWriter({
    writer,
    schema: schemaElements(columns),
    codec: compression === 'snappy' ? 'SNAPPY' : 'UNCOMPRESSED',
    createdBy: CREATED_BY,
  });
  const taken = (): Uint8Array => {
    const bytes = writer.getBytes().slice();
    writer.index = 0;
    return bytes;
  };
  for await (const group of intoRowGroups(columns, batches, rowGroupRows)) {
    throwIfAborted(signal);
    if (isTurnOver()) await nextTurn();
    file.write({
      columnData: columns.map((column, index) => ({
        name: column.name,
        data: writable(column, group.columns[index] as ExactValue[]),
        // A dictionary would take -0 for 0.
        ...(hasFloats(column) && { encoding: 'PLAIN' as const }),
      })),
      rowGroupSize: group.rows,
      pageSize: PAGE_BYTES,
    });
    yield taken();
  }
  file.finish();
  yield taken();
}

function hasFloats(column: FrameColumn): boolean {
  if (column.type === 'list') return hasFloats(column.element);
  if (column.type === 'struct') return column.fields.some(hasFloats);
  if (column.type === 'map') return hasFloats(column.key) || hasFloats(column.value);
  return column.type.startsWith('float');
}

/** The library writes text as such only where it is annotated in the old way, and that of JSON it would encode again. */
function writable(column: FrameColumn, values: ExactValue[]): ExactValue[] {
  const convert = jsonBytes(column);
  return convert ? values.map(convert) : values;
}

/** What makes bytes of the JSON in a column; `undefined` where there is none. */
function jsonBytes(column: FrameColumn): ((value: ExactValue) => ExactValue) | undefined {
  switch (column.type) {
    case 'json':
      return (value) => (value === null ? null : Buffer.from(value as string));
    case 'list': {
      const element = jsonBytes(column.element);
      return element && ((value) => value && (value as ExactValue[]).map(element));
    }
    case 'struct': {
      const changed = column.fields.flatMap((field) => {
        const convert = jsonBytes(field);
        return convert ? [[field.name, convert] as const] : [];
      });
      if (changed.length === 0) return undefined;
      return (value) => {
        if (value === null) return null;
        const struct = Object.assign(Object.create(null), value);
        for (const [name, convert] of changed) struct[name] = convert(struct[name]);
        return struct;
      };
    }
    case 'map': {
      const key = jsonBytes(column.key);
      const item = jsonBytes(column.value);
      if (!key && !item) return undefined;
      const entry = (one: { key: ExactValue; value: ExactValue }): object => ({
        key: key ? key(one.key) : one.key,
        value: item ? item(one.value) : one.value,
      });
      return (value) => value && (value as { key: ExactValue; value: ExactValue }[]).map(entry);
    }
    default:
      return undefined;
  }
}
