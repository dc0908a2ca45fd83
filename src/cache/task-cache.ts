import { Deadline } from '../async/deadline.ts';
import type { AbortSource } from '../async/linked-abort.ts';
import type { ContentAddressedStore } from '../content-addressed-store.ts';
import { abortError, invalidArgument, isStowageError, throwIfAborted } from '../errors.ts';
import type { CacheEntry, NewCacheEntry } from '../format/cache-entry.ts';
import { type EntryKey, entryName, evictedName, isCacheKey } from '../format/cache-names.ts';
import { MAX_LEASE_MS } from '../format/lease-record.ts';
import { type CacheSigningKeys, signerOf } from '../format/signing.ts';
import { checkMembers, checkOptionNames } from '../options/option-names.ts';
import {
  ANYTHING,
  checkKinds,
  checkOptions,
  FLAG,
  FUNCTION,
  type OptionKind,
  type OptionTable,
  wholeMilliseconds,
} from '../options/option-table.ts';
import type { CallOptions } from '../storage/contract.ts';
import {
  type CacheStatistics,
  countEntries,
  type ListEntriesOptions,
  type ListedEntry,
  listEntries,
} from './entry-listing.ts';
import {
  type CacheHit,
  type CacheMiss,
  EntryReader,
  type EntryRule,
  type LookRule,
  type SeenEntry,
} from './entry-reader.ts';
import { EntryUses } from './entry-uses.ts';
import { type CacheStored, EntryWriter } from './entry-writer.ts';
import { Lease } from './lease.ts';
import type { CircularWait } from './lease-circle.ts';
import { LeaseQueue } from './lease-queue.ts';
import { reportTaskCacheFailure, type TaskCacheOperation } from './task-cache-failures.ts';

/** Options of a cache of tasks. */
export interface TaskCacheOptions {
  /** The longest a call to the cache may keep a task waiting, not counting another process's run. Default 60,000. */
  cacheTimeoutMs?: number | undefined;
  /**
   * The ring by which entries are signed and verified; `false` for none. With one, an entry without a signature that holds is a
   * miss. Default: what the environment variable `STOWAGE_CACHE_KEY` holds, none if it is not set.
   */
  signingKeys?: CacheSigningKeys | false | undefined;
  /** The time, in milliseconds since 1970, by which entries age. Default `Date.now`. */
  nowMs?: (() => number) | undefined;
}

/** Options of calls that together may keep a task waiting no longer than `cacheTimeoutMs`. */
export interface DeadlineOptions extends CallOptions {
  /** The deadline that several calls share, by `cache.deadline()`. Default: one of the call's own. */
  deadline?: Deadline | undefined;
}

/** Options of {@link TaskCache.lookup}. */
export interface LookupOptions extends DeadlineOptions, LookRule {}

/** Options of {@link TaskCache.store}. */
export interface StoreEntryOptions extends DeadlineOptions, EntryRule {
  /** The entry that the lookup saw (`seen`), to be replaced if it is still there. Default: only a first entry is stored. */
  replaces?: SeenEntry | undefined;
  /** The lease under which the task ran. Default: none. */
  lease?: Lease | undefined;
  /**
   * `true` replaces an entry of a run that began before this one, rather than yield to it. Tokens of leases tell which began first, else
   * when the attempts were opened, by the store's clock. Default `false`.
   */
  refresh?: boolean | undefined;
}

/** Options of {@link TaskCache.acquire}. */
export interface AcquireOptions extends DeadlineOptions, EntryRule {
  /** The entry that the lookup saw (`seen`), so that only another one is a result. Default: nothing. */
  seen?: SeenEntry | undefined;
  /** `true` takes only the result of a run that began after this call, and waits for no other. Default `false`. */
  refresh?: boolean | undefined;
  /** After how long without a sign of life our lease may be taken over, in milliseconds; 20 to 3,600,000. Default 60,000. */
  leaseMs?: number | undefined;
}

/** The end of waiting for a key. */
export type Acquired =
  /** Run the task, store its result with the lease, release the lease. */
  | { status: 'held'; lease: Lease }
  /** Somebody else ran it. */
  | CacheHit
  /** It never would be given: its owner waits for the task that asks for it. Only within a cached task. */
  | CircularWait
  /** The cache failed: run the task without a lease. */
  | { status: 'unserialized'; error: unknown };

