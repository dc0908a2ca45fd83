import { createHasher, digestHex, type Hasher } from '../../digest/blake3.ts';
import type { ContentKey } from '../../format/content-names.ts';
import type { FoundFile } from './walk-tree.ts';

/** The rules by which files are packed and listed. Another number for other rules: indexes of folders that were kept by these do not count then. */
export const PACKING = 1;

/** A pack ends where it has so many bytes at least, and the key of its last file says so, or at the latest where it has the most. */
const MIN_PACK_BYTES = 1024 * 1024;
const MEAN_PACK_BYTES = 4 * 1024 * 1024;
const MAX_PACK_BYTES = 16 * 1024 * 1024;

/** A file whose digest is known. */
export interface DigestedFile extends FoundFile {
  key: ContentKey;
}

/** Files that are stored together, one after the other, as one content. */
export interface PlannedPack {
  files: DigestedFile[];
  bytes: number;
  /** The digest of the files' keys: what stands for the pack as long as its own key is not known. */
  of: string;
  /** The digest of the pack, where all of its files were read. */
  key: ContentKey | undefined;
}

/**
 * Cuts small files, as they come in the order of their paths, into packs. Where a pack ends depends on the files about that place alone, so
 * that a change leaves the packs of others as they were, in whatever process.
 */
export class PackPlan {
  readonly packs: PlannedPack[] = [];
  #files: DigestedFile[] = [];
  #bytes = 0;
  #hasher: Hasher | undefined = createHasher();

  /** @param bytes - those of the file, where it was read */
  add(file: DigestedFile, bytes: Uint8Array | undefined): void {
    this.#files.push(file);
    this.#bytes += file.stats.size;
    if (bytes) this.#hasher?.update(bytes);
    else this.#hasher = undefined;
    if (this.#endsWith(file)) this.finish();
  }

  finish(): void {
    if (this.#files.length === 0) return;
    const of = digestHex(Buffer.from(this.#files.map(({ key }) => key).join('')));
    this.packs.push({ files: this.#files, bytes: this.#bytes, of, key: this.#hasher?.digestHex() });
    [this.#files, this.#bytes, this.#hasher] = [[], 0, createHasher()];
  }

  #endsWith({ key, stats }: DigestedFile): boolean {
    if (this.#bytes >= MAX_PACK_BYTES) return true;
    if (this.#bytes < MIN_PACK_BYTES) return false;
    return Number.parseInt(key.slice(0, 8), 16) / 2 ** 32 < stats.size / MEAN_PACK_BYTES;
  }
}
