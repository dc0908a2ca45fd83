import type { ListedEntry } from '../../cache/entry-listing.ts';
import type { TaskCache } from '../../cache/task-cache.ts';
import { formatBytes, formatDuration } from '../../options/figures.ts';
import type { EntryFilter, EntryView } from '../../views/cache-entries.ts';
import {
  ENTRY_COLUMNS,
  ENTRY_OPTIONS,
  type EntryOptions,
  entryChoiceOf,
  entryCount,
  entryRow,
} from '../cache/entries.ts';
import type { Eviction } from '../cache/eviction.ts';
import { usageError } from '../cli-error.ts';
import type { CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { type OpenStore, withCache } from '../store.ts';

interface EvictOptions extends EntryOptions {
  all?: boolean;
  yes?: boolean;
}

/** Entries that a dry run shows. */
const MAX_SHOWN = 20;

/** `stowage cache evict` */
export const cacheEvict: CommandDeclaration = {
  name: 'evict',
  text: 'remove entries from the cache, so that their calls run again',
  arguments: [{ form: '[key...]', text: 'the first digits of their keys', completion: 'cache key' }],
  options: [
    ...ENTRY_OPTIONS,
    { flags: '--all', text: 'all entries' },
    { flags: '-y, --yes', text: 'do it; without this, only tell what would be done' },
  ],
  async run(invocation: Invocation, [keys]: [string[]], options: EvictOptions) {
    const { all = false, yes = false } = options;
    const choice = entryChoiceOf(options);
    const isFiltered = Object.values(choice).some((wanted) => wanted !== undefined);
    checkChoice(keys.length > 0, isFiltered, all);
    await withCache(invocation, async (cache, store) => {
      const views = await import('../../views/cache-entries.ts');
      const { Eviction } = await import('../cache/eviction.ts');
      const { output, signal } = invocation;
      const filter = new views.EntryFilter(choice);
      const eviction = new Eviction(cache, { isDry: !yes, signal });
      const shown = new views.Newest<EntryView>(MAX_SHOWN);
      const chosen = keys.length > 0 ? await findAll(cache, store, keys) : matching(cache, store, filter);
      for await (const listed of chosen) {
        shown.add(views.entryView(listed), views.storedAtMs(listed));
        await eviction.add(listed);
      }
      await eviction.end();
      eviction.report(invocation);
      if (invocation.json) return output.json(eviction.json());
      const { entries, evicted } = eviction;
      if (entries === 0) return invocation.note(`no entry matches.${filter.didYouMean()}`);
      if (yes) return output.sentence(`evicted ${entryCount(evicted)}${worthOf(eviction)}`);
      await output.table(ENTRY_COLUMNS, shown.items().map(entryRow));
      const left = entries - Math.min(entries, MAX_SHOWN);
      if (left > 0) await output.line(`... and ${entryCount(left)} more`);
      await output.sentence(`would evict ${entryCount(entries)}${worthOf(eviction)}`);
      invocation.note('nothing was evicted. To evict: --yes');
    });
  },
};

/** The cost of having them again. */
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
  store: OpenStore,
  keys: readonly string[],
): Promise<Iterable<ListedEntry>> {
  const { findEntry } = await import('../cache/find-entry.ts');
  const found = new Map<string, ListedEntry>();
  for (const typed of keys) {
    const listed = await findEntry(cache, store, typed);
    found.set(listed.key, listed);
  }
  return found.values();
}

async function* matching(
  cache: TaskCache,
  store: OpenStore,
  filter: EntryFilter,
): AsyncGenerator<ListedEntry, void> {
  const { readEntries } = await import('../../views/cache-entries.ts');
  for await (const listed of readEntries(store, cache)) if (filter.passes(listed)) yield listed;
}