const DEFAULT_TIMEOUT_MS = 60_000;
const DEFAULT_LEASE_MS = 60_000;
const MAX_TIMEOUT_MS = 24 * 60 * 60 * 1000;

/** The times that a lease may be taken over after. */
export const LEASE_MS: OptionKind = wholeMilliseconds(20, MAX_LEASE_MS);

const CACHE_OPTIONS: OptionTable<TaskCacheOptions> = {
  cacheTimeoutMs: wholeMilliseconds(1, MAX_TIMEOUT_MS),
  signingKeys: ANYTHING,
  nowMs: FUNCTION,
};
const AGE_OPTIONS: OptionTable<DeadlineOptions & EntryRule> = {
  maxAgeMs: {
    expects: 'milliseconds, 0 or more',
    accepts: (value) => typeof value === 'number' && value >= 0,
  },
  deadline: ANYTHING,
};
const LOOKUP_OPTIONS: OptionTable<LookupOptions> = {
  ...AGE_OPTIONS,
  skipOwnValues: FLAG,
  skipContent: FLAG,
};
const STORE_OPTIONS: OptionTable<StoreEntryOptions> = {
  ...AGE_OPTIONS,
  replaces: ANYTHING,
  lease: ANYTHING,
  refresh: FLAG,
};
const ACQUIRE_OPTIONS: OptionTable<AcquireOptions> = {
  ...AGE_OPTIONS,
  seen: ANYTHING,
  refresh: FLAG,
  leaseMs: LEASE_MS,
};
const LIST_OPTIONS: OptionTable<ListEntriesOptions> = {
  keyPrefix: {
    expects: 'the beginning of a cache key: up to 64 of the digits 0-9 and a-f',
    accepts: (value) => typeof value === 'string' && /^[0-9a-f]{0,64}$/.test(value),
  },
};

/**
 * Keeps the results of tasks by their keys, in a store beside the attempts that produced them. It never fails a task: what goes wrong
 * is a miss, or a result that is not stored, and is told once by the channel `stowage:task-cache-failed`; only an aborted signal throws.
 */
export class TaskCache {
  readonly #content: ContentAddressedStore;
  readonly #timeoutMs: number;
  readonly #entries: EntryReader;
  readonly #writer: EntryWriter;
  readonly #uses: EntryUses;
  /** True if only entries count that somebody with a key of the ring has signed. @internal */
  readonly isSigned: boolean;

  /** @throws StowageError `INVALID_ARGUMENT` for options that cannot be used, of the environment too. */
  constructor(content: ContentAddressedStore, options: TaskCacheOptions = {}) {
    if (typeof options !== 'object' || options === null)
      throw invalidArgument('The cache of tasks takes its options as an object.');
    checkMembers(options, 'The cache of tasks', Object.keys(CACHE_OPTIONS));
    checkKinds(options, CACHE_OPTIONS);
    const { cacheTimeoutMs = DEFAULT_TIMEOUT_MS, signingKeys, nowMs = Date.now } = options;
    const signer = signerOf(signingKeys);
    this.isSigned = signer !== undefined;
    this.#content = content;
    this.#timeoutMs = cacheTimeoutMs;
    this.#entries = new EntryReader(content, signer, nowMs);
    this.#writer = new EntryWriter(content, this.#entries, signer, nowMs);
    this.#uses = new EntryUses(content.storage, nowMs);
  }

  /** A deadline for several calls: together they keep a task waiting for `limitMs` at most; default `cacheTimeoutMs`. */
  deadline(limitMs: number = this.#timeoutMs): Deadline {
    return new Deadline(limitMs);
  }

