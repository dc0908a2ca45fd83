import type { CallOptions } from '../async/call-options.ts';
import { StowageError } from '../errors.ts';
import { invalidParquet, readingParquet } from './parquet-errors.ts';
import { type FileMetaData, loadReader, type ParquetReader, type RowGroup } from './parquet-library.ts';
import { checkTree, type Leaf, type ParquetColumn, parquetColumns, storedSchema } from './parquet-schema.ts';
import type { ParquetSource } from './parquet-source.ts';
import { Malformed, ThriftReader } from './thrift.ts';

/** What the footer of a Parquet file tells, checked. */
export interface Footer {
  readonly library: ParquetReader;
  readonly source: ParquetSource;
  /** Bytes of the file. */
  readonly size: number;
  readonly rows: number;
  readonly columns: readonly ParquetColumn[];
  /** By its own schema values are read as they are stored. */
  readonly metadata: FileMetaData;
  readonly groups: readonly Group[];
}

/** A row group. */
export interface Group {
  readonly rows: number;
  readonly rowGroup: RowGroup;
  /** By the place of the leaf in the schema. */
  readonly chunks: readonly Chunk[];
}

/** The part of a file that holds one leaf of a row group. */
export interface Chunk {
  readonly leaf: Leaf;
  readonly codec: string;
  readonly offset: number;
  readonly length: number;
  readonly values: number;
  readonly rawBytes: number;
  readonly statistics: ChunkStatistics;
}

/** Bounds on the values of a chunk, as they are stored; absent where the file does not tell. */
export interface ChunkStatistics {
  readonly nulls?: number | undefined;
  readonly min?: unknown;
  readonly max?: unknown;
}

const MAGIC = 'PAR1';
/** Fetched with the first request: the footers of most files. */
const FIRST_BYTES = 64 * 1024;
const TAIL_BYTES = 8;
/** Those of 10,000 columns in ten row groups take 20 MB. */
const MAX_FOOTER_BYTES = 64 * 1024 * 1024;

/**
 * Reads the footer of a Parquet file: one request, two where it is long. Everything that is said there of places and lengths is checked
 * before anything is read or allocated by it.
 *
 * @throws StowageError `INVALID_PARQUET` for what is no Parquet; `CODEC_UNAVAILABLE`
 */
export async function readFooter(source: ParquetSource, options: CallOptions): Promise<Footer> {
  const library = await loadReader();
  const size = await source.size(options);
  const bytes = await footerBytes(source, size, options);
  return readingParquet(source.shown, () => {
    new ThriftReader(bytes, 0, bytes.length - TAIL_BYTES).skipStruct();
    const metadata = library.parquetMetadata(bytes, { geoparquet: false, parsers: STORED });
    return checkFooter(library, source, size, metadata);
  });
}

/**
 * Checks that a file is Parquet: its first bytes, and its footer.
 *
 * @throws StowageError `INVALID_PARQUET`
 */
export async function checkParquet(source: ParquetSource, options: CallOptions): Promise<Footer> {
  const footer = await readFooter(source, options);
  const head = await source.read({ offset: 0, length: MAGIC.length }, options);
  if (textOf(head) !== MAGIC) throw invalidParquet(source.shown, 'it does not begin with PAR1');
  return footer;
}

