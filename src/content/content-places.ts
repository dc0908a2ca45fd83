import { HERE } from '../format/content-ref.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import type { CollectionLog } from './collection-log.ts';
import type { ContentReader } from './content-reader.ts';
import { ContentWriter } from './content-writer.ts';
import { PlaceReader } from './place-reader.ts';
import type { Places } from './places.ts';
import type { WriterSession } from './session.ts';
import { SessionWriters } from './session-writers.ts';
import { type SharedWriterState, sharedWriterState, WriterContext } from './writer-context.ts';

/** What reads contents at one place, and what the writers of that place share. */
export interface PlacedContent {
  readonly storage: DataStoreStorage;
  readonly reader: ContentReader;
  readonly shared: SharedWriterState;
}

/** How contents are read and written at each place of a store, the store itself included. */
export class ContentPlaces {
  readonly #here: PlacedContent;
  readonly #places: Places;
  readonly #elsewhere = new Map<string, PlacedContent>();

  constructor(here: PlacedContent, places: Places) {
    this.#here = here;
    this.#places = places;
  }

  /** @throws StowageError `PLACE_NOT_FOUND`, `PLACE_UNREACHABLE` */
  async at(place: string, options: CallOptions): Promise<PlacedContent> {
    if (place === HERE) return this.#here;
    const known = this.#elsewhere.get(place);
    if (known) return known;
    const { storage, ...opened } = await this.#places.find(place, options);
    const first = this.#elsewhere.get(place);
    if (first) return first;
    const reader = new PlaceReader({ storage, ...opened }, this.#places);
    const { compression, verifyHits } = this.#here.shared;
    const settings = { compression, verifyHits };
    const shared = sharedWriterState({ place, storage }, this.#log, reader, settings);
    const content = { storage, reader, shared };
    this.#elsewhere.set(place, content);
    return content;
  }

  /** The writer of the store itself, for a session that is open. */
  writerHere(session: WriterSession): ContentWriter {
    return new ContentWriter(new WriterContext(this.#here.shared, session));
  }

  /** The writers of a session that is open. */
  writers(session: WriterSession): SessionWriters {
    return new SessionWriters(
      {
        register: (rawDataPath, options) => this.#places.register(rawDataPath, options),
        open: async (writing, place, options) => {
          const { storage, shared } = await this.at(place, options);
          return { storage, writer: new ContentWriter(new WriterContext(shared, writing)) };
        },
        lookAgain: (place, options) => this.#places.lookAgain(place, options),
        check: async (place, options) => {
          await this.#places.checkOwner(await this.#places.find(place, options), options);
        },
      },
      session,
    );
  }

  /** Ends the saves of large contents that are under way in the store itself. */
  async endSaves(): Promise<void> {
    await this.#here.shared.saves.close();
  }

  /** Closes the storages of other places; saves that are under way there end first, and leave nothing behind. */
  async close(): Promise<void> {
    await Promise.all([...this.#elsewhere.values()].map(({ shared }) => shared.saves.close()));
    await this.#places.close();
    this.#elsewhere.clear();
  }

  get #log(): CollectionLog {
    return this.#here.shared.log;
  }
}
