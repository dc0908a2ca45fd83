import type { KeyListing } from '../cache/key-listing.ts';
import type { CacheKey, KeyParts } from '../cache/key-parts.ts';
import type { TaskCache } from '../cache/task-cache.ts';
import { jsonText } from '../codec/json-text.ts';
import { type EntryView, entryView, readEntries, storedAtMs, storedKeyOf } from './cache-entries.ts';
import type { StoreView } from './store-view.ts';

/** An entry with the key that it says. */
export interface KeyedEntry {
  entry: EntryView;
  key: CacheKey;
}

/**
 * The entry of the same task that differs in the fewest places; of several one with the same input, since it was that call which
 * ran again; of these the newest. `among` is how many there are of that task. One is in memory at a time.
 */
export async function nearestEntry(
  view: StoreView,
  cache: TaskCache,
  { entry: { key, task }, key: described }: KeyedEntry,
): Promise<{ nearest: KeyedEntry | undefined; among: number }> {
  let among = 0;
  let best: (KeyedEntry & { rank: readonly number[] }) | undefined;
  for await (const listed of readEntries(view, cache)) {
    if (!listed.entry || listed.key === key || listed.entry.task !== task) continue;
    const other = storedKeyOf(listed.entry);
    if (!other) continue;
    among += 1;
    const hasOtherInput = other.parts.input === described.parts.input ? 0 : 1;
    const rank = [keyDistance(other, described), hasOtherInput, -storedAtMs(listed)];
    if (!best || isBefore(rank, best.rank)) best = { entry: entryView(listed), key: other, rank };
  }
  return { nearest: best, among };
}

function isBefore(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at !== -1 && (a[at] as number) < (b[at] as number);
}

/** Counts the places in which two keys differ: a quick count, by which one of very many is chosen, of what `explainKeys` tells of two. */
export function keyDistance(a: CacheKey, b: CacheKey): number {
  const parts = Object.keys({ ...a.parts, ...b.parts }) as (keyof KeyParts)[];
  return parts.reduce((sum, part) => sum + partDistance(part, a, b), 0);
}

function partDistance(part: keyof KeyParts, a: CacheKey, b: CacheKey): number {
  if (jsonText(a.parts[part] ?? null) === jsonText(b.parts[part] ?? null)) return 0;
  const [inA, inB] = [listingOf(part, a), listingOf(part, b)];
  let places = 0;
  for (const path of Object.keys(inA)) if (inA[path] !== inB[path]) places += 1;
  for (const path of Object.keys(inB)) if (!Object.hasOwn(inA, path)) places += 1;
  return Math.max(1, places);
}

function listingOf(part: keyof KeyParts, { places }: CacheKey): KeyListing {
  return (places as Readonly<Record<string, KeyListing | undefined>>)[part] ?? {};
}
