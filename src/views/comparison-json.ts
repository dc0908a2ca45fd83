import type { ArtifactView } from './attempts.ts';
import type { RunView } from './runs.ts';

/** Two runs, steps or tasks, and their differences: the document of `stowage diff --json`. */
export interface ComparisonJson {
  /** Their paths. */
  a: string;
  b: string;
  kind: 'runs' | 'steps' | 'tasks';
  different: boolean;
  /** Of runs: the changes of their records. */
  run?: ChangesJson;
  /** The number of tasks that are the same, of runs and steps. */
  same?: number;
  /** Those that differ. */
  tasks: TaskDiffJson[];
  /** The number of other tasks that differ; absent where there are none. */
  more?: number;
}

/** Two runs by their own records: the document of `stowage diff --brief --json`. */
export interface BriefComparisonJson {
  a: string;
  b: string;
  kind: 'runs';
  runs: { a: RunView; b: RunView };
  /** The changes of their records. */
  run: ChangesJson;
}

export type ChangeKind = 'added' | 'removed' | 'changed';

/** The first changes, and how many there are. */
export interface ChangesJson {
  total: number;
  changes: ChangeJson[];
}

/** The change of a part of a value: `a` before, `b` now, or the texts of these, where they are long or JSON has no word for them. */
export interface ChangeJson {
  path: string;
  change: ChangeKind;
  a?: unknown;
  b?: unknown;
  aText?: string;
  bText?: string;
  note?: string;
}

/** The difference of two attempts, of which one may be absent. */
export interface TaskDiffJson {
  a?: SideJson;
  b?: SideJson;
  change: ChangeKind;
  /** The number of artifacts that are the same. */
  same: number;
  artifacts: ArtifactDiffJson[];
  metadata: ChangesJson;
  /** Names and messages of the errors that ended both. */
  error: ChangesJson;
}

export interface SideJson {
  path: string;
  status: string;
}

export interface ArtifactDiffJson {
  name: string;
  change: ChangeKind;
  a?: ArtifactView;
  b?: ArtifactView;
  /** Where the values were looked at. */
  how?: HowJson;
}

/** How two values differ; `text` is what people are told. */
export type HowJson = { text: string } & (
  | ({ kind: 'table' } & TableDiff & ChangesJson)
  | ({ kind: 'text' } & TextDiff)
  | ({ kind: 'numbers'; types: readonly [string, string] } & NumberDiff & ChangesJson)
  | ({ kind: 'bytes' } & ByteDiff)
  | ({ kind: 'parts' } & ChangesJson)
  | { kind: 'unread'; reason: string }
);

/** The difference of a column, in rows that both tables have. */
export interface ColumnDiff {
  name: string;
  /** The number of rows in which it differs. */
  differ: number;
  /** The largest difference, if all of these cells are numbers. */
  maxDifference?: number;
}

/** The difference of two tables. */
export interface TableDiff {
  /** The numbers of rows before and now. */
  a: number;
  b: number;
  /** The way in which rows were matched: by a column that tells them apart, by their order, or by their number. Absent if they were not. */
  matchedBy?: 'key' | 'order' | 'number';
  key?: string;
  /** Counts of rows; absent where rows were not matched. */
  added?: number;
  removed?: number;
  changed?: number;
  /** Rows that were matched by a key have another order. */
  reordered?: true;
  /** The number of rows that both have, in any order, if they were not matched. */
  common?: number;
  columnsAdded: string[];
  columnsRemoved: string[];
  /** Columns whose declared type is another. */
  retyped: { name: string; a: string; b: string }[];
  /** Columns with cells that differ, those with the most first. */
  columns: ColumnDiff[];
  /** The first rows that differ; absent where rows were not matched. */
  sideBySide?: SideBySide;
}

/** The first rows that differ, those of both tables beside each other, as texts. */
export interface SideBySide {
  /** The key, the columns that differ in most rows, and others where there is room; in the order that the table has. */
  columns: string[];
  /** The number of other columns that differ; absent where there are none. */
  moreColumns?: number;
  rows: RowPair[];
}

/** A row that differs, by its numbers in the tables from 0 on: of `a`, unless it was added; of `b`, unless it was removed. */
export interface RowNumbers {
  change: 'added' | 'removed' | 'changed';
  a?: number;
  b?: number;
}

export interface RowPair extends RowNumbers {
  /** For each column the text of the cell, or, where the two differ, the texts of both. */
  cells: string[][];
}

/** The difference of two texts, line by line. */
export interface TextDiff {
  /** The numbers of lines before and now. */
  a: number;
  b: number;
  /** The numbers of lines added and removed; absent if the texts are too different to tell. */
  added?: number;
  removed?: number;
  /** The first changes with the lines around them, as `diff -u` has them; lines are numbered from 1. */
  hunks: { a: number; b: number; lines: string[] }[];
  /** The number of lines that both have, in any order, if they are too different. */
  common?: number;
}

/** The difference of two lists of numbers. */
export interface NumberDiff {
  /** The numbers of elements before and now. */
  a: number;
  b: number;
  /** For lists of one length: the number of elements that differ, the first of them, and the largest difference. */
  differ?: number;
  first?: number;
  /** Absent where it is no finite number. */
  maxDifference?: number;
  /** For others: the numbers of elements at the beginning and at the end that are the same. */
  sameHead?: number;
  sameTail?: number;
}

/** The difference of bytes. */
export interface ByteDiff {
  /** Lengths. */
  a: number;
  b: number;
  /** Offset of the first byte that differs, or that only one of them has. */
  first: number;
  /** The number of bytes that differ, of those that both have. */
  differ: number;
}
