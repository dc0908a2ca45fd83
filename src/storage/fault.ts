import { delay } from '../async/in-time.ts';
import { StowageError } from '../errors.ts';
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
  StoredObject,
} from './contract.ts';
import { StorageDecorator, type StorageOperation } from './decorator.ts';

/** The fault of one call. `error` defaults to `STORAGE_UNAVAILABLE`. */
export type Fault =
  /** The call fails and has no effect. */
  | { kind: 'before'; error?: Error | undefined }
  /** The call takes effect, but its response is lost. */
  | { kind: 'after'; error?: Error | undefined }
  /** `get` returns only the first `bytes` bytes of the body. */
  | { kind: 'truncate'; bytes: number }
  /** `get` returns the body with this bit turned over (counted through the bytes, modulo the body's length). */
  | { kind: 'flip'; bit: number }
  /** The call begins later. */
  | { kind: 'delay'; ms: number };

/**
 * Decides what goes wrong. Asked once for each `get`, `create`, `overwrite`, `head`, `persist`, for each page of a
 * `list` and for each name of a `delete`.
 *
 * @param name the object; for `list` the prefix, for `persist` the first name
 * @param callIndex how often it was asked before
 */
export type FaultPlan = (operation: StorageOperation, name: string, callIndex: number) => Fault | undefined;

/** Makes calls go wrong as a plan says, for tests of what happens then. */
export class FaultStorage extends StorageDecorator {
  readonly #plan: FaultPlan;
  #calls = 0;

  constructor(inner: DataStoreStorage, plan: FaultPlan) {
    super(inner);
    this.#plan = plan;
  }

  override async get(name: string, options?: GetOptions): Promise<StoredObject | undefined> {
    let damage: Fault | undefined;
    const object = await this.#faulty(
      'get',
      name,
      options,
      () => this.inner.get(name, options),
      (fault) => {
        damage = fault;
      },
    );
    return object && damage ? { ...object, body: damaged(object.body, damage) } : object;
  }

  override create(
    name: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options?: CreateOptions,
  ): Promise<boolean> {
    return this.#faulty('create', name, options, () => this.inner.create(name, body, options));
  }

  override overwrite(name: string, body: Uint8Array, options?: OverwriteOptions): Promise<string> {
    return this.#faulty('overwrite', name, options, () => this.inner.overwrite(name, body, options));
  }

  override head(name: string, options?: CallOptions): Promise<ObjectInfo | undefined> {
    return this.#faulty('head', name, options, () => this.inner.head(name, options));
  }

  override async *list(options: ListOptions): AsyncGenerator<ListPage, void> {
    const pages = this.inner.list(options)[Symbol.asyncIterator]();
    try {
      while (true) {
        const result = await this.#faulty('list', options.prefix, options, () => pages.next());
        if (result.done) return;
        yield result.value;
      }
    } finally {
      await pages.return?.();
    }
  }

  /** As a delete must, it reports what failed rather than throwing it. */
  override async delete(names: readonly string[], options?: CallOptions): Promise<DeleteFailure[]> {
    const failures: DeleteFailure[] = [];
    for (const name of names) {
      try {
        const call = (): Promise<DeleteFailure[]> => this.inner.delete([name], options);
        failures.push(...(await this.#faulty('delete', name, options, call, undefined, injected)));
      } catch (error) {
        if (!(error instanceof Injected)) throw error;
        failures.push({ name, error: error.reason });
      }
    }
    return failures;
  }

  override persist(names: readonly string[], options?: PersistOptions): Promise<void> {
    return this.#faulty('persist', names[0] ?? '', options, () => this.inner.persist(names, options));
  }

  async #faulty<T>(
    operation: StorageOperation,
    name: string,
    options: CallOptions | undefined,
    call: () => Promise<T>,
    damage?: (fault: Fault) => void,
    asThrown: (error: Error) => unknown = (error) => error,
  ): Promise<T> {
    const fault = this.#plan(operation, name, this.#calls);
    this.#calls += 1;
    if (fault?.kind === 'delay') await delay(fault.ms, options?.signal);
    if (fault?.kind === 'truncate' || fault?.kind === 'flip') damage?.(fault);
    if (fault?.kind === 'before') throw asThrown(fault.error ?? unavailable(operation, name));
    const result = await call();
    if (fault?.kind === 'after') throw asThrown(fault.error ?? unavailable(operation, name));
    return result;
  }
}

/** Tells an injected error from one of the storage. */
class Injected {
  readonly reason: Error;

  constructor(reason: Error) {
    this.reason = reason;
  }
}

function injected(error: Error): Injected {
  return new Injected(error);
}

function unavailable(operation: StorageOperation, name: string): StowageError {
  return new StowageError(
    'STORAGE_UNAVAILABLE',
    `The ${operation} of "${name}" was made to fail by a test; it can be tried again.`,
    { details: { operation, name, injected: true } },
  );
}

function damaged(body: Uint8Array, fault: Fault): Uint8Array {
  if (fault.kind === 'truncate') return body.slice(0, fault.bytes);
  if (fault.kind !== 'flip' || body.length === 0) return body;
  const bit = fault.bit % (body.length * 8);
  const copy = new Uint8Array(body);
  const index = bit >>> 3;
  copy[index] = (copy[index] as number) ^ (1 << (bit & 7));
  return copy;
}
