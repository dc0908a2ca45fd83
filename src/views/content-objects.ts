import { CONTENT_FAULTS } from '../attempts/attempt-view.ts';
import { isStowageError, type StowageError } from '../errors.ts';
import { parseCopyName } from '../format/content-names.ts';
import { HERE } from '../format/content-ref.ts';
import { placeMember, type StoredContent } from '../format/stored-content.ts';
import type { StoreView } from './store-view.ts';

/** The objects in which a content lies. */
export interface ContentObjects {
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
  /** The reason why nothing at a place can be looked at. It is not asked again: each time may take as long as the first. */
  readonly #unreachable = new Map<string, StowageError>();

  constructor(view: StoreView) {
    this.#view = view;
  }

  /** The objects in which a content lies. */
  objectsOf(content: StoredContent): Promise<ContentObjects> {
    const id = `${content.place ?? HERE}/${content.key}`;
    const objects = this.#known.get(id) ?? this.#find(content);
    this.#known.set(id, objects);
    return objects;
  }

  /** The contents that could not be looked at. */
  unseen(): UnseenContents[] {
    return [...this.#unseen.values()];
  }

  /** A small content is one object. A large one is a manifest and packs, which it may share with others. */
  async #find(content: StoredContent): Promise<ContentObjects> {
    const { copy, storedBytes, place = HERE } = content;
    const parsed = parseCopyName(copy);
    const recorded = new Map([[copy, storedBytes]]);
    if (parsed?.folder !== 'manifests') return { sizes: recorded, isSeen: true };
    const { signal } = this.#view;
    try {
      const before = this.#unreachable.get(place);
      if (before) throw before;
      const { reader } = await this.#view.content.at(place, { signal });
      const described = await reader.describeCopy(copy, { signal });
      if (!described) {
        // Another copy may serve. If none does this tells whether the content is gone, or the whole place.
        for await (const _ of reader.stream(content, { range: { offset: 0, length: 1 }, signal })) break;
        return { sizes: recorded, isSeen: true };
      }
      const sizes = new Map([[copy, parsed.bytes]]);
      for (const { name, bytes } of described.packs) sizes.set(name, bytes);
      if (described.plain !== undefined) sizes.set(described.plain, described.stored.bytes);
      return { sizes, isSeen: true };
    } catch (error) {
      this.#failed(place, error);
      return { sizes: recorded, isSeen: false };
    }
  }

  /** Throws what is the fault neither of a content nor of another place. */
  #failed(place: string, error: unknown): void {
    if (!isStowageError(error) || error.code === 'ABORTED') throw error;
    const isOfContent = isStowageError(error, 'CONTENT_NOT_FOUND', 'CONTENT_DAMAGED', 'UNSUPPORTED_FORMAT');
    if (!isOfContent && place === HERE && !isStowageError(error, ...CONTENT_FAULTS)) throw error;
    if (!isOfContent) this.#unreachable.set(place, error);
    if (error.code === 'CONTENT_DAMAGED') this.#view.unreadable(error);
    const { code, message } = error;
    const id = `${place}/${code}`;
    const unseen = this.#unseen.get(id) ?? { contents: 0, ...placeMember(place), failure: { code, message } };
    unseen.contents += 1;
    this.#unseen.set(id, unseen);
  }
}
