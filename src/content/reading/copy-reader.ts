import { ENVELOPE_HEADER_BYTES, MAX_ENVELOPE_RAW_BYTES, openEnvelope } from '../../codec/envelope.ts';
import { prepareCodec } from '../../codec/zstd.ts';
import { createHasher, digestHex } from '../../digest/blake3.ts';
import { isStowageError } from '../../errors.ts';
import { type ContentKey, parseCopyName } from '../../format/content-names.ts';
import { decodeLocator, type Locator } from '../../format/locator.ts';
import { type ChunkColumns, decodeManifest, type Manifest, type PackEntry } from '../../format/manifest.ts';
import { type ContentAddress, placeMember, type StoredContent } from '../../format/stored-content.ts';
import type { CallOptions, DataStoreStorage, StoredObject } from '../../storage/contract.ts';
import { damagedObject, notAsRecorded, objectGone, reasonOf } from '../damage.ts';
import type { Assembly } from './assembly.ts';
import { readChunks, readColumns } from './chunk-reader.ts';
import type { Stretch } from './chunk-windows.ts';
import { readPlain } from './plain-reader.ts';

/** A copy that was opened, by the kind of its envelope. */
type OpenedCopy =
  | { kind: 'blob'; bytes: Uint8Array }
  | { kind: 'manifest'; manifest: Manifest; objectBytes: number }
  | { kind: 'locator'; locator: Locator; objectBytes: number };

/** A content as a manifest or locator describes it, and the packs or the plain object that hold it. */
export interface DescribedCopy {
  stored: StoredContent;
  packs: PackEntry[];
  plain: string | undefined;
  /** Of a copy that is one. */
  manifest?: Manifest;
}

const KINDS = { data: ['blob'], manifests: ['manifest', 'locator'] } as const;
const MOST_BYTES = ENVELOPE_HEADER_BYTES + MAX_ENVELOPE_RAW_BYTES;
/** So many faults in different places a copy may show, without a byte read, before it counts as damaged. */
export const MAX_DOUBTS: number = 8;
export const OTHER_CONTENT: string = 'its content does not match its key';

/** A copy whose bytes can be read. */
export interface ReadableCopy {
  /** Length of the content. */
  bytes: number;
  /** The root of its manifest; absent where it has none. */
  root?: string;
  /** True if what is read is known to be of the key, by the key itself or by the root beside it: no digest of the whole is needed. */
  isProven: boolean;
  /** The bytes of a stretch, each piece verified, in their place in `assembly`, if there is one. */
  read(stretch: Stretch, options: CallOptions, assembly?: Assembly): AsyncIterable<Uint8Array>;
}

/**
 * Opens one copy of a content.
 *
 * @throws StowageError `CONTENT_DAMAGED`, `CONTENT_NOT_FOUND`; `RECORD_DAMAGED` where it is not what `address` says beside the key
 */
export async function openToRead(
  storage: DataStoreStorage,
  name: string,
  address: ContentAddress,
  options: CallOptions,
): Promise<ReadableCopy> {
  const opened = await openCopy(storage, name, options);
  if (!opened) throw objectGone(name);
  if (opened.kind === 'blob') {
    const { bytes } = opened;
    if (digestHex(bytes) !== address.key) throw damagedObject(name, OTHER_CONTENT);
    ensureLength(address, bytes.length);
    return { bytes: bytes.length, isProven: true, read: (stretch) => partOf(bytes, stretch) };
  }
  if (opened.kind === 'locator') {
    const { locator } = opened;
    ensureLength(address, locator.bytes);
    return {
      bytes: locator.bytes,
      isProven: false,
      read: (stretch, calling, assembly) => readPlain(storage, locator, stretch, calling, assembly),
    };
  }
  const { manifest } = opened;
  ensureLength(address, manifest.bytes);
  if ((address.root ?? manifest.root) !== manifest.root) {
    // No longer than the record says: reading it whole tells which of the two is wrong.
    await verifyCopy(storage, name, options);
    throw notAsRecorded(address, `a copy that is whole has the root ${manifest.root}`);
  }
  return {
    bytes: manifest.bytes,
    root: manifest.root,
    isProven: address.root !== undefined,
    read: (stretch, calling, assembly) => readChunks(storage, name, manifest, stretch, calling, assembly),
  };
}

/** Before anything of it is read: a row of few bytes asks for no more. */
function ensureLength(address: ContentAddress, bytes: number): void {
  if ((address.bytes ?? bytes) !== bytes) throw notAsRecorded(address, `its copy has ${bytes} bytes`);
}

