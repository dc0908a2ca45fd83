import { mapBounded } from '../../async/bounded-work.ts';
import { StowageError } from '../../errors.ts';
import { listLimit } from '../checks.ts';
import type { ListOptions, ListPage } from '../contract.ts';
import { type ListEntry, pagesOf } from '../list-pages.ts';
import { compareNames } from '../name-order.ts';
import type { BucketCalls } from './calls.ts';
import type { BucketDriver, ListedKey, ListQuery } from './driver.ts';
import { type BucketReads, wholeSeconds } from './reads.ts';

/** So many objects are asked for side by side, if a listing does not tell enough of them. */
const HEADS_AT_A_TIME = 8;

/** An entry of a listing, and whether the service may have listed it too early. */
interface Listed {
  name: string;
  entry: ListEntry;
  isEarly: boolean;
}

/**
 * Lists objects and folders in the order of their names' bytes, page by page as the service gives them. What it gives too early waits,
 * in memory, for its turn. What no store could have written is left out.
 */
export async function* listObjects(
  driver: BucketDriver,
  calls: BucketCalls,
  reads: BucketReads,
  options: ListOptions,
): AsyncGenerator<ListPage, void> {
  const { prefix, startAfter = '', depth = 'all', details = false, signal } = options;
  const { keys, limits } = driver;
  const query = {
    prefix: keys.prefixOf(prefix),
    startAfter: limits.listsAfter && startAfter !== '' ? keys.prefix + startAfter : undefined,
    delimiter: depth === 'one' ? ('/' as const) : undefined,
    details,
  };
  let left = listLimit(options);
  let waiting: Listed[] = [];
  let last = '';
  let token: string | undefined;
  while (left > 0) {
    const isSkipping = !limits.listsAfter && compareNames(last, startAfter) < 0;
    const next: ListQuery = { ...query, token, isSkipping, wanted: isSkipping ? Infinity : left };
    const page = await calls.send({ operation: 'list', name: prefix, signal }, (call) =>
      driver.list(next, call),
    );
    token = page.token;
    const given = page.entries.flatMap((entry) => listed(driver, entry, options));
    const sorted = [...waiting, ...given].sort((a, b) => compareNames(a.name, b.name));
    // Whatever comes by later requests comes after the last entry that is in its place.
    const ready = token === undefined ? sorted.length : sorted.findLastIndex(({ isEarly }) => !isEarly) + 1;
    waiting = sorted.slice(ready);
    // A folder may come again at the beginning of the next page.
    const fresh = sorted.slice(0, ready).filter(({ name }, i) => name !== (sorted[i - 1]?.name ?? last));
    if (fresh[0] && compareNames(fresh[0].name, last) < 0) throw outOfOrder(driver.place);
    last = fresh.at(-1)?.name ?? last;
    const entries = fresh.filter(({ name }) => compareNames(name, startAfter) > 0).map(({ entry }) => entry);
    const told = details ? await withDetails(reads, driver, entries, signal) : entries;
    yield* pagesOf(told, left);
    left -= told.length;
    if (token === undefined) return;
  }
}

/** The name, or folder, of a key, if it is one of the listing. */
function listed(
  { keys }: BucketDriver,
  { key, isFolder = false, isEarly = false, bytes, modifiedAtMs = Number.NaN }: ListedKey,
  { prefix, details = false }: ListOptions,
): Listed[] {
  const name = isFolder ? keys.folderOf(key) : keys.nameOf(key);
  // The service was asked for a shorter prefix where it may be one of a key that becomes another.
  if (!name?.startsWith(prefix)) return [];
  if (isFolder) return [{ name, entry: name, isEarly }];
  const isTold = details && Number.isSafeInteger(bytes) && !Number.isNaN(modifiedAtMs);
  const entry = isTold
    ? { name, bytes: bytes as number, modifiedAtMs: wholeSeconds(modifiedAtMs) }
    : { name };
  return [{ name, entry, isEarly }];
}

/** Asks for each length and time that a server leaves out of its listings. What is gone meanwhile is left out. */
async function withDetails(
  reads: BucketReads,
  { keys }: BucketDriver,
  entries: readonly ListEntry[],
  signal: AbortSignal | undefined,
): Promise<ListEntry[]> {
  const told = await mapBounded(entries, HEADS_AT_A_TIME, async (entry) => {
    if (typeof entry === 'string' || entry.bytes !== undefined) return entry;
    const info = await reads.head({ name: entry.name, key: keys.keyOf(entry.name) }, { signal });
    return info && { name: entry.name, bytes: info.bytes, modifiedAtMs: info.modifiedAtMs };
  });
  return told.filter((entry) => entry !== undefined);
}

function outOfOrder(place: string): StowageError {
  return new StowageError(
    'STORAGE_UNSUPPORTED',
    `The server of ${place} does not list keys in the order of their bytes; use another server.`,
    { details: { place } },
  );
}
