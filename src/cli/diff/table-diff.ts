import { formatCount } from '../../options/figures.ts';
import { formatPath } from '../../values/value-path.ts';
import type { ColumnDiff, RowNumbers, SideBySide, TableDiff } from '../../views/comparison-json.ts';
import type { TableView } from '../../views/values/table-view.ts';
import { Aligner, commonItems } from './alignment.ts';
import type { Changes } from './changes.ts';
import { distance, shortNumber } from './number-diff.ts';
import { findKey, type RowKey } from './row-key.ts';
import { shortValue } from './short-value.ts';
import { laySideBySide } from './side-by-side.ts';
import type { ValueIds } from './value-ids.ts';

/** Compares the columns that both tables have, row by row; `undefined` where they have none in common. */
export function diffTables(
  a: TableView,
  b: TableView,
  ids: ValueIds,
  changes: Changes,
): TableDiff | undefined {
  const shared = a.names.filter((name) => b.names.includes(name));
  if (shared.length === 0 && a.names.length + b.names.length > 0) return undefined;
  return new TableComparison(a, b, shared, ids, changes).run();
}

/** `101 rows: 1 added, 2 changed in x` */
export function tableDiffText(diff: TableDiff): string {
  const { a, b, added = 0, removed = 0, changed = 0, common = 0 } = diff;
  const parts: string[] = [];
  if (diff.matchedBy === undefined) parts.push(`${formatCount(common)} in both; too different to match`);
  if (removed > 0) parts.push(`${formatCount(removed)} removed`);
  if (added > 0) parts.push(`${formatCount(added)} added`);
  if (changed > 0) parts.push(`${formatCount(changed)} changed in ${nameList(diff.columns)}`);
  if (diff.reordered) parts.push('in another order');
  if (diff.columnsRemoved.length > 0) parts.push(`without ${nameList(toNamed(diff.columnsRemoved))}`);
  if (diff.columnsAdded.length > 0) parts.push(`with ${nameList(toNamed(diff.columnsAdded))}`);
  for (const { name, a, b } of diff.retyped.slice(0, MAX_NAMES)) parts.push(`${name} is ${b}, and was ${a}`);
  const sizes = a === b ? formatCount(a) : `${formatCount(a)} -> ${formatCount(b)}`;
  return `${sizes} rows: ${parts.length === 0 ? 'equal' : parts.join(', ')}`;
}

/** `x: 3 cells differ, by 0.5 at most` */
export function columnDiffText({ name, differ, maxDifference }: ColumnDiff): string {
  const most = maxDifference === undefined ? '' : `, by ${shortNumber(maxDifference)} at most`;
  return `${name}: ${formatCount(differ)} ${differ === 1 ? 'cell differs' : 'cells differ'}${most}`;
}

const MAX_NAMES = 4;

function nameList(columns: readonly Pick<ColumnDiff, 'name'>[]): string {
  const names = columns.slice(0, MAX_NAMES).map(({ name }) => name);
  const more = columns.length - names.length;
  return names.join(', ') + (more === 0 ? '' : ` and ${formatCount(more)} more`);
}

function toNamed(names: readonly string[]): { name: string }[] {
  return names.map((name) => ({ name }));
}

class TableComparison {
  readonly #a: TableView;
  readonly #b: TableView;
  readonly #shared: readonly string[];
  readonly #ids: ValueIds;
  readonly #changes: Changes;
  /** Rows with only the columns that both have, in the same order. */
  readonly #rowsOfA: readonly (readonly unknown[])[];
  readonly #rowsOfB: readonly (readonly unknown[])[];
  readonly #counts = { added: 0, removed: 0, changed: 0 };
  readonly #columns: Required<ColumnDiff>[];
  /** The first rows that differ. */
  readonly #shown: RowNumbers[] = [];

  constructor(a: TableView, b: TableView, shared: readonly string[], ids: ValueIds, changes: Changes) {
    this.#a = a;
    this.#b = b;
    this.#shared = shared;
    this.#ids = ids;
    this.#changes = changes;
    this.#rowsOfA = pick(a, shared);
    this.#rowsOfB = pick(b, shared);
    this.#columns = shared.map((name) => ({ name, differ: 0, maxDifference: 0 }));
  }

