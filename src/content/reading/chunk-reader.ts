import { mapBounded } from '../../async/bounded-work.ts';
import { isTurnOver, nextTurn } from '../../async/turns.ts';
import { ENVELOPE_HEADER_BYTES, openEnvelope, openEnvelopeInto } from '../../codec/envelope.ts';
import type { EncodedPayload } from '../../codec/payload.ts';
import { digestBytes } from '../../digest/blake3.ts';
import { isStowageError, throwIfAborted } from '../../errors.ts';
import {
  type ChunkColumns,
  type ChunkGroup,
  decodeGroup,
  type Manifest,
  type PackEntry,
} from '../../format/manifest.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';
import { lengthOf, readInto } from '../../storage/read-into.ts';
import { readAhead } from '../../streams/read-ahead.ts';
import { damagedObject, objectGone, reasonOf } from '../damage.ts';
import type { Assembly } from './assembly.ts';
import {
  type ChunkWindow,
  LOCAL_WINDOW,
  type Span,
  type Stretch,
  type WantedChunk,
  WINDOW,
  type WindowSize,
  windowsOf,
} from './chunk-windows.ts';

/** Windows are given in pieces of this length, so that who hashes or copies them leaves the event loop its turns. */
const PIECE_BYTES = 1024 * 1024;
/** The most requests of one window at a time, where its chunks lie scattered. */
const SPANS_AT_ONCE = 4;

/**
 * The bytes of a stretch of a large content, each chunk verified by its digest. Only the chunks that are needed are fetched, in coalesced
 * ranges, a few ahead, and decoded in their place in `assembly`, if there is one.
 *
 * @throws StowageError `CONTENT_DAMAGED` whose `details.object` is the pack (or manifest) at fault; `CONTENT_NOT_FOUND` where a pack is gone.
 */
export async function* readChunks(
  storage: DataStoreStorage,
  copy: string,
  manifest: Manifest,
  stretch: Stretch,
  options: CallOptions,
  assembly?: Assembly,
): AsyncGenerator<Uint8Array> {
  const windows = allWindows(storage, copy, manifest, stretch, options);
  const fetch = async (window: ChunkWindow, calling: CallOptions): Promise<Uint8Array> => {
    const isWithin = window.start >= stretch.start && window.start + window.bytes <= stretch.end;
    const target = (isWithin && assembly?.memoryFor(window.start, window.bytes)) || newMemory(window.bytes);
    const [span, ...others] = window.spans as [Span, ...Span[]];
    if (others.length === 0) await fetchSpan(storage, span, target, calling);
    else {
      // Once this ends, for whatever reason, nothing is written to the memory any more.
      await mapBounded(window.spans, SPANS_AT_ONCE, (one) => fetchSpan(storage, one, target, calling));
    }
    return target;
  };
  for await (const { item: window, result: content } of readAhead(windows, fetch, options)) {
    const end = Math.min(window.bytes, stretch.end - window.start);
    for (let at = Math.max(0, stretch.start - window.start); at < end; at += PIECE_BYTES) {
      // Whoever reads may hash what comes, and copy it.
      if (isTurnOver()) await nextTurn();
      yield content.subarray(at, Math.min(end, at + PIECE_BYTES));
    }
  }
}

async function* allWindows(
  storage: DataStoreStorage,
  copy: string,
  manifest: Manifest,
  stretch: Stretch,
  options: CallOptions,
): AsyncGenerator<ChunkWindow> {
  let groupStart = 0;
  for (const [index, group] of manifest.groups.entries()) {
    const groupEnd = groupStart + group.bytes;
    if (groupEnd > stretch.start && groupStart < stretch.end) {
      const columns = await readColumns(storage, copy, manifest, index, options);
      yield* windowsOf(columns, manifest.packs, groupStart, stretch, windowSizeOf(storage));
    }
    groupStart = groupEnd;
  }
}

/** Reads a span and decodes its chunks to their places in `target`; payloads that are raw are read there. */
async function fetchSpan(
  storage: DataStoreStorage,
  span: Span,
  target: Uint8Array,
  options: CallOptions,
): Promise<void> {
  const { into, envelopes } = memoryOf(span, target);
  await fetchEntry(storage, span.pack, span.offset, into, options);
  for (const { chunk, head, payload, place } of envelopes) {
    try {
      openEnvelopeInto(place, { head, payload }, 'chunk');
    } catch (error) {
      throw ofPack(span.pack, error);
    }
    if (Buffer.compare(digestBytes(place), chunk.digest) !== 0) {
      throw damagedObject(span.pack.name, `the chunk at ${chunk.offset} does not match its digest`);
    }
    for (const again of chunk.places.slice(1)) target.set(place, again);
    if (isTurnOver()) await nextTurn();
  }
  throwIfAborted(options.signal);
}

/** A chunk's envelope, in the memory that it is read into. */
interface EnvelopeInMemory {
  chunk: WantedChunk;
  head: Uint8Array;
  /** The very view `place` where it is raw. */
  payload: Uint8Array;
  place: Uint8Array;
}

