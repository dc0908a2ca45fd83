import type { LineageLink } from '../../../store-index/lineage.ts';

/** A line of a lineage: an attempt, below the one that it is linked to. */
export interface LineageRow {
  /** Steps from what was asked for, from 1 on. */
  depth: number;
  link: LineageLink;
}

/** Deeper links are counted, not drawn. */
const MAX_DEPTH = 12;
/** So many lines are drawn. */
const MAX_ROWS = 300;

/** What links lead to in one direction, as lines of a tree; each attempt is followed where it is told first. */
export function lineageRows(
  links: readonly LineageLink[],
  direction: 'up' | 'down',
): { rows: LineageRow[]; left: number } {
  const below = new Map<string, LineageLink[]>();
  const inDirection = links.filter((link) => link.direction === direction);
  for (const link of inDirection) {
    const from = link.from ?? '';
    const known = below.get(from);
    if (known) known.push(link);
    else below.set(from, [link]);
  }
  const rows: LineageRow[] = [];
  const add = (pathspec: string, depth: number): void => {
    if (depth > MAX_DEPTH) return;
    for (const link of below.get(pathspec) ?? []) {
      if (rows.length === MAX_ROWS) return;
      rows.push({ depth, link });
      if (!link.isRepeated) add(link.pathspec, depth + 1);
    }
  };
  for (const start of links) if (start.direction === 'start') add(start.pathspec, 1);
  return { rows, left: inDirection.length - rows.length };
}
