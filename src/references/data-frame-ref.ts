import { inspect } from 'node:util';
import { isInstance, StowageError } from '../errors.ts';
import type { JsonValue } from '../format/json-value.ts';
import type { SessionId } from '../format/session-id.ts';
import { ANYTHING, checkOptions, NAMES, type OptionTable, wholeNumber } from '../options/option-table.ts';
import type { Footer } from '../parquet/footer.ts';
import type { ColumnArray } from '../parquet/frame-arrays.ts';
import type { FrameColumn } from '../parquet/frame-columns.ts';
import { parquetParts } from '../parquet/load-parts.ts';
import type { ParquetSource } from '../parquet/parquet-source.ts';
import type { Rows } from '../parquet/row-groups.ts';
import type { FrameRow } from '../parquet/row-values.ts';
import type { Scan } from '../parquet/scan.ts';
import type { ColumnStatistics, ScanOptions } from '../parquet/scan-options.ts';
import type { CallOptions } from '../storage/contract.ts';
import { type ArrowLibrary, loadArrow } from '../values/arrow-library.ts';
import { CACHE_DIGEST, type CacheDigest } from '../values/cache-digest.ts';
import { Unavailable } from '../values/faults.ts';
import { REFERENCE, type ReferenceForm, type Referring } from '../values/reference.ts';
import { notFound } from './errors.ts';
import type { FileRef } from './file-ref.ts';

const READ_OPTIONS: OptionTable<ScanOptions> = {
  columns: NAMES,
  filter: ANYTHING,
  limit: wholeNumber(0),
  offset: wholeNumber(0),
  maxGroupBytes: wholeNumber(1),
};

/**
 * A data frame as a value: a Parquet file, of which only those bytes are read that a read asks for. It is saved, nested in other values and
 * passed to tasks by its digest, as {@link FileRef} is.
 *
 * Reading needs the package `hyparquet` (`CODEC_UNAVAILABLE` else), and throws `INVALID_PARQUET` for a file that is none or that
 * contradicts itself, and what reading the file throws.
 */
export class DataFrameRef {
  readonly kind = 'frame';
  /** The Parquet file. */
  readonly file: FileRef;
  #footer: Footer | undefined;

  static {
    // By symbols that are not JavaScript's own, which no declaration file can name.
    const methods = {
      [REFERENCE](this: DataFrameRef): ReferenceForm {
        const file = this.file as unknown as Referring;
        return { ...file[REFERENCE](), kind: this.kind, type: 'DataFrameRef' };
      },
      [CACHE_DIGEST](this: DataFrameRef): string {
        return `frame:${(this.file as unknown as CacheDigest)[CACHE_DIGEST]()}`;
      },
      [inspect.custom](this: DataFrameRef, _depth: number, options: object): string {
        return `DataFrameRef ${inspect(this.toJSON(), options)}`;
      },
    };
    for (const symbol of Object.getOwnPropertySymbols(methods))
      Object.defineProperty(DataFrameRef.prototype, symbol, {
        value: methods[symbol as keyof typeof methods],
      });
  }

  /** @internal */
  constructor(file: FileRef) {
    this.file = file;
    Object.freeze(this);
  }

  /** The name of the file. */
  get name(): string {
    return this.file.name;
  }

  /** The length of the file in bytes; `undefined` where nobody has told it yet. */
  get size(): number | undefined {
    return this.file.size;
  }

  /** The digest by which it counts in cache keys: that of the file. */
  get digest(): string {
    return this.file.digest;
  }

  /** The session that keeps its content, of one that was saved outside a task. */
  get session(): SessionId | undefined {
    return this.file.session;
  }

  /** Its columns, in their order. Reads the footer alone, once for each reference. */
  async schema(options: CallOptions = {}): Promise<FrameColumn[]> {
    checkOptions(options, 'schema', {});
    const { columns } = await this.#readFooter(options);
    return columns.map(({ column }) => column);
  }

