import { readLease } from '../../cache/lease-listing.ts';
import {
  CACHE_FOLDER,
  type EntryKey,
  entryName,
  evictedName,
  parseKeyOf,
  parseLeaseName,
} from '../../format/cache-names.ts';
import { areUsesBefore, dayOfUses } from '../../format/cache-uses.ts';
import { beatName } from '../../format/open-session.ts';
import type { CallOptions, DataStoreStorage, ListedObject } from '../../storage/contract.ts';

/** Nobody who was given a lease of a key still runs its task so long after the last of them, and without a beat. */
const LEASES_KEPT_MS = 7 * 24 * 60 * 60 * 1000;

/** Times that tell what in `cache/` is over, in milliseconds since 1970 by the store's clock. */
export interface RemainsRule {
  /** When the oldest run was made; infinite without any. */
  oldestRunMs: number;
  /** Days of uses that ended before this tell nothing that is asked for. */
  usesSinceMs: number;
  storeNowMs: number;
}

/**
 * Finds what is left in `cache/` beside entries and tells nothing any more: when a result was evicted, which guards attempts that were closed before, where all
 * runs were made later; leases of keys without an entry, a week after the last of them; uses so long ago that no rule asks for them. One LIST; two requests more for a lease
 * whose owner died.
 */
export async function* remainsOfCache(
  storage: DataStoreStorage,
  rule: RemainsRule,
  { signal }: CallOptions,
): AsyncGenerator<string[], void> {
  let group: ListedObject[] = [];
  let groupKey: EntryKey | undefined;
  for await (const { objects } of storage.list({ prefix: CACHE_FOLDER, details: true, signal })) {
    const over: string[] = [];
    for (const object of objects) {
      const key = parseKeyOf(object.name);
      if (key !== groupKey) {
        over.push(...(await overOf(storage, groupKey, group, rule, { signal })));
        [group, groupKey] = [[], key];
      }
      if (key !== undefined) group.push(object);
      else if (areUsesOver(object.name, rule)) over.push(object.name);
    }
    yield over;
  }
  yield await overOf(storage, groupKey, group, rule, { signal });
}

function areUsesOver(name: string, { usesSinceMs }: RemainsRule): boolean {
  const dayMs = dayOfUses(name);
  return dayMs !== undefined && areUsesBefore(dayMs, usesSinceMs);
}

/** The names that are over among those of one key. */
async function overOf(
  storage: DataStoreStorage,
  key: EntryKey | undefined,
  group: readonly ListedObject[],
  rule: RemainsRule,
  options: CallOptions,
): Promise<string[]> {
  if (key === undefined) return [];
  const over = await leasesOver(storage, key, group, rule, options);
  for (const { name, modifiedAtMs } of group)
    if (name === evictedName(key) && isBefore(modifiedAtMs, rule.oldestRunMs)) over.push(name);
  return over;
}

/**
 * The leases of a key, if nobody needs their tokens: an entry has one of its own, and whoever is late with a result may not store it as long as a later lease is
 * there. Of a lease that was not ended the beat of its owner goes as well, of which nothing else tells.
 */
async function leasesOver(
  storage: DataStoreStorage,
  key: EntryKey,
  group: readonly ListedObject[],
  { storeNowMs }: RemainsRule,
  options: CallOptions,
): Promise<string[]> {
  const sinceMs = storeNowMs - LEASES_KEPT_MS;
  const names: string[] = [];
  let highest = { token: 0, isEnded: true };
  for (const { name, modifiedAtMs } of group) {
    if (name === entryName(key)) return [];
    const lease = parseLeaseName(name);
    if (!lease) continue;
    if (!isBefore(modifiedAtMs, sinceMs)) return [];
    names.push(name);
    if (lease.token > highest.token) highest = { token: lease.token, isEnded: false };
    if (lease.token === highest.token && lease.kind === 'released') highest.isEnded = true;
  }
  if (highest.isEnded) return names;
  const record = await readLease(storage, key, highest.token, options);
  const beat = record && beatName(record.session);
  const beaten = beat && (await storage.head(beat, options));
  if (!beaten) return names;
  return isBefore(beaten.modifiedAtMs, sinceMs) ? [...names, beat] : [];
}

/** What a listing does not tell the time of stays. */
function isBefore(modifiedAtMs: number | undefined, sinceMs: number): boolean {
  return modifiedAtMs !== undefined && modifiedAtMs < sinceMs;
}
