import { BoundedMap } from '../../../async/bounded-map.ts';
import { KeyLocks } from '../../../async/key-locks.ts';
import { markDamaged } from '../../../content/damage.ts';
import type { ContentAddressedStore } from '../../../content-addressed-store.ts';
import { StowageError, throwIfAborted } from '../../../errors.ts';
import type { ContentKey } from '../../../format/content-names.ts';
import { HERE } from '../../../format/content-ref.ts';
import { placeMember, type StoredContent } from '../../../format/stored-content.ts';
import type { Session } from '../../../sessions/session.ts';
import { rootOf } from '../../../storage/canonical-address.ts';
import { isFaultOfSource, placesOf, type RepairContext } from './repair-context.ts';

/** A content that something in the store names, and of which it may have no whole copy. */
export interface NeededContent {
  readonly key: ContentKey;
  /** The place where its copies lie, and nowhere else: `HERE`, or the id of another place. */
  readonly place: string;
  /** The name of the file, where it is a plain object, which people open by its URI. */
  readonly file?: string | undefined;
  /** Width of its elements, for compression. */
  readonly elementBytes?: number | undefined;
}

/** What became of a content. */
export type MendedContent =
  /** A whole copy stands already. */
  | { readonly outcome: 'whole'; readonly stored: StoredContent }
  /** A copy was written, or in a dry run would be, from what `from` has. */
  | { readonly outcome: 'mended'; readonly from: string; readonly stored?: StoredContent }
  | { readonly outcome: 'lost'; readonly why: string };

/** Bytes that may be those of a content. Whoever reads them finds out: they end with an error where they are not. */
export interface ContentSource {
  /** The address of the store that has them. */
  readonly from: string;
  /** The name of the file, where they are a plain object there. */
  readonly file?: string | undefined;
  read(): AsyncIterable<Uint8Array>;
}

/** So many contents are remembered as mended, or as lost so far. */
const REMEMBERED = 100_000;

/**
 * Writes contents anew of which no copy is whole: by the steps of any writer, under a session that is open until the copy stands, from
 * what a copy that is damaged still gives, or from another store. Every byte is verified against the content's key. The damaged copy is
 * marked, and stays until a collector finds it superseded.
 */
export class ContentMender {
  readonly #context: RepairContext;
  readonly #locks = new KeyLocks();
  readonly #known = new BoundedMap<string, MendedContent>(REMEMBERED);

  constructor(context: RepairContext) {
    this.#context = context;
  }

