import type { PlaceOfContent } from '../../content/reading/presence.ts';
import {
  type ContentKey,
  type CopyFolder,
  type CopyName,
  copyPrefix,
  damagedMarkOf,
  isDamagedMark,
  parseCopyName,
} from '../../format/content-names.ts';
import type { Checking, ShownObject } from './checking.ts';
import type { Finding } from './finding.ts';
import type { WantedName } from './wanted.ts';

/** A copy as a listing with details shows it. */
export interface ShownCopy extends CopyName {
  name: string;
  /** The length of the object, which its name tells as well. */
  listedBytes: number;
  modifiedAtMs: number;
  /** A mark beside it says that it is damaged. */
  isMarked: boolean;
}

/** A content: what records want of it, and its copies at a place. */
export interface KeyToCheck {
  place: string;
  key: ContentKey;
  wanted: WantedName | undefined;
  copies: ShownCopy[];
}

const MARK = damagedMarkOf('');

/** All contents of a place, in the order of their keys: those that are wanted, and those that are there. */
export async function* keysAt(
  checking: Checking,
  place: string,
  wanted: Iterable<WantedName> | AsyncIterable<WantedName>,
  strangers: Finding[],
): AsyncGenerator<KeyToCheck, void> {
  const { storage } = checking.places.get(place) as PlaceOfContent;
  const copiesIn = (folder: CopyFolder): AsyncGenerator<ShownCopy, void> =>
    listedCopies(checking, place, checking.list(`${folder}/`, storage), strangers);
  const sources = [new Ahead(wanted), new Ahead(copiesIn('data')), new Ahead(copiesIn('manifests'))] as const;
  const [wants, data, manifests] = sources;
  try {
    for (;;) {
      const heads = [(await wants.head())?.name, (await data.head())?.key, (await manifests.head())?.key];
      const key = heads
        .flatMap((head) => head ?? [])
        .reduce<string | undefined>(
          (first, head) => (first === undefined || head < first ? head : first),
          undefined,
        );
      if (key === undefined) return;
      const item: KeyToCheck = { place, key, wanted: undefined, copies: [] };
      if (heads[0] === key) item.wanted = await wants.take();
      for (const copies of [data, manifests])
        while ((await copies.head())?.key === key) item.copies.push((await copies.take()) as ShownCopy);
      yield item;
    }
  } finally {
    for (const source of sources) await source.close();
  }
}

/** Two LISTs: the copies of one content at a place, by now. */
export async function listKey(checking: Checking, place: string, key: ContentKey): Promise<ShownCopy[]> {
  const { storage } = checking.places.get(place) as PlaceOfContent;
  const copies: ShownCopy[] = [];
  for (const folder of ['data', 'manifests'] as const) {
    const objects = checking.list(copyPrefix(folder, key), storage);
    for await (const copy of listedCopies(checking, place, objects, [])) copies.push(copy);
  }
  return copies;
}

/** @param strangers filled with what is no copy, and no mark of one */
async function* listedCopies(
  checking: Checking,
  place: string,
  objects: AsyncIterable<ShownObject>,
  strangers: Finding[],
): AsyncGenerator<ShownCopy, void> {
  let last: ShownCopy | undefined;
  for await (const object of objects) {
    const { name } = object;
    if (last && damagedMarkOf(last.name) === name) {
      last.isMarked = true;
      continue;
    }
    const parsed = parseCopyName(name);
    if (!parsed) {
      strangers.push(strangerAmong(checking, place, object, (of) => parseCopyName(of) !== undefined));
      continue;
    }
    if (last) yield last;
    const { bytes: listedBytes, modifiedAtMs } = object;
    last = { ...parsed, name, listedBytes, modifiedAtMs, isMarked: false };
  }
  if (last) yield last;
}

/** What lies among content and is none: the mark of an object that is gone, or somebody else's. */
export function strangerAmong(
  checking: Checking,
  place: string,
  { name }: ShownObject,
  isObject: (name: string) => boolean,
): Finding {
  const isMark = isDamagedMark(name) && isObject(name.slice(0, -MARK.length));
  if (!isMark) return checking.foreign('content', name, place);
  const about = { layer: 'content', place, object: name, remedy: 'delete' } as const;
  return checking.leftover(about, 'marks an object as damaged that is gone. The next collection deletes it.');
}

/** Items of which the next one can be looked at before it is taken. */
export class Ahead<T> {
  readonly #items: Iterator<T, void> | AsyncIterator<T, void>;
  #next: IteratorResult<T, void> | undefined;

  constructor(items: Iterable<T> | AsyncIterable<T>) {
    this.#items = (
      Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]()
    ) as Iterator<T, void>;
  }

  async head(): Promise<T | undefined> {
    this.#next ??= await this.#items.next();
    return this.#next.done ? undefined : this.#next.value;
  }

  async take(): Promise<T | undefined> {
    const item = await this.head();
    if (!this.#next?.done) this.#next = undefined;
    return item;
  }

  async close(): Promise<void> {
    await this.#items.return?.();
  }
}
