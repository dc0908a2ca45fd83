import type { ListedEntry } from '../cache/entry-listing.ts';
import type { CacheMiss, CacheMissReason } from '../cache/entry-reader.ts';
import type { CacheKey } from '../cache/key-parts.ts';
import { TaskCache } from '../cache/task-cache.ts';
import { type CacheEntry, isSignatureFault } from '../format/cache-entry.ts';
import { referencesIn } from '../format/refs.ts';
import { CACHE_KEY_VARIABLE } from '../format/signing.ts';
import { type ArtifactView, artifactView } from './attempts.ts';
import { type EntryView, entryView, storedKeyOf } from './cache-entries.ts';
import type { StoreView } from './store-view.ts';

/** An entry with all that it says, and whether it would be a hit for a task that takes entries of any age. */
export interface EntryDetails extends Omit<EntryView, 'status'> {
  status: 'hit' | CacheMissReason;
  /** The content that cannot be read. */
  lost: CacheMiss['content'] | undefined;
  /** The token of the lease under which it was stored; 0 where there was none. */
  leaseToken: number | undefined;
  /** Tells whether its signature holds; absent where no keys are set that would verify it. */
  verified: boolean | undefined;
  /** The parts of its key, if it tells them. */
  madeOf: Pick<CacheKey, 'parts' | 'places'> | undefined;
  artifacts: ArtifactView[] | undefined;
  /** The number of objects that it refers to. */
  refs: number | undefined;
}

/** Reads all of a listed entry, and looks for the content that it refers to; `error` is why it could not be read. */
export async function readEntryDetails(
  view: StoreView,
  cache: TaskCache,
  listed: ListedEntry,
): Promise<{ details: EntryDetails; error?: unknown }> {
  const verdict = await cache.lookup(listed.key, { signal: view.signal });
  const told = listed.entry ? listed : await unverified(view, listed);
  const { entry } = told;
  const key = entry && storedKeyOf(entry);
  const isHit = verdict.status === 'hit';
  const details = {
    ...entryView(told),
    status: isHit ? 'hit' : verdict.reason,
    lost: isHit ? undefined : verdict.content,
    leaseToken: entry?.leaseToken,
    verified: isVerified(told, entry),
    madeOf: key && { parts: key.parts, places: key.places },
    artifacts: entry?.table.artifacts.map(artifactView),
    refs: entry && referencesIn(entry.table.artifacts).length,
  } satisfies EntryDetails;
  return isHit ? { details } : { details, error: verdict.error };
}

/** Describes the entry as it describes itself, though its signature does not hold. */
async function unverified({ content, signal }: StoreView, listed: ListedEntry): Promise<ListedEntry> {
  if (!isSignatureFault(listed.problem)) return listed;
  const trusting = new TaskCache(content, { signingKeys: false });
  for await (const { entry } of trusting.entries({ keyPrefix: listed.key, signal }))
    return entry ? { ...listed, entry } : listed;
  return listed;
}

function isVerified({ problem }: ListedEntry, entry: CacheEntry | undefined): boolean | undefined {
  return process.env[CACHE_KEY_VARIABLE] !== undefined && entry ? problem === undefined : undefined;
}
