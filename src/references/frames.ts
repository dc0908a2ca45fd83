import { pathToFileURL } from 'node:url';
import { invalidArgument, isInstance } from '../errors.ts';
import {
  ANYTHING,
  checkOptions,
  FLAG,
  type OptionTable,
  oneOf,
  PROGRESS_OPTIONS,
  wholeNumber,
} from '../options/option-table.ts';
import type { FrameSpec } from '../parquet/frame-columns.ts';
import type { FrameData } from '../parquet/given-rows.ts';
import { parquetParts } from '../parquet/load-parts.ts';
import type { FrameRow } from '../parquet/row-values.ts';
import { isArrowTable } from '../values/arrow-table.ts';
import { Refusal } from '../values/faults.ts';
import { arrowLibrary, DataFrameRef, parquetSource } from './data-frame-ref.ts';
import { FileRef } from './file-ref.ts';
import type { Files, ReferenceOptions, SaveFileOptions } from './files.ts';
import { localPath } from './uris.ts';

/** Options of saving a data frame. */
export interface SaveFrameOptions extends Omit<SaveFileOptions, 'mediaType' | 'compression'> {
  /** Rows of a row group, at most; fewer where their values take 32 MiB. A read skips row groups, and has one in memory. Default: 65,536. */
  rowGroupRows?: number | undefined;
  /**
   * The compression within the Parquet file. Default: `none`, so that the store compresses it, and stores what edited frames have in common
   * once; `snappy` of a plain file, which the store leaves as it is.
   */
  codec?: 'none' | 'snappy' | undefined;
}

/** Options of saving rows or columns as a data frame. */
export interface SaveRowsOptions extends SaveFrameOptions {
  /** The types of the columns. Default: those of the values; of rows that are streamed, of the first 10,000. */
  schema?: FrameSpec | undefined;
}

/** Options of a reference to a Parquet file. */
export interface ReferenceFrameOptions extends Omit<ReferenceOptions, 'mediaType'> {
  /** `true` copies the file to the store. Default `false`: it stays where it is. */
  copy?: boolean | undefined;
}

const MEDIA_TYPE = 'application/vnd.apache.parquet';
const DEFAULT_NAME = 'data.parquet';
const DEFAULT_GROUP_ROWS = 65_536;
const MAX_GROUP_ROWS = 2 ** 24;

const FILE_OPTIONS = { name: ANYTHING, digest: ANYTHING, rawDataPath: ANYTHING, plain: FLAG } as const;
const SAVE_OPTIONS: OptionTable<SaveFrameOptions> = {
  ...FILE_OPTIONS,
  ...PROGRESS_OPTIONS,
  rowGroupRows: wholeNumber(1, MAX_GROUP_ROWS),
  codec: oneOf('none', 'snappy'),
};
const ROWS_OPTIONS: OptionTable<SaveRowsOptions> = { ...SAVE_OPTIONS, schema: ANYTHING };
const LOCAL_OPTIONS = { ...FILE_OPTIONS, ...PROGRESS_OPTIONS } as const;

/**
 * Makes references to data frames. Outside a task what is saved is kept until its session is released; in a task as long as artifacts refer
 * to it. Writing needs the packages `hyparquet` and `hyparquet-writer` (`CODEC_UNAVAILABLE` else).
 */
export class Frames {
  readonly #files: Files;

  /** @internal */
  constructor(files: Files) {
    this.#files = files;
  }

  /**
   * Saves rows: an array of objects, or an iterable of them, which may be asynchronous and endless in size: a row group of them is in memory
   * at once. Equal rows make equal bytes. Without a `schema` numbers are `float64`, bigints `int64`, dates timestamps, arrays lists, plain
   * objects structs, and `Map`s maps; `undefined` and missing members are null.
   *
   * @throws StowageError `UNSUPPORTED_COLUMN` for values of no type, of several in a column, or that do not fit the schema, with the column;
   * then nothing is left behind. `INVALID_ARGUMENT`, `INVALID_NAME`; what the rows throw
   */
  async fromRows<Row extends object = FrameRow>(
    rows: Iterable<Row> | AsyncIterable<Row>,
    options: SaveRowsOptions = {},
  ): Promise<DataFrameRef> {
    checkOptions<SaveRowsOptions>(options, 'frames.fromRows', ROWS_OPTIONS);
    const { givenRows, loadWriter } = await parquetParts();
    await loadWriter();
    const given = rows as Iterable<FrameRow> | AsyncIterable<FrameRow>;
    return this.#save(await givenRows(given, options.schema), options);
  }

  /**
   * Saves columns: arrays of one length by the names of the columns. Arrays of numbers keep their type, such as `Float32Array`; the types of
   * others are those of their values. Throws as {@link fromRows}.
   */
  async fromColumns(
    columns: Readonly<Record<string, ArrayLike<unknown>>>,
    options: SaveRowsOptions = {},
  ): Promise<DataFrameRef> {
    checkOptions<SaveRowsOptions>(options, 'frames.fromColumns', ROWS_OPTIONS);
    const { givenColumns, loadWriter } = await parquetParts();
    await loadWriter();
    return this.#save(givenColumns(columns, options.schema), options);
  }

