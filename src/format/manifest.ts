import { createRequire } from 'node:module';
import { MAX_CHUNK_BYTES } from '../codec/chunker.ts';
import { ENVELOPE_HEADER_BYTES } from '../codec/envelope.ts';
import { createHasher, digestBytes } from '../digest/blake3.ts';
import { StowageError } from '../errors.ts';
import { type ContentKey, isPackName } from './content-names.ts';
import { isBoundedMsgpack } from './msgpack-bounds.ts';

type Msgpack = typeof import('@msgpack/msgpack');

const require = createRequire(import.meta.url);
let library: Msgpack | undefined;

/** Chunks per group: a manifest of more than one group keeps their columns in packs (about 512 MiB of content each). */
export const GROUP_CHUNKS = 8192;
/** The most bytes a pack may have. */
export const MAX_PACK_BYTES: number = 64 * 1024 * 1024;
/** The fault of a manifest that is whole, and of another content. */
export const OTHER_MANIFEST = 'it describes another content than its name says';

/** The bytes that a chunk takes in the columns: its digest and four numbers. */
const CHUNK_ROW_BYTES = 48;

/** A pack that a manifest names. */
export interface PackEntry {
  name: string;
  /** The pack object's length, so that a truncated one shows without reading it. */
  bytes: number;
}

/** A stretch of chunks, as columns of equal length. */
export interface ChunkColumns {
  /** 32 bytes each: BLAKE3-256 of the chunk. */
  digests: Uint8Array;
  /** Length of each chunk in bytes. */
  lengths: Uint32Array;
  /** Index into the manifest's packs. */
  packs: Uint32Array;
  /** The offset at which the chunk's envelope begins in its pack. */
  offsets: Uint32Array;
  /** Length of the envelope with its payload. */
  storedBytes: Uint32Array;
}

/** A group of up to {@link GROUP_CHUNKS} chunks: its columns, or where they lie in a pack. */
export interface ChunkGroup {
  chunks: number;
  bytes: number;
  /** 32 bytes: see {@link groupRoot}. */
  root: Uint8Array;
  columns: ChunkColumns | undefined;
  /** Present where the columns lie in a pack, as an entry of kind `group`. */
  at: { pack: number; offset: number; storedBytes: number } | undefined;
}

/** The description of a large content: which chunks, in which packs. */
export interface Manifest {
  /** The content that it describes, which is the key in the name of the copy. */
  key: ContentKey;
  chunker: string;
  /** Length of the content. */
  bytes: number;
  /** Hexadecimal: see {@link manifestRoot}. Equal for every copy, whatever packs hold the chunks. */
  root: string;
  /** The bytes that the envelopes of chunks and groups take up; for statistics. */
  storedBytes: number;
  packs: PackEntry[];
  groups: ChunkGroup[];
}

const DIGEST_BYTES = 32;
/** The manifest itself, its groups, one of them, and where that lies. */
const MAX_DEPTH = 4;
const GROUP_DOMAIN = new TextEncoder().encode('stowage chunk group 1\n');
const ROOT_DOMAIN = new TextEncoder().encode('stowage manifest root 1\n');

/** BLAKE3 over a fixed prefix, the chunk digests, then the chunk lengths (u32, little-endian). */
export function groupRoot(digests: Uint8Array, lengths: Uint32Array): Uint8Array {
  return createHasher().update(GROUP_DOMAIN).update(digests).update(littleEndian(lengths)).digestBytes();
}

/** BLAKE3 over a fixed prefix, the chunker's id and a newline, then for each group its bytes (u64), chunks (u32) and root. */
export function manifestRoot(
  chunker: string,
  groups: readonly Pick<ChunkGroup, 'bytes' | 'chunks' | 'root'>[],
): string {
  const hasher = createHasher()
    .update(ROOT_DOMAIN)
    .update(new TextEncoder().encode(`${chunker}\n`));
  for (const { bytes, chunks, root } of groups) {
    const head = Buffer.alloc(12);
    head.writeBigUInt64LE(BigInt(bytes), 0);
    head.writeUInt32LE(chunks, 8);
    hasher.update(head).update(root);
  }
  return hasher.digestHex();
}

/**
 * The raw bytes of a manifest: MessagePack, columns as little-endian binary, then BLAKE3-256 of that. The root covers only what is
 * equal for every copy, so that without this digest a flipped bit could accuse a whole pack, or pass for a newer version.
 */
