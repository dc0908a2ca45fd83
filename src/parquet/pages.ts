import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { decompress, prepareCodec } from '../codec/zstd.ts';
import { writeWithContentSize } from '../codec/zstd-frame.ts';
import { isStowageError } from '../errors.ts';
import type { Chunk } from './footer.ts';
import { decompressLz4 } from './lz4.ts';
import type { ParquetReader } from './parquet-library.ts';
import { Malformed, ThriftReader, type ThriftStruct } from './thrift.ts';

/** Gives exactly so many bytes, and takes memory for no more. */
export type Decompress = (bytes: Uint8Array, rawBytes: number) => Uint8Array;

/** A page of a chunk that is decompressed, in the order of the file. */
export interface RawPage {
  /** As it lies in the file. */
  readonly stored: Uint8Array;
  readonly raw: Uint8Array;
}

/** What all pages of a read may take in memory. */
export class PageBudget {
  readonly most: number;
  #bytes = 0;

  constructor(most: number) {
    this.most = most;
  }

  /** @throws OverBudget */
  take(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.most) throw new OverBudget(this.#bytes);
  }
}

/** Tells that a row group takes more than {@link PageBudget.most}. */
export class OverBudget extends Error {
  readonly bytes: number;

  constructor(bytes: number) {
    super(`a row group takes ${bytes} bytes or more`);
    this.bytes = bytes;
  }
}

/** A value takes so much at least while it is read: a number, or the reference to a text. */
export const VALUE_BYTES = 8;

/** What decompresses the chunks of a codec; `undefined` where nothing is compressed. */
export async function decompressorOf(library: ParquetReader, codec: string): Promise<Decompress | undefined> {
  switch (codec) {
    case 'UNCOMPRESSED':
      return undefined;
    case 'SNAPPY':
      return (bytes, rawBytes) => {
        const raw = new Uint8Array(rawBytes);
        library.snappyUncompress(bytes, raw);
        return raw;
      };
    case 'ZSTD':
      await prepareCodec();
      return unzstd;
    case 'GZIP':
      return (bytes, rawBytes) => gunzipSync(bytes, { maxOutputLength: Math.max(1, rawBytes) });
    case 'BROTLI':
      return (bytes, rawBytes) => brotliDecompressSync(bytes, { maxOutputLength: Math.max(1, rawBytes) });
    case 'LZ4_RAW':
      return decompressLz4;
    default:
      throw new Malformed(`the codec ${codec} is not supported`);
  }
}

/** Frames of some writers do not tell how much they hold; the page does. */
function unzstd(bytes: Uint8Array, rawBytes: number): Uint8Array {
  const frame = new Uint8Array(bytes.length + 3);
  const length = bytes.length > 5 ? writeWithContentSize(frame, bytes, rawBytes) : 0;
  try {
    return decompress(frame.subarray(0, length), rawBytes);
  } catch (error) {
    if (isStowageError(error, 'CONTENT_DAMAGED')) throw new Malformed(`a page's ${error.details.reason}`);
    throw error;
  }
}

const PAGE = { data: 0, index: 1, dictionary: 2, dataV2: 3 } as const;
/** Numbers of the encodings whose values are indexes of a dictionary. */
const DICTIONARY_ENCODINGS: ReadonlySet<unknown> = new Set([2, 8]);
const RLE = 3;

/**
 * Walks the pages of a chunk, and checks all that the library would allocate or repeat by: the lengths and counts of each header, and the
 * runs of levels and of indexes. Decompresses each page once; the library is given the results.
 *
 * @throws Malformed, OverBudget
 */
