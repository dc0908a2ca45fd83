import { SESSION_FILES } from '../format/session-files.ts';
import type { CreateOptions, DataStoreStorage, OverwriteOptions } from '../storage/contract.ts';
import { StorageDecorator } from '../storage/decorator.ts';
import type { StoreFile } from './store-file.ts';

/**
 * The storage of a store, which takes nothing new once the store is gone (`STORE_GONE`): a store in a bucket is looked at once a minute
 * before something is written, one in a folder before each DONE. (A folder's storage makes no folder where the store was, so that other
 * writes fail by themselves.)
 */
export class StandingStorage extends StorageDecorator {
  readonly #storeFile: StoreFile;

  constructor(inner: DataStoreStorage, storeFile: StoreFile) {
    super(inner);
    this.#storeFile = storeFile;
  }

  override create(
    name: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options: CreateOptions = {},
  ): Promise<boolean> {
    if (!this.#isDue(name.endsWith(SESSION_FILES.done))) return this.inner.create(name, body, options);
    return this.#storeFile.ensureStanding(options).then(() => this.inner.create(name, body, options));
  }

  override overwrite(name: string, body: Uint8Array, options: OverwriteOptions = {}): Promise<string> {
    if (!this.#isDue(false)) return this.inner.overwrite(name, body, options);
    return this.#storeFile.ensureStanding(options).then(() => this.inner.overwrite(name, body, options));
  }

  #isDue(isClosing: boolean): boolean {
    return (isClosing || !this.capabilities.localReads) && this.#storeFile.isDue('each-time');
  }
}
