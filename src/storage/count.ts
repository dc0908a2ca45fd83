import { isStream } from '../streams/body-stream.ts';
import type {
  CallOptions,
  CreateOptions,
  DeleteFailure,
  FilledObject,
  GetOptions,
  ListOptions,
  ListPage,
  ObjectInfo,
  OverwriteOptions,
  PersistOptions,
  ReadTarget,
  StoredObject,
  TransferOptions,
} from './contract.ts';
import { StorageDecorator, type StorageOperation } from './decorator.ts';
import { readInto } from './read-into.ts';

/** The use of one operation. */
export interface OperationCount {
  /** Calls; a `list` counts once, whatever its pages. */
  calls: number;
  /** Calls that threw. */
  failed: number;
  /** Bytes of bodies read (`get`) or handed over (`create`, `overwrite`). */
  bytes: number;
  /** Names listed, deleted or persisted; for other operations, one for each call. */
  names: number;
  /** Pages of listings that were fetched, those without entries included; 0 for other operations. */
  pages: number;
}

/** The counts of a {@link CountStorage}. */
export type StorageCounts = Readonly<Record<StorageOperation, Readonly<OperationCount>>> & {
  /** Requests that the calls amount to: one for each call; for a listing one for each page, at least one. */
  readonly requests: number;
};

const OPERATIONS: readonly StorageOperation[] = [
  'get',
  'create',
  'overwrite',
  'head',
  'list',
  'delete',
  'persist',
];

/** Counts calls, bytes, names and pages by operation, for tests, budgets and statistics. */
export class CountStorage extends StorageDecorator {
  #counts: Record<StorageOperation, OperationCount> = newCounts();

  /** The counts since it was made or reset. */
  snapshot(): StorageCounts {
    const counts = structuredClone(this.#counts);
    let requests = 0;
    for (const operation of OPERATIONS) {
      const { calls, pages } = counts[operation];
      requests += operation === 'list' ? Math.max(calls, pages) : calls;
    }
    return { ...counts, requests };
  }

  /** Begins again at zero. */
  reset(): void {
    this.#counts = newCounts();
  }

  override async get(name: string, options?: GetOptions): Promise<StoredObject | undefined> {
    const object = await this.#counted('get', 1, () => this.inner.get(name, options));
    this.#counts.get.bytes += object?.body.length ?? 0;
    return object;
  }

  /** Counts as a `get`. */
  async getInto(
    name: string,
    target: ReadTarget,
    options: TransferOptions = {},
  ): Promise<FilledObject | undefined> {
    const object = await this.#counted('get', 1, () => readInto(this.inner, name, target, options));
    this.#counts.get.bytes += object?.filled ?? 0;
    return object;
  }

  override create(
    name: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options?: CreateOptions,
  ): Promise<boolean> {
    const counted = isStream(body) ? this.#countedStream(body) : body;
    if (counted === body) this.#counts.create.bytes += (body as Uint8Array | undefined)?.length ?? 0;
    return this.#counted('create', 1, () => this.inner.create(name, counted, options));
  }

  override overwrite(name: string, body: Uint8Array, options?: OverwriteOptions): Promise<string> {
    this.#counts.overwrite.bytes += body?.length ?? 0;
    return this.#counted('overwrite', 1, () => this.inner.overwrite(name, body, options));
  }

  override head(name: string, options?: CallOptions): Promise<ObjectInfo | undefined> {
    return this.#counted('head', 1, () => this.inner.head(name, options));
  }

  override async *list(options: ListOptions): AsyncGenerator<ListPage, void> {
    const count = this.#counts.list;
    count.calls += 1;
    try {
      for await (const page of this.inner.list(options)) {
        count.pages += 1;
        count.names += page.objects.length + page.folders.length;
        yield page;
      }
    } catch (error) {
      count.failed += 1;
      throw error;
    }
  }

  override delete(names: readonly string[], options?: CallOptions): Promise<DeleteFailure[]> {
    return this.#counted('delete', names.length, () => this.inner.delete(names, options));
  }

  override persist(names: readonly string[], options?: PersistOptions): Promise<void> {
    return this.#counted('persist', names.length, () => this.inner.persist(names, options));
  }

  async #counted<T>(operation: StorageOperation, names: number, call: () => Promise<T>): Promise<T> {
    const count = this.#counts[operation];
    count.calls += 1;
    count.names += names;
    try {
      return await call();
    } catch (error) {
      count.failed += 1;
      throw error;
    }
  }

  /** Not a generator, because that would not pass on a `return` while it waits for a chunk. */
  #countedStream(stream: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    const count = this.#counts.create;
    return {
      [Symbol.asyncIterator]: () => {
        const chunks = stream[Symbol.asyncIterator]();
        const end = chunks.return && ((value?: unknown) => chunks.return?.(value));
        return {
          next: async () => {
            const result = await chunks.next();
            if (!result.done) count.bytes += result.value?.length ?? 0;
            return result;
          },
          ...(end && { return: end as () => Promise<IteratorResult<Uint8Array>> }),
        };
      },
    };
  }
}

function newCounts(): Record<StorageOperation, OperationCount> {
  const zero = (): OperationCount => ({ calls: 0, failed: 0, bytes: 0, names: 0, pages: 0 });
  return {
    get: zero(),
    create: zero(),
    overwrite: zero(),
    head: zero(),
    list: zero(),
    delete: zero(),
    persist: zero(),
  };
}
