import type { RowNumbers, SideBySide } from '../../views/comparison-json.ts';
import type { TableView } from '../../views/values/table-view.ts';
import { shortPair, shortValue } from './short-value.ts';
import type { ValueIds } from './value-ids.ts';

const MAX_COLUMNS = 12;
/** Where rows were added or removed, or few columns differ, other columns fill up to so many. */
const FILLED_COLUMNS = 6;

/**
 * Lays rows beside each other.
 *
 * @param shared - the columns that both have
 * @param differing - those with cells that differ, those with the most first
 */
export function laySideBySide(
  [a, b]: readonly [TableView, TableView],
  rows: readonly RowNumbers[],
  {
    shared,
    differing,
    key,
    ids,
  }: { shared: readonly string[]; differing: readonly string[]; key: string | undefined; ids: ValueIds },
): SideBySide {
  const first = key === undefined ? [] : [key];
  const wanted = new Set([...first, ...differing.slice(0, MAX_COLUMNS - first.length)]);
  for (const name of shared) if (wanted.size < FILLED_COLUMNS) wanted.add(name);
  const columns = [...first, ...shared.filter((name) => wanted.has(name) && name !== key)];
  const more = differing.filter((name) => !wanted.has(name)).length;
  const places = columns.map((name) => ({ a: a.names.indexOf(name), b: b.names.indexOf(name) }));
  return {
    columns,
    ...(more > 0 ? { moreColumns: more } : {}),
    rows: rows.map((numbers) => {
      const was = numbers.a === undefined ? undefined : a.rows[numbers.a];
      const is = numbers.b === undefined ? undefined : b.rows[numbers.b];
      return { ...numbers, cells: places.map((at) => cellOf(was && [was[at.a]], is && [is[at.b]], ids)) };
    }),
  };
}

/** The texts of a cell, of which each side may be absent. */
function cellOf(a: [unknown] | undefined, b: [unknown] | undefined, ids: ValueIds): string[] {
  if (a && b && ids.of(a[0]) !== ids.of(b[0])) return shortPair(a[0], b[0]);
  const [value] = a ?? b ?? [];
  return [shortValue(value)];
}
