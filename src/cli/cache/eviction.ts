import type { ListedEntry } from '../../cache/entry-listing.ts';
import type { TaskCache } from '../../cache/task-cache.ts';
import { isStowageError, StowageError } from '../../errors.ts';
import { entryView } from '../../views/cache-entries.ts';
import type { Invocation } from '../invocation.ts';
import { entryCount } from './entries.ts';

/** So many entries are deleted together. */
const AT_ONCE = 32;
/** Failures that `--json` tells. */
const MAX_TOLD = 100;

interface Failed {
  key: string;
  error: StowageError;
}

/** Evicts entries as they come, or counts them only; what cannot be deleted is noted, and the others go all the same. */
export class Eviction {
  /** All that were to be evicted. */
  entries = 0;
  evicted = 0;
  /** The time of the runs of those that were evicted, or would be in a dry run. So for what follows. */
  durationMs = 0;
  bytes = 0;
  unreadable = 0;
  readonly #cache: TaskCache;
  readonly #isDry: boolean;
  readonly #signal: AbortSignal;
  readonly #keys: string[] = [];
  readonly #waiting: ListedEntry[] = [];
  readonly #failed: Failed[] = [];
  #failures = 0;

  constructor(cache: TaskCache, { isDry, signal }: { isDry: boolean; signal: AbortSignal }) {
    this.#cache = cache;
    this.#isDry = isDry;
    this.#signal = signal;
  }

  async add(listed: ListedEntry): Promise<void> {
    this.entries += 1;
    if (this.#isDry) return this.#count(listed);
    this.#waiting.push(listed);
    if (this.#waiting.length >= AT_ONCE) await this.#evictWaiting();
  }

  /** Evicts what is left. */
  async end(): Promise<void> {
    await this.#evictWaiting();
  }

  /** @throws StowageError the first failure, where nothing could be evicted */
  report(invocation: Invocation): void {
    const [first] = this.#failed;
    if (first === undefined) return;
    const { code, message, details } = first.error;
    const said = `${message} (${entryCount(this.#failures)} of ${this.entries} could not be evicted.)`;
    const error = new StowageError(code, said, {
      details: { ...details, key: first.key },
      cause: first.error,
    });
    if (this.evicted === 0) throw error;
    invocation.failed(error);
  }

  json(): object {
    return {
      dryRun: this.#isDry,
      entries: this.entries,
      evicted: this.evicted,
      failures: this.#failures,
      durationMs: this.durationMs,
      bytes: this.bytes,
      unreadable: this.unreadable,
      keys: this.#keys,
      failed: this.#failed.map(({ key, error: { code, message } }) => ({ key, code, message })),
    };
  }

  async #evictWaiting(): Promise<void> {
    await Promise.all(this.#waiting.splice(0).map((listed) => this.#evict(listed)));
  }

  async #evict(listed: ListedEntry): Promise<void> {
    const { key } = listed;
    try {
      await this.#cache.evict(key, { signal: this.#signal });
    } catch (error) {
      if (!isStowageError(error) || error.code === 'ABORTED') throw error;
      this.#failures += 1;
      if (this.#failed.length < MAX_TOLD) this.#failed.push({ key, error });
      return;
    }
    this.evicted += 1;
    this.#count(listed);
  }

  #count(listed: ListedEntry): void {
    const { key, durationMs = 0, bytes = 0 } = entryView(listed);
    this.#keys.push(key);
    this.durationMs += durationMs;
    this.bytes += bytes;
    if (!listed.entry) this.unreadable += 1;
  }
}