/** Memory for all bytes of a span, in their order: raw payloads in their places, heads, compressed ones and gaps beside. */
function memoryOf(span: Span, target: Uint8Array): { into: Uint8Array[]; envelopes: EnvelopeInMemory[] } {
  const beside = newMemory(span.storedBytes - rawBytesOf(span));
  let used = 0;
  const take = (bytes: number): Uint8Array => {
    used += bytes;
    return beside.subarray(used - bytes, used);
  };
  const into: Uint8Array[] = [];
  const envelopes: EnvelopeInMemory[] = [];
  let at = span.offset;
  for (const chunk of span.chunks) {
    if (chunk.offset > at) into.push(take(chunk.offset - at));
    const [first] = chunk.places as [number];
    const place = target.subarray(first, first + chunk.length);
    const head = take(ENVELOPE_HEADER_BYTES);
    const payload = isRaw(chunk) ? place : take(chunk.storedBytes - ENVELOPE_HEADER_BYTES);
    into.push(head, payload);
    envelopes.push({ chunk, head, payload, place });
    at = chunk.offset + chunk.storedBytes;
  }
  return { into, envelopes };
}

function rawBytesOf(span: Span): number {
  return span.chunks.reduce((bytes, chunk) => bytes + (isRaw(chunk) ? chunk.length : 0), 0);
}

/** What is compressed is shorter. */
function isRaw({ length, storedBytes }: WantedChunk): boolean {
  return storedBytes === length + ENVELOPE_HEADER_BYTES;
}

/** A chunk as it lies in its pack, verified by its digest. */
export interface StoredChunk {
  digest: Uint8Array;
  /** Bytes of content. */
  length: number;
  encoded: EncodedPayload;
}

/**
 * Chunks as they are stored, in whatever order their packs have them, each once for a window: what lies near each other is fetched by one
 * request, a few of them ahead.
 *
 * @throws StowageError `CONTENT_DAMAGED`, `CONTENT_NOT_FOUND` of the pack at fault
 */
export async function* readStoredChunks(
  storage: DataStoreStorage,
  columns: ChunkColumns,
  packs: readonly PackEntry[],
  options: CallOptions,
): AsyncGenerator<StoredChunk> {
  const fetch = async ({ pack, offset, storedBytes }: Span, calling: CallOptions): Promise<Uint8Array> => {
    const bytes = newMemory(storedBytes);
    await fetchEntry(storage, pack, offset, [bytes], calling);
    return bytes;
  };
  const spans = spansOf(columns, packs, windowSizeOf(storage));
  for await (const { item: span, result } of readAhead(spans, fetch, options)) {
    for (const { digest, length, offset, storedBytes } of span.chunks) {
      const start = offset - span.offset;
      const envelope = result.subarray(start, start + storedBytes);
      const { header, raw } = openedChunk(envelope, span.pack);
      if (raw.length !== length || Buffer.compare(digestBytes(raw), digest) !== 0) {
        throw damagedObject(span.pack.name, `the chunk at ${offset} does not match its digest`);
      }
      const { codec, elementBytes } = header;
      const payload = envelope.subarray(ENVELOPE_HEADER_BYTES);
      yield { digest, length, encoded: { codec, elementBytes, payload } };
      if (isTurnOver()) await nextTurn();
    }
  }
}

function* spansOf(columns: ChunkColumns, packs: readonly PackEntry[], size: WindowSize): Generator<Span> {
  const all = { start: 0, end: Number.POSITIVE_INFINITY };
  for (const { spans } of windowsOf(columns, packs, 0, all, size)) yield* spans;
}

function windowSizeOf({ capabilities }: DataStoreStorage): WindowSize {
  return capabilities.localReads ? LOCAL_WINDOW : WINDOW;
}

function openedChunk(envelope: Uint8Array, pack: PackEntry): ReturnType<typeof openEnvelope> {
  try {
    return openEnvelope(envelope, { kind: 'chunk' });
  } catch (error) {
    throw ofPack(pack, error);
  }
}

/**
 * The columns of a group of a manifest, by its index, verified.
 *
 * @throws StowageError `CONTENT_DAMAGED`, `CONTENT_NOT_FOUND` of the pack that holds them
 */
export async function readColumns(
  storage: DataStoreStorage,
  copy: string,
  manifest: Manifest,
  index: number,
  options: CallOptions,
): Promise<ChunkColumns> {
  const group = manifest.groups[index] as ChunkGroup;
  if (group.columns) return group.columns;
  const { pack: at, offset, storedBytes } = group.at as NonNullable<ChunkGroup['at']>;
  const pack = manifest.packs[at] as PackEntry;
  const bytes = newMemory(storedBytes);
  await fetchEntry(storage, pack, offset, [bytes], options);
  let raw: Uint8Array;
  try {
    ({ raw } = openEnvelope(bytes, { kind: 'group' }));
  } catch (error) {
    throw ofPack(pack, error);
  }
  try {
    return decodeGroup(raw, group, manifest.packs, copy);
  } catch (error) {
    if (!isStowageError(error, 'CONTENT_DAMAGED')) throw error;
    throw damagedObject(pack.name, `the chunk group at ${offset} does not match its root`);
  }
}

async function fetchEntry(
  storage: DataStoreStorage,
  pack: PackEntry,
  offset: number,
  into: readonly Uint8Array[],
  { signal }: CallOptions,
): Promise<void> {
  const object = await readInto(storage, pack.name, { offset, into }, { signal });
  if (!object) throw objectGone(pack.name);
  // As long as it should be, it holds all that was asked for: a manifest names nothing past the end.
  if (object.bytes !== pack.bytes || object.filled !== lengthOf(into)) {
    throw damagedObject(pack.name, `it has ${object.bytes} bytes instead of ${pack.bytes}`);
  }
}

/** Memory that is not cleared first, which takes as long as filling it. */
function newMemory(bytes: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer);
}

/** What is wrong with an entry is wrong with its pack. */
function ofPack(pack: PackEntry, error: unknown): unknown {
  return isStowageError(error, 'CONTENT_DAMAGED') ? damagedObject(pack.name, reasonOf(error)) : error;
}
