import { EntryReader } from '../../cache/entry-reader.ts';
import type { ContentStore } from '../../content/content-store.ts';
import { listTasks } from '../../format/attempt-files.ts';
import type { CacheEntry } from '../../format/cache-entry.ts';
import { entryName } from '../../format/cache-names.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';
import { EntriesToCopy } from '../entries-to-copy.ts';
import { noteProblem } from './apply-retention.ts';
import type { RemovedPath } from './removed-path.ts';
import type { RetentionResult } from './retention-plan.ts';

/** The keys of entries that name attempts at a path, of all or of those that are meant. Those of cached tasks lie where the ids of these tell. */
export async function* entriesAt(
  content: ContentStore,
  { flow, run, step, task, attempt }: RemovedPath,
  options: CallOptions,
  isMeant: (entry: CacheEntry) => boolean = () => true,
): AsyncGenerator<string, void> {
  const entries = new EntriesToCopy(flow, run);
  for await (const { path } of listTasks(content.storage, { flow, run, step }, options)) {
    if (task === undefined || path.task === task) entries.noteTask(path.task);
  }
  const reader = new EntryReader(content, undefined);
  for await (const key of entries.keysIn(content.storage, options)) {
    const found = await reader.find(key, options);
    if (!found || 'problem' in found || !entries.has(found.entry)) continue;
    const { source } = found.entry;
    const isAt = (step ?? source.step) === source.step && (task ?? source.task) === source.task;
    if (!isAt || (attempt ?? source.attempt) !== source.attempt) continue;
    if (isMeant(found.entry)) yield key;
  }
}

/** Deletes entries of the cache by their keys. */
export async function deleteEntries(
  storage: DataStoreStorage,
  keys: AsyncIterable<string>,
  result: RetentionResult,
  options: CallOptions,
): Promise<void> {
  for await (const key of keys) {
    const [failure] = await storage.delete([entryName(key)], options);
    if (failure) noteProblem(result, failure.error, { name: failure.name });
    else result.cacheEntries += 1;
  }
}