export function checkPages(
  bytes: Uint8Array,
  chunk: Chunk,
  decompressPage: Decompress | undefined,
  budget: PageBudget,
): RawPage[] {
  const { leaf } = chunk;
  const name = leaf.path.join('.');
  const pages: RawPage[] = [];
  let values = 0;
  for (let offset = 0; offset < bytes.length - 1; ) {
    const reader = new ThriftReader(bytes, offset);
    const header = reader.struct();
    const type = header.get(1);
    const rawBytes = lengthOf(header, 2);
    const storedBytes = lengthOf(header, 3);
    const start = reader.offset;
    offset = start + storedBytes;
    if (offset > bytes.length) throw new Malformed(`a page of column "${name}" leads beyond the column`);
    budget.take(rawBytes);
    const stored = bytes.subarray(start, offset);
    if (type === PAGE.dictionary) {
      const count = lengthOf(structOf(header, 7), 1);
      const raw = rawOf(stored, rawBytes, decompressPage);
      if (decompressPage) pages.push({ stored, raw });
      checkCount(count, raw.length, leaf.element.type, name);
      budget.take(count * VALUE_BYTES);
    } else if (type === PAGE.data || type === PAGE.dataV2) {
      const about = structOf(header, type === PAGE.data ? 5 : 8);
      const count = lengthOf(about, 1);
      values += count;
      if (values > chunk.values)
        throw new Malformed(`the pages of column "${name}" claim more than its ${chunk.values} values`);
      budget.take(count * VALUE_BYTES);
      if (type === PAGE.data) {
        const raw = rawOf(stored, rawBytes, decompressPage);
        if (decompressPage) pages.push({ stored, raw });
        checkPage(raw, chunk, count, about.get(2));
      } else {
        const page = pageV2(stored, rawBytes, about, decompressPage);
        if (page.isCompressed) pages.push(page);
        checkPageV2(page, chunk, count, about);
      }
    } else throw new Malformed(`column "${name}" has a page of the unknown type ${String(type)}`);
  }
  if (values !== chunk.values)
    throw new Malformed(`the pages of column "${name}" have ${values} values, and it claims ${chunk.values}`);
  return pages;
}

function rawOf(stored: Uint8Array, rawBytes: number, decompressPage: Decompress | undefined): Uint8Array {
  const raw = decompressPage ? decompressPage(stored, rawBytes) : stored;
  if (raw.length !== rawBytes) throw new Malformed(`a page claims ${rawBytes} bytes, and has ${raw.length}`);
  return raw;
}

/** Levels, then values, all in one page. */
function checkPage(raw: Uint8Array, { leaf }: Chunk, count: number, encoding: unknown): void {
  let offset = 0;
  for (const level of [leaf.maxRepetition, leaf.maxDefinition]) {
    if (level === 0) continue;
    if (raw.length - offset < 4) throw new Malformed('a page ends in its levels');
    const length = new DataView(raw.buffer, raw.byteOffset).getUint32(offset, true);
    offset += 4;
    if (length > raw.length - offset) throw new Malformed('a page ends in its levels');
    checkRuns(raw, offset, offset + length, bitWidth(level), count);
    offset += length;
  }
  checkIndexes(raw, offset, leaf.element.type, count, encoding);
}

interface PageV2 extends RawPage {
  isCompressed: boolean;
  /** The levels, which are never compressed. */
  levels: Uint8Array;
}

function pageV2(
  page: Uint8Array,
  rawBytes: number,
  about: ThriftStruct,
  decompressPage: Decompress | undefined,
): PageV2 {
  const levelBytes = lengthOf(about, 5) + lengthOf(about, 6);
  if (levelBytes > page.length || levelBytes > rawBytes) throw new Malformed('a page ends in its levels');
  const stored = page.subarray(levelBytes);
  const isCompressed = decompressPage !== undefined && about.get(7) !== false;
  // A page of nulls alone holds no values to decompress.
  const isEmpty = rawBytes === levelBytes && stored.length === 0;
  const raw = isEmpty
    ? stored
    : rawOf(stored, rawBytes - levelBytes, isCompressed ? decompressPage : undefined);
  return { stored, raw, isCompressed, levels: page.subarray(0, levelBytes) };
}