  run(): TableDiff {
    const [a, b] = [this.#a, this.#b];
    const matched = this.#match();
    const columns = this.#columns
      .filter(({ differ }) => differ > 0)
      .sort((x, y) => y.differ - x.differ)
      .map(({ maxDifference, ...column }) =>
        Number.isFinite(maxDifference) ? { ...column, maxDifference } : column,
      );
    return {
      a: a.rows.length,
      b: b.rows.length,
      ...matched,
      ...(matched.matchedBy === undefined ? {} : this.#counts),
      columnsAdded: b.names.filter((name) => !a.names.includes(name)),
      columnsRemoved: a.names.filter((name) => !b.names.includes(name)),
      retyped: this.#shared.flatMap((name) => {
        const [was, is] = [a.types.get(name), b.types.get(name)];
        return was === undefined || is === undefined || was === is ? [] : [{ name, a: was, b: is }];
      }),
      columns,
      ...(matched.matchedBy === undefined ? {} : { sideBySide: this.#sideBySide(columns, matched.key) }),
    };
  }

  #sideBySide(columns: readonly ColumnDiff[], key: string | undefined): SideBySide {
    const differing = columns.map(({ name }) => name);
    const [shared, ids] = [this.#shared, this.#ids];
    return laySideBySide([this.#a, this.#b], this.#shown, { shared, differing, key, ids });
  }

  #show(numbers: RowNumbers): void {
    if (this.#shown.length < this.#changes.limit) this.#shown.push(numbers);
  }

  #match(): Pick<TableDiff, 'matchedBy' | 'key' | 'reordered' | 'common'> {
    const [rowsOfA, rowsOfB] = [this.#rowsOfA, this.#rowsOfB];
    const [idsOfA, idsOfB] = [this.#ids.ofAll(rowsOfA), this.#ids.ofAll(rowsOfB)];
    const key = this.#a.hasNames ? findKey(this.#shared, rowsOfA, rowsOfB, this.#ids) : undefined;
    if (key) return this.#matchByKey(key);
    const aligner = new Aligner();
    const gaps = aligner.align(idsOfA, idsOfB);
    for (const gap of gaps ?? []) {
      aligner.walk(gap, (i, j) => this.#likeness(rowsOfA[i] ?? [], rowsOfB[j] ?? []), {
        removed: (i) => this.#removed(i, `[${i}]`),
        added: (j) => this.#added(j, `[${j}]`),
        paired: (i, j) => this.#compare(i, j, `[${j}]`),
      });
    }
    if (gaps) return { matchedBy: 'order' };
    if (idsOfA.length !== idsOfB.length) return { common: commonItems(idsOfA, idsOfB) };
    for (const [row, id] of idsOfA.entries()) if (id !== idsOfB[row]) this.#compare(row, row, `[${row}]`);
    return { matchedBy: 'number' };
  }

  #matchByKey({ column, name }: RowKey): Pick<TableDiff, 'matchedBy' | 'key' | 'reordered'> {
    const others = new Map(this.#rowsOfB.map((row, index) => [this.#ids.of(row[column]), index]));
    const label = (row: readonly unknown[] | undefined): string => `[${name}=${shortValue(row?.[column])}]`;
    let last = -1;
    let isReordered = false;
    for (const [index, row] of this.#rowsOfA.entries()) {
      const id = this.#ids.of(row[column]);
      const other = others.get(id);
      if (other === undefined) {
        this.#removed(index, label(row));
        continue;
      }
      others.delete(id);
      isReordered ||= other < last;
      last = other;
      if (this.#ids.of(row) !== this.#ids.of(this.#rowsOfB[other])) this.#compare(index, other, label(row));
    }
    for (const index of others.values()) this.#added(index, label(this.#rowsOfB[index]));
    return { matchedBy: 'key', key: name, ...(isReordered ? { reordered: true } : {}) };
  }

  #compare(indexOfA: number, indexOfB: number, path: string): void {
    const [a = [], b = []] = [this.#rowsOfA[indexOfA], this.#rowsOfB[indexOfB]];
    this.#counts.changed += 1;
    this.#show({ change: 'changed', a: indexOfA, b: indexOfB });
    for (const [index, column] of this.#columns.entries()) {
      const [was, is] = [a[index], b[index]];
      if (Object.is(was, is) || this.#ids.of(was) === this.#ids.of(is)) continue;
      column.differ += 1;
      column.maxDifference = Math.max(column.maxDifference, distance(was, is));
      this.#changes.add({ path: this.#cellPath(path, column.name), change: 'changed', a: was, b: is });
    }
  }

  #cellPath(path: string, name: string): string {
    return formatPath(path, [this.#a.hasNames ? name : Number(name)]);
  }

  #removed(index: number, path: string): void {
    this.#counts.removed += 1;
    this.#show({ change: 'removed', a: index });
    this.#changes.add({ path, change: 'removed', a: rowValue(this.#a, index) });
  }

  #added(index: number, path: string): void {
    this.#counts.added += 1;
    this.#show({ change: 'added', b: index });
    this.#changes.add({ path, change: 'added', b: rowValue(this.#b, index) });
  }

  #likeness(a: readonly unknown[], b: readonly unknown[]): number {
    const same = a.filter((cell, index) => this.#ids.of(cell) === this.#ids.of(b[index]));
    return same.length / Math.max(1, a.length);
  }
}

function pick({ names, rows }: TableView, shared: readonly string[]): readonly (readonly unknown[])[] {
  const isAll = names.length === shared.length && names.every((name, index) => name === shared[index]);
  if (isAll) return rows;
  const indexes = shared.map((name) => names.indexOf(name));
  return rows.map((row) => indexes.map((index) => row[index]));
}

/** A row as a person wrote it. */
function rowValue({ names, hasNames, rows }: TableView, index: number): unknown {
  const cells = rows[index] ?? [];
  return hasNames ? Object.fromEntries(names.map((name, column) => [name, cells[column]])) : cells;
}