async function* partOf(bytes: Uint8Array, { start, end }: Stretch): AsyncGenerator<Uint8Array> {
  const part = bytes.subarray(start, end);
  if (part.length > 0) yield part;
}

/** Reads one copy whole and verifies it; throws `CONTENT_DAMAGED` or `CONTENT_NOT_FOUND`. Resolves to what it is a copy of. */
export async function verifyCopy(
  storage: DataStoreStorage,
  name: string,
  options: CallOptions,
): Promise<Pick<ReadableCopy, 'bytes' | 'root'>> {
  const key = parseCopyName(name)?.key as ContentKey;
  return unlessChangedOnItsWay(async () => {
    const copy = await openToRead(storage, name, { key }, options);
    const hasher = createHasher();
    for await (const piece of copy.read({ start: 0, end: copy.bytes }, options)) hasher.update(piece);
    if (!copy.isProven && hasher.digestHex() !== key) throw damagedObject(name, OTHER_CONTENT);
    return copy;
  });
}

/** Reads what a manifest or a locator names; `undefined` where it is gone. */
export async function describeCopy(
  storage: DataStoreStorage,
  place: string,
  name: string,
  options: CallOptions,
): Promise<DescribedCopy | undefined> {
  const opened = await unlessChangedOnItsWay(() => openCopy(storage, name, options));
  if (!opened) return undefined;
  if (opened.kind === 'blob') throw damagedObject(name, 'it is neither a manifest nor a locator');
  const key = parseCopyName(name)?.key as ContentKey;
  if (opened.kind === 'locator') {
    const { plain, bytes } = opened.locator;
    return {
      stored: {
        key,
        copy: name,
        bytes,
        storedBytes: opened.objectBytes + bytes,
        ...placeMember(place),
      },
      packs: [],
      plain,
    };
  }
  const { bytes, root, storedBytes, packs } = opened.manifest;
  const stored = {
    key,
    copy: name,
    bytes,
    storedBytes: opened.objectBytes + storedBytes,
    root,
    ...placeMember(place),
  };
  return { stored, packs, plain: undefined, manifest: opened.manifest };
}

/** Reads a manifest; `undefined` where the copy is gone, or is none. */
export async function readManifest(
  storage: DataStoreStorage,
  name: string,
  options: CallOptions,
): Promise<Manifest | undefined> {
  const opened = await unlessChangedOnItsWay(() => openCopy(storage, name, options));
  return opened?.kind === 'manifest' ? opened.manifest : undefined;
}

/** Reads the columns of one group of a manifest, by its index. */
export function readGroup(
  storage: DataStoreStorage,
  name: string,
  manifest: Manifest,
  group: number,
  options: CallOptions,
): Promise<ChunkColumns> {
  return unlessChangedOnItsWay(() => readColumns(storage, name, manifest, group, options));
}

async function openCopy(
  storage: DataStoreStorage,
  name: string,
  options: CallOptions,
): Promise<OpenedCopy | undefined> {
  const parsed = parseCopyName(name);
  if (!parsed) throw damagedObject(name, 'its name is not that of a copy');
  let object: StoredObject | undefined;
  try {
    object = await storage.get(name, { ...options, maxBytes: MOST_BYTES });
  } catch (error) {
    if (!isStowageError(error, 'OBJECT_TOO_LARGE')) throw error;
    throw damagedObject(name, 'it is larger than any envelope');
  }
  if (!object) return undefined;
  if (object.body.length !== parsed.bytes) throw damagedObject(name, 'its length is not the one in its name');
  await prepareCodec();
  try {
    const { header, raw } = openEnvelope(object.body, { kind: KINDS[parsed.folder] });
    if (header.kind === 'blob') return { kind: 'blob', bytes: raw };
    if (header.kind === 'manifest') {
      return {
        kind: 'manifest',
        manifest: decodeManifest(raw, parsed.key, name),
        objectBytes: object.bytes,
      };
    }
    return { kind: 'locator', locator: decodeLocator(raw, parsed.key, name), objectBytes: object.bytes };
  } catch (error) {
    if (!isStowageError(error, 'CONTENT_DAMAGED')) throw error;
    throw damagedObject(name, reasonOf(error));
  }
}

/** Calls `read`, and again where it finds damage that it did not find before, which the way may have done. */
async function unlessChangedOnItsWay<T>(read: () => Promise<T>): Promise<T> {
  const doubts = new Set<string>();
  while (true) {
    try {
      return await read();
    } catch (error) {
      const isNew =
        isStowageError(error, 'CONTENT_DAMAGED') && !doubts.has(error.message) && doubts.size < MAX_DOUBTS;
      if (!isNew) throw error;
      doubts.add(error.message);
    }
  }
}