  /**
   * Saves an Arrow table (`apache-arrow` is needed): dictionaries as their values, lists of a fixed length as lists, large types as the others;
   * metadata is left out.
   *
   * @throws StowageError `UNSUPPORTED_COLUMN` for types that Parquet does not have; `INVALID_ARGUMENT` for what is no table
   */
  async fromArrow(table: object, options: SaveFrameOptions = {}): Promise<DataFrameRef> {
    checkOptions<SaveFrameOptions>(options, 'frames.fromArrow', SAVE_OPTIONS);
    if (!isArrowTable(table)) throw invalidArgument('frames.fromArrow takes an Apache Arrow table.');
    const { arrowRows, loadWriter } = await parquetParts();
    await loadWriter();
    const library = await arrowLibrary();
    return this.#save(
      arrowData(() => arrowRows(table, library)),
      options,
    );
  }

  /**
   * Saves a Parquet file of this machine, once its footer was checked.
   *
   * @throws StowageError `INVALID_PARQUET` for another file, of which nothing is saved; and as `files.fromLocal`
   */
  async fromLocal(
    path: string | URL,
    options: Omit<SaveFrameOptions, 'rowGroupRows' | 'codec'> = {},
  ): Promise<DataFrameRef> {
    checkOptions<Omit<SaveFrameOptions, 'rowGroupRows' | 'codec'>>(
      options,
      'frames.fromLocal',
      LOCAL_OPTIONS,
    );
    const { signal } = options;
    const local = localPath(path, 'frames.fromLocal takes a Parquet file');
    await checkFile(await this.#files.existing(pathToFileURL(local), { signal }), options);
    return new DataFrameRef(await this.#files.fromLocal(local, { mediaType: MEDIA_TYPE, ...options }));
  }

  /**
   * References a Parquet file where it is: a file that is referenced already, `http:`, `https:`, a path of this machine, or a scheme that
   * `openStorage` knows. Its footer is checked. Nothing is copied, unless `copy` says so.
   *
   * @throws StowageError `INVALID_PARQUET` for another file; and as `files.existing`
   */
  async existing(file: FileRef | string | URL, options: ReferenceFrameOptions = {}): Promise<DataFrameRef> {
    checkOptions<ReferenceFrameOptions>(options, 'frames.existing', {
      name: ANYTHING,
      digest: ANYTHING,
      copy: FLAG,
    });
    const { copy = false, ...referring } = options;
    const { signal, name, digest } = referring;
    if (isInstance(file, FileRef) && !copy && (name !== undefined || digest !== undefined))
      throw invalidArgument(
        'A file that is referenced has its name and digest already; give none, or copy it.',
      );
    const given = isInstance(file, FileRef)
      ? file
      : await this.#files.existing(file, { mediaType: MEDIA_TYPE, ...referring });
    await checkFile(given, { signal });
    if (!copy) return new DataFrameRef(given);
    const copying = { signal, mediaType: MEDIA_TYPE, digest };
    return new DataFrameRef(await this.#files.fromData(name ?? given.name, given.open({ signal }), copying));
  }

  /**
   * References what is, or will be, at an address, without a look at it. Whether it is Parquet its reader finds out. Throws as
   * `files.remote`.
   */
  async remote(
    address: string | URL,
    options: Omit<ReferenceFrameOptions, 'copy'> = {},
  ): Promise<DataFrameRef> {
    checkOptions<Omit<ReferenceFrameOptions, 'copy'>>(options, 'frames.remote', {
      name: ANYTHING,
      digest: ANYTHING,
    });
    return new DataFrameRef(await this.#files.remote(address, { mediaType: MEDIA_TYPE, ...options }));
  }

  async #save({ columns, batches }: FrameData, options: SaveRowsOptions): Promise<DataFrameRef> {
    const { schema: _, rowGroupRows = DEFAULT_GROUP_ROWS, name = DEFAULT_NAME, codec, ...saving } = options;
    const compression = codec ?? (saving.plain ? 'snappy' : 'none');
    const { signal } = saving;
    const { writeParquet } = await parquetParts();
    const bytes = writeParquet(columns, batches, { compression, rowGroupRows }, { signal });
    return new DataFrameRef(await this.#files.fromData(name, bytes, { ...saving, mediaType: MEDIA_TYPE }));
  }
}

async function checkFile(file: FileRef, { signal }: { signal?: AbortSignal | undefined }): Promise<void> {
  const { checkParquet } = await parquetParts();
  await checkParquet(parquetSource(file), { signal });
}

function arrowData(make: () => FrameData): FrameData {
  try {
    return make();
  } catch (error) {
    if (!isInstance(error, Refusal)) throw error;
    throw invalidArgument(`frames.fromArrow cannot save ${error.what}. ${error.remedy}`);
  }
}
