import { isTurnOver, nextTurn } from '../../async/turns.ts';
import { openEnvelope } from '../../codec/envelope.ts';
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
import { readAhead } from '../../streams/read-ahead.ts';
import { damagedObject, objectGone, reasonOf } from '../damage.ts';

/**
 * Neighbouring chunks of a pack are fetched together until they have this size, or hold this much content, which may be far
 * more. The chunk that reaches it belongs to them, so that a pack of 16 MiB is two requests and not three.
 */
const RUN_BYTES = 8 * 1024 * 1024;
const RUN_CONTENT_BYTES = 16 * 1024 * 1024;

/** Chunks that lie next to each other in one pack, and in the content. */
interface Run {
  pack: PackEntry;
  offset: number;
  storedBytes: number;
  /** Bytes of content in the run's chunks. */
  contentBytes: number;
  chunks: { digest: Uint8Array; length: number; offset: number; storedBytes: number }[];
  /** The offset in the content at which the run's first chunk begins. */
  start: number;
}

/** A half-open stretch of a content, in bytes. */
export interface Stretch {
  start: number;
  end: number;
}

/**
 * The bytes of a stretch of a large content, each chunk verified. Only the chunks that are needed are fetched,
 * in coalesced ranges, a few ahead.
 *
 * @throws StowageError `CONTENT_DAMAGED` whose `details.object` is the pack (or manifest) at fault; `CONTENT_NOT_FOUND` where a pack is gone.
 */
export async function* readChunks(
  storage: DataStoreStorage,
  copy: string,
  manifest: Manifest,
  stretch: Stretch,
  options: CallOptions,
): AsyncGenerator<Uint8Array> {
  const runs = runsOf(storage, copy, manifest, stretch, options);
  const fetch = (run: Run, calling: CallOptions): Promise<Uint8Array[]> => fetchRun(storage, run, calling);
  for await (const { item: run, result: chunks } of readAhead(runs, fetch, options)) {
    let at = run.start;
    for (const chunk of chunks) {
      // Whoever reads may hash what comes, and copy it.
      if (isTurnOver()) await nextTurn();
      const part = chunk.subarray(Math.max(0, stretch.start - at), Math.max(0, stretch.end - at));
      at += chunk.length;
      if (part.length > 0) yield part;
    }
  }
}

async function* runsOf(
  storage: DataStoreStorage,
  copy: string,
  manifest: Manifest,
  stretch: Stretch,
  options: CallOptions,
): AsyncGenerator<Run> {
  let groupStart = 0;
  for (const [index, group] of manifest.groups.entries()) {
    const groupEnd = groupStart + group.bytes;
    if (groupEnd > stretch.start && groupStart < stretch.end) {
      const columns = await readColumns(storage, copy, manifest, index, options);
      yield* runsOfGroup(columns, manifest.packs, groupStart, stretch);
    }
    groupStart = groupEnd;
  }
}

function* runsOfGroup(
  columns: ChunkColumns,
  packs: readonly PackEntry[],
  groupStart: number,
  stretch: Stretch,
): Generator<Run> {
  let run: Run | undefined;
  let at = groupStart;
  for (let i = 0; i < columns.lengths.length; i++) {
    const length = columns.lengths[i] as number;
    const chunkStart = at;
    at += length;
    if (at <= stretch.start || chunkStart >= stretch.end) continue;
    const pack = packs[columns.packs[i] as number] as PackEntry;
    const offset = columns.offsets[i] as number;
    const storedBytes = columns.storedBytes[i] as number;
    const chunk = { digest: columns.digests.subarray(i * 32, i * 32 + 32), length, offset, storedBytes };
    const extendsRun =
      run?.pack === pack &&
      run.offset + run.storedBytes === offset &&
      run.storedBytes < RUN_BYTES &&
      run.contentBytes < RUN_CONTENT_BYTES;
    if (run && extendsRun) {
      run.chunks.push(chunk);
      run.storedBytes += storedBytes;
      run.contentBytes += length;
    } else {
      if (run) yield run;
      run = { pack, offset, storedBytes, contentBytes: length, chunks: [chunk], start: chunkStart };
    }
  }
  if (run) yield run;
}

async function fetchRun(storage: DataStoreStorage, run: Run, options: CallOptions): Promise<Uint8Array[]> {
  const bytes = await fetchEntry(storage, run.pack, run.offset, run.storedBytes, options);
  const chunks: Uint8Array[] = [];
  for (const { digest, length, offset, storedBytes } of run.chunks) {
    const start = offset - run.offset;
    const { raw } = openEntry(bytes.subarray(start, start + storedBytes), 'chunk', run.pack.name);
    if (raw.length !== length || Buffer.compare(digestBytes(raw), digest) !== 0) {
      throw damagedObject(run.pack.name, `the chunk at ${offset} does not match its digest`);
    }
    chunks.push(raw);
    if (isTurnOver()) await nextTurn();
  }
  throwIfAborted(options.signal);
  return chunks;
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
  const bytes = await fetchEntry(storage, pack, offset, storedBytes, options);
  const { raw } = openEntry(bytes, 'group', pack.name);
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
  length: number,
  { signal }: CallOptions,
): Promise<Uint8Array> {
  const object = await storage.get(pack.name, { range: { offset, length }, signal });
  if (!object) {
    throw objectGone(pack.name);
  }
  if (object.bytes !== pack.bytes || object.body.length !== length) {
    throw damagedObject(pack.name, `it has ${object.bytes} bytes instead of ${pack.bytes}`);
  }
  return object.body;
}

function openEntry(bytes: Uint8Array, kind: 'chunk' | 'group', pack: string): { raw: Uint8Array } {
  try {
    return openEnvelope(bytes, { kind });
  } catch (error) {
    if (!isStowageError(error, 'CONTENT_DAMAGED')) throw error;
    throw damagedObject(pack, reasonOf(error));
  }
}
