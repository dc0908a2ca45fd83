import { displayWidth, printable, shorten } from './terminal-text.ts';
import type { Paint, Style } from './paint.ts';

/** A column of a table. */
export interface Column {
  header: string;
  align?: 'right';
  /** Where the terminal is narrow, columns go by this number, the highest first; 0 stays. Default 0. */
  dropOrder?: number;
  /** Whether its texts may be cut in their middle. Default `false`. */
  shrinks?: boolean;
}

/** A cell: stored text, which is made printable here, or that with a style. */
export type Cell = string | { text: string; style: Style };

const GAP = 2;
const LEAST_WIDTH = 8;

/** The lines of a table, aligned, at most `width` columns wide: columns shrink, then go, then shrink further. */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  { width, paint }: { width: number; paint: Paint },
): string[] {
  const texts = rows.map((row) => row.map((cell) => printable(typeof cell === 'string' ? cell : cell.text)));
  const used = columns.map((_, index) => index).filter((index) => texts.some((row) => row[index] !== ''));
  const widths = columns.map(({ header }, index) =>
    texts.reduce((most, row) => Math.max(most, displayWidth(row[index] ?? '')), header.length),
  );
  const kept = fit(columns, widths, used, width);
  const line = (cells: readonly string[], styleOf: (index: number) => Style | undefined): string =>
    kept
      .map((index, place) => {
        const text = shorten(cells[index] ?? '', widths[index] as number);
        const padding = ' '.repeat((widths[index] as number) - displayWidth(text));
        const style = styleOf(index);
        const painted = style === undefined || text === '' ? text : paint(style, text);
        if (columns[index]?.align === 'right') return padding + painted;
        return place === kept.length - 1 ? painted : painted + padding;
      })
      .join(' '.repeat(GAP))
      .trimEnd();
  const header = line(
    columns.map((column) => column.header),
    () => 'dim',
  );
  const body = texts.map((cells, row) =>
    line(cells, (index) => {
      const cell = rows[row]?.[index];
      return typeof cell === 'object' ? cell.style : undefined;
    }),
  );
  return columns.some((column) => column.header !== '') ? [header, ...body] : body;
}

/** Which columns are shown; `widths` becomes what each is given. */
function fit(columns: readonly Column[], widths: number[], used: readonly number[], width: number): number[] {
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
  shrinkTo(Math.max(24, Math.floor(width * 0.4)));
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
