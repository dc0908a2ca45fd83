import type { WorkCounter } from '../../async/progress.ts';
import { isTurnOver, nextTurn } from '../../async/turns.ts';
import { CHUNKER_ID } from '../../codec/chunker.ts';
import type { Compression } from '../../codec/envelope.ts';
import { sealEnvelope } from '../../codec/envelope.ts';
import type { PayloadOptions } from '../../codec/payload.ts';
import { Trials } from '../../codec/trials.ts';
import { createHasher, digestHex, type Hasher } from '../../digest/blake3.ts';
import { StowageError, throwIfAborted } from '../../errors.ts';
import type { ContentKey } from '../../format/content-names.ts';
import {
  FINGERPRINT_BYTES,
  MAX_HINT_BYTES,
  MAX_SAMPLE,
  MAX_SAMPLED_GROUPS,
  sampleOf,
} from '../../format/hint.ts';
import {
  type ChunkColumns,
  type ChunkGroup,
  encodeGroup,
  encodeManifest,
  GROUP_CHUNKS,
  groupRoot,
  type Manifest,
  manifestRoot,
  type PackEntry,
} from '../../format/manifest.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { type ContentSource, chunksIn, chunksOf } from '../../streams/chunk-stream.ts';
import { changedMeanwhile, settled } from '../../streams/lent-memory.ts';
import type { PackFinder } from './pack-finder.ts';
import { type PackedEntry, type PackOptions, PackWriter } from './pack-writer.ts';
import type { SessionPins } from './session-pins.ts';
import type { UnnamedObjects } from './unnamed-objects.ts';

/** The most chunk groups a manifest may name: with 64 KiB chunks, 4 TiB of content. */
const MAX_GROUPS = 8_192;

/** A content whose chunks lie in packs, and the manifest that remains to be written under its key. */
export interface PackedContent {
  key: ContentKey;
  bytes: number;
  root: string;
  /** The manifest, sealed in its envelope. */
  sealed: Uint8Array;
  packs: PackEntry[];
  /** Envelopes of the chunks, those reused included, and the manifest's. */
  storedBytes: number;
  /** The place of each chunk, to be remembered once the manifest is written. */
  chunks: ReadonlyMap<string, PackedEntry>;
  /** Of the chunks of each group, for hints. */
  samples: readonly Uint8Array[];
}

/** Options of storing a content. */
export interface StoreOptions extends CallOptions {
  compression?: Compression | undefined;
  /** Width of the content's elements, for byte-grouped compression. */
  elementBytes?: number | undefined;
  /** Counts the bytes that are stored, or known to be. Default: nobody. */
  progress?: WorkCounter | undefined;
}

/** One chunk's row, before it goes into columns. */
export interface ChunkRow {
  /** The digest, as a string of 32 characters, which takes a tenth of the memory of an array. */
  id: string;
  length: number;
  entry: PackedEntry;
}

/**
 * Cuts a content into chunks, packs those that are not stored yet, and describes it. Everything passes through once;
 * memory is bounded by two packs and a few hundred bytes a chunk. Packs are `unnamed` until the manifest is written.
 *
 * @throws StowageError `CONTENT_TOO_LARGE` beyond about 4 TiB; whatever the source or the storage throws.
 */
export async function packContent(
  session: SessionPins,
  finder: PackFinder,
  source: ContentSource,
  unnamed: UnnamedObjects,
  options: StoreOptions & Pick<PackOptions, 'targetBytes' | 'expectedBytes'>,
): Promise<PackedContent> {
  const expectedBytes = source instanceof Uint8Array ? source.length : options.expectedBytes;
  const packer = new PackWriter(session, unnamed, {
    signal: options.signal,
    targetBytes: options.targetBytes,
    progress: options.progress,
    ...(expectedBytes === undefined ? {} : { expectedBytes }),
  });
  try {
    const packing = new Packing(packer, finder, options);
    await finder.prepare(options);
    if (source instanceof Uint8Array) {
      for (const chunk of chunksIn(source)) {
        const taken = packing.take(chunk);
        if (taken) await taken;
        if (isTurnOver()) await nextTurn();
      }
    } else {
      for await (const chunk of chunksOf(source)) {
        await packing.take(chunk);
        if (isTurnOver()) await nextTurn();
      }
    }
    const { rows, seen, bytes } = packing;
    const key = packing.key();
    const described = await describeChunks({ key, chunker: CHUNKER_ID, bytes, rows }, packer, options);
    return { ...described, chunks: seen, samples: samplesOf(rows) };
  } catch (error) {
    await packer.settle();
    throw error;
  }
}

/** The chunks of one content, as they are hashed, found or packed one after the other. */
class Packing {
  readonly #packer: PackWriter;
  readonly #finder: PackFinder;
  readonly #options: StoreOptions;
  readonly #encoding: PayloadOptions;
  readonly #whole: Hasher = createHasher();
  readonly rows: ChunkRow[] = [];
  readonly seen: Map<string, PackedEntry> = new Map();
  bytes = 0;

  constructor(packer: PackWriter, finder: PackFinder, options: StoreOptions) {
    const { compression, elementBytes } = options;
    this.#packer = packer;
    this.#finder = finder;
    this.#options = options;
    this.#encoding = { compression, elementBytes, trials: new Trials() };
  }

