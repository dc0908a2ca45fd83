import type { StowageError } from '../errors.ts';
import type {
  CallOptions,
  CreateOptions,
  DataStoreStorage,
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
  UnfinishedWrites,
} from './contract.ts';
import { StorageDecorator } from './decorator.ts';
import { validateObjectName, validatePrefix } from './names.ts';
import { readInto } from './read-into.ts';

/** Shows the objects below a prefix as a storage of its own: every name gets `<prefix>/` before it. */
export class PrefixStorage extends StorageDecorator {
  readonly #prefix: string;

  /** @throws StowageError `INVALID_ARGUMENT` where `prefix` is no name an object could have. */
  constructor(inner: DataStoreStorage, prefix: string) {
    super(inner);
    this.#prefix = `${validateObjectName(prefix)}/`;
  }

  /** Others than this storage have objects in it. */
  override get database(): undefined {
    return undefined;
  }

  override get unfinished(): UnfinishedWrites | undefined {
    const { unfinished } = this.inner;
    if (unfinished?.kind !== 'listed') return unfinished;
    const prefix = this.#prefix;
    return {
      kind: 'listed',
      find: async function* (options) {
        for await (const write of unfinished.find(options)) {
          if (write.name.startsWith(prefix)) yield { ...write, name: write.name.slice(prefix.length) };
        }
      },
      remove: (write, options) => unfinished.remove({ ...write, name: prefix + write.name }, options),
    };
  }

  override async get(name: string, options?: GetOptions): Promise<StoredObject | undefined> {
    const object = await this.inner.get(this.#within(name), options);
    return object && { ...object, name };
  }

  /** As the contract says, below the prefix. */
  async getInto(
    name: string,
    target: ReadTarget,
    options: TransferOptions = {},
  ): Promise<FilledObject | undefined> {
    const object = await readInto(this.inner, this.#within(name), target, options);
    return object && { ...object, name };
  }

  override async create(
    name: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options?: CreateOptions,
  ): Promise<boolean> {
    return this.inner.create(this.#within(name), body, options);
  }

  override async overwrite(name: string, body: Uint8Array, options?: OverwriteOptions): Promise<string> {
    return this.inner.overwrite(this.#within(name), body, options);
  }

  override async head(name: string, options?: CallOptions): Promise<ObjectInfo | undefined> {
    const info = await this.inner.head(this.#within(name), options);
    return info && { ...info, name };
  }

  override async *list(options: ListOptions): AsyncGenerator<ListPage, void> {
    const prefix = this.#prefix + validatePrefix(options.prefix);
    const startAfter = options.startAfter ? this.#prefix + options.startAfter : undefined;
    const outer = (name: string): string => name.slice(this.#prefix.length);
    for await (const page of this.inner.list({ ...options, prefix, startAfter })) {
      yield {
        objects: page.objects.map((object) => ({ ...object, name: outer(object.name) })),
        folders: page.folders.map(outer),
      };
    }
  }

  override async delete(names: readonly string[], options?: CallOptions): Promise<DeleteFailure[]> {
    const invalid: DeleteFailure[] = [];
    const valid: string[] = [];
    for (const name of names) {
      try {
        valid.push(this.#within(name));
      } catch (error) {
        invalid.push({ name, error: error as StowageError });
      }
    }
    const failures = await this.inner.delete(valid, options);
    return invalid.concat(
      failures.map(({ name, error }) => ({ name: name.slice(this.#prefix.length), error })),
    );
  }

  override async persist(names: readonly string[], options?: PersistOptions): Promise<void> {
    return this.inner.persist(
      names.map((name) => this.#within(name)),
      options,
    );
  }

  override uri(name: string): string {
    return this.inner.uri(this.#within(name));
  }

  #within(name: string): string {
    return this.#prefix + validateObjectName(name);
  }
}