/** The footer, its length, and `PAR1`. */
async function footerBytes(source: ParquetSource, size: number, options: CallOptions): Promise<Uint8Array> {
  const { shown } = source;
  if (size < MAGIC.length + TAIL_BYTES) throw invalidParquet(shown, `it has ${size} bytes only`);
  const first = Math.min(size, FIRST_BYTES);
  const end = await source.read({ offset: size - first, length: first }, options);
  const magic = textOf(end.subarray(-MAGIC.length));
  if (magic === 'PARE') throw invalidParquet(shown, 'it is encrypted, which is not supported');
  if (magic !== MAGIC) throw invalidParquet(shown, 'it does not end with PAR1');
  const length = new DataView(end.buffer, end.byteOffset).getUint32(end.length - TAIL_BYTES, true);
  const whole = length + TAIL_BYTES;
  if (whole > size - MAGIC.length)
    throw invalidParquet(shown, `its footer claims ${length} bytes, of ${size} in all`);
  if (length > MAX_FOOTER_BYTES)
    throw invalidParquet(
      shown,
      `its footer claims ${length} bytes, and at most ${MAX_FOOTER_BYTES} are read`,
    );
  if (whole <= first) return end.subarray(-whole);
  const rest = await source.read({ offset: size - whole, length: whole - first }, options);
  return Buffer.concat([rest, end]);
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

/** Statistics stay what is stored. */
const STORED = {
  timestampFromMilliseconds: (value: bigint) => value as never,
  timestampFromMicroseconds: (value: bigint) => value as never,
  timestampFromNanoseconds: (value: bigint) => value as never,
  dateFromDays: (value: number) => value as never,
  stringFromBytes: (bytes: Uint8Array) => bytes as never,
  uuidFromBytes: (bytes: Uint8Array | undefined) => bytes as never,
};

function checkFooter(
  library: ParquetReader,
  source: ParquetSource,
  size: number,
  read: FileMetaData,
): Footer {
  checkTree(read.schema);
  const columns = parquetColumns(library.parquetSchema(read));
  const metadata = { ...read, schema: storedSchema(read.schema) };
  const leaves = columns.flatMap((column) => column.leaves);
  const groups = metadata.row_groups.map((rowGroup) => checkGroup(rowGroup, leaves, size));
  const rows = count(metadata.num_rows, 'rows');
  const sum = groups.reduce((total, group) => total + group.rows, 0);
  if (sum !== rows) throw new Malformed(`it claims ${rows} rows, and its row groups ${sum}`);
  return { library, source, size, rows, columns, metadata, groups };
}

function checkGroup(rowGroup: RowGroup, leaves: readonly Leaf[], size: number): Group {
  const rows = count(rowGroup.num_rows, 'rows of a group');
  const { columns } = rowGroup;
  if (columns.length !== leaves.length)
    throw new Malformed(`a row group has ${columns.length} columns, and the schema ${leaves.length}`);
  const chunks = leaves.map((leaf, index): Chunk => {
    const { meta_data: meta, file_path: elsewhere } = columns[index] as RowGroup['columns'][number];
    const name = leaf.path.join('.');
    if (elsewhere) throw new Malformed(`column "${name}" lies in another file`);
    if (!meta) throw new Malformed(`column "${name}" is encrypted, or has no description`);
    if (meta.path_in_schema.join('\0') !== leaf.path.join('\0') || meta.type !== leaf.element.type)
      throw new Malformed(`a row group describes another column in place of "${name}"`);
    const data = count(meta.data_page_offset, 'an offset');
    const dictionary = count(meta.dictionary_page_offset ?? 0n, 'an offset');
    const offset = dictionary > 0 ? Math.min(dictionary, data) : data;
    const length = count(meta.total_compressed_size, 'a length');
    const values = count(meta.num_values, 'values');
    if (offset < MAGIC.length || offset + length > size)
      throw new Malformed(`column "${name}" is said to lie beyond the end of the file`);
    if (leaf.maxRepetition === 0 && values !== rows)
      throw new Malformed(`column "${name}" has ${values} values in a group of ${rows} rows`);
    const rawBytes = count(meta.total_uncompressed_size, 'a length');
    const { min_value: min, max_value: max, null_count: nulls } = meta.statistics ?? {};
    const statistics = { min, max, nulls: nulls === undefined ? undefined : Number(nulls) };
    return { leaf, codec: String(meta.codec), offset, length, values, rawBytes, statistics };
  });
  return { rows, rowGroup, chunks };
}

function count(value: bigint | number | undefined, what: string): number {
  const number = Number(value);
  if (value === undefined || !Number.isSafeInteger(number) || number < 0)
    throw new Malformed(`it claims ${String(value)} as ${what}`);
  return number;
}

/** `CONTENT_TOO_LARGE`: what would take more memory than the reader may have. */
export function tooLargeGroup(shown: string, bytes: number, most: number): StowageError {
  return new StowageError(
    'CONTENT_TOO_LARGE',
    `${shown} has a row group that takes ${bytes} bytes or more in memory, and at most ${most} are read at once. Read fewer columns, or raise \`maxGroupBytes\`.`,
    { details: { file: shown, bytes, most } },
  );
}