  /** Takes the next chunk. Few of them have to wait for anything, and a promise takes as long as hashing a part of the chunk. */
  take(view: Uint8Array): Promise<void> | undefined {
    throwIfAborted(this.#options.signal);
    const chunk = settled(view);
    // By the end of its turn the caller may have transferred its memory, and it has none.
    const { length } = chunk;
    const room = this.#packer.makeRoom(length);
    return room ? room.then(() => this.#store(chunk, length)) : this.#store(chunk, length);
  }

  /** Of all chunks that were taken. */
  key(): ContentKey {
    return this.#whole.digestHex();
  }

  #store(chunk: Uint8Array, length: number): Promise<void> | undefined {
    this.#whole.update(chunk);
    this.bytes += length;
    const id = idOf(chunk);
    const seen = this.seen.get(id);
    const finding = seen ? undefined : this.#finder.findChunk(id, this.#options);
    if (finding) return this.#storeUnlessFound(chunk, length, id, finding);
    if (seen) this.#options.progress?.add(length);
    this.#note(id, length, seen ?? this.#packer.add('chunk', chunk, this.#encoding));
    return undefined;
  }

  async #storeUnlessFound(
    chunk: Uint8Array,
    length: number,
    id: string,
    finding: Promise<PackedEntry | undefined>,
  ): Promise<void> {
    const found = await finding;
    if (found) this.#options.progress?.add(length);
    // While it was looked for, the caller's bytes may have become others than those of this digest.
    else if (idOf(chunk) !== id) throw changedMeanwhile();
    this.#note(id, length, found ?? this.#packer.add('chunk', chunk, this.#encoding));
  }

  #note(id: string, length: number, entry: PackedEntry): void {
    this.seen.set(id, entry);
    this.rows.push({ id, length, entry });
    if (this.rows.length > MAX_GROUPS * GROUP_CHUNKS) throw tooLarge(this.bytes);
  }
}

/** The digest of a chunk, as {@link ChunkRow} has it. */
function idOf(chunk: Uint8Array): string {
  return Buffer.from(digestHex(chunk), 'hex').toString('latin1');
}

/** The chunks of a whole content, in its order. */
interface ContentChunks extends Pick<Manifest, 'key' | 'chunker' | 'bytes'> {
  rows: readonly ChunkRow[];
}

/**
 * Builds the manifest, and ends the packs: the columns of several groups go into them as entries of their own. Resolves once all of them
 * are visible.
 */
export async function describeChunks(
  { key, chunker, bytes, rows }: ContentChunks,
  packer: PackWriter,
  options: StoreOptions,
): Promise<Omit<PackedContent, 'chunks' | 'samples'>> {
  const packIndex = new Map<PackEntry, number>();
  const indexOf = (pack: PackEntry): number => {
    const known = packIndex.get(pack);
    if (known !== undefined) return known;
    packIndex.set(pack, packIndex.size);
    return packIndex.size - 1;
  };
  await packer.drain();
  let storedBytes = 0;
  const groups: ChunkGroup[] = [];
  for (let start = 0; start < rows.length; start += GROUP_CHUNKS) {
    const slice = rows.slice(start, start + GROUP_CHUNKS);
    const columns = toColumns(slice, indexOf);
    for (const { entry } of slice) storedBytes += entry.storedBytes;
    const group = {
      chunks: slice.length,
      bytes: slice.reduce((total, row) => total + row.length, 0),
      root: groupRoot(columns.digests, columns.lengths),
    };
    if (rows.length <= GROUP_CHUNKS) {
      groups.push({ ...group, columns, at: undefined });
    } else {
      const encoded = encodeGroup(columns);
      await packer.makeRoom(encoded.length);
      const packed = packer.add('group', encoded, { compression: options.compression });
      await packer.drain();
      storedBytes += packed.storedBytes;
      const at = { pack: indexOf(packed.pack), offset: packed.offset, storedBytes: packed.storedBytes };
      groups.push({ ...group, columns: undefined, at });
    }
  }
  await packer.finish();
  const root = manifestRoot(chunker, groups);
  // Only now the lengths of the packs are final.
  await packer.finish();
  const packs = [...packIndex.keys()].map(({ name, bytes: packBytes }) => ({ name, bytes: packBytes }));
  const manifest = { key, chunker, bytes, root, storedBytes, packs, groups };
  const sealed = sealEnvelope('manifest', encodeManifest(manifest), { compression: 'none' });
  return { key, bytes, root, sealed, packs, storedBytes: storedBytes + sealed.length };
}

function toColumns(rows: readonly ChunkRow[], indexOf: (pack: PackEntry) => number): ChunkColumns {
  const digests = Buffer.alloc(rows.length * 32);
  rows.forEach(({ id }, index) => {
    digests.write(id, index * 32, 'latin1');
  });
  return {
    digests,
    lengths: Uint32Array.from(rows, ({ length }) => length),
    packs: Uint32Array.from(rows, ({ entry }) => indexOf(entry.pack)),
    offsets: Uint32Array.from(rows, ({ entry }) => entry.offset),
    storedBytes: Uint32Array.from(rows, ({ entry }) => entry.storedBytes),
  };
}

/** A sample of each group's chunks, all together no more than a hint has room for, or nearly so. */
function samplesOf(rows: readonly ChunkRow[]): Uint8Array[] {
  const groups = Math.min(MAX_SAMPLED_GROUPS, Math.ceil(rows.length / GROUP_CHUNKS));
  const most = Math.min(MAX_SAMPLE, Math.ceil(MAX_HINT_BYTES / FINGERPRINT_BYTES / groups));
  return Array.from({ length: groups }, (_, group) => {
    const slice = rows.slice(group * GROUP_CHUNKS, (group + 1) * GROUP_CHUNKS);
    return sampleOf(
      slice.map(({ id }) => Buffer.from(id, 'latin1')),
      most,
    );
  });
}

function tooLarge(bytes: number): StowageError {
  return new StowageError(
    'CONTENT_TOO_LARGE',
    `The content has more chunks than a manifest can name (after ${bytes} bytes); save it in parts.`,
    { details: { bytes } },
  );
}
