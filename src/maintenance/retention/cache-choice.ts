import { type ListedEntry, listEntries } from '../../cache/entry-listing.ts';
import { EntryReader } from '../../cache/entry-reader.ts';
import type { ContentStore } from '../../content/content-store.ts';
import { isStowageError } from '../../errors.ts';
import { attemptBase } from '../../format/attempt-files.ts';
import type { CacheEntry } from '../../format/cache-entry.ts';
import {
  areUsesBefore,
  CACHE_USES_FOLDER,
  dayOfUses,
  decodeUses,
  MAX_USES_BYTES,
} from '../../format/cache-uses.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';
import { Cursor, SortedLines, type WorkFolder } from '../collection/sorted-lines.ts';
import { attemptLine } from './kept-attempts.ts';
import { isLimited, type ReadCacheRules, type ReadPolicy } from './policy.ts';
import type { RetentionPlan, RetentionWarning } from './retention-plan.ts';

/** The entries of the cache, by what becomes of them. */
export interface CacheChoice {
  /** Entries that go: their keys, and whether they had expired, apart by a tab. */
  readonly evicted: SortedLines;
  /** Attempts that entries which stay name: {@link attemptLine}. */
  readonly keptAttempts: SortedLines;
  /** Days of uses that ended before this tell nothing that is asked for any more, in milliseconds since 1970. */
  readonly usesSinceMs: number;
  readonly counts: RetentionPlan['cache'];
  readonly warnings: RetentionWarning[];
}

const MAX_TASKS_TOLD = 20;
/** Without a rule that asks for uses, they are kept for those that may come. */
const MAX_USES_MS = 400 * 24 * 60 * 60 * 1000;
const DAY_MS = 24 * 60 * 60 * 1000;
/** Later times than any, of 16 digits. */
const MAX_TIME_MS = 9_999_999_999_999;

/**
 * Chooses among the entries of the cache, and tells the attempts that those which stay keep. One LIST, and one GET for each entry. Entries that cannot
 * be read stay, and keep nothing.
 */
export async function chooseEntries(
  content: ContentStore,
  folder: WorkFolder,
  policy: ReadPolicy,
  nowMs: number,
  { signal, onEntry }: CallOptions & { onEntry: () => void },
): Promise<CacheChoice> {
  const { used, unreadable } = await readUses(content.storage, folder, policy.cache, nowMs, { signal });
  const choice = new Choice(folder, policy, nowMs, used);
  const reader = new EntryReader(content, undefined);
  for await (const listed of listEntries(content.storage, reader, { signal })) {
    onEntry();
    choice.add(listed);
  }
  const chosen = choice.end();
  return { ...chosen, warnings: [...unreadable, ...chosen.warnings] };
}

class Choice {
  readonly #policy: ReadPolicy;
  readonly #rules: ReadCacheRules;
  readonly #nowMs: number;
  readonly #evicted: SortedLines;
  readonly #kept: SortedLines;
  /** Entries that have not expired, newest first. */
  readonly #live: SortedLines;
  readonly #used: Cursor;
  readonly #counts: RetentionPlan['cache'] = { entries: 0, bytes: 0, expired: 0, kept: 0 };
  /** The longest that entries of a task are good for beyond what keeps their runs, and beyond what the rules keep. */
  readonly #outlive = new Map<string, { flow: string; lifetimeMs: number; keepWithinMs: number }>();
  readonly #cutShort = new Map<string, number>();

  /** @param used - keys of entries that were a hit as lately as the rules ask for; entries come ascending by key */
  constructor(folder: WorkFolder, policy: ReadPolicy, nowMs: number, used: SortedLines) {
    this.#policy = policy;
    this.#rules = policy.cache;
    this.#nowMs = nowMs;
    this.#evicted = new SortedLines(folder);
    this.#kept = new SortedLines(folder);
    this.#live = new SortedLines(folder);
    this.#used = new Cursor(used.sorted());
  }

  add({ key, bytes, entry }: ListedEntry): void {
    if (!entry) {
      this.#counts.kept += 1;
      return;
    }
    if (entry.expiresAt !== undefined && Date.parse(entry.expiresAt) <= this.#nowMs) {
      this.#counts.expired += 1;
      this.#evict(key, bytes, true);
      return;
    }
    this.#noteLifetime(entry);
    const { source, createdAt, task, expiresAt } = entry;
    const age = String(MAX_TIME_MS - Math.min(Date.parse(createdAt), MAX_TIME_MS)).padStart(13, '0');
    const base = attemptLine(attemptBase(source, source.attempt));
    const takes = bytes + storedBytesOf(entry);
    const isCut = expiresAt !== undefined;
    const isUsed = this.#used.has(key);
    this.#live.add([age, key, bytes, takes, base, isCut, isUsed, JSON.stringify(task)].join('\t'));
  }

