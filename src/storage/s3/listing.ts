import type { ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import { StowageError } from '../../errors.ts';
import { listLimit } from '../checks.ts';
import type { ListedObject, ListOptions, ListPage } from '../contract.ts';
import { type ListEntry, MAX_PAGE_ENTRIES, pagesOf } from '../list-pages.ts';
import { compareNames } from '../name-order.ts';
import type { ObjectKeys } from '../object-store/object-keys.ts';
import type { S3Requests } from './requests.ts';

/** Lists objects, page by page as S3 gives them. What no store could have written is left out. */
export async function* listObjects(
  requests: S3Requests,
  keys: ObjectKeys,
  options: ListOptions,
): AsyncGenerator<ListPage, void> {
  const { prefix, depth = 'all', signal } = options;
  const Prefix = keys.prefixOf(prefix);
  const request = { operation: 'list', name: prefix, signal };
  const query = {
    Bucket: requests.bucket,
    Prefix,
    StartAfter: options.startAfter ? keys.prefix + options.startAfter : undefined,
    EncodingType: 'url' as const,
    ...(depth === 'one' && { Delimiter: '/' }),
  };
  let left = listLimit(options);
  let last = options.startAfter ?? '';
  let token: string | undefined;
  while (left > 0) {
    const page = { ...query, MaxKeys: Math.min(left, MAX_PAGE_ENTRIES), ContinuationToken: token };
    const answer = await requests.send(request, (s3) => new s3.ListObjectsV2Command(page));
    const all = entriesOf(answer, keys, options.details ?? false);
    // A folder comes again if only some of what it holds is left out.
    const entries = all.filter((entry) => compareNames(nameOf(entry), last) > 0);
    if (token !== undefined && entries.length < all.length) throw outOfOrder(requests.place);
    yield* pagesOf(entries, left);
    left -= entries.length;
    last = entries.length > 0 ? nameOf(entries.at(-1) as ListEntry) : last;
    token = answer.IsTruncated ? answer.NextContinuationToken : undefined;
    if (token === undefined) return;
  }
}

/** Objects and folders, which S3 gives apart, in one order. */
function entriesOf(answer: ListObjectsV2CommandOutput, keys: ObjectKeys, details: boolean): ListEntry[] {
  const decode = answer.EncodingType === 'url' ? urlDecoded : (key: string) => key;
  const objects = (answer.Contents ?? []).flatMap(({ Key = '', Size = 0, LastModified }): ListedObject[] => {
    const name = keys.nameOf(decode(Key));
    if (name === undefined) return [];
    return [details ? { name, bytes: Size, modifiedAtMs: wholeSeconds(LastModified) } : { name }];
  });
  const folders = (answer.CommonPrefixes ?? []).flatMap(
    ({ Prefix = '' }) => keys.folderOf(decode(Prefix)) ?? [],
  );
  return [...objects, ...folders].sort((a, b) => compareNames(nameOf(a), nameOf(b)));
}

/** Headers tell seconds only, listings of some servers more; the time of an object must be the same everywhere. */
function wholeSeconds(time: Date | undefined): number {
  return Math.floor((time?.getTime() ?? 0) / 1000) * 1000;
}

function urlDecoded(key: string): string {
  return decodeURIComponent(key.replaceAll('+', ' '));
}

function nameOf(entry: ListEntry): string {
  return typeof entry === 'string' ? entry : entry.name;
}

function outOfOrder(place: string): StowageError {
  return new StowageError(
    'STORAGE_UNSUPPORTED',
    `The server of ${place} does not list keys in the order of their bytes; use another server.`,
    { details: { place } },
  );
}
