import type { NewObject, SqlDatabase } from './database.ts';
import { MAX_BODY_BYTES } from './limits.ts';

/** A create that waits for its transaction. */
interface Waiting extends NewObject {
  resolve(isOurs: boolean): void;
  reject(error: unknown): void;
}

/** The most creates in one transaction. */
const MAX_BATCH = 64;

/**
 * Creates that come at once share a transaction, since one costs a sync of the disk. They go sorted by name: two processes that create the
 * same names in other orders would wait for each other for ever.
 */
export class CreateBatches {
  readonly #database: SqlDatabase;
  #waiting: Waiting[] = [];
  #isRunning = false;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** Resolves to whether the name was free. */
  create(object: NewObject): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...object, resolve, reject });
      if (this.#isRunning) return;
      this.#isRunning = true;
      queueMicrotask(() => void this.#run());
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#take();
      try {
        this.#settle(batch, await this.#database.create(batch));
      } catch (error) {
        if (batch.length === 1) batch[0]?.reject(error);
        else await this.#singly(batch);
      }
    }
    this.#isRunning = false;
  }

  /** What one of them did wrong is not told to the others. */
  async #singly(batch: readonly Waiting[]): Promise<void> {
    for (const waiting of batch) {
      try {
        this.#settle([waiting], await this.#database.create([waiting]));
      } catch (error) {
        waiting.reject(error);
      }
    }
  }

  /** The next ones, each name once, sorted. */
  #take(): Waiting[] {
    const batch = new Map<string, Waiting>();
    const later: Waiting[] = [];
    let bytes = 0;
    for (const waiting of this.#waiting) {
      const isFull = batch.size === MAX_BATCH || (bytes > 0 && bytes + waiting.body.length > MAX_BODY_BYTES);
      if (isFull || batch.has(waiting.name)) later.push(waiting);
      else {
        batch.set(waiting.name, waiting);
        bytes += waiting.body.length;
      }
    }
    this.#waiting = later;
    return [...batch.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #settle(batch: readonly Waiting[], created: ReadonlySet<string>): void {
    for (const { name, resolve } of batch) resolve(created.has(name));
  }
}
