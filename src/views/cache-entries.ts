import type { ListedEntry } from '../cache/entry-listing.ts';
import type { CacheMissReason } from '../cache/entry-reader.ts';
import { type CacheKey, readCacheKey } from '../cache/key-parts.ts';
import type { TaskCache } from '../cache/task-cache.ts';
import type { CacheEntry } from '../format/cache-entry.ts';
import type { ArtifactEntry } from '../format/description.ts';
import { didYouMean, suggest } from '../options/suggestions.ts';
import { formatStorePath } from './paths.ts';
import type { StoreView } from './store-view.ts';

/** `live`, or why an entry is no hit, as far as the entry itself tells: its content is not looked at. */
export type EntryStatus = 'live' | CacheMissReason;

/** An entry of the cache. */
export interface EntryView {
  key: string;
  status: EntryStatus;
  /** ISO 8601. Of an entry that cannot be read: when it was written, by the store's clock. */
  createdAt: string;
  /** The entry's own length, inline values included. */
  entryBytes: number;
  /** This and what follows is known of entries that can be read. */
  task?: string;
  version?: string;
  scope?: string;
  expiresAt?: string;
  durationMs?: number;
  /** The bytes of the result, serialized. */
  bytes?: number;
  /** The bytes of these that are part of the entry. */
  inlineBytes?: number;
  attempt?: string;
  signedBy?: string;
}

/** The wanted entries: those that pass all that is given. */
export interface EntryChoice {
  task?: string | undefined;
  /** `global`, the name of a flow, or another. */
  scope?: string | undefined;
  /** They were stored before this time, in milliseconds since 1970. */
  beforeMs?: number | undefined;
  /** They were stored at this time or later. */
  sinceMs?: number | undefined;
}

/** Names beyond these are not kept for suggestions. */
const MAX_SEEN = 1000;

/** All entries of the cache, one at a time. */
export async function* readEntries(view: StoreView, cache: TaskCache): AsyncGenerator<ListedEntry, void> {
  let read = 0;
  for await (const listed of cache.entries({ signal: view.signal })) {
    read += 1;
    view.progress('cache entries', read);
    yield listed;
  }
}

/** Describes an entry. Little is kept of it, since there may be very many. */
export function entryView({ key, bytes, modifiedAtMs, entry, problem }: ListedEntry): EntryView {
  if (!entry) {
    const createdAt = new Date(modifiedAtMs).toISOString();
    return { key, status: problem ?? 'damaged', createdAt, entryBytes: bytes };
  }
  const { task, version, scope, createdAt, expiresAt, durationMs, source, table, signedBy } = entry;
  const isExpired = expiresAt !== undefined && Date.parse(expiresAt) <= Date.now();
  return {
    key,
    status: isExpired ? 'expired' : 'live',
    createdAt,
    entryBytes: bytes,
    task,
    version,
    scope,
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(durationMs === undefined ? {} : { durationMs }),
    bytes: sumOf(table.artifacts),
    inlineBytes: sumOf(table.artifacts.filter(({ inline }) => inline)),
    attempt: formatStorePath(source),
    ...(signedBy === undefined ? {} : { signedBy }),
  };
}

function sumOf(artifacts: readonly ArtifactEntry[]): number {
  return artifacts.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** The time at which an entry was stored, in milliseconds since 1970: by the writer's clock, or the store's where it cannot be read. */
export function storedAtMs({ entry, modifiedAtMs }: ListedEntry): number {
  return entry ? Date.parse(entry.createdAt) : modifiedAtMs;
}

/** Gives the parts of an entry's key; `undefined` if the entry does not tell them, as an engine's own may not, or tells something else. */
export function storedKeyOf({ key, keyDescription }: CacheEntry): CacheKey | undefined {
  const described = readCacheKey(keyDescription);
  return described?.key === key ? described : undefined;
}

/** Chooses entries by what they say. Of one that cannot be read, only its age is known. */
export class EntryFilter {
  /** Tells whether all entries pass. */
  readonly isEmpty: boolean;
  readonly #choice: EntryChoice;
  readonly #seenTasks: Set<string> = new Set();
  readonly #seenScopes: Set<string> = new Set();

  constructor(choice: EntryChoice) {
    this.isEmpty = Object.values(choice).every((wanted) => wanted === undefined);
    this.#choice = choice;
  }

  passes(listed: ListedEntry): boolean {
    const { entry } = listed;
    if (entry && this.#seenTasks.size < MAX_SEEN) this.#seenTasks.add(entry.task);
    if (entry && this.#seenScopes.size < MAX_SEEN) this.#seenScopes.add(entry.scope);
    const {
      task,
      scope,
      beforeMs = Number.POSITIVE_INFINITY,
      sinceMs = Number.NEGATIVE_INFINITY,
    } = this.#choice;
    if (task !== undefined && entry?.task !== task) return false;
    if (scope !== undefined && !isOfScope(entry?.scope, scope)) return false;
    const atMs = storedAtMs(listed);
    return atMs < beforeMs && atMs >= sinceMs;
  }

  /** Suggests what may have been meant if nothing passed. */
  didYouMean(): string {
    const { task, scope } = this.#choice;
    if (task !== undefined && !this.#seenTasks.has(task))
      return didYouMean(suggest(task, [...this.#seenTasks]));
    const scopes = [...this.#seenScopes];
    if (scope === undefined || scopes.some((seen) => isOfScope(seen, scope))) return '';
    const nameOf = (text: string): string => text.replace(/^flow /, '');
    return didYouMean(suggest(nameOf(scope), scopes.map(nameOf)));
  }
}

/** A flow's scope is told as `flow Train`, and may be asked for by the flow's name. */
function isOfScope(scope: string | undefined, wanted: string): boolean {
  return scope === wanted || scope === `flow ${wanted}`;
}

/** Keeps the newest of many, in memory for twice as many at most. */
export class Newest<T> {
  readonly #limit: number;
  #kept: { item: T; atMs: number }[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(item: T, atMs: number): void {
    this.#kept.push({ item, atMs });
    if (this.#kept.length >= 2 * this.#limit) this.#cut();
  }

  /** Newest first. */
  items(): T[] {
    this.#cut();
    return this.#kept.map(({ item }) => item);
  }

  #cut(): void {
    this.#kept.sort((a, b) => b.atMs - a.atMs);
    if (this.#kept.length > this.#limit) this.#kept.length = this.#limit;
  }
}
