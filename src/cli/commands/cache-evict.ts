import type { ListedEntry } from '../../cache/entry-listing.ts';
import type { TaskCache } from '../../cache/task-cache.ts';
import type { DataStoreStorage } from '../../storage/contract.ts';
import { EntryFilter, type EntryFilterOptions } from '../cache/entry-filter.ts';
import {
  ENTRY_COLUMNS,
  type EntryJson,
  entryCount,
  entryJson,
  entryRow,
  storedAtMs,
} from '../cache/entry-view.ts';
import { Eviction } from '../cache/eviction.ts';
import { findEntry } from '../cache/find-entry.ts';
import { Newest } from '../cache/newest.ts';
import { readEntries, withCache } from '../cache/open-cache.ts';
import { usageError } from '../cli-error.ts';
import type { Invocation } from '../invocation.ts';
import { formatBytes } from '../ui/sizes.ts';
import { formatDuration } from '../ui/times.ts';
import { wrapWords } from '../ui/wrap.ts';

/** Options of `stowage cache evict`. */
export interface EvictOptions extends EntryFilterOptions {
  all?: boolean;
  yes?: boolean;
}

/** Entries that a dry run shows. */
const MAX_SHOWN = 20;

/** `stowage cache evict` */
export async function cacheEvict(
  invocation: Invocation,
  keys: readonly string[],
  options: EvictOptions,
): Promise<void> {
  const { all = false, yes = false } = options;
  const filter = new EntryFilter(options);
  checkChoice(keys.length > 0, !filter.isEmpty, all);
  await withCache(invocation, async (cache, { storage }) => {
    const { output, signal } = invocation;
    const eviction = new Eviction(cache, { isDry: !yes, signal });
    const shown = new Newest<EntryJson>(MAX_SHOWN);
    const chosen =
      keys.length > 0 ? await findAll(cache, storage, keys, invocation) : matching(invocation, cache, filter);
    for await (const listed of chosen) {
      shown.add(entryJson(listed), storedAtMs(listed));
      await eviction.add(listed);
    }
    await eviction.end();
    eviction.report(invocation);
    if (invocation.json) return output.json(eviction.json());
    const { entries, evicted } = eviction;
    if (entries === 0) return invocation.note(`no entry matches.${filter.didYouMean()}`);
    const say = (text: string): Promise<void> => output.lines(wrapWords(text.split(' '), output.width));
    if (yes) return say(`evicted ${entryCount(evicted)}${worthOf(eviction)}`);
    await output.table(ENTRY_COLUMNS, shown.items().map(entryRow));
    const left = entries - Math.min(entries, MAX_SHOWN);
    if (left > 0) await output.line(`... and ${entryCount(left)} more`);
    await say(`would evict ${entryCount(entries)}${worthOf(eviction)}`);
    invocation.note('nothing was evicted. To evict: --yes');
  });
}

/** What it costs to have them again. */
function worthOf({ durationMs, bytes, unreadable }: Eviction): string {
  const damaged = unreadable === 0 ? '' : `, ${entryCount(unreadable)} unreadable`;
  return `: ${formatBytes(bytes)}, took ${formatDuration(durationMs)} to make${damaged}`;
}

/** @throws CliError `USAGE` unless it is told in one way which entries are meant */
function checkChoice(byKey: boolean, byFilter: boolean, all: boolean): void {
  const ways = [byKey, byFilter, all].filter(Boolean).length;
  if (ways === 1) return;
  throw usageError(
    ways === 0
      ? 'Name what to evict: keys, or --task, --scope, --older-than, or --all. See: stowage help cache evict'
      : 'Name keys, or choose by --task, --scope, --older-than, or give --all: one of these.',
  );
}

/** The entries that `keys` begin, each once; nothing is done unless all of them are found. */
async function findAll(
  cache: TaskCache,
  storage: DataStoreStorage,
  keys: readonly string[],
  { signal }: Invocation,
): Promise<Iterable<ListedEntry>> {
  const found = new Map<string, ListedEntry>();
  for (const typed of keys) {
    const listed = await findEntry(cache, storage, typed, { signal });
    found.set(listed.key, listed);
  }
  return found.values();
}

async function* matching(
  invocation: Invocation,
  cache: TaskCache,
  filter: EntryFilter,
): AsyncGenerator<ListedEntry, void> {
  for await (const listed of readEntries(invocation, cache)) if (filter.passes(listed)) yield listed;
}
