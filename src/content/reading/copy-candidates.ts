import { type CopyFolder, parseCopyName } from '../../format/content-names.ts';
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
  #listed = 0;
  /** The last listing showed copies that were not known. */
  #hasShown = false;
  /** Names that failed where the reading stands now. */
  #failed = new Set<string>();

  constructor(storage: DataStoreStorage, address: ContentAddress, options: CallOptions) {
    this.#storage = storage;
    this.#address = address;
    this.#options = options;
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
    const untried = this.#untried();
    if (untried !== undefined || this.#listed === LISTINGS) return untried;
    if (this.#listed > 0 && !this.#hasShown) return undefined;
    await this.#list();
    return this.#untried();
  }

  #untried(): string | undefined {
    const name = this.#names.find((candidate) => !this.#failed.has(candidate));
    if (name !== undefined) this.#failed.add(name);
    return name;
  }

  async #list(): Promise<void> {
    this.#listed += 1;
    const first: CopyFolder = this.#address.copy?.startsWith('manifests/') ? 'manifests' : 'data';
    const copies = [
      ...(await listCopies(this.#storage, first, this.#address.key, this.#options)),
      ...(await listCopies(
        this.#storage,
        first === 'data' ? 'manifests' : 'data',
        this.#address.key,
        this.#options,
      )),
    ];
    const known = new Set(this.#names);
    const fresh = copies.filter(({ name }) => !known.has(name));
    this.#hasShown = fresh.length > 0;
    for (const { name, marked } of copies) if (marked) this.#marked.add(name);
    const [good, bad] = [fresh.filter(({ marked }) => !marked), fresh.filter(({ marked }) => marked)];
    this.#names = [...this.#names, ...[...good, ...bad].map(({ name }) => name)].slice(0, MAX_COPIES);
  }
}
