import { isStowageError } from '../errors.ts';
import { isStream } from '../streams/body-stream.ts';
import { closedError } from './checks.ts';
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
  RepeatStep,
  StoredObject,
  TransferOptions,
} from './contract.ts';
import { StorageDecorator } from './decorator.ts';
import { compareNames } from './name-order.ts';
import { readInto } from './read-into.ts';
import {
  type Attempted,
  givenUp,
  isUnavailable,
  NotRepeatable,
  type RetryOptions,
  RetryPolicy,
} from './retry-policy.ts';

const STREAM_SPENT = 'Its body is a stream that was read already; call again with a new one.';

/**
 * Tries again what failed as `STORAGE_UNAVAILABLE`, after waits of random length ("full jitter", AWS Architecture
 * Blog, "Exponential Backoff And Jitter") or as long as the storage asks for (`details.retryAfterMs`). All other errors
 * pass at once. When the attempts or the time are used up it throws `STORAGE_UNAVAILABLE` with the last error as cause.
 *
 * Where nothing was ever reached (`details.neverAnswered`) it gives up sooner: a server that restarts is waited for, one that is
 * not there is not.
 *
 * A response may be lost after the call took effect. A repeated `create` that finds the name taken, or `overwrite`
 * that finds the version gone, therefore reads the object, with attempts and a budget for that alone, and counts it as
 * its own if the bytes are equal. A stream that was read from cannot be sent again, so that its `create` is not repeated.
 *
 * Large objects go in parts. A storage repeats each part by itself, by the same policy (`TransferOptions.repeatStep`),
 * with attempts and a budget of its own; when a part is given up, so is the call.
 */
export class RetryStorage extends StorageDecorator {
  readonly #policy: RetryPolicy;

  /** @throws StowageError `INVALID_ARGUMENT` */
  constructor(inner: DataStoreStorage, options: RetryOptions = {}) {
    super(inner);
    this.#policy = new RetryPolicy(options);
  }

  override get(name: string, options: GetOptions = {}): Promise<StoredObject | undefined> {
    const what: Attempted = { operation: 'get', name, signal: options.signal };
    const inSteps = this.#inSteps(what, options);
    return this.#retry(what, () => this.inner.get(name, inSteps));
  }

  /** Tried again as a `get` is, into the same memory. */
  getInto(
    name: string,
    target: ReadTarget,
    options: TransferOptions = {},
  ): Promise<FilledObject | undefined> {
    const what: Attempted = { operation: 'get', name, signal: options.signal };
    const inSteps = this.#inSteps(what, options);
    return this.#retry(what, () => readInto(this.inner, name, target, inSteps));
  }

