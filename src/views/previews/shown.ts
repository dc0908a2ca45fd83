import type { ReferenceView } from '../references.ts';

/**
 * A value as far as it is shown. `null`, booleans, text and numbers that JSON can write are themselves. Whatever else there is, objects and
 * lists too, is a node, so that nothing of the value can be taken for a mark of what was cut.
 */
export type ShownValue = null | boolean | number | string | ShownNode;

/** A part of a value that is no plain scalar. Where `total` is more than what follows it, the rest was cut. */
export type ShownNode =
  /** Members by name. `type` is the name of its class, of anything but a plain object. */
  | { is: 'object'; type?: string; total: number; members: [name: string, value: ShownValue][] }
  /** An array, a `Set`, a typed array: `type` tells. */
  | { is: 'list'; type: string; total: number; items: ShownValue[] }
  | { is: 'map'; total: number; entries: [key: ShownValue, value: ShownValue][] }
  /** Text that was cut, of `total` UTF-16 code units. */
  | { is: 'text'; total: number; text: string }
  /** The first of `total` bytes. */
  | { is: 'bytes'; total: number; base64: string }
  /** A scalar that JSON has no word for, as text: a `bigint`, `NaN`, `-0`, a `Date`, `URL`, `RegExp`, `undefined`, a hole of an array. */
  | { is: 'scalar'; type: string; text: string }
  /** A file, directory or data frame that the value refers to. */
  | { is: 'reference'; type: string; reference: ReferenceView };

/** A number; as text where it is an integer that a double does not hold, or one that JSON has no word for: `NaN`, `Infinity`, `-Infinity`. */
export type ExactNumber = number | string;

/** What is told of many numbers. NaN and infinities are counted, and are part of nothing else. */
export interface NumbersSummary {
  count: number;
  /** `int8`, `uint8`, ..., `int64`, `uint64`, `float16`, `float32`, `float64`; `number` of an array of numbers. */
  dtype: string;
  /** The first numbers, at most 100. */
  first: ExactNumber[];
  nans: number;
  infinities: number;
  /** `null` where no number is finite, as is the mean. */
  min: ExactNumber | null;
  max: ExactNumber | null;
  mean: number | null;
  /**
   * At most 40 bins of one width: the least power of two that makes so few of them, for whole numbers, and for those
   * that are all equal, 1 or more. Bin `i` counts numbers from
   * `edges[i]` up to, and without, `edges[i + 1]`. There is one edge more than bins; there are no bins where no number is finite.
   */
  histogram: { edges: number[]; counts: number[] };
  /**
   * The numbers in their order, in at most 1,000 buckets of `step` numbers each: bucket `i` begins with number `x[i]`, and lies between
   * `low[i]` and `high[i]`, which are `null` where none of it is finite.
   */
  line: { step: number; x: number[]; low: (number | null)[]; high: (number | null)[] };
}

/** A page of rows. */
export interface TablePage {
  /** The first columns, at most 100. `type` is the type that the table declares, where it does. */
  columns: { name: string; type?: string }[];
  /** The number of all columns. */
  totalColumns: number;
  /** False where the columns have no names but their numbers. */
  hasNames: boolean;
  /** A cell for each column. */
  rows: ShownValue[][];
  /** The number of the first row, from 0 on. */
  offset: number;
  /** The number of all rows. */
  total: number;
}

/** A page of the files of a directory, by their paths below it. */
export interface DirectoryPage {
  entries: { path: string; bytes: number }[];
  offset: number;
  total: number;
}

/** What is shown of an artifact, by its kind. */
export type PreviewOfKind =
  | { kind: 'json'; value: ShownValue }
  | { kind: 'text' | 'markdown'; text: string }
  /** Shown by what reads the bytes themselves. */
  | { kind: 'image' | 'audio' | 'video'; mediaType: string }
  | { kind: 'numbers'; numbers: NumbersSummary }
  | { kind: 'table'; table: TablePage }
  | { kind: 'directory'; directory: DirectoryPage }
  /** Bytes that nothing here shows: the first of them. */
  | { kind: 'bytes'; base64: string }
  /** A file that lies outside of the store, which is not asked there to show it. */
  | { kind: 'elsewhere' }
  /** Too large to be shown, for the reason that `note` tells. */
  | { kind: 'unshown'; note: string };

/** What is shown of an artifact: bounded, whatever its size. */
export type Preview = PreviewOfKind & {
  /** `<flow>/<run>/<step>/<task>/<attempt>` */
  path: string;
  name: string;
  type: string;
  /** The file that is shown, of a directory. */
  entry?: string;
  /** The length of what is shown: of the file, where the artifact refers to one; of its serialized bytes else. */
  bytes: number;
  /** The key of the artifact. */
  key: string;
  /** By the first bytes and the name of what is shown. */
  mediaType?: string;
  /** What the artifact says of the file or directory that it refers to. */
  reference?: ReferenceView;
  /** False where a part of it is not here: rows of another page, text beyond the bound, members that were cut. */
  isWhole: boolean;
};

/** The parts of an artifact that are asked for. */
export interface PreviewChoice {
  /** Of a table, the number of the first row; of a directory, of the first file. */
  offset: number;
  /** So many rows or files, at most. */
  limit: number;
  /** A file of a directory, by its path. */
  entry?: string | undefined;
}
