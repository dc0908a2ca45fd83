import { type CopyFolder, folderFor, parseCopyName } from '../../format/content-names.ts';
import type { ContentAddress } from '../../format/stored-content.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';
import { listCopies } from '../copies.ts';

/** So many copies of one key are tried at most; writers leave a few. */
const MAX_COPIES = 1_000;
/** A collector may delete what a listing showed once another copy is whole: a second listing shows that one. */
const LISTINGS = 2;

/** The names of a key's copies in the order in which a reader tries them: the recorded one, unmarked ones, marked ones. */
export class CopyCandidates {
  readonly #storage: DataStoreStorage;
  readonly #address: ContentAddress;
  readonly #options: CallOptions;
  readonly #marked = new Set<string>();
  #names: string[];
  #listings = 1;
  /** What is left of the listing; the second folder is listed only where the first has no copy that is not marked. */
  #unlisted: CopyFolder[];
  /** The listing showed copies that were not known. */
  #hasShown = false;
  /** Names that failed where the reading stands now. */
  #failed = new Set<string>();

  constructor(storage: DataStoreStorage, address: ContentAddress, options: CallOptions) {
    this.#storage = storage;
    this.#address = address;
    this.#options = options;
    this.#unlisted = foldersOf(address);
    // The name of anything else is not looked at: it would be found damaged, and marked.
    const isCopyOfKey = address.copy !== undefined && parseCopyName(address.copy)?.key === address.key;
    this.#names = isCopyOfKey ? [address.copy as string] : [];
  }

  isMarked(name: string): boolean {
    return this.#marked.has(name);
  }

  /** A byte was read: what failed before may serve again further on. */
  progressed(): void {
    const current = [...this.#failed].at(-1);
    this.#failed = new Set(current === undefined ? [] : [current]);
  }

  async next(): Promise<string | undefined> {
    for (;;) {
      const name = this.#untried();
      const isMarked = name !== undefined && this.#marked.has(name);
      const folder = name === undefined || isMarked ? this.#folderToList(isMarked) : undefined;
      if (folder === undefined) {
        if (name !== undefined) this.#failed.add(name);
        return name;
      }
      await this.#list(folder);
    }
  }

  #untried(): string | undefined {
    return this.#names.find((candidate) => !this.#failed.has(candidate));
  }

  /** The folder of the current listing, or of another one where none was found whole of what that showed. */
  #folderToList(isAnyLeft: boolean): CopyFolder | undefined {
    if (this.#unlisted.length === 0 && !isAnyLeft && this.#hasShown && this.#listings < LISTINGS) {
      this.#listings += 1;
      this.#hasShown = false;
      this.#unlisted = foldersOf(this.#address);
    }
    return this.#unlisted.shift();
  }

  async #list(folder: CopyFolder): Promise<void> {
    const copies = await listCopies(this.#storage, folder, this.#address.key, this.#options);
    const known = new Set(this.#names);
    const fresh = copies.filter(({ name }) => !known.has(name));
    if (fresh.length > 0) this.#hasShown = true;
    for (const { name, marked } of copies) if (marked) this.#marked.add(name);
    // The recorded one stays the first.
    const isLast = (name: string): boolean => this.#marked.has(name) && name !== this.#address.copy;
    const names = [...this.#names, ...fresh.map(({ name }) => name)];
    this.#names = [...names.filter((name) => !isLast(name)), ...names.filter(isLast)].slice(0, MAX_COPIES);
  }
}

/** The folder where a copy of a content is to be expected comes first. */
function foldersOf({ copy, bytes = 0 }: ContentAddress): CopyFolder[] {
  const isLarge = copy === undefined ? folderFor(bytes) === 'manifests' : copy.startsWith('manifests/');
  return isLarge ? ['manifests', 'data'] : ['data', 'manifests'];
}
