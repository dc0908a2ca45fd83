/** A column of a table. */
export interface Column {
  header: string;
  align?: 'right';
  /** In a narrow terminal, columns go by this number, the highest first; 0 stays. Default 0. */
  dropOrder?: number;
  /** True if its texts may be cut in their middle. Default `false`. */
  shrinks?: boolean;
  /**
   * It is never left out: where it would get fewer columns of the terminal than this, texts that do not fit stand whole below their
   * rows. With `Infinity` none is ever cut. For the last columns. Default: it stays in its row.
   */
  folds?: number;
}

/** The columns of a table in a width. */
export interface Layout {
  /** The columns that stand side by side, with the width of each. */
  inRow: { index: number; width: number }[];
  /** The columns whose texts stand below their rows, but for those no wider than `room`, which is left at the end of a row. */
  below: { index: number; room: number }[];
}

export const GAP = 2;
const LEAST_WIDTH = 8;
/** A column is cut to no less while another can go. */
const COMFORTABLE_WIDTH = 24;
const COMFORTABLE_PART = 0.65;

/**
 * Lays out the columns `used`, whose texts are as wide as `naturals` tells: cut a little, then without those that can go, then cut
 * further, and then with those that fold below the rows.
 */
export function fitColumns(
  columns: readonly Column[],
  naturals: readonly number[],
  used: readonly number[],
  width: number,
): Layout {
  const comfortable = Math.max(COMFORTABLE_WIDTH, Math.floor(width * COMFORTABLE_PART));
  const foldOf = (index: number): number | undefined => columns[index]?.folds;
  const leastOf = (index: number, least: number): number => {
    const { shrinks = false, folds } = columns[index] as Column;
    const natural = naturals[index] as number;
    if (!shrinks || folds === Number.POSITIVE_INFINITY) return natural;
    return Math.min(natural, folds ?? least);
  };
  const layout = (kept: readonly number[], least: number): number[] | undefined =>
    shrunk(
      kept.map((index) => ({ natural: naturals[index] as number, least: leastOf(index, least) })),
      width - GAP * (kept.length - 1),
    );
  const result = (kept: readonly number[], widths: readonly number[]): Layout => {
    const folded = used.filter((index) => foldOf(index) !== undefined && !kept.includes(index));
    const left = width - widths.reduce((sum, one) => sum + one + GAP, 0);
    // Where several fold, none is what stands at the end of the row.
    const isRoom = folded.length === 1 && left >= LEAST_WIDTH;
    return {
      inRow: kept.map((index, at) => ({ index, width: widths[at] as number })),
      below: folded.map((index) => ({ index, room: isRoom ? left : 0 })),
    };
  };

  const whole = layout(used, comfortable);
  if (whole) return result(used, whole);
  const folded = [
    used.filter((index) => foldOf(index) !== Number.POSITIVE_INFINITY),
    used.filter((index) => foldOf(index) === undefined),
  ];
  let kept: readonly number[] = used;
  for (const start of folded) {
    for (let next: readonly number[] | undefined = start; next; next = withoutLeastNeeded(columns, kept)) {
      kept = next;
      const widths = layout(kept, comfortable);
      if (widths) return result(kept, widths);
    }
    const widths = layout(kept, LEAST_WIDTH);
    if (widths) return result(kept, widths);
  }
  return result(
    kept,
    kept.map((index) => leastOf(index, LEAST_WIDTH)),
  );
}

/** The columns without the one that goes first; `undefined` where all stay. */
function withoutLeastNeeded(columns: readonly Column[], kept: readonly number[]): number[] | undefined {
  const orders = kept.map((index) => columns[index]?.dropOrder ?? 0);
  const highest = Math.max(0, ...orders);
  if (highest === 0) return undefined;
  const victim = kept[orders.lastIndexOf(highest)];
  return kept.filter((index) => index !== victim);
}

/** Widths that fit in `room` together: the widest give way first, none below its least. `undefined` where that is too much. */
function shrunk(columns: readonly { natural: number; least: number }[], room: number): number[] | undefined {
  const widths = columns.map(({ natural }) => natural);
  let excess = widths.reduce((sum, width) => sum + width, 0) - room;
  while (excess > 0) {
    const [widest, next] = columns
      .flatMap(({ least }, at) => ((widths[at] as number) > least ? [at] : []))
      .sort((a, b) => (widths[b] as number) - (widths[a] as number));
    if (widest === undefined) return undefined;
    // Down to the next one at once, and then by turns.
    const width = widths[widest] as number;
    const step = Math.max(1, width - (next === undefined ? 0 : (widths[next] as number)));
    const given = Math.min(step, excess, width - (columns[widest]?.least ?? 0));
    widths[widest] = width - given;
    excess -= given;
  }
  return widths;
}
