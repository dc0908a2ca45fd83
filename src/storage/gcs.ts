import { throwIfAborted } from '../errors.ts';
import { checkBody } from './body-stream.ts';
import { closedError } from './checks.ts';
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
} from './contract.ts';
import { gcsUri, parseGcsAddress } from './gcs/address.ts';
import { connect, type GcsConnection } from './gcs/client.ts';
import { ConditionalWrites } from './gcs/conditional-writes.ts';
import { deleteObjects } from './gcs/deletes.ts';
import { GcsDownloads } from './gcs/downloads.ts';
import { listObjects } from './gcs/listing.ts';
import { type CheckedGcsOptions, checkGcsOptions, type GcsStorageOptions } from './gcs/options.ts';
import { GcsRequests } from './gcs/requests.ts';
import type { Target } from './gcs/resource.ts';
import { GcsUploads } from './gcs/uploads.ts';
import { validatePrefix } from './names.ts';
import { ObjectKeys } from './object-store/object-keys.ts';
import { TransferBudget } from './object-store/transfer-budget.ts';

export type { GcsClient, GcsStorageClass, GcsStorageOptions } from './gcs/options.ts';

const UNFINISHED: UnfinishedWrites = Object.freeze({ kind: 'expiring', afterMs: 7 * 24 * 60 * 60 * 1000 });
const CAPABILITIES: StorageCapabilities = Object.freeze({
  createIfAbsent: true,
  ifMatch: true,
  rangeReads: true,
  localReads: false,
  sharedByProcesses: true,
  nameEncoding: 'exact',
});

/**
 * Keeps objects in a bucket of Google Cloud Storage, for any number of processes on any number of machines.
 * `openStorage('gs://bucket/prefix')` puts retries and a limit of calls around it; alone it tries each request once.
 *
 * It speaks the JSON API. `@google-cloud/storage`, which is to be installed beside this package, finds the credentials and
 * renews them.
 *
 * A create is one request with `ifGenerationMatch=0`, or from 8 MiB (a stream) or 32 MiB (bytes) on a resumable upload that
 * was begun with it, whose parts go one after the other. Should a process die in the midst of one, what it sent is
 * invisible and expires after a week. Cloud Storage checks the CRC32C of what it is sent before anybody sees it; what is
 * read whole is checked here.
 *
 * A version is a generation: it changes with every write, whatever its bytes. Emulators are not taken at their word: before
 * the first write it tries whether the server honours conditions, and refuses to write (`STORAGE_UNSUPPORTED`) where not.
 */
export class GcsStorage implements DataStoreStorage {
  readonly type = 'gcs';
  readonly capabilities: StorageCapabilities = CAPABILITIES;
  /** Sessions of uploads end by themselves after a week. */
  readonly unfinished: UnfinishedWrites = UNFINISHED;
  readonly #keys: ObjectKeys;
  readonly #requests: GcsRequests;
  readonly #downloads: GcsDownloads;
  readonly #uploads: GcsUploads;
  #closing: Promise<void> | undefined;

  private constructor(options: CheckedGcsOptions, keys: ObjectKeys, connection: GcsConnection) {
    const { partBytes, concurrency } = options;
    const newBudget = (): TransferBudget => new TransferBudget(partBytes * concurrency);
    this.#keys = keys;
    this.#requests = new GcsRequests(options, connection, keys.prefix);
    this.#downloads = new GcsDownloads(this.#requests, newBudget(), partBytes);
    this.#uploads = new GcsUploads(this.#requests, {
      downloads: this.#downloads,
      conditions: new ConditionalWrites(this.#requests, keys, options),
      budget: newBudget(),
      options,
    });
  }

  /**
   * Loads the SDK; sends nothing, and looks for credentials only with the first request. With an address
   * (`gs://bucket/prefix?apiEndpoint=...&projectId=...&userProject=...`), what it says goes before the options.
   *
   * @throws StowageError `INVALID_ARGUMENT`; `STORAGE_UNSUPPORTED` where the SDK is not installed
   */
  static async open(options: GcsStorageOptions): Promise<GcsStorage>;
  /** The same, by an address. */
  static async open(
    address: string,
    options?: Omit<GcsStorageOptions, 'bucket' | 'prefix'>,
  ): Promise<GcsStorage>;
  static async open(
    target: string | GcsStorageOptions,
    more: Omit<GcsStorageOptions, 'bucket' | 'prefix'> = {},
  ): Promise<GcsStorage> {
    const options = checkGcsOptions(
      typeof target === 'string' ? { ...more, ...parseGcsAddress(target) } : target,
    );
    const keys = new ObjectKeys(options.prefix);
    return new GcsStorage(options, keys, await connect(options));
  }

  async get(name: string, options: GetOptions = {}): Promise<StoredObject | undefined> {
    this.#begin(options);
    return this.#downloads.get(this.#target(name), options);
  }

  async create(
    name: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options: CreateOptions = {},
  ): Promise<boolean> {
    this.#begin(options);
    const target = this.#target(name);
    checkBody(body);
    return this.#uploads.create(target, body, options);
  }

  async overwrite(name: string, body: Uint8Array, options: OverwriteOptions = {}): Promise<string> {
    this.#begin(options);
    const target = this.#target(name);
    checkBody(body);
    return this.#uploads.overwrite(target, body, options);
  }

  async head(name: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    this.#begin(options);
    return this.#downloads.head(this.#target(name), options);
  }

  async *list(options: ListOptions): AsyncGenerator<ListPage, void> {
    this.#begin(options);
    validatePrefix(options.prefix);
    for await (const page of listObjects(this.#requests, this.#keys, options)) {
      yield page;
      this.#begin(options);
    }
  }

  async delete(names: readonly string[], options: CallOptions = {}): Promise<DeleteFailure[]> {
    this.#begin(options);
    return deleteObjects(this.#requests, this.#keys, names, options);
  }

  /** Does nothing: what is visible in Cloud Storage is durable. */
  async persist(names: readonly string[], options: PersistOptions = {}): Promise<void> {
    this.#begin(options);
    for (const name of names) this.#keys.keyOf(name);
  }

  uri(name: string): string {
    return gcsUri(this.#requests.bucket, this.#keys.keyOf(name));
  }

  /** Creates that are under way end with `STORAGE_CLOSED`, and their unfinished uploads are cancelled. */
  close(): Promise<void> {
    this.#closing ??= this.#uploads.close().then(() => this.#requests.close());
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #begin(options: CallOptions): void {
    if (this.#closing) throw closedError(this.type);
    throwIfAborted(options.signal);
  }

  #target(name: string): Target {
    return { name, key: this.#keys.keyOf(name) };
  }
}
