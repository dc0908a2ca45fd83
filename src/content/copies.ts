import { mapBounded } from '../async/bounded-work.ts';
import {
  type ContentKey,
  type CopyFolder,
  type CopyName,
  copyPrefix,
  damagedMarkOf,
  isDamagedMark,
  type PackPlace,
  packPlaceOf,
  parseCopyName,
} from '../format/content-names.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { markDamaged } from './damage.ts';

/** A copy of a key that a listing showed. */
export interface ListedCopy extends CopyName {
  name: string;
  /** Found damaged: by an earlier reader's or writer's mark, or because its length is not what its name says. */
  marked: boolean;
}

/** One LIST: the copies of `key` in `folder`, oldest session first within a name order; truncated ones are marked on the way. */
export async function listCopies(
  storage: DataStoreStorage,
  folder: CopyFolder,
  key: ContentKey,
  { signal }: CallOptions = {},
): Promise<ListedCopy[]> {
  const copies: ListedCopy[] = [];
  const marks = new Set<string>();
  for await (const page of storage.list({ prefix: copyPrefix(folder, key), details: true, signal })) {
    for (const { name, bytes } of page.objects) {
      if (isDamagedMark(name)) marks.add(name);
      const parsed = parseCopyName(name);
      if (parsed) copies.push({ ...parsed, name, marked: bytes !== parsed.bytes });
    }
  }
  for (const copy of copies) {
    const hasMark = marks.has(damagedMarkOf(copy.name));
    if (copy.marked && !hasMark)
      await markDamaged(storage, copy.name, 'its length is not the one in its name');
    copy.marked ||= hasMark;
  }
  return copies;
}

/** A pack or a plain object as it looks from outside. */
export interface ObjectPresence {
  bytes: number;
  marked: boolean;
}

/** One LIST: whether an object and a mark beside it are there. `undefined` where the object is gone. */
export async function lookAt(
  storage: DataStoreStorage,
  name: string,
  { signal }: CallOptions = {},
): Promise<ObjectPresence | undefined> {
  let bytes: number | undefined;
  let marked = false;
  for await (const page of storage.list({ prefix: name, details: true, signal })) {
    for (const object of page.objects) {
      if (object.name === name) bytes = object.bytes;
      if (object.name === damagedMarkOf(name)) marked = true;
    }
  }
  return bytes === undefined ? undefined : { bytes, marked };
}

/** Packs this far apart in their session's count are looked at together; a page has room for ten times as many. */
const NEAR = 100;
/** So many LISTs for packs of several sessions are under way at a time. */
const LISTS_AT_ONCE = 16;

/** One LIST for packs that lie near each other, as those of one content do, rather than one for each. What is gone is left out. */
export async function lookAtPacks(
  storage: DataStoreStorage,
  names: readonly string[],
  { signal }: CallOptions = {},
): Promise<Map<string, ObjectPresence>> {
  const found = new Map<string, ObjectPresence>();
  const groups = neighbours(names);
  await mapBounded(groups, LISTS_AT_ONCE, async (near) => {
    for (const [name, presence] of await lookAtNear(storage, near, { signal })) found.set(name, presence);
  });
  return found;
}

/** Looks at packs of one session, in their order. */
async function lookAtNear(
  storage: DataStoreStorage,
  near: readonly string[],
  { signal }: CallOptions,
): Promise<Map<string, ObjectPresence>> {
  const found = new Map<string, ObjectPresence>();
  const [first = '', last = ''] = [near[0], near.at(-1)];
  if (near.length === 1) {
    const presence = await lookAt(storage, first, { signal });
    if (presence) found.set(first, presence);
    return found;
  }
  const prefix = first.slice(0, first.lastIndexOf('/') + 1);
  // A name that comes before the first one, and after every other before it.
  const startAfter = first.slice(0, -1);
  for await (const page of storage.list({ prefix, startAfter, details: true, signal })) {
    for (const { name, bytes = 0 } of page.objects) {
      const marked = isDamagedMark(name) ? found.get(name.slice(0, -damagedMarkOf('').length)) : undefined;
      if (marked) marked.marked = true;
      else if (near.includes(name)) found.set(name, { bytes, marked: false });
    }
    if ((page.objects.at(-1)?.name ?? '') >= damagedMarkOf(last)) break;
  }
  return found;
}

function neighbours(names: readonly string[]): string[][] {
  const groups: string[][] = [];
  let before: PackPlace | undefined;
  for (const name of [...new Set(names)].sort()) {
    const place = packPlaceOf(name);
    const isNear = place.session === before?.session && place.sequence - before.sequence <= NEAR;
    if (isNear) groups.at(-1)?.push(name);
    else groups.push([name]);
    before = place;
  }
  return groups;
}
