import { isStowageError } from '../errors.ts';
import type { CacheEntry } from '../format/cache-entry.ts';
import { CACHE_FOLDER, type EntryKey, parseEntryName } from '../format/cache-names.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { readAhead } from '../streams/read-ahead.ts';
import type { CacheMissReason, EntryReader, FoundEntry } from './entry-reader.ts';

/** An entry that a listing showed. */
export interface ListedEntry {
  key: EntryKey;
  /** The entry object's length. */
  bytes: number;
  /** The time at which it was written, in milliseconds since 1970, by the store's clock. */
  modifiedAtMs: number;
  /** Absent where it cannot be read, or does not count for its signature. */
  entry?: CacheEntry;
  /** Its fault. */
  problem?: CacheMissReason;
  error?: unknown;
}

/** The entries to list. */
export interface ListEntriesOptions extends CallOptions {
  /** The beginning of the keys: hexadecimal digits. Default: all. */
  keyPrefix?: string | undefined;
}

/** The counts of a store's cache. */
export interface CacheStatistics {
  entries: number;
  /** The bytes of the entry objects, inline values included. Contents belong to the attempts. */
  bytes: number;
  /** Entries that cannot be read, or do not count for their signature. */
  unreadable: number;
  /** The time that the runs took which stored the entries, as far as they say so. */
  durationMs: number;
  /** The counts by the name of the task, ascending. */
  tasks: Map<string, { entries: number; bytes: number; durationMs: number }>;
}

/** So many entries are read ahead. */
const READ_AHEAD = 16;

/** The entries of a store, ascending by key: one LIST, paged, and one GET for each. Whether their content exists is not looked at. */
export async function* listEntries(
  storage: DataStoreStorage,
  entries: EntryReader,
  { keyPrefix = '', signal }: ListEntriesOptions,
): AsyncGenerator<ListedEntry> {
  const found = listNames(storage, keyPrefix, { signal });
  const fetch = (listed: ListedEntry, options: CallOptions): Promise<ListedEntry | undefined> =>
    read(entries, listed, options);
  for await (const { result } of readAhead(found, fetch, { signal }, READ_AHEAD)) if (result) yield result;
}

async function* listNames(
  storage: DataStoreStorage,
  keyPrefix: string,
  { signal }: CallOptions,
): AsyncGenerator<ListedEntry> {
  // Keys lie in folders by their first digits.
  const folder = keyPrefix.length < 3 ? keyPrefix : `${keyPrefix.slice(0, 3)}/${keyPrefix}`;
  for await (const page of storage.list({ prefix: CACHE_FOLDER + folder, details: true, signal })) {
    for (const { name, bytes = 0, modifiedAtMs = 0 } of page.objects) {
      const key = parseEntryName(name);
      if (key !== undefined) yield { key, bytes, modifiedAtMs };
    }
  }
}

/** Counts what {@link listEntries} gives. */
export async function countEntries(listed: AsyncIterable<ListedEntry>): Promise<CacheStatistics> {
  const statistics: CacheStatistics = {
    entries: 0,
    bytes: 0,
    unreadable: 0,
    durationMs: 0,
    tasks: new Map(),
  };
  for await (const { bytes, entry } of listed) {
    statistics.entries += 1;
    statistics.bytes += bytes;
    if (!entry) {
      statistics.unreadable += 1;
      continue;
    }
    const { task, durationMs = 0 } = entry;
    const ofTask = statistics.tasks.get(task) ?? { entries: 0, bytes: 0, durationMs: 0 };
    ofTask.entries += 1;
    ofTask.bytes += bytes;
    ofTask.durationMs += durationMs;
    statistics.durationMs += durationMs;
    statistics.tasks.set(task, ofTask);
  }
  statistics.tasks = new Map([...statistics.tasks].sort(([a], [b]) => (a < b ? -1 : 1)));
  return statistics;
}

/** `undefined` where it was deleted since it was listed. */
async function read(
  entries: EntryReader,
  listed: ListedEntry,
  options: CallOptions,
): Promise<ListedEntry | undefined> {
  let found: FoundEntry | undefined;
  try {
    found = await entries.find(listed.key, options);
  } catch (error) {
    // One object that cannot be read, while the storage is there, hides none of the others.
    if (!isStowageError(error, 'STORAGE_NOT_PERMITTED') && !isStowageError(error, 'STORAGE_FAILED'))
      throw error;
    return { ...listed, problem: 'unavailable', error };
  }
  if (!found) return undefined;
  if ('problem' in found) return { ...listed, problem: found.problem, error: found.error };
  return { ...listed, entry: found.entry };
}
