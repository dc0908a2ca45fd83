import type { ChunkColumns, PackEntry } from '../../format/manifest.ts';

/** Chunks are fetched together until they have this size in their packs, or hold this much content, which may be far more. */
export interface WindowSize {
  storedBytes: number;
  bytes: number;
}
/** The chunk that reaches it belongs to the window, so that a pack of 16 MiB is two requests and not three, and one of 32 MiB four. */
export const WINDOW: WindowSize = { storedBytes: 129 * 64 * 1024, bytes: 16 * 1024 * 1024 };
/** Where reads cost no requests: a stream takes two thirds of the memory, and no more time. */
export const LOCAL_WINDOW: WindowSize = { storedBytes: 33 * 64 * 1024, bytes: 4 * 1024 * 1024 };
/** What lies between two chunks of a pack is read along up to here: a request costs as much. */
const MAX_GAP_BYTES = 128 * 1024;

/** A half-open stretch of a content, in bytes. */
export interface Stretch {
  start: number;
  end: number;
}

/** An entry of a pack, and where its content belongs. */
export interface WantedChunk {
  digest: Uint8Array;
  /** Bytes of content. */
  length: number;
  /** The offset of its envelope in the pack. */
  offset: number;
  /** Length of its envelope with the payload. */
  storedBytes: number;
  /** Offsets in the window: several where the content repeats. */
  places: number[];
}

/** A part of a pack that one request reads. */
export interface Span {
  pack: PackEntry;
  offset: number;
  storedBytes: number;
  /** In the order of the pack, none overlapping another. */
  chunks: WantedChunk[];
}

/** A part of a content, of whole chunks, that is fetched at once. */
export interface ChunkWindow {
  /** Its offset in the content. */
  start: number;
  bytes: number;
  spans: Span[];
}

/** Chunks that follow each other in the content and in one pack. */
interface Run {
  pack: PackEntry;
  start: number;
  bytes: number;
  offset: number;
  storedBytes: number;
  chunks: Omit<WantedChunk, 'places'>[];
}

/**
 * Plans how the chunks of a group that touch the stretch are fetched: each chunk once for a window, neighbours in a pack by one request,
 * and runs of chunks that are long enough for a request of their own by no more than that.
 */
export function* windowsOf(
  columns: ChunkColumns,
  packs: readonly PackEntry[],
  groupStart: number,
  stretch: Stretch,
  size: WindowSize,
): Generator<ChunkWindow> {
  let runs: Run[] = [];
  let bytes = 0;
  let storedBytes = 0;
  for (const run of runsOf(columns, packs, groupStart, stretch, size)) {
    const fits = storedBytes + run.storedBytes <= size.storedBytes && bytes + run.bytes <= size.bytes;
    if (!fits && runs.length > 0) {
      yield windowOf(runs, size);
      runs = [];
      bytes = 0;
      storedBytes = 0;
    }
    runs.push(run);
    bytes += run.bytes;
    storedBytes += run.storedBytes;
  }
  if (runs.length > 0) yield windowOf(runs, size);
}

function* runsOf(
  columns: ChunkColumns,
  packs: readonly PackEntry[],
  groupStart: number,
  stretch: Stretch,
  size: WindowSize,
): Generator<Run> {
  let run: Run | undefined;
  let end = groupStart;
  for (let i = 0; i < columns.lengths.length; i++) {
    const length = columns.lengths[i] as number;
    const start = end;
    end += length;
    if (end <= stretch.start || start >= stretch.end) continue;
    const pack = packs[columns.packs[i] as number] as PackEntry;
    const offset = columns.offsets[i] as number;
    const storedBytes = columns.storedBytes[i] as number;
    const extendsRun =
      run?.pack === pack &&
      run.offset + run.storedBytes === offset &&
      run.storedBytes < size.storedBytes &&
      run.bytes < size.bytes;
    if (!run || !extendsRun) {
      if (run) yield run;
      run = { pack, start, bytes: 0, offset, storedBytes: 0, chunks: [] };
    }
    run.chunks.push({ digest: columns.digests.subarray(i * 32, i * 32 + 32), length, offset, storedBytes });
    run.bytes += length;
    run.storedBytes += storedBytes;
  }
  if (run) yield run;
}

function windowOf(runs: readonly Run[], size: WindowSize): ChunkWindow {
  const { start } = runs[0] as Run;
  const wanted = new Map<PackEntry, WantedChunk[]>();
  let bytes = 0;
  for (const { pack, chunks } of runs) {
    let ofPack = wanted.get(pack);
    if (!ofPack) {
      ofPack = [];
      wanted.set(pack, ofPack);
    }
    for (const chunk of chunks) {
      ofPack.push({ ...chunk, places: [bytes] });
      bytes += chunk.length;
    }
  }
  const spans: Span[] = [];
  for (const [pack, chunks] of wanted) {
    chunks.sort((a, b) => a.offset - b.offset);
    for (const chunk of chunks) addTo(spans, pack, chunk, size);
  }
  return { start, bytes, spans };
}

/** Adds the next chunk of a pack to the span before it, where they lie near each other. */
function addTo(spans: Span[], pack: PackEntry, chunk: WantedChunk, size: WindowSize): void {
  const span = spans.at(-1);
  const last = span?.chunks.at(-1);
  if (span?.pack === pack && last) {
    if (isSame(last, chunk)) {
      last.places.push(...chunk.places);
      return;
    }
    const gap = chunk.offset - (span.offset + span.storedBytes);
    const storedBytes = span.storedBytes + gap + chunk.storedBytes;
    const isNeighbour = gap === 0 || (gap > 0 && gap <= MAX_GAP_BYTES && storedBytes <= size.storedBytes);
    if (isNeighbour) {
      span.chunks.push(chunk);
      span.storedBytes = storedBytes;
      return;
    }
  }
  spans.push({ pack, offset: chunk.offset, storedBytes: chunk.storedBytes, chunks: [chunk] });
}

function isSame(a: WantedChunk, b: WantedChunk): boolean {
  return (
    a.offset === b.offset &&
    a.storedBytes === b.storedBytes &&
    a.length === b.length &&
    Buffer.compare(a.digest, b.digest) === 0
  );
}