function checkPageV2(
  { raw, levels }: PageV2,
  { leaf, leaf: { maxRepetition, maxDefinition } }: Chunk,
  count: number,
  about: ThriftStruct,
): void {
  const nulls = lengthOf(about, 2);
  if (nulls > count) throw new Malformed(`a page of ${count} values claims ${nulls} nulls`);
  if (maxRepetition === 0 && lengthOf(about, 3) !== count)
    throw new Malformed('a page claims another number of rows than of values');
  const repetition = lengthOf(about, 6);
  if (maxRepetition > 0) checkRuns(levels, 0, repetition, bitWidth(maxRepetition), count);
  if (maxDefinition > 0) checkRuns(levels, repetition, levels.length, bitWidth(maxDefinition), count);
  checkIndexes(raw, 0, leaf.element.type, count - nulls, about.get(4));
}

/** What the values of a page are read by, beyond their bytes. Of `values` some may be null. */
function checkIndexes(
  raw: Uint8Array,
  offset: number,
  type: string | undefined,
  values: number,
  encoding: unknown,
): void {
  if (values === 0) return;
  if (DICTIONARY_ENCODINGS.has(encoding)) {
    if (offset >= raw.length) return; // nulls alone
    const width = raw[offset] as number;
    if (width > 32) throw new Malformed(`a page has indexes of ${width} bits`);
    checkRuns(raw, offset + 1, raw.length, width, values, true);
  } else if (encoding === RLE && type === 'BOOLEAN') {
    // A length stands before the runs.
    checkRuns(raw, offset + 4, raw.length, 1, values, true);
  } else if (encoding === DELTA_BINARY_PACKED || encoding === DELTA_LENGTHS || encoding === DELTA_STRINGS) {
    checkDelta(raw, offset);
  }
}

const DELTA_BINARY_PACKED = 5;
const DELTA_LENGTHS = 6;
const DELTA_STRINGS = 7;

/** A block of deltas has 128 values or a multiple, and a few small blocks. */
function checkDelta(raw: Uint8Array, offset: number): void {
  const at = { offset };
  const block = varint(raw, at, raw.length);
  const parts = varint(raw, at, raw.length);
  if (
    block === 0 ||
    block % 128 !== 0 ||
    block > 1 << 20 ||
    parts === 0 ||
    block % parts !== 0 ||
    (block / parts) % 8 !== 0
  )
    throw new Malformed('a page has blocks of deltas of an impossible form');
}

/** @param isPartial - some of the values may be null, and have no run */
function checkRuns(
  bytes: Uint8Array,
  start: number,
  end: number,
  width: number,
  count: number,
  isPartial = false,
): void {
  const at = { offset: start };
  for (let seen = 0; seen < count; ) {
    if (at.offset >= end && isPartial) return;
    const header = varint(bytes, at, end);
    const isPacked = header % 2 === 1;
    const run = Math.floor(header / 2) * (isPacked ? 8 : 1);
    // Runs of packed values are filled up to their full length.
    if (run > count - seen + (isPacked ? MAX_FILL : 0))
      throw new Malformed(`a page of ${count} values has a run of ${run}`);
    at.offset += isPacked ? Math.ceil((run * width) / 8) : Math.ceil(width / 8);
    seen += run;
  }
}

const MAX_FILL = 512;

function varint(bytes: Uint8Array, at: { offset: number }, end: number): number {
  let value = 0;
  for (let factor = 1; factor < 2 ** 35; factor *= 128) {
    if (at.offset >= end) throw new Malformed('a page ends in the middle of its runs');
    const byte = bytes[at.offset++] as number;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return value;
  }
  throw new Malformed('a page has a number that is too long');
}

/** Values of a dictionary take a bit, or bytes, each. */
function checkCount(count: number, bytes: number, type: string | undefined, name: string): void {
  if (count > bytes * (type === 'BOOLEAN' ? 8 : 1))
    throw new Malformed(`the dictionary of column "${name}" claims ${count} values in ${bytes} bytes`);
}

function bitWidth(level: number): number {
  return 32 - Math.clz32(level);
}

function structOf(fields: ThriftStruct, id: number): ThriftStruct {
  const value = fields.get(id);
  if (!(value instanceof Map)) throw new Malformed('a page has a header without its description');
  return value;
}

function lengthOf(fields: ThriftStruct, id: number): number {
  const value = fields.get(id);
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw new Malformed(`a page claims ${String(value)} as a length`);
  return value;
}
