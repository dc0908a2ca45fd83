import { channel } from 'node:diagnostics_channel';
import { LinkedAbort } from '../../async/linked-abort.ts';
import { isStowageError } from '../../errors.ts';
import { nameTaken, tryCreateOwn } from '../../format/create-own.ts';
import { closedError } from '../../storage/checks.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';
import type { ContentSource } from '../../streams/chunk-stream.ts';

/** A message of the channel `stowage:left-behind`: objects that nothing names and that could not be removed; they only take space. */
export interface LeftBehind {
  names: readonly string[];
  /** Of the first of them. */
  error: unknown;
}

const leftBehind = channel('stowage:left-behind');

/** So many are removed by one call, and for so long: a call that is aborted waits for it. */
const TOGETHER = 1_000;
const MOST_MS = 10_000;

/**
 * Packs or a plain object that one save has written and nothing names yet. They are removed unless the save comes to name them. Nobody
 * else can rely on them until then: their chunks are remembered, and their manifest or locator is written, only after {@link keep}.
 */
export class UnnamedObjects {
  readonly #storage: DataStoreStorage;
  readonly #names = new Set<string>();

  constructor(storage: DataStoreStorage) {
    this.#storage = storage;
  }

  /**
   * Creates one, durable by the next barrier. Where that fails it may be there all the same, after a lost response, and is removed too.
   *
   * @throws StowageError `STORAGE_FAILED` where somebody else's object has the name, which stays.
   */
  async create(name: string, body: ContentSource, { signal }: CallOptions): Promise<void> {
    const options = { signal, durability: 'deferred', isContent: true } as const;
    this.#names.add(name);
    const isOurs =
      body instanceof Uint8Array
        ? await tryCreateOwn(this.#storage, name, body, options)
        : await this.#storage.create(name, body, options);
    if (isOurs) return;
    this.#names.delete(name);
    throw nameTaken(this.#storage, name);
  }

  /**
   * They stay. Comes before what names them is created: from then on whoever finds it may rely on them, even where creating it
   * seems to have failed.
   */
  keep(): void {
    this.#names.clear();
  }

  /** Removes them, aborted or not. Never throws; what cannot be removed is told by the channel. */
  async drop(): Promise<void> {
    const names = [...this.#names];
    this.#names.clear();
    for (let start = 0; start < names.length; start += TOGETHER) {
      const together = names.slice(start, start + TOGETHER);
      try {
        const failures = await this.#storage.delete(together, { signal: AbortSignal.timeout(MOST_MS) });
        if (failures[0])
          tell(
            failures.map(({ name }) => name),
            failures[0].error,
          );
      } catch (error) {
        return tell(names.slice(start), error);
      }
    }
  }
}

/** The saves of one place that write objects before what names them. */
export class SavesUnderWay {
  readonly #storage: DataStoreStorage;
  readonly #underWay = new Map<LinkedAbort, Promise<void>>();

  constructor(storage: DataStoreStorage) {
    this.#storage = storage;
  }

  /**
   * Runs a save. Unless it comes to name what it wrote, that goes again, however it ends.
   *
   * @throws StowageError `STORAGE_CLOSED` when the storage is closed meanwhile
   */
  async run<T>(
    { signal }: CallOptions,
    save: (unnamed: UnnamedObjects, options: CallOptions) => Promise<T>,
  ): Promise<T> {
    const unnamed = new UnnamedObjects(this.#storage);
    const call = new LinkedAbort(signal);
    let end = (): void => {};
    this.#underWay.set(
      call,
      new Promise((resolve) => {
        end = resolve;
      }),
    );
    try {
      return await save(unnamed, { signal: call.signal });
    } catch (error) {
      throw isStowageError(call.signal.reason, 'STORAGE_CLOSED') ? call.signal.reason : error;
    } finally {
      await unnamed.drop();
      this.#underWay.delete(call);
      call.release();
      end();
    }
  }

  /** Ends what is under way, and resolves when that has removed what nothing names. */
  async close(): Promise<void> {
    const ending = [...this.#underWay.values()];
    for (const call of this.#underWay.keys()) call.abort(closedError(this.#storage.type));
    await Promise.all(ending);
  }
}

function tell(names: readonly string[], error: unknown): void {
  const message: LeftBehind = { names, error };
  leftBehind.publish(message);
}
