import { CONTENT_FAULTS } from '../attempts/attempt-view.ts';
import { ENVELOPE_HEADER_BYTES, readEnvelopeHeader } from '../codec/envelope.ts';
import { type ListedCopy, listCopies } from '../content/copies.ts';
import type { ContentReader } from '../content/reading/content-reader.ts';
import type { DescribedCopy } from '../content/reading/copy-reader.ts';
import { isStowageError, StowageError } from '../errors.ts';
import { type ContentKey, parseCopyName } from '../format/content-names.ts';
import { type ContentRef, HERE } from '../format/content-ref.ts';
import { placeMember, type StoredContent } from '../format/stored-content.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import type { StoreView } from './store-view.ts';

/** The objects in which a content lies. */
export interface ContentObjects {
  /** The length of the content; 0 where only its key is known, and nothing was found. */
  readonly bytes: number;
  /** The copies that were found, or the one that a record names. */
  readonly copies: readonly StoredContent[];
  /** Names of objects, with their lengths. */
  readonly sizes: ReadonlyMap<string, number>;
  /** Tells whether they could be looked at; else the sizes are what the attempt recorded. */
  readonly isSeen: boolean;
}

/** Contents that could not be looked at, all for one reason. */
export interface UnseenContents {
  contents: number;
  /** The place where they lie, if not in the store itself. */
  place?: string;
  /** The failure of the first of them. */
  failure: { code: string; message: string };
}

/** Looks up what contents lie in, once each. One that cannot be looked at is counted, and is no reason to fail. */
export class ContentObjectsFinder {
  readonly #view: StoreView;
  readonly #known = new Map<string, Promise<ContentObjects>>();
  readonly #unseen = new Map<string, UnseenContents>();
  readonly #unseenKeys = new Set<string>();
  /** The reason why nothing at a place can be looked at. It is not asked again: each time may take as long as the first. */
  readonly #unreachable = new Map<string, StowageError>();

  constructor(view: StoreView) {
    this.#view = view;
  }

  /** The objects in which the copy of a content lies that a record names. */
  objectsOf(content: StoredContent): Promise<ContentObjects> {
    return this.#once(content.place, content.copy, () => this.#find(content));
  }

  /** Those of all copies of a content of which only the key is known: two LISTs, and a GET for each copy. */
  objectsOfKey({ place, name: key }: ContentRef): Promise<ContentObjects> {
    return this.#once(place, key, () => this.#findKey(key, place));
  }

  /** The contents that could not be looked at. */
  unseen(): UnseenContents[] {
    return [...this.#unseen.values()];
  }

  #once(place: string = HERE, name: string, find: () => Promise<ContentObjects>): Promise<ContentObjects> {
    const id = `${place}/${name}`;
    const objects = this.#known.get(id) ?? find();
    this.#known.set(id, objects);
    return objects;
  }

