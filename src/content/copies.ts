import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { markDamaged } from './damage.ts';
import {
  type ContentKey,
  type CopyFolder,
  type CopyName,
  copyPrefix,
  damagedMarkOf,
  isDamagedMark,
  parseCopyName,
} from './object-names.ts';

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

/** What a pack or a plain object looks like from outside. */
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