export function encodeManifest(manifest: Manifest): Uint8Array {
  const { key, chunker, bytes, root, storedBytes, packs, groups } = manifest;
  const fields = msgpack().encode({
    v: 1,
    key: Buffer.from(key, 'hex'),
    chunker,
    bytes,
    root: Buffer.from(root, 'hex'),
    stored: storedBytes,
    packs: packs.map((pack) => [pack.name, pack.bytes]),
    groups: groups.map((group) => [
      group.chunks,
      group.bytes,
      group.root,
      group.at
        ? [group.at.pack, group.at.offset, group.at.storedBytes]
        : columnsToBytes(group.columns as ChunkColumns),
    ]),
  });
  return Buffer.concat([fields, digestBytes(fields)]);
}

/** The raw bytes of a group's columns, one after the other: digests, lengths, packs, offsets, stored lengths. */
export function columnsToBytes({ digests, lengths, packs, offsets, storedBytes }: ChunkColumns): Uint8Array {
  return Buffer.concat([digests, ...[lengths, packs, offsets, storedBytes].map(littleEndian)]);
}

/** The raw bytes of a group that lies in a pack: its columns, then BLAKE3-256 of them, since its root covers only some. */
export function encodeGroup(columns: ChunkColumns): Uint8Array {
  const bytes = columnsToBytes(columns);
  return Buffer.concat([bytes, digestBytes(bytes)]);
}

/** Reads a group that lay in a pack; throws `CONTENT_DAMAGED`, naming `what`. */
export function decodeGroup(
  raw: Uint8Array,
  group: Pick<ChunkGroup, 'chunks' | 'bytes' | 'root'>,
  packs: readonly PackEntry[],
  what: string,
): ChunkColumns {
  ensure(raw.length === group.chunks * CHUNK_ROW_BYTES + 32, what);
  const columns = raw.subarray(0, raw.length - 32);
  ensure(Buffer.compare(digestBytes(columns), raw.subarray(raw.length - 32)) === 0, what);
  return decodeColumns(columns, group, packs, what);
}

/**
 * Reads and checks the manifest of `key`; every number in it is bounded before it is used.
 *
 * @throws StowageError `CONTENT_DAMAGED`, naming `what`, or `UNSUPPORTED_FORMAT` for a newer version.
 */
export function decodeManifest(raw: Uint8Array, key: ContentKey, what: string): Manifest {
  const fields = decodeMap(raw, what);
  if (Number.isSafeInteger(fields.v) && (fields.v as number) > 1) throw newer(what, `version ${fields.v}`);
  const { v, chunker, bytes, root, stored } = fields;
  if (v === 1 && isDigest(fields.key) && Buffer.from(fields.key).toString('hex') !== key)
    throw misplaced(what);
  ensure(
    v === 1 &&
      isDigest(fields.key) &&
      typeof chunker === 'string' &&
      isCount(bytes) &&
      isDigest(root) &&
      isCount(stored),
    what,
  );
  const packs = readPacks(fields.packs, what);
  ensure(Array.isArray(fields.groups), what);
  const groups = (fields.groups as unknown[]).map((group) => readGroup(group, packs, what));
  ensure(sum(groups.map((group) => group.bytes)) === bytes, what);
  const manifest = {
    key,
    chunker,
    bytes,
    root: Buffer.from(root).toString('hex'),
    storedBytes: stored,
    packs,
    groups,
  };
  ensure(manifestRoot(chunker, groups) === manifest.root, what);
  return manifest;
}

/** Reads a group's columns and checks them against the group's root, chunks and bytes, and the manifest's packs. */
export function decodeColumns(
  raw: Uint8Array,
  group: Pick<ChunkGroup, 'chunks' | 'bytes' | 'root'>,
  packs: readonly PackEntry[],
  what: string,
): ChunkColumns {
  const n = group.chunks;
  ensure(raw.length === n * CHUNK_ROW_BYTES, what);
  const column = (index: number): Uint32Array => readU32(raw, n * (32 + 4 * index), n);
  const columns: ChunkColumns = {
    digests: raw.slice(0, n * 32),
    lengths: column(0),
    packs: column(1),
    offsets: column(2),
    storedBytes: column(3),
  };
  ensure(Buffer.compare(groupRoot(columns.digests, columns.lengths), group.root) === 0, what);
  let bytes = 0;
  for (let i = 0; i < n; i++) {
    const length = columns.lengths[i] as number;
    bytes += length;
    ensure(length > 0 && length <= MAX_CHUNK_BYTES, what);
    ensureEntry(
      packs,
      columns.packs[i] as number,
      columns.offsets[i] as number,
      columns.storedBytes[i] as number,
      what,
    );
  }
  ensure(bytes === group.bytes, what);
  return columns;
}

