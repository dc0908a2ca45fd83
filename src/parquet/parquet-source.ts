import type { CallOptions } from '../async/call-options.ts';

/** A Parquet file, wherever it lies. */
export interface ParquetSource {
  /** The file as an error names it: `File "x.parquet"`. */
  readonly shown: string;
  /** Its length in bytes. */
  size(options: CallOptions): Promise<number>;
  /** These bytes, all of them: they begin at `offset`, and lie within the file. */
  read(range: { offset: number; length: number }, options: CallOptions): Promise<Uint8Array>;
}