  end(): CacheChoice {
    const { keepWithinMs, keepUsedWithinMs, keepLast, maxBytes } = this.#rules;
    const isRuled = isLimited(this.#rules) || keepUsedWithinMs !== undefined;
    // What was stored lately counts as used.
    const youngMs = Math.max(keepWithinMs ?? -1, keepUsedWithinMs ?? -1);
    this.#used.close();
    const ofTask = new Map<string, number>();
    let total = 0;
    for (const line of this.#live.sorted()) {
      const [age, key = '', bytes, takes, base = '', isCut, isUsed, task = ''] = line.split('\t');
      const ageMs = this.#nowMs - (MAX_TIME_MS - Number(age));
      const newer = ofTask.get(task) ?? 0;
      ofTask.set(task, newer + 1);
      const isYoung = ageMs <= youngMs || isUsed === 'true';
      const stays = !isRuled || isYoung || (keepLast !== undefined && newer < keepLast);
      const fits = maxBytes === undefined || total + Number(takes) <= maxBytes;
      if (stays && fits) {
        total += Number(takes);
        this.#counts.kept += 1;
        this.#kept.add(base);
        continue;
      }
      if (isCut === 'true') this.#cutShort.set(task, (this.#cutShort.get(task) ?? 0) + 1);
      this.#evict(key, Number(bytes), false);
    }
    return {
      evicted: this.#evicted,
      keptAttempts: this.#kept,
      counts: this.#counts,
      usesSinceMs:
        this.#counts.kept === 0 ? Number.POSITIVE_INFINITY : this.#nowMs - (keepUsedWithinMs ?? MAX_USES_MS),
      warnings: [...this.#outliving(), ...this.#cut()],
    };
  }

  #evict(key: string, bytes: number, isExpired: boolean): void {
    this.#counts.entries += 1;
    this.#counts.bytes += bytes;
    this.#evicted.add(`${key}\t${isExpired ? 'expired' : 'ruled'}`);
  }

  /** The `maxAge` of a task is known by what its entries say. */
  #noteLifetime({ task, createdAt, expiresAt, source: { flow } }: CacheEntry): void {
    const { keepWithinMs } = this.#policy.rulesOf(flow);
    if (expiresAt === undefined || keepWithinMs === undefined) return;
    const lifetimeMs = Date.parse(expiresAt) - Date.parse(createdAt);
    if (lifetimeMs <= keepWithinMs || lifetimeMs <= (this.#outlive.get(task)?.lifetimeMs ?? 0)) return;
    if (this.#outlive.size < MAX_TASKS_TOLD || this.#outlive.has(task))
      this.#outlive.set(task, { flow, lifetimeMs, keepWithinMs });
  }

  #outliving(): RetentionWarning[] {
    return [...this.#outlive].map(([task, { flow, lifetimeMs, keepWithinMs }]) => ({
      kind: 'cache-outlives-runs',
      message: `Results of task ${task} are good for ${days(lifetimeMs)}, and runs of flow ${flow} are kept for ${days(keepWithinMs)}: the attempts of such results stay until they expire. Keep runs longer, or entries shorter (cache.keepWithin).`,
    }));
  }

  #cut(): RetentionWarning[] {
    return [...this.#cutShort].slice(0, MAX_TASKS_TOLD).map(([task, entries]) => ({
      kind: 'cache-cut-short',
      message: `${entries} ${entries === 1 ? 'result' : 'results'} of task ${JSON.parse(task)} would be good for longer, and will be computed again.`,
    }));
  }
}

/** The keys of entries that were a hit as lately as the rules ask for. One LIST, and one GET for each process and day. */
async function readUses(
  storage: DataStoreStorage,
  folder: WorkFolder,
  { keepUsedWithinMs }: ReadCacheRules,
  nowMs: number,
  { signal }: CallOptions,
): Promise<{ used: SortedLines; unreadable: RetentionWarning[] }> {
  const used = new SortedLines(folder);
  const unreadable: RetentionWarning[] = [];
  if (keepUsedWithinMs === undefined) return { used, unreadable };
  for await (const { objects } of storage.list({ prefix: CACHE_USES_FOLDER, signal })) {
    for (const { name } of objects) {
      const dayMs = dayOfUses(name);
      if (dayMs === undefined || areUsesBefore(dayMs, nowMs - keepUsedWithinMs)) continue;
      try {
        const object = await storage.get(name, { signal, maxBytes: MAX_USES_BYTES });
        for (const key of object ? decodeUses(object.body, storage.uri(name)) : []) used.add(key);
      } catch (error) {
        if (!isStowageError(error, 'RECORD_DAMAGED', 'UNSUPPORTED_FORMAT', 'OBJECT_TOO_LARGE')) throw error;
        const message = `${error.message} Entries that it tells of go by their age alone.`;
        if (unreadable.length < MAX_TASKS_TOLD) unreadable.push({ kind: 'unreadable', message });
      }
    }
  }
  return { used, unreadable };
}

/** What the values of an entry take up beside it. Content that entries share counts for each. */
function storedBytesOf({ table }: CacheEntry): number {
  return table.artifacts.reduce((sum, { content, own }) => sum + ((content ?? own)?.storedBytes ?? 0), 0);
}

function days(ms: number): string {
  const count = ms / DAY_MS;
  return `${Number(count.toFixed(count < 10 ? 1 : 0))} ${count === 1 ? 'day' : 'days'}`;
}
