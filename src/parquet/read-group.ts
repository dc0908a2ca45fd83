import { mapBounded } from '../async/bounded-work.ts';
import type { CallOptions } from '../async/call-options.ts';
import { isTurnOver, nextTurn } from '../async/turns.ts';
import { isInstance, throwIfAborted } from '../errors.ts';
import { joinRanges } from '../streams/joined-ranges.ts';
import { readUtf8 } from '../values/utf8-reader.ts';
import type { Chunk, Footer, Group } from './footer.ts';
import { tooLargeGroup } from './footer.ts';
import {
  checkPages,
  type Decompress,
  decompressorOf,
  OverBudget,
  PageBudget,
  type RawPage,
  VALUE_BYTES,
} from './pages.ts';
import { awaitingParquet, invalidParquet } from './parquet-errors.ts';
import type { ParquetColumn } from './parquet-schema.ts';
import { type ExactValues, exactValues } from './stored-values.ts';
import { Malformed } from './thrift.ts';

/** The values of columns in one row group, in the order in which the columns were asked for. */
export interface GroupValues {
  readonly rows: number;
  readonly columns: readonly ExactValues[];
}

/** Options of reading a row group. */
export interface GroupOptions extends CallOptions {
  /** What the pages of the columns may take in memory, in bytes. */
  maxGroupBytes: number;
}

/** Neighbours in the file are fetched together. */
const LIMITS = { maxGapBytes: 64 * 1024, maxBytes: 32 * 1024 * 1024 };
const REQUESTS = 4;

/**
 * Reads some columns of one row group: only their bytes are fetched, in a few requests side by side.
 *
 * @throws StowageError `INVALID_PARQUET`, `CONTENT_TOO_LARGE`
 */
export async function readGroup(
  footer: Footer,
  group: Group,
  columns: readonly ParquetColumn[],
  options: GroupOptions,
): Promise<GroupValues> {
  const { source } = footer;
  const chunks = columns.map((column) => chunksOf(footer, group, column));
  checkClaims(source.shown, chunks.flat(), options.maxGroupBytes);
  const bytes = await fetchChunks(footer, chunks.flat(), options);
  const budget = new PageBudget(options.maxGroupBytes);
  const values: ExactValues[] = [];
  for (const [index, column] of columns.entries()) {
    if (isTurnOver()) await nextTurn();
    throwIfAborted(options.signal);
    try {
      values.push(await readColumn(footer, group, column, chunks[index] as Chunk[], bytes, budget));
    } catch (error) {
      if (isInstance(error, OverBudget)) throw tooLargeGroup(source.shown, error.bytes, budget.most);
      throw error;
    }
  }
  return { rows: group.rows, columns: values };
}

function chunksOf({ columns }: Footer, group: Group, column: ParquetColumn): Chunk[] {
  let first = 0;
  for (const other of columns) {
    if (other === column) break;
    first += other.leaves.length;
  }
  return group.chunks.slice(first, first + column.leaves.length);
}

/** Before anything is fetched. What the pages claim is checked when they are there. */
function checkClaims(shown: string, chunks: readonly Chunk[], most: number): void {
  let bytes = 0;
  for (const chunk of chunks) bytes += Math.max(chunk.rawBytes, chunk.length) + chunk.values * VALUE_BYTES;
  if (bytes > most) throw tooLargeGroup(shown, bytes, most);
}

/** The bytes of each chunk. */
async function fetchChunks(
  { source }: Footer,
  chunks: readonly Chunk[],
  options: GroupOptions,
): Promise<ReadonlyMap<Chunk, Uint8Array>> {
  const bytes = new Map<Chunk, Uint8Array>();
  const rangeOf = ({ offset, length }: Chunk): { offset: number; length: number } => ({ offset, length });
  await mapBounded(joinRanges(chunks, rangeOf, LIMITS), REQUESTS, async ({ offset, length, items }) => {
    const whole = length === 0 ? new Uint8Array() : await source.read({ offset, length }, options);
    if (whole.length !== length) throw invalidParquet(source.shown, 'it ended while it was read');
    for (const chunk of items) {
      const start = chunk.offset - offset;
      bytes.set(chunk, whole.subarray(start, start + chunk.length));
    }
  });
  return bytes;
}

async function readColumn(
  { library, source, metadata }: Footer,
  group: Group,
  { column }: ParquetColumn,
  chunks: readonly Chunk[],
  bytes: ReadonlyMap<Chunk, Uint8Array>,
  budget: PageBudget,
): Promise<ExactValues> {
  if (group.rows === 0 || column.type === 'unsupported') return exactValues(column, []);
  return awaitingParquet(source.shown, async () => {
    const pages: RawPage[] = [];
    for (const chunk of chunks) {
      const decompress = await decompressorOf(library, chunk.codec);
      pages.push(...checkPages(bytes.get(chunk) as Uint8Array, chunk, decompress, budget));
    }
    const decompressed = pagesInOrder(pages);
    const scan = await library.parquetScan({
      file: fileOf(chunks, bytes),
      metadata: { ...metadata, row_groups: [group.rowGroup], num_rows: BigInt(group.rows) },
      columns: [column.name],
      compressors: Object.fromEntries(chunks.map(({ codec }) => [codec, decompressed])),
      parsers: STORED,
      utf8: false,
    });
    const stored = await scan.readColumn({ column: column.name, rowStart: 0, rowEnd: group.rows });
    if (stored.length !== group.rows)
      throw new Malformed(`column "${column.name}" has ${stored.length} rows in a group of ${group.rows}`);
    return exactValues(column, stored);
  });
}

/** The chunks as the file that the library reads, at the places where they lie in it. */
function fileOf(
  chunks: readonly Chunk[],
  bytes: ReadonlyMap<Chunk, Uint8Array>,
): { byteLength: number; slice(start: number, end?: number): ArrayBuffer } {
  const end = Math.max(...chunks.map(({ offset, length }) => offset + length));
  return {
    byteLength: end,
    slice(from, to = end) {
      const whole = new Uint8Array(to - from);
      for (const chunk of chunks) {
        const start = Math.max(from, chunk.offset);
        const stop = Math.min(to, chunk.offset + chunk.length);
        if (start >= stop) continue;
        const part = (bytes.get(chunk) as Uint8Array).subarray(start - chunk.offset, stop - chunk.offset);
        whole.set(part, start - from);
      }
      return whole.buffer;
    },
  };
}

/** The library asks for each page once, in the order in which they were checked. */
function pagesInOrder(pages: readonly RawPage[]): Decompress {
  let next = 0;
  return (stored) => {
    const page = pages[next++];
    if (!page || Buffer.compare(page.stored, stored) !== 0)
      throw new Malformed('its pages are read in another order than they were checked');
    return page.raw;
  };
}

const STORED = {
  timestampFromNanoseconds: (value: bigint) => value as never,
  stringFromBytes: (bytes: Uint8Array | undefined) => (bytes && textOf(bytes)) as never,
};

function textOf(bytes: Uint8Array): string {
  return readUtf8(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, bytes.byteLength);
}
