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

/** An object, by its name in the store and by its key: what the service calls it. */
export interface Target {
  name: string;
  key: string;
}

/** What each service does in its own way. It is called while the storage is open, with names and bodies that were checked. */
export interface ObjectService {
  /** As of `DataStoreStorage`. */
  readonly endpoint: string | undefined;
  /** @throws StowageError `INVALID_ARGUMENT`, `INVALID_NAME` */
  keyOf(name: string): string;
  uriOf(key: string): string;
  get(target: Target, options: GetOptions): Promise<StoredObject | undefined>;
  head(target: Target, options: CallOptions): Promise<ObjectInfo | undefined>;
  create(
    target: Target,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options: CreateOptions,
  ): Promise<boolean>;
  overwrite(target: Target, body: Uint8Array, options: OverwriteOptions): Promise<string>;
  list(options: ListOptions): AsyncIterable<ListPage>;
  /** Names are not checked before: a name that no object can have is among the failures. */
  delete(names: readonly string[], options: CallOptions): Promise<DeleteFailure[]>;
  /** Ends the creates that are under way, then frees the connections. */
  close(): Promise<void>;
}

/** What a service promises that honours conditions. */
export const CONDITIONAL: StorageCapabilities = Object.freeze({
  createIfAbsent: true,
  ifMatch: true,
  rangeReads: true,
  localReads: false,
  sharedByProcesses: true,
  nameEncoding: 'exact',
});

/** A storage in the objects of a service, whose own part is an {@link ObjectService}. */
export abstract class ObjectStorage implements DataStoreStorage {
  abstract readonly type: string;
  abstract readonly unfinished: UnfinishedWrites;
  readonly endpoint: string | undefined;
  readonly capabilities: StorageCapabilities;
  readonly #service: ObjectService;
  #closing: Promise<void> | undefined;

  /** @internal */
  protected constructor(service: ObjectService, capabilities: StorageCapabilities = CONDITIONAL) {
    this.#service = service;
    this.endpoint = service.endpoint;
    this.capabilities = capabilities;
  }

  async get(name: string, options: GetOptions = {}): Promise<StoredObject | undefined> {
    this.begin(options);
    return this.#service.get(this.#target(name), options);
  }

  async create(
    name: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options: CreateOptions = {},
  ): Promise<boolean> {
    this.begin(options);
    const target = this.#target(name);
    checkBody(body);
    return this.#service.create(target, body, options);
  }

  async overwrite(name: string, body: Uint8Array, options: OverwriteOptions = {}): Promise<string> {
    this.begin(options);
    const target = this.#target(name);
    checkBody(body);
    return this.#service.overwrite(target, body, options);
  }

  async head(name: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    this.begin(options);
    return this.#service.head(this.#target(name), options);
  }

  async *list(options: ListOptions): AsyncGenerator<ListPage, void> {
    this.begin(options);
    validatePrefix(options.prefix);
    for await (const page of this.#service.list(options)) {
      yield page;
      this.begin(options);
    }
  }

  async delete(names: readonly string[], options: CallOptions = {}): Promise<DeleteFailure[]> {
    this.begin(options);
    return this.#service.delete(names, options);
  }

  /** Does nothing: what is visible is durable. */
  async persist(names: readonly string[], options: PersistOptions = {}): Promise<void> {
    this.begin(options);
    for (const name of names) this.#service.keyOf(name);
  }

  uri(name: string): string {
    return this.#service.uriOf(this.#service.keyOf(name));
  }

  /** Creates that are under way end with `STORAGE_CLOSED`; what they sent is removed where the service does not do so itself. */
  close(): Promise<void> {
    this.#closing ??= this.#service.close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * What every call begins with.
   *
   * @internal
   * @throws StowageError `STORAGE_CLOSED`, `ABORTED`
   */
  protected begin(options: CallOptions): void {
    if (this.#closing) throw closedError(this.type);
    throwIfAborted(options.signal);
  }

  #target(name: string): Target {
    return { name, key: this.#service.keyOf(name) };
  }
}