  /**
   * The entry of a key, if it counts and all content that it refers to, at any depth, is still there; else why not. One GET where
   * the values are inline; beside it, for each content, one LIST (small), two LISTs and a GET (a plain object), or a LIST, a GET and a LIST
   * for each session that wrote packs of it (from 256 KiB on).
   *
   * @throws StowageError `INVALID_ARGUMENT`, `ABORTED`
   */
  async lookup(key: EntryKey, options: LookupOptions = {}): Promise<CacheHit | CacheMiss> {
    checkOptions<LookupOptions>(options, 'lookup', LOOKUP_OPTIONS);
    checkKey(key);
    const { maxAgeMs, skipOwnValues, skipContent, deadline = this.deadline(), signal } = options;
    return this.look(key, { maxAgeMs, skipOwnValues, skipContent }, { deadline, signal });
  }

  /** As {@link lookup}, for arguments that are known to be right. @internal */
  async look(
    key: EntryKey,
    rule: LookRule,
    { deadline, signal }: { deadline: Deadline; signal: AbortSource | undefined },
  ): Promise<CacheHit | CacheMiss> {
    const lookup = deadline.runUntil(signal, (inner) => this.#entries.lookup(key, rule, inner));
    const result = await this.#neverThrow('lookup', key, { signal }, lookup);
    if (!('failed' in result)) {
      if (result.status === 'miss' && !ORDINARY.has(result.reason)) this.#report('lookup', key, result);
      return result;
    }
    return { status: 'miss', reason: 'unavailable', error: result.failed };
  }

  /**
   * Stores the result of a run. The first entry of a key is created; who comes later gets that one as `winner`. An entry that did not
   * count is replaced if it is still the one that `replaces` tells, never by a lease that another one has overtaken.
   * One request, two with a lease, if nobody else was first.
   *
   * @throws StowageError `INVALID_ARGUMENT` for wrong arguments, `ABORTED`
   */
  async store(key: EntryKey, entry: NewCacheEntry, options: StoreEntryOptions = {}): Promise<CacheStored> {
    checkOptions<StoreEntryOptions>(options, 'store', STORE_OPTIONS);
    checkKey(key);
    const { maxAgeMs, replaces, lease, refresh = false, deadline = this.deadline() } = options;
    if (lease !== undefined && lease.key !== key) throw invalidArgument(OTHER_LEASE);
    const write = { key, entry, replaces, lease, maxAgeMs, refresh };
    const storing = deadline.runUntil(options.signal, async (inner) => {
      await this.#content.prepareToWrite(inner);
      return this.#writer.write(write, inner);
    });
    const result = await this.#neverThrow('store', key, options, storing);
    if (!('failed' in result)) return result;
    return { stored: false, reason: reasonOf(result.failed), error: result.failed };
  }

  /**
   * Waits until this process may run the task of a key, or somebody else has. Of all that wait one is given the lease; when it is
   * released without a result, or its owner is silent for as long as it said, the next one is. Ends where the owner waits for the caller.
   *
   * @throws StowageError `INVALID_ARGUMENT`, `ABORTED`
   */
  async acquire(key: EntryKey, options: AcquireOptions = {}): Promise<Acquired> {
    checkOptions<AcquireOptions>(options, 'acquire', ACQUIRE_OPTIONS);
    checkKey(key);
    const { maxAgeMs, seen, refresh = false, signal } = options;
    const { leaseMs = DEFAULT_LEASE_MS, deadline = this.deadline() } = options;
    const request = {
      key,
      maxAgeMs,
      seen,
      refresh,
      leaseMs,
      deadline,
      signal,
      releaseTimeoutMs: this.#timeoutMs,
    };
    throwIfAborted(signal);
    const waiting = new LeaseQueue(this.#content.storage, this.#entries, request).enter();
    const result = await this.#neverThrow('acquire', key, options, waiting);
    if ('failed' in result) return { status: 'unserialized', error: result.failed };
    return result instanceof Lease ? { status: 'held', lease: result } : result;
  }

  /**
   * Deletes the entry of a key, so that the next call is a miss, and notes when, so that no result that an attempt had before is found
   * again. Idempotent. The key's leases stay, so that none of their tokens is given again while an owner may live. Two requests.
   *
   * @throws StowageError what the storage fails with: what cannot be deleted still counts.
   */
  async evict(key: EntryKey, options: CallOptions = {}): Promise<void> {
    checkOptionNames(options, 'evict');
    checkKey(key);
    throwIfAborted(options.signal);
    const { storage } = this.#content;
    await this.#content.prepareToWrite(options);
    await storage.overwrite(evictedName(key), new Uint8Array(0), options);
    const [failure] = await storage.delete([entryName(key)], options);
    if (failure) throw failure.error;
  }

  /** True if the result of a key was evicted since an object was written, by the store's clock. Two requests. @internal */
  async wasEvictedSince(key: EntryKey, object: string, { signal }: CallOptions): Promise<boolean> {
    const { storage } = this.#content;
    const evicted = await storage.head(evictedName(key), { signal });
    if (!evicted) return false;
    const written = await storage.head(object, { signal });
    return !written || written.modifiedAtMs <= evicted.modifiedAtMs;
  }

  /**
   * Stores the result of a run that had ended before, if it counts as an entry does; resolves to what counts then, `undefined` if nothing
   * does or could be stored. One request, beside what looking at content costs, see {@link lookup}. @internal
   */
  async takeUp(
    key: EntryKey,
    entry: NewCacheEntry & { createdAt: string },
    { maxAgeMs, lease, signal }: Pick<StoreEntryOptions, 'maxAgeMs' | 'lease' | 'signal'>,
  ): Promise<CacheHit | undefined> {
    const seen: SeenEntry = { version: '', token: 0 };
    const found = { entry: { ...entry, key, leaseToken: 0 }, seen };
    const judging = this.deadline().run({ signal }, async (inner) =>
      this.#entries.judge(found, { maxAgeMs }, inner),
    );
    const result = await this.#neverThrow('lookup', key, { signal }, judging);
    if ('failed' in result || result.status === 'miss') return undefined;
    const outcome = await this.store(key, entry, { maxAgeMs, lease, signal });
    return outcome.stored ? result : outcome.winner;
  }

  /** Notes that an entry was a hit, for retention; see {@link EntryUses}. @internal */
  noteUse({ key, createdAt }: CacheEntry): void {
    this.#uses.note(key, createdAt);
  }

  /** Writes what was noted of hits. Never throws. @internal */
  async close(): Promise<void> {
    await this.#uses.flush();
  }

  /** All entries, ascending by key, also those that do not count. One LIST, paged, and one GET each. */
  entries(options: ListEntriesOptions = {}): AsyncGenerator<ListedEntry> {
    checkOptions<ListEntriesOptions>(options, 'entries', LIST_OPTIONS);
    return listEntries(this.#content.storage, this.#entries, options);
  }

  /** Counts the entries, by their tasks. */
  async statistics(options: ListEntriesOptions = {}): Promise<CacheStatistics> {
    return countEntries(this.entries(options));
  }

  /** Resolves to what `work` does, or to what it failed with, which is reported; throws only for an aborted signal. */
  #neverThrow<T extends object>(
    operation: TaskCacheOperation,
    key: EntryKey,
    { signal }: { signal?: AbortSource | undefined },
    work: Promise<T>,
  ): Promise<T | { failed: unknown }> {
    return work.catch((error: unknown) => {
      if (signal?.aborted) throw abortError(signal);
      this.#report(operation, key, { reason: reasonOf(error), error });
      return { failed: error };
    });
  }

  #report(
    operation: TaskCacheOperation,
    key: EntryKey,
    { reason, error }: { reason: string; error?: unknown },
  ): void {
    reportTaskCacheFailure(this.#content.storage, { operation, reason, key, error });
  }
}

/** Entries that healthy caches find as well: they are no failure. */
const ORDINARY: ReadonlySet<string> = new Set(['absent', 'expired', 'purged']);
const OTHER_LEASE =
  'The lease is that of another key; store each result with the lease that was acquired for its key.';

/** Arguments are checked before; what is invalid later is the entry. */
function reasonOf(error: unknown): 'invalid' | 'unavailable' {
  return isStowageError(error, 'INVALID_ARGUMENT') ? 'invalid' : 'unavailable';
}

function checkKey(key: unknown): void {
  if (isCacheKey(key)) return;
  throw invalidArgument('A cache key is 64 of the digits 0-9 and a-f.');
}
