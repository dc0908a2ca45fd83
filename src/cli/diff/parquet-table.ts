import type { CallOptions } from '../../async/call-options.ts';
import { formatBytes, formatCount } from '../../options/figures.ts';
import { DirectoryRef } from '../../references/directory/directory-ref.ts';
import { FileRef } from '../../references/file-ref.ts';
import { mediaTypeOf, SNIFFED_BYTES } from '../../views/media-type.ts';
import { type ByteSource, fileSource } from '../../views/previews/byte-source.ts';
import { isShownReference } from '../../views/references.ts';
import type { TableView } from '../../views/values/table-view.ts';

/**
 * So many cells of a file are compared. The process that compares two such files, of random doubles, has 330 MB in memory and takes 2 seconds
 * where they have ten columns, and 630 MB and 7 seconds where they have one: each row counts beside its cells.
 */
const MAX_CELLS = 1_000_000;

/**
 * The table of a data frame, or of another Parquet file, that lies in the store; why it is not read, where it is too large; `undefined` of any
 * other value. Times and decimals are the texts that say them exactly.
 *
 * @throws StowageError as `parquetPage`, and what reading the file throws
 */
export async function parquetTable(
  value: unknown,
  { maxBytes, signal }: { maxBytes: number } & CallOptions,
): Promise<TableView | string | undefined> {
  const source = await parquetSource(value, { signal });
  if (!source) return undefined;
  if (source.size > maxBytes)
    return `not compared: ${formatBytes(source.size)} are more than --max-bytes ${formatBytes(maxBytes)}`;
  const { parquetPage } = await import('../../views/previews/parquet-page.ts');
  const { columns, totalColumns = 0, total } = await parquetPage(source, { offset: 0, limit: 0 }, { signal });
  if (totalColumns > columns.length)
    return `not compared: ${formatCount(totalColumns)} columns are more than ${formatCount(columns.length)}`;
  if (total * totalColumns > MAX_CELLS)
    return `not compared: ${formatCount(total)} rows of ${formatCount(totalColumns)} columns have more than ${formatCount(MAX_CELLS)} cells`;
  const { rows } = await parquetPage(source, { offset: 0, limit: total }, { signal });
  return {
    names: columns.map(({ name }) => name),
    hasNames: true,
    rows: [...rows],
    types: new Map(columns.flatMap(({ name, type }) => (type === undefined ? [] : [[name, type]]))),
  };
}

/** The bytes of a reference that is Parquet, by its first ones. What lies outside of the store is not asked for. */
async function parquetSource(value: unknown, options: CallOptions): Promise<ByteSource | undefined> {
  if (!isShownReference(value) || value instanceof DirectoryRef) return undefined;
  const file = value instanceof FileRef ? value : value.file;
  if (file.uri !== undefined || file.size === undefined) return undefined;
  const source = fileSource(file as FileRef & { size: number });
  const head = await source.read({ offset: 0, length: Math.min(source.size, SNIFFED_BYTES) }, options);
  const isParquet = mediaTypeOf(head, source.name, source.mediaType) === 'application/vnd.apache.parquet';
  return isParquet ? source : undefined;
}
