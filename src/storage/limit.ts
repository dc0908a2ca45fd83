import { setImmediate as nextTurn } from 'node:timers/promises';
import { onAbort } from '../async/on-abort.ts';
import { abortError, invalidArgument, throwIfAborted } from '../errors.ts';
import { isStream } from '../streams/body-stream.ts';
import { endSource } from '../streams/end-source.ts';
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
} from './contract.ts';
import { StorageDecorator } from './decorator.ts';
import { readInto } from './read-into.ts';

/** A stream that never waits for its source lets others go first after this long, in milliseconds. */
const MAX_TURN_MS = 20;

/**
 * Lets at most `maxInFlight` calls through at a time; the others wait, first come, first served, and can be aborted
 * while they do. A listing counts while it fetches a page. A `create` does not count while it waits for its stream, which may
 * therefore read through the same limit, or keep silent; parts that it sends meanwhile come on top of the limit. Calls that
 * begin and creates that go on with their stream take turns, so that neither can keep out the other.
 */
export class LimitStorage extends StorageDecorator {
  readonly #maxInFlight: number;
  /** Calls that have not begun. */
  readonly #beginning = new Set<() => void>();
  /** Creates whose stream has gone on. */
  readonly #resuming = new Set<() => void>();
  #wasResumed = false;
  #inFlight = 0;

  constructor(inner: DataStoreStorage, maxInFlight: number) {
    super(inner);
    if (!Number.isSafeInteger(maxInFlight) || maxInFlight < 1) {
      const message = `The limit of calls in flight is ${maxInFlight}; give a whole number of at least 1.`;
      throw invalidArgument(message, { maxInFlight: String(maxInFlight) });
    }
    this.#maxInFlight = maxInFlight;
  }

  override get(name: string, options?: GetOptions): Promise<StoredObject | undefined> {
    return this.#limited(options, () => this.inner.get(name, options));
  }

  /** Counts as one call. */
  getInto(
    name: string,
    target: ReadTarget,
    options: TransferOptions = {},
  ): Promise<FilledObject | undefined> {
    return this.#limited(options, () => readInto(this.inner, name, target, options));
  }

  override create(
    name: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options?: CreateOptions,
  ): Promise<boolean> {
    if (!isStream(body)) return this.#limited(options, () => this.inner.create(name, body, options));
    return this.#createFromStream(name, body, options);
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

  async #createFromStream(
    name: string,
    body: AsyncIterable<Uint8Array>,
    options: CreateOptions | undefined,
  ): Promise<boolean> {
    const place = new Place(() => this.#enter(this.#resuming, options?.signal), this.#leave);
    throwIfAborted(options?.signal);
    await this.#enter(this.#beginning, options?.signal);
    place.isHeld = true;
    try {
      return await this.inner.create(name, givingWay(body, place), options);
    } finally {
      place.end();
    }
  }

  /** While there is a place, the call's own promise is passed on: a call that need not wait costs next to nothing. */
  #limited<T>(options: CallOptions | undefined, call: () => Promise<T>): Promise<T> {
    if (this.#inFlight >= this.#maxInFlight || options?.signal?.aborted) return this.#whenFree(options, call);
    this.#inFlight += 1;
    return this.#leavingAfter(call);
  }

  async #whenFree<T>(options: CallOptions | undefined, call: () => Promise<T>): Promise<T> {
    throwIfAborted(options?.signal);
    await this.#enter(this.#beginning, options?.signal);
    return this.#leavingAfter(call);
  }

  #leavingAfter<T>(call: () => Promise<T>): Promise<T> {
    let result: Promise<T>;
    try {
      result = call();
    } catch (error) {
      this.#leave();
      return Promise.reject(error);
    }
    result.then(this.#leave, this.#leave);
    return result;
  }

  /** Resolves once there is a place, which counts as taken from then on. */
  async #enter(queue: Set<() => void>, signal: AbortSignal | undefined): Promise<void> {
    if (this.#inFlight < this.#maxInFlight) this.#inFlight += 1;
    else await this.#turn(queue, signal);
  }

  /** Resolves once a call that left has handed its place over. */
  #turn(queue: Set<() => void>, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = (): void => {
        forget?.();
        resolve();
      };
      const forget =
        signal &&
        onAbort(signal, () => {
          queue.delete(enter);
          reject(abortError(signal));
        });
      queue.add(enter);
    });
  }

  readonly #leave = (): void => {
    const [first, second] = this.#wasResumed
      ? [this.#beginning, this.#resuming]
      : [this.#resuming, this.#beginning];
    const queue = first.size > 0 ? first : second;
    const [enter] = queue;
    if (!enter) {
      this.#inFlight -= 1;
      return;
    }
    this.#wasResumed = queue === this.#resuming;
    queue.delete(enter);
    enter();
  };
}

/** The place of a `create` that is given back while its stream is waited for. */
class Place {
  isHeld = false;
  readonly #enter: () => Promise<void>;
  readonly #leave: () => void;
  #hasEnded = false;

  constructor(enter: () => Promise<void>, leave: () => void) {
    this.#enter = enter;
    this.#leave = leave;
  }

  giveBack(): void {
    if (!this.isHeld) return;
    this.isHeld = false;
    this.#leave();
  }

  /** Takes a place again. A stream that goes on after its `create` has ended takes none. */
  async takeAgain(): Promise<void> {
    if (this.#hasEnded) return;
    await this.#enter();
    this.isHeld = true;
    if (this.#hasEnded) this.giveBack();
  }

  end(): void {
    this.#hasEnded = true;
    this.giveBack();
  }
}

/** A stream that gives back a place while its source is silent, and now and then where it never is. */
function givingWay(source: AsyncIterable<Uint8Array>, place: Place): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = source[Symbol.asyncIterator]();
      let turnBegan = performance.now();
      const next = async (): Promise<IteratorResult<Uint8Array>> => {
        let isSilent = true;
        const coming = Promise.resolve(iterator.next()).finally(() => {
          isSilent = false;
        });
        const isTurnOver = performance.now() - turnBegan >= MAX_TURN_MS;
        if (!isTurnOver) await Promise.race([coming, nextTurn()]);
        if (!isSilent) return coming;
        place.giveBack();
        try {
          const item = await coming;
          // Timers and signals have their turn too, which may be what ends this stream.
          if (isTurnOver) await nextTurn();
          return item;
        } finally {
          await place.takeAgain();
          turnBegan = performance.now();
        }
      };
      // Not queued behind an item that may never come, as a generator's would be.
      const end = async (): Promise<IteratorResult<Uint8Array>> => {
        await endSource(source, () => iterator.return?.());
        return { done: true, value: undefined };
      };
      return { next, return: end };
    },
  };
}
