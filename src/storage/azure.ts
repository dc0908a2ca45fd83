import { throwIfAborted } from '../errors.ts';
import { blobUri, parseAzureAddress } from './azure/address.ts';
import { BlobNames } from './azure/blob-names.ts';
import { AzureBlocks } from './azure/blocks.ts';
import { connect } from './azure/client.ts';
import { deleteObjects } from './azure/deletes.ts';
import { AzureDownloads, type Target } from './azure/downloads.ts';
import { listObjects } from './azure/listing.ts';
import { type AzureStorageOptions, type CheckedAzureOptions, checkAzureOptions } from './azure/options.ts';
import { AzurePuts } from './azure/puts.ts';
import { AzureRequests } from './azure/requests.ts';
import { AzureUploads } from './azure/uploads.ts';
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
import { validatePrefix } from './names.ts';
import { TransferBudget } from './object-store/transfer-budget.ts';

export type { AzureAccessTier, AzureStorageOptions, AzureTokenCredential } from './azure/options.ts';

/** Azure Blob Storage, like Azurite, honours all conditions, on every kind of account. */
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
 * Keeps objects as block blobs in a container of Azure Blob Storage, for any number of processes on any number of
 * machines. `openStorage('az://container/prefix')` puts retries and a limit of calls around it; alone it tries each
 * request once.
 *
 * A create is one request with `If-None-Match: *`, or from 8 MiB (a stream) or 32 MiB (bytes) on blocks that are committed
 * with it. The service compares an MD5 of what arrives, so that it stores no bytes that were changed on their way. Blocks
 * of a create that failed or lost are never visible; Azure discards them after a week, or when the blob is created.
 *
 * A version is an ETag. A dot at the end of a segment of a name is encoded in the name of the blob, because Azure cuts it
 * off. `list` with `startAfter` costs a request for every 5,000 objects before it.
 *
 * Accounts with a hierarchical namespace (Data Lake Storage Gen2) are refused, when first read or listed.
 */
export class AzureStorage implements DataStoreStorage {
  readonly type = 'azure';
  readonly capabilities: StorageCapabilities = CAPABILITIES;
  /** Blocks that nobody commits are gone a week after the last one. */
  readonly unfinished: UnfinishedWrites = UNFINISHED;
  readonly #names: BlobNames;
  readonly #requests: AzureRequests;
  readonly #downloads: AzureDownloads;
  readonly #puts: AzurePuts;
  readonly #uploads: AzureUploads;
  #closing: Promise<void> | undefined;

  private constructor(options: CheckedAzureOptions, names: BlobNames, requests: AzureRequests) {
    const { partBytes, concurrency } = options;
    const newBudget = (): TransferBudget => new TransferBudget(partBytes * concurrency);
    this.#names = names;
    this.#requests = requests;
    this.#downloads = new AzureDownloads(requests, newBudget(), partBytes);
    this.#puts = new AzurePuts(requests, this.#downloads, options);
    const blocks = new AzureBlocks(requests, this.#downloads, options, newBudget());
    this.#uploads = new AzureUploads(this.#puts, blocks, this.#downloads, partBytes);
  }

  /**
   * Loads Azure's SDK and finds account and credentials; sends nothing. With an address
   * (`az://container/prefix?account=...&endpoint=...`, `az://account.blob.core.windows.net/container/prefix`,
   * `abfss://container@account.dfs.core.windows.net/prefix`), what it says goes before the options.
   *
   * @throws StowageError `INVALID_ARGUMENT`; `STORAGE_CREDENTIALS` where no credentials are given and `@azure/identity` is
   *   not installed; `STORAGE_UNSUPPORTED` where the SDK is not installed
   */
  static async open(options: AzureStorageOptions): Promise<AzureStorage>;
  /** The same, by an address. */
  static async open(
    address: string,
    options?: Omit<AzureStorageOptions, 'container' | 'prefix'>,
  ): Promise<AzureStorage>;
  static async open(
    target: string | AzureStorageOptions,
    more: Omit<AzureStorageOptions, 'container' | 'prefix'> = {},
  ): Promise<AzureStorage> {
    const options = checkAzureOptions(
      typeof target === 'string' ? { ...more, ...parseAzureAddress(target) } : target,
    );
    const names = new BlobNames(options.prefix);
    return new AzureStorage(options, names, new AzureRequests(await connect(options)));
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
    return this.#puts.overwrite(target, body, options);
  }

  async head(name: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    this.#begin(options);
    return this.#downloads.head(this.#target(name), options);
  }

  async *list(options: ListOptions): AsyncGenerator<ListPage, void> {
    this.#begin(options);
    validatePrefix(options.prefix);
    for await (const page of listObjects(this.#requests, this.#names, options)) {
      yield page;
      this.#begin(options);
    }
  }

  async delete(names: readonly string[], options: CallOptions = {}): Promise<DeleteFailure[]> {
    this.#begin(options);
    return deleteObjects(this.#requests, this.#names, names, options);
  }

  /** Does nothing: what is visible in Azure is durable. */
  async persist(names: readonly string[], options: PersistOptions = {}): Promise<void> {
    this.#begin(options);
    for (const name of names) this.#names.blobNameOf(name);
  }

  uri(name: string): string {
    return blobUri(this.#requests.containerUrl, this.#names.blobNameOf(name));
  }

  /** Creates that are under way end with `STORAGE_CLOSED`. */
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
    return { name, blobName: this.#names.blobNameOf(name) };
  }
}
