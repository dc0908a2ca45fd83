/** The rows of a long list that are drawn, and the heights that stand for the others. */
export interface RowWindow {
  /** The first row that is drawn. */
  from: number;
  /** The one behind the last. */
  to: number;
  /** Pixels above the drawn rows. */
  above: number;
  /** Pixels below them. */
  below: number;
}

/** A list of rows of one height, in a part of the page that scrolls. All lengths are pixels. */
export interface RowList {
  count: number;
  rowHeight: number;
  viewHeight: number;
}

/** Browsers draw no taller element; Firefox ends at about 17.8 million pixels. A longer list is scrolled in larger steps. */
const MAX_HEIGHT = 15_000_000;
/** So many rows more than are seen are drawn on each side, so that scrolling shows no gap. */
const MARGIN = 8;

/** The height of the whole list, as its scroll bar shows it. */
export function listHeight({ count, rowHeight }: RowList): number {
  return Math.min(count * rowHeight, MAX_HEIGHT);
}

/** The rows to draw where the list is scrolled by `scrollTop`. */
export function rowWindow(list: RowList, scrollTop: number): RowWindow {
  const { count, rowHeight, viewHeight } = list;
  const height = listHeight(list);
  const first = firstSeen(list, scrollTop);
  const from = Math.max(0, Math.floor(first) - MARGIN);
  const to = Math.min(count, Math.ceil(first + viewHeight / rowHeight) + MARGIN);
  const drawn = (to - from) * rowHeight;
  // In a list that is scrolled in larger steps, the rows lie where the part that is seen is.
  const top = Math.min(Math.max(0, scrollTop), Math.max(0, height - viewHeight));
  const above = Math.max(0, Math.min(top - (first - from) * rowHeight, height - drawn));
  return { from, to, above, below: Math.max(0, height - above - drawn) };
}

/** The nearest place to scroll to from `scrollTop` so that a row is seen as a whole. */
export function scrollTopFor(list: RowList, scrollTop: number, row: number): number {
  const first = firstSeen(list, scrollTop);
  const seen = list.viewHeight / list.rowHeight;
  if (row >= first && row + 1 <= first + seen) return scrollTop;
  return scrollTopAt(list, row < first ? row : row + 1 - seen);
}

/** The row that a key leads to from another; `undefined` for a key that leads nowhere. */
export function rowAfterKey(
  { count, rowHeight, viewHeight }: RowList,
  row: number,
  key: string,
): number | undefined {
  const page = Math.max(1, Math.floor(viewHeight / rowHeight) - 1);
  const steps: Readonly<Record<string, number>> = {
    ArrowDown: row + 1,
    ArrowUp: row - 1,
    PageDown: row + page,
    PageUp: row - page,
    Home: 0,
    End: count - 1,
  };
  const target = steps[key];
  return target === undefined ? undefined : Math.min(Math.max(0, target), count - 1);
}

/** The row at the upper edge. */
export function rowAtEdge(list: RowList, scrollTop: number): number {
  return Math.min(Math.max(0, list.count - 1), Math.round(firstSeen(list, scrollTop)));
}

/** The row at the upper edge, with the part of it that is scrolled out. */
function firstSeen(list: RowList, scrollTop: number): number {
  const { last, scrollable, edge } = scales(list);
  const top = Math.min(Math.max(0, scrollTop), scrollable);
  if (top <= edge) return top / list.rowHeight;
  if (top >= scrollable - edge) return last - (scrollable - top) / list.rowHeight;
  const edgeRows = edge / list.rowHeight;
  return edgeRows + ((top - edge) / (scrollable - 2 * edge)) * (last - 2 * edgeRows);
}

/** Where a row is at the upper edge: the inverse of `firstSeen`. */
export function scrollTopAt(list: RowList, first: number): number {
  const { last, scrollable, edge } = scales(list);
  const row = Math.min(Math.max(0, first), last);
  const edgeRows = edge / list.rowHeight;
  if (row <= edgeRows) return row * list.rowHeight;
  if (row >= last - edgeRows) return scrollable - (last - row) * list.rowHeight;
  return edge + ((row - edgeRows) / (last - 2 * edgeRows)) * (scrollable - 2 * edge);
}

/**
 * How a list is scrolled: `last` is the row at the upper edge at the end, `scrollable` the pixels up to there, `edge` the pixels at
 * either end where a pixel is a pixel of the rows. Between the edges of a list that is too long, a pixel is more than that. So the rows
 * that are drawn beyond those that are seen have their room at both ends.
 */
function scales(list: RowList): { last: number; scrollable: number; edge: number } {
  const last = Math.max(0, list.count - list.viewHeight / list.rowHeight);
  const scrollable = Math.max(0, listHeight(list) - list.viewHeight);
  return { last, scrollable, edge: Math.min((MARGIN + 2) * list.rowHeight, scrollable / 2) };
}
