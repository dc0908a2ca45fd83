import type { ObjectKeys } from '../bucket/keys.ts';
import { listLimit } from '../checks.ts';
import type { ListedObject, ListOptions, ListPage } from '../contract.ts';
import { type ListEntry, MAX_PAGE_ENTRIES, pagesOf } from '../list-pages.ts';
import { compareNames } from '../name-order.ts';
import type { GcsCall, GcsRequests } from './requests.ts';
import { type ObjectResource, wholeSeconds } from './resource.ts';

/** One answer to a listing. */
interface Answer {
  items?: ObjectResource[];
  prefixes?: string[];
  nextPageToken?: string;
}

/** Lists objects, page by page as the service gives them. What no store could have written is left out. */
export async function* listObjects(
  requests: GcsRequests,
  keys: ObjectKeys,
  options: ListOptions,
): AsyncGenerator<ListPage, void> {
  const { prefix, startAfter = '', depth = 'all', details = false, signal } = options;
  const query = {
    prefix: keys.prefixOf(prefix),
    startOffset: startAfter ? keys.prefix + startAfter : undefined,
    delimiter: depth === 'one' ? '/' : undefined,
    fields: `nextPageToken,prefixes,items(${details ? 'name,size,updated' : 'name'})`,
  };
  const call: GcsCall = { operation: 'list', name: prefix, signal };
  let left = listLimit(options);
  let last = startAfter;
  let pageToken: string | undefined;
  let held: ListEntry[] = [];
  while (left > 0) {
    // One more, because `startOffset` gives that name itself too.
    const maxResults = Math.min(left + 1, MAX_PAGE_ENTRIES);
    const page = { ...query, pageToken, maxResults: `${maxResults}` };
    const answer = await requests.json<Answer>({
      ...call,
      method: 'GET',
      url: requests.objectsUrl,
      query: page,
    });
    pageToken = answer.nextPageToken;
    const all = [...entriesOf(answer, keys, details), ...held].sort((a, b) =>
      compareNames(nameOf(a), nameOf(b)),
    );
    const ready = pageToken === undefined ? all.length : readyOf(all, answer, maxResults);
    held = all.slice(ready);
    const entries: ListEntry[] = [];
    for (const entry of all.slice(0, ready)) {
      // A folder comes again where `startOffset` lies within it.
      if (compareNames(nameOf(entry), last) <= 0) continue;
      entries.push(entry);
      last = nameOf(entry);
    }
    yield* pagesOf(entries, left);
    left -= entries.length;
    if (pageToken === undefined) return;
  }
}

/**
 * The service counts objects and folders together, and gives both in order. Emulators that count objects only give all
 * folders with each page: those behind its last object must wait for the objects that come before them.
 */
function readyOf(
  all: readonly ListEntry[],
  { items = [], prefixes = [] }: Answer,
  maxResults: number,
): number {
  if (items.length + prefixes.length <= maxResults) return all.length;
  return all.findLastIndex((entry) => typeof entry !== 'string') + 1;
}

/** Objects and folders, which the service gives apart. */
function entriesOf(answer: Answer, keys: ObjectKeys, details: boolean): ListEntry[] {
  const objects = (answer.items ?? []).flatMap(({ name: key = '', size, updated }): ListedObject[] => {
    const name = keys.nameOf(key);
    if (name === undefined) return [];
    return [details ? { name, bytes: Number(size), modifiedAtMs: wholeSeconds(updated) } : { name }];
  });
  const folders = (answer.prefixes ?? []).flatMap((prefix) => keys.folderOf(prefix) ?? []);
  return [...objects, ...folders];
}

function nameOf(entry: ListEntry): string {
  return typeof entry === 'string' ? entry : entry.name;
}
