import type { LineageLink } from '../../store-index/lineage.ts';
import { nameCell, statusStyle } from '../ui/cells.ts';
import type { Cell, TreeNode } from '../ui/table.ts';

/** A tree is drawn so many links deep. */
export const MAX_DEPTH = 40;

const TITLES = { up: 'made from', down: 'used by' } as const;

/** A lineage as trees, one of each start: what it was made from, and who used it. Links that are deeper than {@link MAX_DEPTH} are left out. */
export function lineageTrees(links: readonly LineageLink[]): TreeNode[] {
  const nearest = { up: childrenByFrom(links, 'up'), down: childrenByFrom(links, 'down') };
  return links
    .filter(({ direction }) => direction === 'start')
    .map((start) => ({
      cells: linkCells(start),
      children: (['up', 'down'] as const)
        .filter((direction) => nearest[direction].has(start.pathspec))
        .map((direction) => ({
          cells: [{ text: TITLES[direction], style: 'bold' as const }, '', '', ''],
          children: nodesFrom(start.pathspec, nearest[direction]),
        })),
    }));
}

function childrenByFrom(
  links: readonly LineageLink[],
  direction: LineageLink['direction'],
): Map<string, LineageLink[]> {
  const children = new Map<string, LineageLink[]>();
  for (const link of links) {
    if (link.direction !== direction || link.from === undefined || link.depth > MAX_DEPTH) continue;
    const siblings = children.get(link.from);
    if (siblings) siblings.push(link);
    else children.set(link.from, [link]);
  }
  return children;
}

/** Every attempt is told once without `isRepeated`, or is a start: there is what lies behind it. */
function nodesFrom(from: string, children: ReadonlyMap<string, readonly LineageLink[]>): TreeNode[] {
  return (children.get(from) ?? []).map((link) => ({
    cells: linkCells(link),
    children: link.isRepeated ? [] : nodesFrom(link.pathspec, children),
  }));
}

function linkCells({ pathspec, status = 'not there', use, label = '', isRepeated }: LineageLink): Cell[] {
  return [
    nameCell(pathspec),
    { text: status, style: statusStyle(status) },
    [...(use ? [use] : []), ...(isRepeated ? ['told elsewhere'] : [])].join(', '),
    label,
  ];
}
