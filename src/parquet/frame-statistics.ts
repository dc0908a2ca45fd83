import type { ChunkStatistics, Footer } from './footer.ts';
import type { FrameColumn } from './frame-columns.ts';
import { rowGiver } from './row-values.ts';
import type { ColumnStatistics } from './scan-options.ts';

/** Statistics of the columns that are not nested, by their names. */
export function frameStatistics({ columns, groups }: Footer): Record<string, ColumnStatistics> {
  const known: Record<string, ColumnStatistics> = {};
  let first = 0;
  for (const { column, leaves } of columns) {
    const leaf = first;
    first += leaves.length;
    if (['list', 'struct', 'map', 'unsupported'].includes(column.type)) continue;
    const told = groups
      .filter(({ rows }) => rows > 0)
      .map(({ chunks, rows }) => ({ rows, ...(chunks[leaf]?.statistics as ChunkStatistics) }));
    const nulls = told.map((group) => group.nulls);
    const bounded = told.filter((group) => group.nulls !== group.rows);
    known[column.name] = {
      ...(nulls.every((count) => count !== undefined) && {
        nulls: nulls.reduce((sum, count) => sum + count, 0),
      }),
      ...bound('min', column, bounded, (one, best) => one < best),
      ...bound('max', column, bounded, (one, best) => one > best),
    };
  }
  return known;
}

/** Of all row groups, or none. */
function bound(
  which: 'min' | 'max',
  column: FrameColumn,
  groups: readonly ChunkStatistics[],
  isBeyond: (one: never, best: never) => boolean,
): ColumnStatistics {
  let best: unknown;
  for (const group of groups) {
    const one = boundOf(column, group[which]);
    if (one === undefined) return {};
    if (best === undefined || isBeyond(one as never, best as never)) best = one;
  }
  return best === undefined ? {} : { [which]: rowGiver(column)(best) };
}

/** A bound in its exact form; `undefined` for one that is none of its column. */
function boundOf(column: FrameColumn, bound: unknown): unknown {
  switch (column.type) {
    case 'string':
      return bound instanceof Uint8Array ? Buffer.from(bound).toString('utf8') : undefined;
    case 'boolean':
      return typeof bound === 'boolean' ? bound : undefined;
    case 'int64':
    case 'uint64':
    case 'timestamp':
      return typeof bound === 'bigint' ? bound : undefined;
    case 'time':
      return typeof bound === (column.unit === 'ms' ? 'number' : 'bigint') ? bound : undefined;
    case 'decimal':
    case 'json':
    case 'uuid':
    case 'binary':
    case 'fixed':
    case 'null':
      return undefined;
    default:
      // Files tell -0 for 0, whichever it is.
      return typeof bound === 'number' ? bound + 0 : undefined;
  }
}
