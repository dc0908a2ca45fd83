import { endAll } from '../async/end-all.ts';
import type {
  CallOptions,
  CreateOptions,
  DataStoreStorage,
  DeleteFailure,
  FilledObject,
  GetOptions,
  ListedObject,
  ListOptions,
  ListPage,
  ObjectInfo,
  OverwriteOptions,
  PersistOptions,
  ReadTarget,
  StorageCapabilities,
  StoredObject,
  TransferOptions,
  UnfinishedWrites,
} from './contract.ts';
import { StorageDecorator } from './decorator.ts';
import { pagesOf } from './list-pages.ts';
import { compareNames } from './name-order.ts';
import { validatePrefix } from './names.ts';
import { readInto } from './read-into.ts';

/** The folders of what is large: packs of chunks, and plain objects. */
const BESIDE: readonly string[] = ['packs/', 'plain/'];

/**
 * A database, and beside it a storage for what is large: `packs/` and `plain/`. Each object lies in one of them, told by its name, so
 * that what holds for either holds for both. Before the database takes a barrier, what is beside it is durable.
 */
export class ContentBeside extends StorageDecorator {
  readonly #beside: DataStoreStorage;
  readonly #capabilities: StorageCapabilities;

  constructor(inner: DataStoreStorage, beside: DataStoreStorage) {
    super(inner);
    this.#beside = beside;
    const { maxObjectBytes } = beside.capabilities;
    this.#capabilities = Object.freeze({ ...inner.capabilities, maxObjectBytes });
  }

  override get capabilities(): StorageCapabilities {
    return this.#capabilities;
  }

  override get unfinished(): UnfinishedWrites | undefined {
    return this.#beside.unfinished;
  }

  override get(name: string, options?: GetOptions): Promise<StoredObject | undefined> {
    return this.#of(name).get(name, options);
  }

  getInto(
    name: string,
    target: ReadTarget,
    options: TransferOptions = {},
  ): Promise<FilledObject | undefined> {
    return readInto(this.#of(name), name, target, options);
  }

  override async create(
    name: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options: CreateOptions = {},
  ): Promise<boolean> {
    const storage = this.#of(name);
    const isBarrier = options.durability === 'barrier' && storage === this.inner;
    if (isBarrier) await this.#beside.persist([], { signal: options.signal, durability: 'barrier' });
    return storage.create(name, body, options);
  }

  override overwrite(name: string, body: Uint8Array, options?: OverwriteOptions): Promise<string> {
    return this.#of(name).overwrite(name, body, options);
  }

  override head(name: string, options?: CallOptions): Promise<ObjectInfo | undefined> {
    return this.#of(name).head(name, options);
  }

  override async *list(options: ListOptions): AsyncGenerator<ListPage, void> {
    const prefix = validatePrefix(options.prefix);
    if (BESIDE.some((folder) => prefix.startsWith(folder))) return yield* this.#beside.list(options);
    if (!BESIDE.some((folder) => folder.startsWith(prefix))) return yield* this.inner.list(options);
    // A prefix of both: few names lie beside at the top, and pages are cut anew.
    yield* merged(this.inner.list(options), this.#beside.list(options), options);
  }

  override async delete(names: readonly string[], options?: CallOptions): Promise<DeleteFailure[]> {
    const beside = names.filter((name) => this.#of(name) === this.#beside);
    const own = names.filter((name) => this.#of(name) !== this.#beside);
    const failures: DeleteFailure[] = [];
    if (own.length > 0 || names.length === 0) failures.push(...(await this.inner.delete(own, options)));
    if (beside.length > 0) failures.push(...(await this.#beside.delete(beside, options)));
    return failures;
  }

  override async persist(names: readonly string[], options?: PersistOptions): Promise<void> {
    const beside = names.filter((name) => this.#of(name) === this.#beside);
    await this.#beside.persist(beside, options);
    await this.inner.persist(
      names.filter((name) => this.#of(name) !== this.#beside),
      options,
    );
  }

  override uri(name: string): string {
    return this.#of(name).uri(name);
  }

  override close(): Promise<void> {
    return endAll([() => this.#beside.close(), () => this.inner.close()]);
  }

  #of(name: string): DataStoreStorage {
    return typeof name === 'string' && BESIDE.some((folder) => name.startsWith(folder))
      ? this.#beside
      : this.inner;
  }
}

type Entry = ListedObject | string;

async function* merged(
  left: AsyncIterable<ListPage>,
  right: AsyncIterable<ListPage>,
  { limit = Number.POSITIVE_INFINITY }: ListOptions,
): AsyncGenerator<ListPage, void> {
  const [a, b] = [entriesOf(left), entriesOf(right)];
  let given = 0;
  let entries: Entry[] = [];
  try {
    let [x, y] = [await a.next(), await b.next()];
    while (given < limit && !(x.done && y.done)) {
      const takesLeft = !x.done && (y.done || compareNames(nameOf(x.value), nameOf(y.value)) <= 0);
      if (takesLeft) {
        entries.push(x.value as Entry);
        x = await a.next();
      } else {
        entries.push(y.value as Entry);
        y = await b.next();
      }
      given += 1;
      if (entries.length === 1000) {
        yield* pagesOf(entries, Number.POSITIVE_INFINITY);
        entries = [];
      }
    }
    yield* pagesOf(entries, Number.POSITIVE_INFINITY);
  } finally {
    await Promise.all([a.return(undefined), b.return(undefined)]);
  }
}

/** The entries of pages one by one, objects and folders in the order of their names. */
async function* entriesOf(pages: AsyncIterable<ListPage>): AsyncGenerator<Entry, void> {
  for await (const { objects, folders } of pages) {
    yield* [...objects, ...folders].sort((a, b) => compareNames(nameOf(a), nameOf(b)));
  }
}

function nameOf(entry: Entry): string {
  return typeof entry === 'string' ? entry : entry.name;
}
