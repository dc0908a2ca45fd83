import type { CallOptions } from '../../async/call-options.ts';
import { isInstance, StowageError } from '../../errors.ts';
import { arrowLibrary } from '../../references/data-frame-ref.ts';
import { arrowMessages, checkArrowStream } from '../../values/arrow-stream.ts';
import { Malformed } from '../../values/faults.ts';
import { arrowCells, isArrowTable } from '../values/arrow-table.ts';
import { columnTypes } from '../values/table-view.ts';
import type { ByteSource } from './byte-source.ts';
import { type PageChoice, type PageRows, plainInteger } from './table-page.ts';

/** The bytes of the batches that a page needs; more is not read. */
const MAX_BYTES = 512 * 1024 ** 2;
/** The end of a stream: a message without metadata. */
const END = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0);

/**
 * Reads the rows of a page out of an Arrow IPC stream: its schema, its dictionaries, and the batches with these rows. Of other batches the
 * heads are read, which tell how many rows they have.
 *
 * @throws StowageError `UNDECODABLE_ARTIFACT`, `CONTENT_TOO_LARGE`, `CODEC_UNAVAILABLE`
 */
export async function arrowPage(
  source: ByteSource,
  { offset, limit }: PageChoice,
  options: CallOptions,
): Promise<PageRows> {
  const library = await arrowLibrary();
  try {
    const { parts, start, total } = await planPage(source, offset, limit, options);
    const bytes = await joined(source, parts, options);
    checkArrowStream(bytes);
    const table = library.tableFromIPC(bytes) as unknown;
    if (!isArrowTable(table)) throw new Malformed('the library made no table of it');
    const types = columnTypes(table);
    const columns = table.schema.fields.map(({ name }) => ({ name, type: types.get(name) as string }));
    return { columns, rows: rowsOf(arrowCells(table, offset - start)), total };
  } catch (error) {
    if (!isInstance(error, Malformed)) throw error;
    throw new StowageError(
      'UNDECODABLE_ARTIFACT',
      `Artifact ${source.name} cannot be read as an Arrow table: ${error.message}.`,
      { details: { artifact: source.name }, cause: error },
    );
  }
}

/** What of the stream a page needs, in its order, and the number of the first row in it. */
async function planPage(
  source: ByteSource,
  offset: number,
  limit: number,
  options: CallOptions,
): Promise<{ parts: { offset: number; length: number }[]; start: number; total: number }> {
  const parts: { offset: number; length: number }[] = [];
  const read = (at: number, length: number): Promise<Uint8Array> =>
    source.read({ offset: at, length }, options);
  let start: number | undefined;
  let total = 0;
  let bytes = 0;
  for await (const message of arrowMessages(read, source.size)) {
    const first = total;
    total += message.rows;
    // A dictionary counts for all batches behind it.
    const isWanted =
      message.kind === 'rows' ? first < offset + limit && total > offset : first < offset + limit;
    if (!isWanted) continue;
    if (message.kind === 'rows') start ??= first;
    parts.push({ offset: message.offset, length: message.length });
    bytes += message.length;
    if (bytes > MAX_BYTES)
      throw new StowageError(
        'CONTENT_TOO_LARGE',
        `The rows of ${source.name} from ${offset} on lie in batches of more than ${MAX_BYTES} bytes, which are not read for a page of it. Save it in smaller batches, or as a data frame.`,
        { details: { artifact: source.name, most: MAX_BYTES } },
      );
  }
  return { parts, start: start ?? offset, total };
}

/** Neighbours are read together. */
async function joined(
  source: ByteSource,
  parts: readonly { offset: number; length: number }[],
  options: CallOptions,
): Promise<Uint8Array> {
  const ranges: { offset: number; length: number }[] = [];
  for (const { offset, length } of parts) {
    const last = ranges.at(-1);
    if (last && last.offset + last.length === offset) last.length += length;
    else ranges.push({ offset, length });
  }
  const read: Uint8Array[] = [];
  for (const range of ranges) read.push(await source.read(range, options));
  const length = read.reduce((sum, piece) => sum + piece.length, END.length);
  // Aligned, which its columns want to be.
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of [...read, END]) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function* rowsOf(cells: Iterable<readonly unknown[]>): Generator<readonly unknown[]> {
  for (const row of cells) yield row.map(plainInteger);
}