  /** The number of its rows. Reads the footer alone. */
  async rowCount(options: CallOptions = {}): Promise<number> {
    checkOptions(options, 'rowCount', {});
    return (await this.#readFooter(options)).rows;
  }

  /** What the file tells of its columns, without their values. Reads the footer alone. */
  async statistics(options: CallOptions = {}): Promise<Record<string, ColumnStatistics>> {
    checkOptions(options, 'statistics', {});
    const { frameStatistics } = await parquetParts();
    return frameStatistics(await this.#readFooter(options));
  }

  /**
   * Reads rows, one after the other: objects of their values by the names of the columns. One row group is in memory, and the next one is
   * fetched meanwhile. Timestamps are dates to the millisecond; `arrow` keeps what is finer.
   *
   * @throws StowageError `INVALID_ARGUMENT` for a column that there is not; `UNSUPPORTED_COLUMN`; `CONTENT_TOO_LARGE` for a row group beyond
   * `maxGroupBytes`
   */
  async *rows<Row extends object = FrameRow>(options: ScanOptions = {}): AsyncGenerator<Row, void> {
    for await (const batch of this.#batches<Row>(options, 'rows')) yield* batch;
  }

  /** Reads rows by batches, one of each row group. Throws as {@link rows}. */
  async *batches<Row extends object = FrameRow>(options: ScanOptions = {}): AsyncGenerator<Row[], void> {
    yield* this.#batches<Row>(options, 'batches');
  }

  /**
   * Reads columns whole, into arrays by their names: of numbers of their type, where none can be null; else of what rows give. Throws as
   * {@link rows}.
   */
  async columns(options: ScanOptions = {}): Promise<Record<string, ColumnArray>> {
    const scan = await this.#plan(options, 'columns');
    const { ColumnJoiner } = await parquetParts();
    const joiner = new ColumnJoiner(scan.columns.map(({ column }) => column));
    for await (const rows of scan.rows(options)) joiner.add(rows);
    return joiner.joined();
  }

  /**
   * Reads an Arrow table, with a batch of each row group. Needs the package `apache-arrow`, whose `Table` it is. Throws as {@link rows}.
   */
  async arrow<Table = unknown>(options: ScanOptions = {}): Promise<Table> {
    const library = await arrowLibrary();
    const scan = await this.#plan(options, 'arrow');
    const { ArrowTableMaker } = await parquetParts();
    const maker = new ArrowTableMaker(
      library,
      scan.columns.map(({ column }) => column),
    );
    for await (const rows of scan.rows(options)) maker.add(rows);
    return maker.table() as Table;
  }

  /** What it says of the file, for people and other programs. */
  toJSON(): Record<string, JsonValue> {
    return { ...this.file.toJSON(), kind: this.kind };
  }

  async *#batches<Row extends object>(options: ScanOptions, call: string): AsyncGenerator<Row[], void> {
    const scan = await this.#plan(options, call);
    const { rowGiver } = await parquetParts();
    const givers = scan.columns.map(({ column }) => ({ name: column.name, give: rowGiver(column) }));
    for await (const rows of scan.rows(options)) yield rowsOf(rows, givers) as Row[];
  }

  async #plan(options: ScanOptions, call: string): Promise<Scan> {
    checkOptions<ScanOptions>(options, call, READ_OPTIONS);
    const { planScan } = await parquetParts();
    return planScan(await this.#readFooter(options), options);
  }

  async #readFooter({ signal }: CallOptions): Promise<Footer> {
    const { readFooter } = await parquetParts();
    this.#footer ??= await readFooter(parquetSource(this.file), { signal });
    return this.#footer;
  }
}

function rowsOf(
  { rows, columns }: Rows,
  givers: readonly { name: string; give: (value: unknown) => unknown }[],
): FrameRow[] {
  return Array.from({ length: rows }, (_, at) => {
    const row: FrameRow = {};
    for (const [index, { name, give }] of givers.entries()) row[name] = give(columns[index]?.[at]);
    return row;
  });
}

/** A file as the reader of Parquet asks for it. */
export function parquetSource(file: FileRef): ParquetSource {
  return {
    shown: `The file ${file.name}`,
    size: async ({ signal }) => {
      const size = file.size ?? (await file.stat({ signal }))?.size;
      if (size !== undefined) return size;
      if (!(await file.exists({ signal }))) throw notFound(file.uri ?? file.name);
      throw new StowageError(
        'REFERENCE_UNREADABLE',
        `The file ${file.name} cannot be read in parts: nobody tells its length. Download it, and save it by frames.fromLocal.`,
        { details: { name: file.name } },
      );
    },
    read: ({ offset, length }, { signal }) => file.range(offset, length, { signal, maxBytes: length }),
  };
}

/**
 * The library of Arrow tables, once it is needed.
 *
 * @throws StowageError `CODEC_UNAVAILABLE` where it is not installed
 */
export async function arrowLibrary(): Promise<ArrowLibrary> {
  try {
    return await loadArrow(() => import('apache-arrow'));
  } catch (error) {
    if (!isInstance(error, Unavailable)) throw error;
    throw new StowageError(
      'CODEC_UNAVAILABLE',
      `Data frames cannot be made Arrow tables, nor be made of them: ${error.message}. ${error.remedy}`,
      { details: { packages: ['apache-arrow'] }, cause: error.cause },
    );
  }
}