/** The packs that a manifest's chunks and groups lie in, all of them. */
export function packsOf(manifest: Manifest): string[] {
  return manifest.packs.map((pack) => pack.name);
}

function readPacks(value: unknown, what: string): PackEntry[] {
  ensure(Array.isArray(value), what);
  return (value as unknown[]).map((entry) => {
    ensure(Array.isArray(entry) && entry.length === 2, what);
    const [name, bytes] = entry as [unknown, unknown];
    ensure(isPackName(name) && isCount(bytes) && bytes <= MAX_PACK_BYTES, what);
    return { name: name as string, bytes: bytes as number };
  });
}

function readGroup(value: unknown, packs: PackEntry[], what: string): ChunkGroup {
  ensure(Array.isArray(value) && value.length === 4, what);
  const [chunks, bytes, root, where] = value as [unknown, unknown, unknown, unknown];
  ensure(isCount(chunks) && chunks >= 1 && chunks <= GROUP_CHUNKS && isCount(bytes) && isDigest(root), what);
  const group = { chunks: chunks as number, bytes: bytes as number, root: root as Uint8Array };
  if (where instanceof Uint8Array)
    return { ...group, columns: decodeColumns(where, group, packs, what), at: undefined };
  ensure(Array.isArray(where) && where.length === 3 && where.every(isCount), what);
  const [pack, offset, storedBytes] = where as [number, number, number];
  ensureEntry(packs, pack, offset, storedBytes, what);
  return { ...group, columns: undefined, at: { pack, offset, storedBytes } };
}

function ensureEntry(
  packs: readonly PackEntry[],
  pack: number,
  offset: number,
  stored: number,
  what: string,
): void {
  const entry = packs[pack];
  ensure(entry !== undefined && stored > ENVELOPE_HEADER_BYTES && offset + stored <= entry.bytes, what);
}

function decodeMap(raw: Uint8Array, what: string): Record<string, unknown> {
  const fields = raw.subarray(0, Math.max(0, raw.length - DIGEST_BYTES));
  ensure(Buffer.compare(digestBytes(fields), raw.subarray(fields.length)) === 0, what);
  ensure(isBoundedMsgpack(fields, MAX_DEPTH), what);
  let value: unknown;
  try {
    value = msgpack().decode(fields, { maxStrLength: 1024, maxMapLength: 16 });
  } catch (cause) {
    // Only what the decoder says of its input: any other error is a fault of ours, and must not accuse the store.
    const isOfInput = cause instanceof msgpack().DecodeError || cause instanceof RangeError;
    throw isOfInput ? damaged(what, cause) : cause;
  }
  ensure(typeof value === 'object' && value !== null && !Array.isArray(value), what);
  return value as Record<string, unknown>;
}

function littleEndian(column: Uint32Array): Uint8Array {
  const bytes = Buffer.alloc(column.length * 4);
  for (let i = 0; i < column.length; i++) bytes.writeUInt32LE(column[i] as number, i * 4);
  return bytes;
}

function readU32(bytes: Uint8Array, offset: number, count: number): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, count * 4);
  return Uint32Array.from({ length: count }, (_, i) => view.getUint32(i * 4, true));
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isDigest(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length === 32;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function ensure(condition: boolean, what: string): asserts condition {
  if (!condition) throw damaged(what);
}

function damaged(what: string, cause?: unknown): StowageError {
  return new StowageError(
    'CONTENT_DAMAGED',
    `The manifest ${what} is damaged; save the content again to mend it.`,
    {
      details: { what },
      cause,
    },
  );
}

/** It is whole, and of another content. */
function misplaced(what: string): StowageError {
  return new StowageError(
    'CONTENT_DAMAGED',
    `The manifest ${what} describes another content than its name says; save the content again to mend it.`,
    { details: { what, reason: OTHER_MANIFEST } },
  );
}

function newer(what: string, found: string): StowageError {
  return new StowageError(
    'UNSUPPORTED_FORMAT',
    `The manifest ${what} has ${found}; upgrade stowage to read it.`,
    {
      details: { what },
    },
  );
}

/** Loads the library with the first manifest, which many processes never meet. */
function msgpack(): Msgpack {
  library ??= require('@msgpack/msgpack') as Msgpack;
  return library;
}