  override head(name: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    return this.#retry({ operation: 'head', name, signal: options.signal }, () =>
      this.inner.head(name, options),
    );
  }

  override persist(names: readonly string[], options: PersistOptions = {}): Promise<void> {
    const what: Attempted = { operation: 'persist', name: names[0] ?? '', signal: options.signal };
    return this.#retry(what, () => this.inner.persist(names, options));
  }

  override create(
    name: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options: CreateOptions = {},
  ): Promise<boolean> {
    const what: Attempted = { operation: 'create', name, signal: options.signal };
    const inSteps = this.#inSteps(what, options);
    if (isStream(body)) return this.#createFromStream(what, body, inSteps);
    return this.#retry(what, (attempt) =>
      attempt === 1 ? this.inner.create(name, body, inSteps) : this.#createAgain(what, body, inSteps),
    );
  }

  override overwrite(name: string, body: Uint8Array, options: OverwriteOptions = {}): Promise<string> {
    const what: Attempted = { operation: 'overwrite', name, signal: options.signal };
    return this.#retry(what, (attempt) =>
      attempt === 1 ? this.inner.overwrite(name, body, options) : this.#overwriteAgain(what, body, options),
    );
  }

  override async delete(names: readonly string[], options: CallOptions = {}): Promise<DeleteFailure[]> {
    let lasting: DeleteFailure[] = [];
    let left = names;
    let passing: DeleteFailure[] = [];
    const what: Attempted = { operation: 'delete', name: names[0] ?? '', signal: options.signal };
    try {
      await this.#retry(what, async () => {
        const failures = await this.inner.delete(left, options);
        passing = failures.filter((failure) => isUnavailable(failure.error));
        lasting = lasting.concat(failures.filter((failure) => !isUnavailable(failure.error)));
        left = passing.map((failure) => failure.name);
        if (passing[0]) throw passing[0].error;
      });
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      return lasting.concat(left.map((name) => ({ name, error: error as Error })));
    }
    return lasting;
  }

  /** A page that cannot be had is asked for again after the last name given; each page has a budget of its own. */
  override async *list(options: ListOptions): AsyncGenerator<ListPage, void> {
    const what: Attempted = { operation: 'list', name: options.prefix, signal: options.signal };
    let rest = options;
    let pages: AsyncIterator<ListPage> | undefined;
    try {
      while (true) {
        const result = await this.#retry(what, async () => {
          pages ??= this.inner.list(rest)[Symbol.asyncIterator]();
          try {
            return await pages.next();
          } catch (error) {
            pages = undefined;
            throw error;
          }
        });
        if (result.done) return;
        rest = after(result.value, rest);
        yield result.value;
      }
    } finally {
      await pages?.return?.();
    }
  }

  /** Calls that wait to be tried again end with `STORAGE_CLOSED`. */
  override close(): Promise<void> {
    this.#policy.close(closedError(this.type));
    return super.close();
  }

  async #createAgain(what: Attempted, body: Uint8Array, options: CreateOptions): Promise<boolean> {
    const { name, signal } = what;
    if (await this.inner.create(name, body, options)) return true;
    if ((await this.#bytesEqual(what, body)) === undefined) return false;
    // Our own; but what failed may have been to make it durable.
    const durability = options.durability === 'deferred' ? undefined : 'barrier';
    await this.inner.persist([name], { signal, durability });
    return true;
  }

  async #overwriteAgain(what: Attempted, body: Uint8Array, options: OverwriteOptions): Promise<string> {
    try {
      return await this.inner.overwrite(what.name, body, options);
    } catch (error) {
      if (!isStowageError(error, 'PRECONDITION_FAILED')) throw error;
      const own = await this.#bytesEqual(what, body);
      if (own === undefined) throw error;
      return own;
    }
  }

  #createFromStream(
    what: Attempted,
    stream: AsyncIterable<Uint8Array>,
    options: CreateOptions,
  ): Promise<boolean> {
    let isConsumed = false;
    const body: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => {
        isConsumed = true;
        return stream[Symbol.asyncIterator]();
      },
    };
    return this.#retry(what, async (attempt) => {
      try {
        return await this.inner.create(what.name, body, options);
      } catch (error) {
        if (isConsumed && isUnavailable(error))
          throw new NotRepeatable(givenUp(what, attempt, error, STREAM_SPENT));
        throw error;
      }
    });
  }

  /** Begins with a member: in Node 20 a member that is added to a copy of an object takes ten times as long as all else here. */
  #inSteps<T extends TransferOptions>(what: Attempted, options: T): T {
    return { signal: options.signal, ...options, repeatStep: this.#stepsOf(what) };
  }

  /** A call whose step was given up is not begun again as a whole. */
  #stepsOf(what: Attempted): RepeatStep {
    return (step) =>
      this.#retry(what, step).catch((error: unknown) => {
        throw isUnavailable(error) ? new NotRepeatable(error) : error;
      });
  }

  #retry<T>(what: Attempted, call: (attempt: number) => Promise<T>): Promise<T> {
    return this.#policy.run(what, call);
  }

  /**
   * The version of the object if its bytes are `body`. Each of its two requests is repeated by itself: were the write sent
   * again whenever one of them fails, a third of them failing would use up the attempts of one write in forty.
   */
  async #bytesEqual(what: Attempted, body: Uint8Array): Promise<string | undefined> {
    const { name, signal } = what;
    const repeat = this.#stepsOf(what);
    const info = await repeat(() => this.inner.head(name, { signal }));
    if (info?.bytes !== body.length) return undefined;
    const inSteps = { signal, maxBytes: body.length, repeatStep: repeat };
    const stored = await repeat(() => this.inner.get(name, inSteps));
    return stored && Buffer.compare(stored.body, body) === 0 ? stored.version : undefined;
  }
}

/** The rest of a listing after a page. */
function after(page: ListPage, options: ListOptions): ListOptions {
  const object = page.objects.at(-1)?.name ?? '';
  const folder = page.folders.at(-1) ?? '';
  const startAfter = compareNames(object, folder) > 0 ? object : folder;
  const given = page.objects.length + page.folders.length;
  if (given === 0) return options;
  return { ...options, startAfter, limit: options.limit === undefined ? undefined : options.limit - given };
}
