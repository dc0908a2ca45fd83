import type { CallOptions } from '../async/call-options.ts';

/** What a column is compared with. Decimals are compared with text, exactly. */
export type FilterValue = string | number | bigint | boolean | Date | null;

/** What holds of the value of a column, all of it. Nothing but `eq: null` holds of null, and nothing but `ne` of NaN. */
export interface FilterConditions {
  readonly eq?: FilterValue | undefined;
  readonly ne?: FilterValue | undefined;
  readonly gt?: FilterValue | undefined;
  readonly gte?: FilterValue | undefined;
  readonly lt?: FilterValue | undefined;
  readonly lte?: FilterValue | undefined;
  /** One of these. */
  readonly in?: readonly FilterValue[] | undefined;
}

/** Conditions by the names of columns, which hold of each row that is read; a value stands for `{ eq: value }`. */
export interface FrameFilter {
  readonly [column: string]: FilterValue | FilterConditions;
}

/** Which rows and columns of a data frame are read. */
export interface ScanOptions extends CallOptions {
  /** Default: all. Only the bytes of these are fetched, and of those that the filter names. */
  columns?: readonly string[] | undefined;
  /** Default: every row. Row groups whose statistics show that no row matches are not fetched. */
  filter?: FrameFilter | undefined;
  /** So many of the rows that match, at most. Default: all. */
  limit?: number | undefined;
  /** So many of the rows that match are left out first. Default 0. */
  offset?: number | undefined;
  /** What the values of one row group may take in memory, in bytes; more is `CONTENT_TOO_LARGE`. Default: 512 MiB. */
  maxGroupBytes?: number | undefined;
}

/** What the footer of a data frame tells of a column, without its values; absent where the file does not tell. */
export interface ColumnStatistics {
  /** How many values are null. */
  readonly nulls?: number | undefined;
  /** No value is less. Of long texts a part stands for the whole. */
  readonly min?: unknown;
  /** No value is greater. */
  readonly max?: unknown;
}
