import { throwIfAborted } from '../../errors.ts';
import { checkBody } from '../../streams/body-stream.ts';
import { closedError } from '../checks.ts';
import type {
  CallOptions,
  CreateOptions,
  DataStoreStorage,
  DeleteFailure,
  GetOptions,
  ListOptions,
  ListPage,
  ObjectInfo,
  OverwriteOptions,
  PersistOptions,
  StorageCapabilities,
  StoredObject,
  UnfinishedWrites,
} from '../contract.ts';
import { validatePrefix } from '../names.ts';
import { BucketCalls } from './calls.ts';
import { deleteObjects } from './deletes.ts';
import type { BucketDriver } from './driver.ts';
import { listObjects } from './listing.ts';
import { BucketReads, type Target } from './reads.ts';
import { TransferBudget } from './transfers.ts';
import { BucketWrites } from './writes.ts';

/** Options of how large objects are moved. */
export interface TransferSettings {
  partBytes: number;
  concurrency: number;
  requestTimeoutMs: number;
}

/** Implements the storage contract in a bucket of whatever service, whose own part is a {@link BucketDriver}. */
export abstract class BucketStorage implements DataStoreStorage {
  abstract readonly unfinished: UnfinishedWrites;
  readonly type: string;
  readonly endpoint: string | undefined;
  readonly capabilities: StorageCapabilities;
  /** @internal */
  protected readonly calls: BucketCalls;
  readonly #driver: BucketDriver;
  readonly #reads: BucketReads;
  readonly #writes: BucketWrites;
  #closing: Promise<void> | undefined;

  /** @internal */
  protected constructor(driver: BucketDriver, settings: TransferSettings) {
    const { partBytes, concurrency } = settings;
    const newBudget = (): TransferBudget => new TransferBudget(partBytes * concurrency);
    const isConditional = driver.conditions.trust !== 'absent';
    this.type = driver.type;
    this.endpoint = driver.endpoint;
    this.capabilities = Object.freeze({
      createIfAbsent: isConditional,
      ifMatch: isConditional,
      rangeReads: true,
      localReads: false,
      sharedByProcesses: true,
      nameEncoding: 'exact',
    });
    this.#driver = driver;
    this.calls = new BucketCalls(driver);
    this.#reads = new BucketReads(driver, this.calls, newBudget(), partBytes);
    this.#writes = new BucketWrites(driver, this.calls, this.#reads, newBudget(), settings);
  }

  async get(name: string, options: GetOptions = {}): Promise<StoredObject | undefined> {
    this.begin(options);
    return this.#reads.get(this.#target(name), options);
  }

  async create(
    name: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options: CreateOptions = {},
  ): Promise<boolean> {
    this.begin(options);
    const target = this.#target(name);
    checkBody(body);
    return this.#writes.create(target, body, options);
  }

  async overwrite(name: string, body: Uint8Array, options: OverwriteOptions = {}): Promise<string> {
    this.begin(options);
    const target = this.#target(name);
    checkBody(body);
    return this.#writes.overwrite(target, body, options);
  }

  async head(name: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    this.begin(options);
    return this.#reads.head(this.#target(name), options);
  }

  async *list(options: ListOptions): AsyncGenerator<ListPage, void> {
    this.begin(options);
    validatePrefix(options.prefix);
    for await (const page of listObjects(this.#driver, this.calls, this.#reads, options)) {
      yield page;
      this.begin(options);
    }
  }

  async delete(names: readonly string[], options: CallOptions = {}): Promise<DeleteFailure[]> {
    this.begin(options);
    return deleteObjects(this.#driver, this.calls, names, options);
  }

  /** Does nothing: what is visible is durable. */
  async persist(names: readonly string[], options: PersistOptions = {}): Promise<void> {
    this.begin(options);
    for (const name of names) this.#target(name);
  }

  uri(name: string): string {
    return this.#driver.uriOf(this.#driver.keys.keyOf(name));
  }

  /** Creates that are under way end with `STORAGE_CLOSED`; what they sent is removed where the service does not do so itself. */
  close(): Promise<void> {
    this.#closing ??= this.#writes.close().then(() => this.calls.close());
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Every call begins with this.
   *
   * @internal
   * @throws StowageError `STORAGE_CLOSED`, `ABORTED`
   */
  protected begin(options: CallOptions): void {
    if (this.#closing) throw closedError(this.type);
    throwIfAborted(options.signal);
  }

  #target(name: string): Target {
    return { name, key: this.#driver.keys.keyOf(name) };
  }
}