  /**
   * Has a whole copy of a content at its place. Of one that was mended before in this repair the result is told again.
   *
   * @param further where it may be found beside the places where its key leads
   * @throws StowageError `PLACE_NOT_FOUND`, `PLACE_UNREACHABLE`, ... where nobody can tell; what writing throws
   */
  async mend(needed: NeededContent, further: readonly ContentSource[] = []): Promise<MendedContent> {
    const id = `${needed.place}\t${needed.key}\t${needed.file === undefined ? '' : 'plain'}`;
    return this.#locks.run(id, async () => {
      const known = this.#known.get(id);
      if (known && (known.outcome !== 'lost' || further.length === 0)) return known;
      throwIfAborted(this.#context.options.signal);
      const found = await this.#mend(needed, further);
      this.#known.set(id, found);
      return found;
    });
  }

  /** Marks an object that a check found damaged, so that no writer relies on it. */
  async mark(place: string, object: string, reason: string): Promise<void> {
    const { target, options } = this.#context;
    await markDamaged((await target.at(place, options)).storage, object, reason);
  }

  async #mend(needed: NeededContent, further: readonly ContentSource[]): Promise<MendedContent> {
    const { target, staging, dryRun, options } = this.#context;
    await target.at(needed.place, options); // before anything is said of what lies there
    if (dryRun) return this.#try(needed, further, undefined);
    return staging.use(1, (session) => this.under(session, needed, further));
  }

  /** Like {@link mend}, but what stands then is pinned and written by a session that stays open. */
  async under(
    session: Session,
    needed: NeededContent,
    further: readonly ContentSource[] = [],
  ): Promise<MendedContent> {
    const [stored] = await session.rely([sought(needed)], this.#context.options);
    const isPlain = stored !== undefined && stored.root === undefined && stored.copy.startsWith('manifests/');
    if (stored && (needed.file === undefined || isPlain)) return { outcome: 'whole', stored };
    return this.#try(needed, further, session);
  }

  /** Reads one source after the other, until one gives the content; without a session nothing is written. */
  async #try(
    needed: NeededContent,
    further: readonly ContentSource[],
    session: Session | undefined,
  ): Promise<MendedContent> {
    if (await this.#context.erased.has(needed.key)) return { outcome: 'lost', why: erased(needed.key) };
    let failure: StowageError | undefined;
    for await (const source of this.#sources(needed, further)) {
      let ofSource: unknown;
      const watched = async function* (): AsyncGenerator<Uint8Array> {
        try {
          yield* source.read();
        } catch (error) {
          ofSource = error;
          throw error;
        }
      };
      try {
        if (!session) {
          for await (const _piece of watched()) throwIfAborted(this.#context.options.signal);
          return { outcome: 'mended', from: source.from };
        }
        const stored = await this.#write(session, needed, source.file, watched());
        return { outcome: 'mended', from: source.from, stored };
      } catch (error) {
        if (ofSource === undefined || !isFaultOfSource(ofSource)) throw error;
        // Most have nothing of it; of what one has the fault is told.
        if (failure === undefined || ofSource.code !== 'CONTENT_NOT_FOUND') failure = ofSource;
      }
    }
    return { outcome: 'lost', why: failure?.message ?? `No copy of content ${needed.key} was found.` };
  }

  async #write(
    session: Session,
    { key, place, file = undefined, elementBytes }: NeededContent,
    fileThere: string | undefined,
    bytes: AsyncIterable<Uint8Array>,
  ): Promise<StoredContent> {
    const { options } = this.#context;
    const name = file ?? fileThere;
    const stored =
      name === undefined
        ? await session.putStream(bytes, { ...options, place, elementBytes })
        : await session.putPlain(name, bytes, { ...options, place });
    if (stored.key !== key) throw otherContent(key, stored.key);
    return stored;
  }

  /** The store's own copies, which may be whole together; then those of other stores, by the key alone. */
  async *#sources(
    { key, place, file }: NeededContent,
    further: readonly ContentSource[],
  ): AsyncGenerator<ContentSource> {
    const { target, others, options } = this.#context;
    yield await this.#sourceIn(target, place, key, file === undefined);
    for (const { store } of others) {
      for (const there of await placesIn(store, options)) {
        yield await this.#sourceIn(store, there, key, file === undefined);
      }
    }
    yield* further;
  }

  async #sourceIn(
    store: ContentAddressedStore,
    place: string,
    key: ContentKey,
    asksFile: boolean,
  ): Promise<ContentSource> {
    const { options } = this.#context;
    const address = { key, ...placeMember(place) };
    const read = (): AsyncIterable<Uint8Array> => store.reader.stream(address, options);
    const from = rootOf(store.storage);
    if (!asksFile) return { from, read };
    try {
      const plain = await (await store.at(place, options)).reader.plainOf(address, options);
      return { from, read, file: plain?.split('/').at(-1) };
    } catch (error) {
      if (!isFaultOfSource(error)) throw error;
      return { from, read }; // reading it says what is wrong
    }
  }
}

/** The places of a source; one whose register cannot be read has its content in the store itself, as far as anybody knows. */
async function placesIn(store: ContentAddressedStore, options: RepairContext['options']): Promise<string[]> {
  try {
    return await placesOf(store, options);
  } catch (error) {
    if (!isFaultOfSource(error)) throw error;
    return [HERE];
  }
}

function sought({ key, place }: NeededContent): Parameters<Session['rely']>[0][number] {
  return { key, bytes: undefined, ...placeMember(place) };
}

function erased(key: ContentKey): string {
  return `Content ${key} was erased from the store, and is not brought back.`;
}

function otherContent(key: ContentKey, found: ContentKey): StowageError {
  return new StowageError(
    'CONTENT_DAMAGED',
    `A source of content ${key} gave content ${found}. Nothing names that in the store; check the source.`,
    { details: { key, found } },
  );
}
