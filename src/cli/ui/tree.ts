import type { Cell } from './table.ts';

/** A row of a tree, and what lies below it. */
export interface TreeNode {
  cells: readonly Cell[];
  children?: readonly TreeNode[];
}

/** The rows of a table whose first column draws the tree. */
export function treeRows(nodes: readonly TreeNode[]): Cell[][] {
  return nodes.flatMap((node, index) => rowsOf(node, '', index === nodes.length - 1));
}

function rowsOf({ cells, children = [] }: TreeNode, indent: string, isLast: boolean): Cell[][] {
  const [first = '', ...others] = cells;
  const branch = indent + (isLast ? '└─ ' : '├─ ');
  const below = indent + (isLast ? '   ' : '│  ');
  return [
    [{ ...(typeof first === 'string' ? { text: first } : first), lead: branch }, ...others],
    ...children.flatMap((child, index) => rowsOf(child, below, index === children.length - 1)),
  ];
}
