import type { ListedEntry } from '../../cache/entry-listing.ts';
import type { TaskCache } from '../../cache/task-cache.ts';
import { CACHE_FOLDER, parseEntryName } from '../../format/cache-names.ts';
import { ageOf } from '../../options/figures.ts';
import { didYouMean, suggest } from '../../options/suggestions.ts';
import { shortKey } from '../../views/artifact-texts.ts';
import { type EntryView, entryView } from '../../views/cache-entries.ts';
import type { StoreView } from '../../views/store-view.ts';
import { CliError, usageError } from '../cli-error.ts';
import { entryCount } from './entries.ts';

const KEY_START = /^[0-9a-f]{1,64}$/;
/** Entries that are told of those that begin alike. */
const MAX_CANDIDATES = 10;
/** Keys that are looked through for what may have been meant. */
const MAX_COMPARED = 20_000;
/** Many keys are near fewer digits. */
const MIN_SUGGESTED_DIGITS = 4;

/**
 * The one entry whose key begins as `typed` does: a LIST, and a GET for it.
 *
 * @throws CliError `USAGE` where several do, or it cannot be a key; `NO_SUCH_ENTRY`
 */
export async function findEntry(cache: TaskCache, store: StoreView, typed: string): Promise<ListedEntry> {
  const { signal } = store;
  const keyPrefix = parseKeyStart(typed);
  const found: ListedEntry[] = [];
  for await (const listed of cache.entries({ keyPrefix, signal })) {
    found.push(listed);
    if (found.length > MAX_CANDIDATES) break;
  }
  const [first, second] = found;
  if (first && !second) return first;
  if (first) throw ambiguous(keyPrefix, found.map(entryView));
  throw await noEntry(store, keyPrefix);
}

/** @throws CliError `USAGE` */
function parseKeyStart(typed: string): string {
  const start = typed.toLowerCase();
  if (KEY_START.test(start)) return start;
  throw usageError(
    `${JSON.stringify(typed)} is no key. A key has up to 64 digits of 0-9 and a-f. See: stowage cache ls`,
    { key: typed },
  );
}

function ambiguous(start: string, found: readonly EntryView[]): CliError {
  const shown = found.slice(0, MAX_CANDIDATES);
  const texts = shown.map(
    ({ key, task, status, createdAt }) => `${shortKey(key)} (${task ?? status}, ${ageOf(createdAt)})`,
  );
  const more = found.length > shown.length ? ', and more' : '';
  const count = more === '' ? entryCount(found.length) : `More than ${entryCount(MAX_CANDIDATES)}`;
  return usageError(`${count} begin with ${start}: ${texts.join(', ')}${more}. Give more digits.`, {
    key: start,
    candidates: shown.map(({ key }) => key),
  });
}

async function noEntry(store: StoreView, start: string): Promise<CliError> {
  const keys = await someKeys(store);
  const byHead = new Map(keys.map((key) => [key.slice(0, start.length), key]));
  const near = start.length < MIN_SUGGESTED_DIGITS ? [] : suggest(start, [...byHead.keys()]);
  const suggestions = near.map((head) => byHead.get(head) as string);
  const remedy = didYouMean(suggestions.map(shortKey)) || ' See: stowage cache ls';
  const said =
    keys.length === 0
      ? 'The cache has no entries yet.'
      : `The cache has no entry whose key begins with ${start}.${remedy}`;
  return new CliError('NO_SUCH_ENTRY', said, { details: { key: start, suggestions } });
}

async function someKeys({ storage, signal }: StoreView): Promise<string[]> {
  const keys: string[] = [];
  for await (const { objects } of storage.list({ prefix: CACHE_FOLDER, signal })) {
    for (const { name } of objects) {
      const key = parseEntryName(name);
      if (key !== undefined) keys.push(key);
    }
    if (keys.length >= MAX_COMPARED) break;
  }
  return keys;
}