  async #findKey(key: ContentKey, place: string): Promise<ContentObjects> {
    const { signal } = this.#view;
    try {
      const before = this.#unreachable.get(place);
      if (before) throw before;
      const { reader, storage } = await this.#view.content.at(place, { signal });
      const listed: ListedCopy[] = [];
      for (const folder of ['manifests', 'data'] as const)
        listed.push(...(await listCopies(storage, folder, key, { signal })));
      const found: DescribedCopy[] = [];
      for (const copy of listed.filter(({ marked }) => !marked))
        found.push(...(await describe(reader, storage, copy, { signal })));
      if (found.length === 0) {
        // None that is whole: whoever reads it says why, unless one that is marked as damaged can be read all the same.
        for await (const _ of reader.stream({ key, ...placeMember(place) }, { signal })) break;
        for (const copy of listed)
          if (found.length === 0) found.push(...(await describe(reader, storage, copy, { signal })));
      }
      if (found.length === 0) {
        const message = `Content ${key} was written while it was looked for; count again.`;
        throw new StowageError('CONTENT_NOT_FOUND', message, { details: { key } });
      }
      return objectsOf(found, place);
    } catch (error) {
      this.#failed(place, key, error);
      return { bytes: 0, copies: [], sizes: new Map(), isSeen: false };
    }
  }

  /** A small content is one object. A large one is a manifest and packs, which it may share with others. */
  async #find(content: StoredContent): Promise<ContentObjects> {
    const { key, copy, bytes, storedBytes, place = HERE } = content;
    const parsed = parseCopyName(copy);
    const recorded = { bytes, copies: [content], sizes: new Map([[copy, storedBytes]]) };
    if (parsed?.folder !== 'manifests') return { ...recorded, isSeen: true };
    const { signal } = this.#view;
    try {
      const before = this.#unreachable.get(place);
      if (before) throw before;
      const { reader } = await this.#view.content.at(place, { signal });
      const described = await reader.describeCopy(copy, { signal });
      if (described) return { ...objectsOf([described], place), bytes, copies: [content] };
      // Another copy may serve. If none does this tells whether the content is gone, or the whole place.
      for await (const _ of reader.stream(content, { range: { offset: 0, length: 1 }, signal })) break;
      return { ...recorded, isSeen: true };
    } catch (error) {
      this.#failed(place, key, error);
      return { ...recorded, isSeen: false };
    }
  }

  /** Throws what is the fault neither of a content nor of another place. */
  #failed(place: string, key: ContentKey, error: unknown): void {
    if (!isStowageError(error) || error.code === 'ABORTED') throw error;
    const isOfContent = isStowageError(error, 'CONTENT_NOT_FOUND', 'CONTENT_DAMAGED', 'UNSUPPORTED_FORMAT');
    if (!isOfContent && place === HERE && !isStowageError(error, ...CONTENT_FAULTS)) throw error;
    if (!isOfContent) this.#unreachable.set(place, error);
    if (error.code === 'CONTENT_DAMAGED') this.#view.unreadable(error);
    if (this.#unseenKeys.has(`${place}/${key}`)) return;
    this.#unseenKeys.add(`${place}/${key}`);
    const { code, message } = error;
    const id = `${place}/${code}`;
    const unseen = this.#unseen.get(id) ?? { contents: 0, ...placeMember(place), failure: { code, message } };
    unseen.contents += 1;
    this.#unseen.set(id, unseen);
  }
}

/** What a copy names, or of a small one its own length; nothing where it is gone since it was listed, or damaged. */
async function describe(
  reader: ContentReader,
  storage: DataStoreStorage,
  { key, name, bytes: storedBytes, folder }: ListedCopy,
  options: CallOptions,
): Promise<DescribedCopy[]> {
  try {
    if (folder === 'manifests') {
      const described = await reader.describeCopy(name, options);
      return described ? [described] : [];
    }
    const range = { offset: 0, length: ENVELOPE_HEADER_BYTES };
    const object = await storage.get(name, { ...options, range });
    if (!object) return [];
    const { rawBytes } = readEnvelopeHeader(object.body);
    return [{ stored: { key, copy: name, bytes: rawBytes, storedBytes }, packs: [], plain: undefined }];
  } catch (error) {
    if (!isStowageError(error, 'CONTENT_DAMAGED')) throw error;
    return [];
  }
}

function objectsOf(found: readonly DescribedCopy[], place: string): ContentObjects {
  const sizes = new Map<string, number>();
  for (const { stored, packs, plain } of found) {
    sizes.set(stored.copy, parseCopyName(stored.copy)?.bytes ?? stored.storedBytes);
    for (const pack of packs) sizes.set(pack.name, pack.bytes);
    if (plain !== undefined) sizes.set(plain, stored.bytes);
  }
  const copies = found.map(({ stored }) => ({ ...stored, ...placeMember(place) }));
  return { bytes: copies[0]?.bytes ?? 0, copies, sizes, isSeen: true };
}
