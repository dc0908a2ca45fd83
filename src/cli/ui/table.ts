import type { Paint, Style } from './paint.ts';
import { displayWidth, printable, shorten } from './terminal-text.ts';

/** A column of a table. */
export interface Column {
  header: string;
  align?: 'right';
  /** In a narrow terminal, columns go by this number, the highest first; 0 stays. Default 0. */
  dropOrder?: number;
  /** True if its texts may be cut in their middle. Default `false`. */
  shrinks?: boolean;
}

/** A cell: stored text, which is made printable here, or that with a style, or after a `lead` without one. */
export type Cell = string | { text: string; style?: Style; lead?: string };

const GAP = 2;
const LEAST_WIDTH = 8;

/** The text of a cell. */
interface Shown {
  lead: string;
  text: string;
  style: Style | undefined;
}

/**
 * The lines of a table, aligned, at most `width` columns wide: columns shrink, then go, then shrink further.
 * A row of one cell takes the whole line.
 */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  { width, paint }: { width: number; paint: Paint },
): string[] {
  const shown = rows.map((row) => row.map(toShown));
  const widths = columns.map(({ header }, index) =>
    shown.reduce((most, row) => Math.max(most, isAlone(row) ? 0 : widthOf(row[index])), header.length),
  );
  const used = columns
    .map((_, index) => index)
    .filter((index) => shown.some((row) => widthOf(row[index]) > 0));
  const kept = fitColumns(columns, widths, used, width);
  const lineOf = (row: readonly Shown[]): string => {
    const [first] = row;
    if (first && isAlone(row)) return paintCell(first, width, paint);
    const cells = kept.map((index) => {
      const cell = row[index];
      const columnWidth = widths[index] as number;
      const painted = cell ? paintCell(cell, columnWidth, paint) : '';
      const padding = ' '.repeat(Math.max(0, columnWidth - widthOf(cell)));
      return columns[index]?.align === 'right' ? padding + painted : painted + padding;
    });
    return cells.join(' '.repeat(GAP)).trimEnd();
  };
  const header = columns.map((column): Shown => ({ lead: '', text: column.header, style: 'dim' }));
  return [...(columns.some((column) => column.header !== '') ? [lineOf(header)] : []), ...shown.map(lineOf)];
}

function toShown(cell: Cell): Shown {
  if (typeof cell === 'string') return { lead: '', text: printable(cell), style: undefined };
  return { lead: cell.lead ?? '', text: printable(cell.text), style: cell.style };
}

function isAlone(row: readonly Shown[]): boolean {
  return row.length === 1;
}

function widthOf(cell: Shown | undefined): number {
  return cell ? displayWidth(cell.lead) + displayWidth(cell.text) : 0;
}

function paintCell({ lead, text, style }: Shown, width: number, paint: Paint): string {
  const cut = shorten(text, Math.max(1, width - displayWidth(lead)));
  return lead + (style === undefined || cut === '' ? cut : paint(style, cut));
}

/** Chooses the columns that are shown; `widths` becomes what each is given. */
function fitColumns(
  columns: readonly Column[],
  widths: number[],
  used: readonly number[],
  width: number,
): number[] {
  let kept = [...used];
  const excess = (): number =>
    kept.reduce((sum, index) => sum + (widths[index] as number) + GAP, -GAP) - width;
  const shrinkTo = (least: number): void => {
    while (excess() > 0) {
      const widest = kept
        .filter((index) => columns[index]?.shrinks && (widths[index] as number) > least)
        .sort((a, b) => (widths[b] as number) - (widths[a] as number))[0];
      if (widest === undefined) return;
      widths[widest] = Math.max(least, (widths[widest] as number) - excess());
    }
  };
  shrinkTo(Math.max(24, Math.floor(width * 0.65)));
  while (excess() > 0) {
    const orders = kept.map((index) => columns[index]?.dropOrder ?? 0);
    const highest = Math.max(0, ...orders);
    if (highest === 0) break;
    const victim = kept[orders.lastIndexOf(highest)];
    kept = kept.filter((index) => index !== victim);
  }
  shrinkTo(LEAST_WIDTH);
  return kept;
}

/** A row of a tree, and what lies below it. */
export interface TreeNode {
  cells: readonly Cell[];
  children?: readonly TreeNode[];
}

/** The rows of a table whose first column draws the tree. */
export function treeRows(nodes: readonly TreeNode[], indent = ''): Cell[][] {
  return nodes.flatMap(({ cells: [first = '', ...others], children = [] }, index) => {
    const isLast = index === nodes.length - 1;
    const lead = indent + (isLast ? '└─ ' : '├─ ');
    const cell = { ...(typeof first === 'string' ? { text: first } : first), lead };
    return [[cell, ...others], ...treeRows(children, indent + (isLast ? '   ' : '│  '))];
  });
}
