import { delay } from '../async/in-time.ts';
import type { ReadAttempt } from '../attempts/attempt-reader.ts';
import type { ContentStore } from '../content/content-store.ts';
import { isStowageError, StowageError } from '../errors.ts';
import { attemptBase } from '../format/attempt-files.ts';
import { type CacheEntrySource, encodeEntry, type NewCacheEntry } from '../format/cache-entry.ts';
import { type EntryKey, entryName } from '../format/cache-names.ts';
import { formatPathspec } from '../format/pathspec.ts';
import { SESSION_FILES } from '../format/session-files.ts';
import type { EntrySigner } from '../format/signing.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import type { CacheHit, EntryReader, EntryRule, FoundEntry, SeenEntry } from './entry-reader.ts';
import type { Lease } from './lease.ts';

/**
 * The reason why an entry was not stored:
 * - `exists`: somebody else's is there, and counts (`winner`);
 * - `fenced`: somebody was given a later lease of the key;
 * - `newer-format`: what is there was written by a newer release, and is left;
 * - `contended`: it changed each time it was to be replaced;
 * - `invalid`: it cannot be written; `error` tells why;
 * - `unavailable`: the storage failed, or took longer than `cacheTimeoutMs`. The entry may have been stored all the same.
 */
export type NotStoredReason = 'exists' | 'fenced' | 'newer-format' | 'contended' | 'invalid' | 'unavailable';

/** The result of storing an entry. */
export type CacheStored =
  | { stored: true }
  | {
      stored: false;
      reason: NotStoredReason;
      /** The entry that counts instead: return its value, so that all callers have the same. */
      winner?: CacheHit;
      error?: unknown;
    };

/** An entry to store, and the one that it replaces. */
export interface EntryWrite extends EntryRule {
  key: EntryKey;
  entry: NewCacheEntry;
  /** The entry to replace, if it is still the same. It never counts instead. */
  replaces: SeenEntry | undefined;
  lease: Lease | undefined;
  /** `true` replaces entries of runs that began earlier, rather than take them. */
  refresh: boolean;
}

/** So many others that store at once go first. */
const MAX_TRIES = 16;
/** The wait while somebody is about to replace what is there. */
const SHORTEST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 100;

/** Stores entries: the first one is created, later ones replace just what was seen. */
export class EntryWriter {
  readonly #content: ContentStore;
  readonly #entries: EntryReader;
  readonly #signer: EntrySigner | undefined;
  readonly #wallClockMs: () => number;

  constructor(
    content: ContentStore,
    entries: EntryReader,
    signer: EntrySigner | undefined,
    wallClockMs: () => number,
  ) {
    this.#content = content;
    this.#entries = entries;
    this.#signer = signer;
    this.#wallClockMs = wallClockMs;
  }

  /** One request, two with a lease; more where somebody else was first. */
  async write(write: EntryWrite, options: CallOptions): Promise<CacheStored> {
    const { key, entry, replaces, lease } = write;
    if (lease && !(await lease.isNewest(options))) return this.#fenced(write, options);
    const { createdAt = new Date(this.#wallClockMs()).toISOString() } = entry;
    let seen = replaces;
    let pauseMs = SHORTEST_PAUSE_MS;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      if (lease && seen && seen.token > lease.token) return this.#fenced(write, options);
      // Without a lease the token stays: whoever held a lower one may replace this entry no more than the one before.
      const leaseToken = lease?.token ?? seen?.token ?? 0;
      const body = encodeEntry({ key, leaseToken, ...entry, createdAt }, this.#signer);
      const isStored = seen
        ? await replaceEntry(this.#content.storage, key, body, seen.version, options)
        : await this.#content.storage.create(entryName(key), body, options);
      if (isStored) return { stored: true };
      const found = await this.#entries.find(key, options);
      if (found && 'problem' in found && found.problem === 'newer-format')
        return { stored: false, reason: 'newer-format', error: found.error };
      const winner = await this.#winner(found, write, options);
      if (winner) return { stored: false, reason: 'exists', winner };
      if (found && found.seen.version === seen?.version) {
        // Somebody has the right to replace it, and did not yet.
        await delay(pauseMs, options.signal);
        pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
      }
      seen = found?.seen;
    }
    return { stored: false, reason: 'contended' };
  }

  async #fenced(write: EntryWrite, options: CallOptions): Promise<CacheStored> {
    const winner = await this.#winner(await this.#entries.find(write.key, options), write, options);
    return { stored: false, reason: 'fenced', ...(winner ? { winner } : {}) };
  }

  /** The entry that was found, if it counts instead of the one to store. */
  async #winner(
    found: FoundEntry | undefined,
    { replaces, maxAgeMs, refresh, lease, entry }: EntryWrite,
    options: CallOptions,
  ): Promise<CacheHit | undefined> {
    if (!found || found.seen.version === replaces?.version) return undefined;
    const verdict = await this.#entries.judge(found, { maxAgeMs }, options);
    if (verdict.status === 'miss') return undefined;
    if (!refresh || (lease && verdict.seen.token > lease.token)) return verdict;
    const [theirs, ours] = await Promise.all([
      this.#beganAtMs(verdict.entry.source, options),
      this.#beganAtMs(entry.source, options),
    ]);
    return theirs > ours ? verdict : undefined;
  }

  /** The time at which the attempt of a result was opened, by the one clock that all writers of a store share: its own. */
  async #beganAtMs({ attempt, ...path }: CacheEntrySource, { signal }: CallOptions): Promise<number> {
    const opened = attemptBase(path, attempt) + SESSION_FILES.attempt;
    return (await this.#content.storage.head(opened, { signal }))?.modifiedAtMs ?? 0;
  }
}

/** Replaces the entry of this version; `false` where it is another one by now, or gone. */
export async function replaceEntry(
  storage: DataStoreStorage,
  key: EntryKey,
  body: Uint8Array,
  version: string,
  { signal }: CallOptions,
): Promise<boolean> {
  const name = entryName(key);
  if (!storage.capabilities.ifMatch) {
    // As near as such a storage comes: an entry that is stored in between is lost, which costs a run.
    if ((await storage.head(name, { signal }))?.version !== version) return false;
  }
  try {
    await storage.overwrite(name, body, {
      signal,
      ...(storage.capabilities.ifMatch ? { ifMatch: version } : {}),
    });
    return true;
  } catch (error) {
    if (isStowageError(error, 'PRECONDITION_FAILED')) return false;
    throw error;
  }
}

/**
 * The members of an entry that tell of an attempt's result: its source, and its rows.
 *
 * @throws StowageError `INVALID_ARGUMENT` where the attempt is not done, since failures are never cached, or where its content was given up.
 */
export function resultOf(read: ReadAttempt): Pick<NewCacheEntry, 'source' | 'table'> {
  const { path, attempt, status, done, described, purged, erased } = read;
  if (status !== 'done' || !described || done?.metadataDigest === undefined || purged || erased) {
    const pathspec = formatPathspec(path, attempt);
    throw new StowageError(
      'INVALID_ARGUMENT',
      `${pathspec} of flow ${path.flow} is ${status === 'done' ? 'done, but some of it was given up' : status}; only the results of attempts that are done, and whole, are cached.`,
      { details: { flow: path.flow, pathspec, status } },
    );
  }
  const { flow, run, step, task } = path;
  const { session, metadataDigest } = done;
  return {
    source: { flow, run, step, task, attempt, session, metadataDigest },
    table: described.table(),
  };
}
