import type { ArtifactView } from '../../../views/attempts.ts';
import type { RunView } from '../../../views/runs.ts';

/** The answer of `stowage diff --json`, as docs/cli.md tells it. */
export interface Comparison {
  a: string;
  b: string;
  kind: 'runs' | 'steps' | 'tasks';
  different: boolean;
  run?: Changes;
  same?: number;
  tasks: TaskDiff[];
  /** The number of other tasks that differ. */
  more?: number;
}

/** The answer of `stowage diff --brief --json`. */
export interface BriefComparison {
  a: string;
  b: string;
  kind: 'runs';
  runs: { a: RunView; b: RunView };
  run: Changes;
}

export interface Changes {
  total: number;
  changes: Change[];
}

export interface Change {
  path: string;
  change: ChangeKind;
  a?: unknown;
  b?: unknown;
  aText?: string;
  bText?: string;
  note?: string;
}

export type ChangeKind = 'added' | 'removed' | 'changed';

export interface TaskDiff {
  a?: { path: string; status: string };
  b?: { path: string; status: string };
  change: ChangeKind;
  same: number;
  artifacts: ArtifactDiff[];
  metadata: Changes;
}

export interface ArtifactDiff {
  name: string;
  change: ChangeKind;
  a?: ArtifactView;
  b?: ArtifactView;
  how?: How;
}

/** How two values differ; `text` is what people are told. */
export type How = { text: string } & (
  | TableHow
  | TextHow
  | ({ kind: 'numbers'; a: number; b: number; differ?: number; maxDifference?: number } & Changes)
  | { kind: 'bytes'; a: number; b: number; differ: number }
  | ({ kind: 'parts' } & Changes)
  | { kind: 'unread'; reason: string }
);

export interface TableHow extends Changes {
  kind: 'table';
  a: number;
  b: number;
  added?: number;
  removed?: number;
  changed?: number;
  reordered?: true;
  common?: number;
  columnsAdded: string[];
  columnsRemoved: string[];
  retyped: { name: string; a: string; b: string }[];
  columns: { name: string; differ: number; maxDifference?: number }[];
  key?: string;
  sideBySide?: SideBySide;
}

export interface SideBySide {
  columns: string[];
  moreColumns?: number;
  rows: { change: ChangeKind; a?: number; b?: number; cells: string[][] }[];
}

export interface TextHow {
  kind: 'text';
  a: number;
  b: number;
  added?: number;
  removed?: number;
  common?: number;
  hunks: { a: number; b: number; lines: string[] }[];
}
