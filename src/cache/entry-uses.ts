import { clearTimeout, setTimeout } from 'node:timers';
import type { EntryKey } from '../format/cache-names.ts';
import { encodeUses, MAX_USED_KEYS, newUsesName } from '../format/cache-uses.ts';
import type { DataStoreStorage } from '../storage/contract.ts';
import { reportTaskCacheFailure } from './task-cache-failures.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** A process that runs long tells of its hits so often. */
const TELL_EVERY_MS = 10 * 60 * 1000;
/** The most keys that a process remembers as told; then it may tell some again. */
const MAX_TOLD = 100_000;

/**
 * Notes which entries were a hit, so that retention can keep those that are used. An entry is told once a day by a process, and in the first day of its life
 * not at all: its age says as much. A hit costs no request: what was noted is written together, now and then, and at the end.
 */
export class EntryUses {
  readonly #storage: DataStoreStorage;
  readonly #nowMs: () => number;
  #day = -1;
  /** Keys of this day, those that are to be written among them. */
  readonly #told = new Set<EntryKey>();
  #fresh: EntryKey[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** A store that may only be read is not tried again. */
  #isOver = false;

  constructor(storage: DataStoreStorage, nowMs: () => number) {
    this.#storage = storage;
    this.#nowMs = nowMs;
  }

  /** @param createdAt - of the entry: ISO 8601 */
  note(key: EntryKey, createdAt: string): void {
    const nowMs = this.#nowMs();
    if (this.#isOver || nowMs - Date.parse(createdAt) < DAY_MS) return;
    const day = Math.floor(nowMs / DAY_MS);
    if (day !== this.#day || this.#told.size >= MAX_TOLD) {
      this.#day = day;
      this.#told.clear();
    }
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.#fresh.push(key);
    this.#timer ??= setTimeout(() => void this.flush(), TELL_EVERY_MS).unref();
  }

  /** Writes what was noted. Never throws: what cannot be told costs nothing but the age of an entry. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#fresh.length > 0 && !this.#isOver) {
      const keys = this.#fresh.splice(0, MAX_USED_KEYS);
      try {
        await this.#storage.create(newUsesName(this.#nowMs()), encodeUses(keys));
      } catch (error) {
        this.#isOver = true;
        const [key = ''] = keys;
        reportTaskCacheFailure(this.#storage, { operation: 'use', reason: 'unavailable', key, error });
      }
    }
  }
}
