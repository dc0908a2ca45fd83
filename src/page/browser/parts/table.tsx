import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { useAddress } from '../route.ts';
import { numberIn } from '../route-address.ts';
import { type RowList, rowAfterKey, rowAtEdge, rowWindow, scrollTopAt, scrollTopFor } from './row-window.ts';
import { type Order, sortRows } from './sort-rows.ts';

/** A column of a table. */
export interface Column<Row> {
  /** Its head, which is its key as well. */
  name: string;
  /** Its width in rem. One column at least `grows` with the table and has this width at least. */
  width: number;
  grows?: true;
  isNumber?: true;
  /** Shown in place of the name, which is read out. */
  head?: ComponentChildren;
  /** Its head is only read out: for a column of marks. */
  isNarrow?: true;
  /** One line; what does not fit is cut. */
  cell(row: Row): ComponentChildren;
  /** The value that rows are sorted by; columns without it are not sorted by. */
  order?: Order<Row>;
}

interface LongTableProps<Row> {
  /** Names the table to a screen reader. */
  label: string;
  columns: readonly Column<Row>[];
  /** The rows that there are. */
  count: number;
  /** A row, `undefined` while it is not loaded. */
  rowAt(index: number): Row | undefined;
  keyOf(row: Row): string;
  /** Called with the rows that are drawn, whenever these are other ones: the place to load them. */
  onSeen?(from: number, to: number): void;
  /** Called with a key that is no step to another row, and the row that it is pressed on. */
  onKey?(key: string, row: Row): void;
  /** Takes the height that the view has left, in place of that of its rows; see `.filling`. */
  fills?: boolean;
  /** The row to begin with at the upper edge, once it is there. */
  at?: number | undefined;
  /** Called with the row at the upper edge, once scrolling has paused. */
  onAt?(row: number): void;
  sorted?: Sorted | undefined;
  onSort?(name: string): void;
}

interface Sorted {
  name: string;
  isDescending: boolean;
}

/** The height of a row, as page.css sets it. */
export const ROW_HEIGHT = 28;
/** What is scrolled to goes to the address after a pause. */
const PAUSE_MS = 250;

/** What has the address of a table by: the column that sorts it, `Took` or `-Took` for descending, and the row that is scrolled to. */
const SORT = 'sort';
const FROM = 'from';

/** A table of rows that are all there, sorted by the column that is clicked on. A view has one: its sort and place are in the address. */
export function Table<Row>({
  rows,
  ...rest
}: Omit<LongTableProps<Row>, 'count' | 'rowAt' | 'sorted' | 'onSort' | 'at' | 'onAt'> & {
  rows: readonly Row[];
}): JSX.Element {
  const [address, setAddress] = useAddress([SORT, FROM]);
  const sorted = sortedBy(address[SORT]);
  const order = rest.columns.find(({ name }) => name === sorted?.name)?.order;
  const shown = order ? sortRows(rows, order, sorted?.isDescending ?? false) : rows;
  // Once up, once down, and back to the order that it came in.
  const onSort = (name: string): void => {
    const next = sorted?.isDescending ? '' : `-${name}`;
    setAddress({ [SORT]: sorted?.name === name ? next : name });
  };
  return (
    <LongTable
      {...rest}
      count={rows.length}
      rowAt={(index) => shown[index]}
      at={numberIn(address[FROM])}
      onAt={(row) => setAddress({ [FROM]: row === 0 ? '' : String(row) })}
      sorted={sorted}
      onSort={onSort}
    />
  );
}

function sortedBy(text: string): Sorted | undefined {
  if (text === '') return undefined;
  const isDescending = text.startsWith('-');
  return { name: isDescending ? text.slice(1) : text, isDescending };
}

/**
 * A table that draws only the rows that are seen. It scrolls within itself. Tab reaches it once, and arrows, Home, End, PageUp and
 * PageDown go from row to row.
 */
