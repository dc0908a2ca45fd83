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
  StorageDatabase,
  StoredObject,
  UnfinishedWrites,
} from './contract.ts';

/** The operations of a storage that reach what it stores. */
export type StorageOperation = 'get' | 'create' | 'overwrite' | 'head' | 'list' | 'delete' | 'persist';

/** Passes every call on to another storage, which it owns: closing it closes that one. A decorator overrides what it changes. */
export abstract class StorageDecorator implements DataStoreStorage {
  protected readonly inner: DataStoreStorage;

  constructor(inner: DataStoreStorage) {
    this.inner = inner;
  }

  get type(): string {
    return this.inner.type;
  }

  get endpoint(): string | undefined {
    return this.inner.endpoint;
  }

  get database(): StorageDatabase | undefined {
    return this.inner.database;
  }

  get capabilities(): StorageCapabilities {
    return this.inner.capabilities;
  }

  get unfinished(): UnfinishedWrites | undefined {
    return this.inner.unfinished;
  }

  get(name: string, options?: GetOptions): Promise<StoredObject | undefined> {
    return this.inner.get(name, options);
  }

  create(
    name: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options?: CreateOptions,
  ): Promise<boolean> {
    return this.inner.create(name, body, options);
  }

  overwrite(name: string, body: Uint8Array, options?: OverwriteOptions): Promise<string> {
    return this.inner.overwrite(name, body, options);
  }

  head(name: string, options?: CallOptions): Promise<ObjectInfo | undefined> {
    return this.inner.head(name, options);
  }

  list(options: ListOptions): AsyncIterable<ListPage> {
    return this.inner.list(options);
  }

  delete(names: readonly string[], options?: CallOptions): Promise<DeleteFailure[]> {
    return this.inner.delete(names, options);
  }

  persist(names: readonly string[], options?: PersistOptions): Promise<void> {
    return this.inner.persist(names, options);
  }

  uri(name: string): string {
    return this.inner.uri(name);
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
