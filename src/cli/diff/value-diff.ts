import type { ByteDiff, NumberDiff, TableDiff, TextDiff } from '../../views/comparison-json.ts';
import { type TableView, toTableView } from '../../views/values/table-view.ts';
import { bytesOf, isTypedArray, kindOf } from '../../views/values/value-kind.ts';
import { Changes, type PathChange } from './changes.ts';
import { byteDiffText, changedElements, diffBytes, diffNumbers, numberDiffText } from './number-diff.ts';
import { shortDifference, shortPair, shortValue } from './short-value.ts';
import { StructureDiff } from './structure-diff.ts';
import { diffTables, tableDiffText } from './table-diff.ts';
import { diffTexts, textDiffText } from './text-diff.ts';
import { ValueIds } from './value-ids.ts';

/** The difference of two values whose bytes differ. */
export type ValueDiff =
  | ({ kind: 'text' } & TextDiff)
  | ({ kind: 'bytes' } & ByteDiff)
  | ({ kind: 'numbers'; types: readonly [string, string] } & NumberDiff & ChangedParts)
  | ({ kind: 'table' } & TableDiff & ChangedParts)
  | ({ kind: 'parts' } & ChangedParts)
  /** The values were not compared, and why. */
  | { kind: 'unread'; reason: string };

/** The first changes by path, and how many there are. */
export interface ChangedParts {
  total: number;
  changes: readonly PathChange[];
}

/** Compares two values as people would look at them; keeps the first `limit` changes. */
export function diffValues(a: unknown, b: unknown, limit: number): ValueDiff {
  if (typeof a === 'string' && typeof b === 'string' && (isText(a) || isText(b))) {
    return { kind: 'text', ...diffTexts(a, b, limit) };
  }
  const [bytesOfA, bytesOfB] = [bytesOf(a), bytesOf(b)];
  if (bytesOfA && bytesOfB) return { kind: 'bytes', ...diffBytes(bytesOfA, bytesOfB) };
  if (isTypedArray(a) && isTypedArray(b)) {
    const elements = new Changes(limit);
    changedElements(a, b, elements);
    const types = [kindOf(a), kindOf(b)] as const;
    return { kind: 'numbers', types, ...diffNumbers(a, b), ...partsOf(elements) };
  }
  const [tableA, tableB] = [toTableView(a), toTableView(b)];
  const table = tableA && tableB && diffTableViews(tableA, tableB, limit);
  if (table) return table;
  const changes = new Changes(limit);
  new StructureDiff(changes, new ValueIds()).compare(a, b);
  return { kind: 'parts', ...partsOf(changes) };
}

/** Compares two tables; `undefined` where they have no column in common. */
export function diffTableViews(a: TableView, b: TableView, limit: number): ValueDiff | undefined {
  const changes = new Changes(limit);
  const table = diffTables(a, b, new ValueIds(), changes);
  return table && { kind: 'table', ...table, ...partsOf(changes) };
}

function partsOf({ total, shown }: Changes): ChangedParts {
  return { total, changes: shown };
}

/** Tells the difference of the values in one line. */
export function valueDiffText(diff: ValueDiff): string {
  switch (diff.kind) {
    case 'text':
      return textDiffText(diff);
    case 'bytes':
      return byteDiffText(diff);
    case 'numbers': {
      const [a, b] = diff.types;
      return numberDiffText(diff) + (a === b ? '' : `; ${a} -> ${b}`);
    }
    case 'table':
      return tableDiffText(diff);
    case 'parts':
      return partsText(diff);
    case 'unread':
      return diff.reason;
  }
}

/** A change on one line, behind its path: `0.91 -> 0.93  (+0.02)`. */
export function changeText({ change, a, b, note }: PathChange): string {
  if (note !== undefined) return note;
  if (change === 'removed') return shortValue(a);
  if (change === 'added') return shortValue(b);
  const [was, is] = shortPair(a, b);
  return `${was} -> ${is}${shortDifference(a, b)}`;
}

/** The path with the name of the value in front: `metrics.auc`, `rows[3]`. */
export function fullPath(name: string, path: string): string {
  return path === '' || path.startsWith('[') ? name + path : `${name}.${path}`;
}

/** The only change, or the first of them. */
function partsText({ total, changes }: ChangedParts): string {
  const [first] = changes;
  if (!first) return 'equal values, in other bytes';
  const sign = { added: '+ ', removed: '- ', changed: '' }[first.change];
  const text = `${sign}${first.path}${first.path === '' ? '' : ': '}${changeText(first)}`;
  return total === 1 ? text : `${text}, and ${total - 1} more`;
}

/** One line is shown as it was and is. */
function isText(text: string): boolean {
  return text.trimEnd().includes('\n');
}