export function LongTable<Row>(props: LongTableProps<Row>): JSX.Element {
  const {
    label,
    columns,
    count,
    rowAt,
    keyOf,
    onSeen,
    onKey,
    fills = false,
    at,
    onAt,
    sorted,
    onSort,
  } = props;
  const scroller = useRef<HTMLElement>(null);
  const body = useRef<HTMLTableSectionElement>(null);
  const [scrollTop, setScrollTop] = useState(0);
  const [viewHeight, setViewHeight] = useState(600);
  const [current, setCurrent] = useState(0);
  /** The row that takes the focus once it is drawn. */
  const awaited = useRef<number | undefined>(undefined);
  const hadFocus = useRef(false);
  const list: RowList = { count, rowHeight: ROW_HEIGHT, viewHeight };
  const start = useRef(at);
  const scrolled = useRef<ReturnType<typeof setTimeout>>(undefined);
  const { from, to, above, below } = rowWindow(list, scrollTop);

  useEffect(() => {
    const part = scroller.current as HTMLElement;
    const measure = (): void => setViewHeight(Math.max(ROW_HEIGHT, part.clientHeight - ROW_HEIGHT));
    const watching = new ResizeObserver(measure);
    watching.observe(part);
    return () => watching.disconnect();
  }, []);
  useEffect(() => onSeen?.(from, to), [from, to, count]);
  useEffect(() => () => clearTimeout(scrolled.current), []);
  useLayoutEffect(() => {
    if (start.current === undefined || start.current >= count) return;
    const part = scroller.current as HTMLElement;
    part.scrollTop = scrollTopAt({ ...list, viewHeight: part.clientHeight - ROW_HEIGHT }, start.current);
    start.current = undefined;
    setScrollTop(part.scrollTop);
  }, [count]);
  useLayoutEffect(() => {
    const part = scroller.current as HTMLElement;
    for (const row of body.current?.querySelectorAll<HTMLElement>('tr[aria-rowindex]') ?? []) {
      const isCurrent = Number(row.getAttribute('aria-rowindex')) - 2 === current;
      for (const one of reachable(row)) one.tabIndex = isCurrent ? 0 : -1;
      if (isCurrent && awaited.current === current) {
        reachable(row)[0]?.focus({ preventScroll: true });
        awaited.current = undefined;
      }
    }
    // A row that is scrolled out takes its focus along, which the table keeps.
    if (hadFocus.current && document.activeElement === document.body) part.focus({ preventScroll: true });
  });

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.altKey || event.ctrlKey || event.metaKey || isText(event.target)) return;
    const target = rowAfterKey(list, current, event.key);
    const row = rowAt(current);
    if (target === undefined && row !== undefined) onKey?.(event.key, row);
    if (target === undefined || count === 0) return;
    event.preventDefault();
    const part = scroller.current as HTMLElement;
    part.scrollTop = scrollTopFor(list, part.scrollTop, target);
    awaited.current = target;
    setCurrent(target);
    setScrollTop(part.scrollTop);
  };
  const onFocusIn = (event: FocusEvent): void => {
    hadFocus.current = true;
    const row = (event.target as HTMLElement).closest('tr[aria-rowindex]');
    if (row) setCurrent(Number(row.getAttribute('aria-rowindex')) - 2);
  };
  const onFocusOut = ({ relatedTarget }: FocusEvent): void => {
    // Without a next one, the row was scrolled out, or the window left: the table keeps the focus.
    if (relatedTarget !== null) hadFocus.current = scroller.current?.contains(relatedTarget as Node) ?? false;
  };
  const width = columns.reduce((sum, column) => sum + column.width, 0);
  return (
    <section
      class={fills ? 'scrolls long fills' : 'scrolls long'}
      ref={scroller}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard
      tabIndex={0}
      aria-label={label}
      onScroll={({ currentTarget }) => {
        setScrollTop(currentTarget.scrollTop);
        start.current = undefined; // who scrolls goes elsewhere
        clearTimeout(scrolled.current);
        scrolled.current = setTimeout(() => onAt?.(rowAtEdge(list, currentTarget.scrollTop)), PAUSE_MS);
      }}
      onKeyDown={onKeyDown}
      onFocusIn={onFocusIn}
      onFocusOut={onFocusOut}
    >
      <table aria-label={label} aria-rowcount={count + 1} style={{ minWidth: `${width}rem` }}>
        <colgroup>
          {columns.map(({ name, width: rem, grows }) => (
            <col key={name} style={grows ? {} : { width: `${rem}rem` }} />
          ))}
        </colgroup>
        <thead>
          <tr aria-rowindex={1}>
            {columns.map((column) => (
              <Head key={column.name} column={column} sorted={sorted} onSort={onSort} />
            ))}
          </tr>
        </thead>
        <tbody ref={body}>
          <Gap height={above} columns={columns.length} />
          {Array.from({ length: to - from }, (_, offset) => {
            const index = from + offset;
            const row = rowAt(index);
            return (
              <tr key={row === undefined ? index : keyOf(row)} aria-rowindex={index + 2}>
                {columns.map(({ name, isNumber, cell }) => {
                  const shown = row === undefined ? '…' : cell(row);
                  return (
                    <td
                      key={name}
                      class={isNumber ? 'number' : undefined}
                      title={typeof shown === 'string' ? shown : undefined}
                    >
                      {shown}
                    </td>
                  );
                })}
              </tr>
            );
          })}
          <Gap height={below} columns={columns.length} />
        </tbody>
      </table>
    </section>
  );
}

function Head<Row>({
  column: { name, head, isNumber, isNarrow, order },
  sorted,
  onSort,
}: {
  column: Column<Row>;
  sorted: Sorted | undefined;
  onSort: ((name: string) => void) | undefined;
}): JSX.Element {
  const isSorted = sorted?.name === name;
  const direction = sorted?.isDescending ? 'descending' : 'ascending';
  return (
    <th scope="col" class={isNumber ? 'number' : undefined} aria-sort={isSorted ? direction : undefined}>
      {order && onSort ? (
        <button type="button" onClick={() => onSort(name)}>
          {name}
        </button>
      ) : (
        <>
          <span class={isNarrow || head !== undefined ? 'unseen' : undefined}>{name}</span>
          {head}
        </>
      )}
    </th>
  );
}

/** Stands for rows that are not drawn. */
function Gap({ height, columns }: { height: number; columns: number }): JSX.Element | null {
  if (height === 0) return null;
  return (
    // biome-ignore lint/a11y/noAriaHiddenOnFocusable: nothing in it takes the focus
    <tr class="gap" aria-hidden="true" style={{ height: `${height}px` }}>
      <td colSpan={columns} />
    </tr>
  );
}

function reachable(row: HTMLElement): NodeListOf<HTMLElement> {
  return row.querySelectorAll<HTMLElement>('a, button, input');
}

/** Keys in a field of text are of the text. */
function isText(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement && target.type !== 'checkbox';
}
