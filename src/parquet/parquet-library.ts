import type * as Reader from 'hyparquet';
import type * as Writer from 'hyparquet-writer';
import { StowageError } from '../errors.ts';

export type { FileMetaData, RowGroup, SchemaElement, SchemaTree } from 'hyparquet';

/** The library that reads Parquet. */
export type ParquetReader = typeof Reader;
/** The library that writes Parquet. */
export type ParquetWriter = typeof Writer;

/**
 * The library that reads Parquet, once it is needed.
 *
 * @throws StowageError `CODEC_UNAVAILABLE` where it is not installed
 */
export function loadReader(load: () => Promise<unknown> = () => import('hyparquet')): Promise<ParquetReader> {
  return loadLibrary<ParquetReader>('Data frames cannot be read', ['hyparquet'], load);
}

/**
 * The library that writes Parquet, once it is needed.
 *
 * @throws StowageError `CODEC_UNAVAILABLE` where it is not installed
 */
export function loadWriter(
  load: () => Promise<unknown> = () => import('hyparquet-writer'),
): Promise<ParquetWriter> {
  return loadLibrary<ParquetWriter>('Data frames cannot be written', ['hyparquet', 'hyparquet-writer'], load);
}

async function loadLibrary<T>(what: string, packages: string[], load: () => Promise<unknown>): Promise<T> {
  try {
    return (await load()) as T;
  } catch (cause) {
    throw new StowageError(
      'CODEC_UNAVAILABLE',
      `${what}: the package ${packages.at(-1)} cannot be loaded. Install it: \`npm install ${packages.join(' ')}\`.`,
      { details: { packages }, cause },
    );
  }
}
