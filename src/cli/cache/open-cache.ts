import type { ListedEntry } from '../../cache/entry-listing.ts';
import { TaskCache } from '../../cache/task-cache.ts';
import type { ContentAddressedStore } from '../../content-addressed-store.ts';
import type { Invocation } from '../invocation.ts';
import { withStore } from '../store.ts';
import { Progress } from '../ui/progress.ts';
import { formatCount } from '../ui/sizes.ts';

/** Whoever asks on the command line can wait longer than a task. */
const CACHE_TIMEOUT_MS = 5 * 60 * 1000;

/**
 * Opens the cache of the store that `--store` or the environment names, for `work`. Entries are verified by the keys that
 * `STOWAGE_CACHE_KEY` holds, if it is set.
 *
 * @throws StowageError `NO_SUCH_STORE`, `INVALID_ARGUMENT` for keys that cannot be used, and whatever `work` throws
 */
export async function withCache<T>(
  invocation: Invocation,
  work: (cache: TaskCache, content: ContentAddressedStore) => Promise<T>,
): Promise<T> {
  return withStore(invocation, ({ content }) =>
    work(new TaskCache(content, { cacheTimeoutMs: CACHE_TIMEOUT_MS }), content),
  );
}

/** All entries of the cache, one at a time; says how far it has come. */
export async function* readEntries(
  { signal }: Invocation,
  cache: TaskCache,
): AsyncGenerator<ListedEntry, void> {
  const progress = new Progress();
  let read = 0;
  try {
    for await (const listed of cache.entries({ signal })) {
      read += 1;
      progress.update(() => `read ${formatCount(read)} cache entries`);
      yield listed;
    }
  } finally {
    progress.end();
  }
}
