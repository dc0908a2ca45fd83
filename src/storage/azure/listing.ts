import type { ContainerClient } from '@azure/storage-blob';
import { StowageError } from '../../errors.ts';
import { listLimit } from '../checks.ts';
import type { ListOptions, ListPage } from '../contract.ts';
import { type ListEntry, MAX_PAGE_ENTRIES, pagesOf } from '../list-pages.ts';
import { compareNames } from '../name-order.ts';
import { type BlobNames, isListedEarly } from './blob-names.ts';
import { refuseHierarchy } from './hierarchy.ts';
import type { AzureRequests } from './requests.ts';

/** The most blobs that Azure gives by one request. */
const MAX_BLOBS_OF_A_REQUEST = 5000;

/** An entry of a listing, and whether Azure may have listed it too early. */
interface Listed {
  name: string;
  entry: ListEntry;
  isEarly: boolean;
}

/**
 * Lists objects in the order of their names' bytes. Azure has its own order: what it gives too early waits, in memory,
 * for its turn (see {@link isListedEarly}; only names beyond the basic plane and with dots at the end of segments do).
 *
 * `startAfter` costs a request for every 5,000 blobs that are left out: Azure's own `startFrom` is newer than many servers,
 * which ignore it, and has rules of its own for folders.
 */
export async function* listObjects(
  requests: AzureRequests,
  names: BlobNames,
  options: ListOptions,
): AsyncGenerator<ListPage, void> {
  const { startAfter = '' } = options;
  let left = listLimit(options);
  let waiting: Listed[] = [];
  let last = '';
  let marker: string | undefined;
  do {
    if (left === 0) return;
    const isPast = compareNames(last, startAfter) >= 0;
    const most = isPast ? Math.min(left, MAX_PAGE_ENTRIES) : MAX_BLOBS_OF_A_REQUEST;
    const answer = await ask(requests, names, options, most, marker);
    marker = answer.marker;
    const sorted = [...waiting, ...answer.entries].sort((a, b) => compareNames(a.name, b.name));
    // Whatever comes by later requests comes after the last entry that is in its place.
    const ready = marker === undefined ? sorted.length : sorted.findLastIndex(({ isEarly }) => !isEarly) + 1;
    waiting = sorted.slice(ready);
    // A folder may come again at the beginning of the next page.
    const next = sorted.slice(0, ready).filter(({ name }, i) => name !== (sorted[i - 1]?.name ?? last));
    if (next[0] && compareNames(next[0].name, last) < 0) throw outOfOrder(requests.place);
    last = next.at(-1)?.name ?? last;
    const entries = next.filter(({ name }) => compareNames(name, startAfter) > 0).map(({ entry }) => entry);
    yield* pagesOf(entries, left);
    left = Math.max(left - entries.length, 0);
  } while (marker !== undefined);
}

async function ask(
  requests: AzureRequests,
  names: BlobNames,
  { prefix, depth = 'all', details = false, signal }: ListOptions,
  maxPageSize: number,
  continuationToken: string | undefined,
): Promise<{ entries: Listed[]; marker: string | undefined }> {
  const blobPrefix = names.prefixOf(prefix);
  const request = { operation: 'list', name: prefix, signal };
  const list = async (container: ContainerClient, call: { abortSignal?: AbortSignal }) => {
    const settings = { maxPageSize, ...(continuationToken !== undefined && { continuationToken }) };
    const query = { ...call, prefix: blobPrefix };
    const pages =
      depth === 'one'
        ? container.listBlobsByHierarchy('/', query).byPage(settings)
        : container.listBlobsFlat(query).byPage(settings);
    const { value } = await pages.next();
    return value;
  };
  const { segment, continuationToken: marker, _response } = await requests.send(request, list);
  refuseHierarchy(_response.bodyAsText.includes('<ResourceType>'), requests.place);
  const entries: Listed[] = [];
  const add = (blobName: string, name: string | undefined, entry: ListEntry): void => {
    // Azure was asked for a shorter prefix where it may be one of a name that becomes another.
    if (!name?.startsWith(prefix)) return;
    entries.push({ name, entry, isEarly: isListedEarly(blobName.slice(blobPrefix.length)) });
  };
  for (const { name: blobName, properties } of segment.blobItems) {
    const name = names.nameOf(blobName) ?? '';
    const told = { bytes: properties.contentLength ?? 0, modifiedAtMs: properties.lastModified.getTime() };
    add(blobName, name, details ? { name, ...told } : { name });
  }
  for (const { name: commonPrefix } of 'blobPrefixes' in segment ? (segment.blobPrefixes ?? []) : []) {
    const folder = names.folderOf(commonPrefix) ?? '';
    add(commonPrefix, folder, folder);
  }
  return { entries, marker: marker || undefined };
}

function outOfOrder(place: string): StowageError {
  return new StowageError(
    'STORAGE_UNSUPPORTED',
    `The service of ${place} does not list names in order; use another account or server.`,
    { details: { place } },
  );
}
