import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { formatCount } from '../../../options/figures.ts';
import type { Failure } from '../../../page/asked.ts';
import type { ShownValue, TablePage } from '../../../views/previews/shown.ts';
import { EXPORTED_ROWS } from '../../exported-answers.ts';
import { PAGE_ROWS, type Place, readRows } from '../../view-questions.ts';
import { AGAIN_MS, ask, isPassing } from '../ask.ts';
import { exported } from '../exported.ts';
import { useAddress } from '../route.ts';
import { numberIn } from '../route-address.ts';
import { cellText, columnWidths, isNumeric } from './cell-text.ts';
import { FailureNote } from './failure.tsx';
import { JsonTree } from './json-tree.tsx';
import { pagesOf, RowPages } from './row-pages.ts';
import { type Column, LongTable } from './table.tsx';

/** So many pages of rows are kept. */
const MAX_PAGES = 40;
/** Pages that are only scrolled past are not asked for: those that are seen are, when it was still for so long. */
const STILL_MS = 80;

type Row = readonly ShownValue[];
interface NumberedRow {
  index: number;
  cells: Row;
}

/** The rows of a table, however many: a page is asked for once it is seen. */
export function Rows(props: Place & { first: TablePage; isInAddress?: boolean }): JSX.Element {
  const { pathspec, artifact, entry, first, isInAddress = false } = props;
  const { columns, totalColumns, total } = first;
  const { pages, error, see, read } = usePages({ pathspec, artifact, entry }, first);
  const count = exported ? Math.min(total, EXPORTED_ROWS) : total;
  const [address, setAddress] = useAddress(['row', 'from'], isInAddress);
  const open = (row: NumberedRow): void => setAddress({ row: String(row.index) });
  const shown = useMemo(() => [numberColumn(total, open), ...dataColumns(first)], [first, isInAddress]);
  const rowAt = (index: number): NumberedRow | undefined => {
    const cells = pages.get(Math.floor(index / PAGE_ROWS))?.[index % PAGE_ROWS];
    return cells && { index, cells };
  };
  const wanted = numberIn(address.row);
  const openedIndex = wanted !== undefined && wanted < count ? wanted : undefined;
  const opened = openedIndex === undefined ? undefined : rowAt(openedIndex);
  // The row of an address that was copied lies on a page of its own.
  useEffect(() => {
    if (openedIndex === undefined || opened) return;
    return read(Math.floor(openedIndex / PAGE_ROWS));
  }, [openedIndex, opened === undefined]);
  if (columns.length === 0) return <p class="quiet">{formatCount(total)} rows without columns.</p>;
  return (
    <>
      <p>
        {formatCount(total)} {total === 1 ? 'row' : 'rows'}, {formatCount(totalColumns)}{' '}
        {totalColumns === 1 ? 'column' : 'columns'}
        {totalColumns > columns.length && `, of which the first ${columns.length} are shown`}
        {total > count && `; the first ${formatCount(count)} rows are in this export`}
      </p>
      <FailureNote error={error} />
      <LongTable
        label={`rows of ${entry ?? artifact}`}
        columns={shown}
        count={count}
        rowAt={rowAt}
        keyOf={({ index }) => String(index)}
        onSeen={see}
        at={numberIn(address.from) ?? openedIndex}
        onAt={(row) => setAddress({ from: row === 0 ? '' : String(row) })}
      />
      {opened && (
        <section class="row-opened">
          <h3>
            Row {formatCount(opened.index)}{' '}
            <button type="button" onClick={() => setAddress({ row: '' })}>
              Close
            </button>
          </h3>
          <JsonTree key={opened.index} value={asObject(first, opened.cells)} label={`row ${opened.index}`} />
        </section>
      )}
    </>
  );
}

function numberColumn(total: number, open: (row: NumberedRow) => void): Column<NumberedRow> {
  return {
    name: '#',
    width: 2.5 + 0.6 * String(total).length,
    isNumber: true,
    cell: (row) => (
      <button type="button" class="plain" title="show the whole row" onClick={() => open(row)}>
        {formatCount(row.index)}
      </button>
    ),
  };
}

function dataColumns({ columns, rows }: TablePage): Column<NumberedRow>[] {
  const widths = columnWidths(columns, rows);
  return columns.map(({ name, type }, at) => ({
    name,
    width: 1.2 + 0.6 * (widths[at] as number),
    ...(isNumeric(type, cellsOf(rows, at)) ? { isNumber: true } : {}),
    ...(at === columns.length - 1 ? { grows: true } : {}),
    cell: ({ cells }) => {
      const value = cells[at] ?? null;
      return value === null ? <span class="quiet">null</span> : cellText(value);
    },
  }));
}

function cellsOf(rows: readonly Row[], column: number): ShownValue[] {
  return rows.map((row) => row[column] ?? null);
}

function asObject({ columns }: TablePage, cells: Row): ShownValue {
  return {
    is: 'object',
    total: columns.length,
    members: columns.map(({ name }, at) => [name, cells[at] ?? null]),
  };
}

/** The pages that were read, and what has those that are seen read. */
function usePages(
  { pathspec, artifact, entry }: Place,
  first: TablePage,
): {
  pages: RowPages<Row>;
  error: Failure | undefined;
  see: (from: number, to: number) => void;
  /** Reads a page whatever is seen; what is returned ends that. */
  read: (page: number) => () => void;
} {
  const pages = useMemo(() => {
    const read = new RowPages<Row>(MAX_PAGES);
    for (let at = 0; at < first.rows.length; at += PAGE_ROWS) {
      const rows = first.rows.slice(at, at + PAGE_ROWS);
      if (rows.length === PAGE_ROWS || at + rows.length === first.total) read.set(at / PAGE_ROWS, rows);
    }
    return read;
  }, [first]);
  const [error, setError] = useState<Failure>();
  const [, setRead] = useState(0);
  const reading = useRef<AbortController | undefined>(undefined);
  useEffect(() => () => reading.current?.abort(), []);

  /** What cannot be read for now is asked for again, until `signal` is aborted. */
  const readPage = async (page: number, signal: AbortSignal): Promise<void> => {
    const place = { pathspec, artifact, entry };
    const { total } = first;
    const readOnce = (): ReturnType<typeof readRows> =>
      readRows((asked) => ask(asked, signal), place, { page, total });
    let { rows, error } = await readOnce();
    while (isPassing(error) && !signal.aborted) {
      setError(error);
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      if (!signal.aborted) ({ rows, error } = await readOnce());
    }
    if (signal.aborted) return;
    setError(error);
    if (rows.length === 0) return;
    pages.set(page, rows);
    setRead((before) => before + 1);
  };

  const see = (from: number, to: number): void => {
    reading.current?.abort();
    const ending = new AbortController();
    reading.current = ending;
    const missing = pagesOf(from, to, PAGE_ROWS).filter((page) => pages.get(page) === undefined);
    if (missing.length === 0) return;
    const readAll = async (): Promise<void> => {
      for (const page of missing) await readPage(page, ending.signal);
    };
    const timer = setTimeout(() => {
      readAll().catch((reason: unknown) => {
        if (!ending.signal.aborted) throw reason;
      });
    }, STILL_MS);
    ending.signal.addEventListener('abort', () => clearTimeout(timer));
  };
  const read = (page: number): (() => void) => {
    const ending = new AbortController();
    readPage(page, ending.signal).catch((reason: unknown) => {
      if (!ending.signal.aborted) throw reason;
    });
    return () => ending.abort();
  };
  return { pages, error, see, read };
}
