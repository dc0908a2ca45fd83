import { packPlaceOf, parseCopyName } from '../../format/content-names.ts';
import { type ChunkColumns, GROUP_CHUNKS, type Manifest, type PackEntry } from '../../format/manifest.ts';
import type { ContentPlace } from '../content-place.ts';
import { readStoredChunks } from '../reading/chunk-reader.ts';
import { type ChunkRow, describeChunks, type PackedContent, type StoreOptions } from './large-content.ts';
import { type PackedEntry, type PackOptions, PackWriter } from './pack-writer.ts';
import type { SessionPins } from './session-pins.ts';
import type { UnnamedObjects } from './unnamed-objects.ts';

/** A copy that is to be written anew, without some of its packs. */
export interface CopyToRepack {
  /** Its name. */
  name: string;
  manifest: Manifest;
  /** Names of packs that the new copy is not to name. */
  leaving: ReadonlySet<string>;
}

/** Chooses chunks by their digest and pack. */
type ChunkFilter = (id: string, pack: PackEntry) => boolean;

/**
 * Writes the chunks of a content that lie in packs which it is to leave into new ones, as they are stored, each verified by its digest; the others stay
 * where they are. Chunks that this session moved before, for another content, are not moved again. Packs are `unnamed` until the manifest
 * is written. Memory is bounded by two packs and a few hundred bytes a chunk.
 *
 * @throws StowageError `CONTENT_DAMAGED`, `CONTENT_NOT_FOUND` of the pack at fault
 */
export async function repackContent(
  place: ContentPlace,
  session: SessionPins,
  { name, manifest, leaving }: CopyToRepack,
  unnamed: UnnamedObjects,
  options: StoreOptions & Pick<PackOptions, 'targetBytes'>,
): Promise<Omit<PackedContent, 'samples'>> {
  const packer = new PackWriter(session, unnamed, options);
  const moved = new Map<string, PackedEntry>();
  const wasMoved = (id: string): boolean => {
    const known = moved.get(id) ?? place.knownChunks.get(id);
    if (!known || packPlaceOf(known.pack.name).session !== session.id) return false;
    moved.set(id, known);
    return true;
  };
  try {
    const rows: ChunkRow[] = [];
    for (const index of manifest.groups.keys()) {
      const columns = await place.reader.columnsOf(name, manifest, index, options);
      const isToMove: ChunkFilter = (id, pack) => leaving.has(pack.name) && !wasMoved(id);
      const moving = columnsWhere(columns, manifest.packs, isToMove);
      for await (const chunk of readStoredChunks(place.storage, moving, manifest.packs, options)) {
        const room = packer.makeRoom(chunk.length);
        if (room) await room;
        moved.set(idOf(chunk.digest, 0), packer.addEncoded('chunk', chunk.length, chunk.encoded));
      }
      for (const [i, length] of columns.lengths.entries()) {
        const id = idOf(columns.digests, i);
        const pack = manifest.packs[columns.packs[i] as number] as PackEntry;
        const [offset, storedBytes] = [columns.offsets[i] as number, columns.storedBytes[i] as number];
        const entry = leaving.has(pack.name) ? (moved.get(id) as PackedEntry) : { pack, offset, storedBytes };
        rows.push({ id, length, entry });
      }
    }
    const { key, chunker, bytes } = manifest;
    const described = await describeChunks({ key, chunker, bytes, rows }, packer, options);
    return { ...described, chunks: moved };
  } catch (error) {
    await packer.settle();
    throw error;
  }
}

/** Tells whether chunks of a manifest are grouped as writers here group them, so that a new one has the same root. */
export function isGroupedAlike({ groups }: Manifest): boolean {
  return groups.every(({ chunks }, index) => index === groups.length - 1 || chunks === GROUP_CHUNKS);
}

/** The length of a copy, which its name tells: about so much more is written beside the chunks that move. */
export function manifestBytes(name: string, { groups }: Manifest): number {
  const own = parseCopyName(name)?.bytes ?? 0;
  if (groups.length === 1) return own;
  return groups.reduce((bytes, { at }) => bytes + (at?.storedBytes ?? 0), own);
}

/** The rows of some chunks, each chunk once. */
function columnsWhere(columns: ChunkColumns, packs: readonly PackEntry[], wanted: ChunkFilter): ChunkColumns {
  const rows = new Map<string, number>();
  for (const i of columns.lengths.keys()) {
    const id = idOf(columns.digests, i);
    if (!rows.has(id) && wanted(id, packs[columns.packs[i] as number] as PackEntry)) rows.set(id, i);
  }
  const chosen = [...rows.values()];
  const column = (of: Uint32Array): Uint32Array => Uint32Array.from(chosen, (i) => of[i] as number);
  return {
    digests: Buffer.concat(chosen.map((i) => columns.digests.subarray(i * 32, i * 32 + 32))),
    lengths: column(columns.lengths),
    packs: column(columns.packs),
    offsets: column(columns.offsets),
    storedBytes: column(columns.storedBytes),
  };
}

/** The digest of a chunk, as a row has it. */
function idOf(digests: Uint8Array, index: number): string {
  return Buffer.from(digests.buffer, digests.byteOffset + index * 32, 32).toString('latin1');
}
