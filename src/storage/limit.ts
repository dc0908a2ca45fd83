import { abortError, StowageError, throwIfAborted } from '../errors.ts';
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
import { StorageDecorator } from './decorator.ts';
import { onAbort } from './on-abort.ts';

/**
 * Lets at most `maxInFlight` calls through at a time; the others wait, first come, first served, and can be aborted
 * while they do. A listing counts while it fetches a page. A `create` counts until its stream is read, so that a
 * stream must not wait for calls through the same limit.
 */
export class LimitStorage extends StorageDecorator {
  readonly #maxInFlight: number;
  readonly #waiting = new Set<() => void>();
  #inFlight = 0;

  constructor(inner: DataStoreStorage, maxInFlight: number) {
    super(inner);
    if (!Number.isSafeInteger(maxInFlight) || maxInFlight < 1) {
      const message = `The limit of calls in flight is ${maxInFlight}; give a whole number of at least 1.`;
      throw new StowageError('INVALID_ARGUMENT', message, { details: { maxInFlight: String(maxInFlight) } });
    }
    this.#maxInFlight = maxInFlight;
  }

  override get(name: string, options?: GetOptions): Promise<StoredObject | undefined> {
    return this.#limited(options, () => this.inner.get(name, options));
  }

  override create(
    name: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options?: CreateOptions,
  ): Promise<boolean> {
    return this.#limited(options, () => this.inner.create(name, body, options));
  }

  override overwrite(name: string, body: Uint8Array, options?: OverwriteOptions): Promise<string> {
    return this.#limited(options, () => this.inner.overwrite(name, body, options));
  }

  override head(name: string, options?: CallOptions): Promise<ObjectInfo | undefined> {
    return this.#limited(options, () => this.inner.head(name, options));
  }

  override async *list(options: ListOptions): AsyncGenerator<ListPage, void> {
    const pages = this.inner.list(options)[Symbol.asyncIterator]();
    try {
      while (true) {
        const result = await this.#limited(options, () => pages.next());
        if (result.done) return;
        yield result.value;
      }
    } finally {
      await pages.return?.();
    }
  }

  override delete(names: readonly string[], options?: CallOptions): Promise<DeleteFailure[]> {
    return this.#limited(options, () => this.inner.delete(names, options));
  }

  override persist(names: readonly string[], options?: PersistOptions): Promise<void> {
    return this.#limited(options, () => this.inner.persist(names, options));
  }

  async #limited<T>(options: CallOptions | undefined, call: () => Promise<T>): Promise<T> {
    throwIfAborted(options?.signal);
    if (this.#inFlight < this.#maxInFlight) this.#inFlight += 1;
    else await this.#turn(options?.signal);
    try {
      return await call();
    } finally {
      this.#handOver();
    }
  }

  /** Resolves once a call that ended has handed its place over. */
  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = (): void => {
        forget?.();
        resolve();
      };
      const forget =
        signal &&
        onAbort(signal, () => {
          this.#waiting.delete(enter);
          reject(abortError(signal));
        });
      this.#waiting.add(enter);
    });
  }

  #handOver(): void {
    for (const enter of this.#waiting) {
      this.#waiting.delete(enter);
      enter();
      return;
    }
    this.#inFlight -= 1;
  }
}
