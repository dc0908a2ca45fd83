import { type Column, fitColumns, GAP } from './fit-columns.ts';
import type { Paint, Style } from './paint.ts';
import { displayWidth, printable, shorten } from './terminal-text.ts';
import { wrapText } from './wrap.ts';

export type { Column } from './fit-columns.ts';

/**
 * A cell: stored text, which is made printable here, or that with a style, or after a `lead` without one; `nextLead` stands before
 * further lines of a text that takes several.
 */
export type Cell = string | { text: string; style?: Style; lead?: string; nextLead?: string };

/** What stands below its row is indented by this. */
const BELOW = '    ';
/** A text that is shown whole takes so many lines at most. */
const MAX_LINES = 12;

/** The text of a cell. */
interface Shown {
  lead: string;
  nextLead: string;
  /** As it is stored. */
  raw: string;
  text: string;
  style: Style | undefined;
}

/** How wide lines may be, and how texts are painted. */
interface TableOptions {
  width: number;
  paint: Paint;
}

/**
 * The lines of a table, aligned, at most `width` columns wide: columns shrink, then those go that need not stay, then shrink further,
 * and those that fold stand below their rows. A row of one cell takes whole lines.
 */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  options: TableOptions,
): string[] {
  const { width, paint } = options;
  const shown = rows.map((row) => row.map(toShown));
  const widths = columns.map(({ header }, index) =>
    shown.reduce((most, row) => Math.max(most, isAlone(row) ? 0 : widthOf(row[index])), header.length),
  );
  const used = columns
    .map((_, index) => index)
    .filter((index) => shown.some((row) => !isAlone(row) && widthOf(row[index]) > 0));
  const { inRow, below } = fitColumns(columns, widths, used, width);
  const linesOf = (row: readonly Shown[]): string[] => {
    const [first] = row;
    if (first && isAlone(row)) return wholeLines(first, options);
    const cells = inRow.map(({ index, width: columnWidth }) => {
      const cell = row[index];
      const painted = cell ? paintCell(cell, columnWidth, paint) : '';
      const padding = ' '.repeat(Math.max(0, columnWidth - widthOf(cell)));
      return columns[index]?.align === 'right' ? padding + painted : painted + padding;
    });
    const folded: string[] = [];
    for (const { index, room } of below) {
      const cell = row[index];
      if (!cell || cell.text === '') continue;
      if (widthOf(cell) <= room) cells.push(paintCell(cell, room, paint));
      else folded.push(...wholeLines({ ...cell, lead: BELOW, nextLead: BELOW }, options));
    }
    return [cells.join(' '.repeat(GAP)).trimEnd(), ...folded];
  };
  const header = columns.map((column) => toShown({ text: column.header, style: 'dim' }));
  return [
    ...(columns.some((column) => column.header !== '') ? linesOf(header) : []),
    ...shown.flatMap(linesOf),
  ];
}

function toShown(cell: Cell): Shown {
  const { text, style, lead = '', nextLead = lead } = typeof cell === 'string' ? { text: cell } : cell;
  return { lead, nextLead, raw: text, text: printable(text), style };
}

function isAlone(row: readonly Shown[]): boolean {
  return row.length === 1;
}

function widthOf(cell: Shown | undefined): number {
  return cell ? displayWidth(cell.lead) + displayWidth(cell.text) : 0;
}

function paintCell({ lead, text, style }: Shown, width: number, paint: Paint): string {
  const cut = shorten(text, Math.max(1, width - displayWidth(lead)));
  return lead + painted(cut, style, paint);
}

function painted(text: string, style: Style | undefined, paint: Paint): string {
  return style === undefined || text === '' ? text : paint(style, text);
}

/** A text whole, on as many lines as it takes; one where lines have no end. */
function wholeLines({ lead, nextLead, raw, text, style }: Shown, { width, paint }: TableOptions): string[] {
  if (!Number.isFinite(width)) return [lead + painted(text, style, paint)];
  const room = Math.max(1, width - displayWidth(lead));
  return wrapText(raw, room, { maxLines: MAX_LINES }).map(
    (line, index) => (index === 0 ? lead : nextLead) + painted(line, style, paint),
  );
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
    const nextLead = indent + (isLast ? '   ' : '│  ');
    const lead = indent + (isLast ? '└─ ' : '├─ ');
    const cell = { ...(typeof first === 'string' ? { text: first } : first), lead, nextLead };
    return [[cell, ...others], ...treeRows(children, nextLead)];
  });
}
