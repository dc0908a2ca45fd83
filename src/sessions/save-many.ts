import { isTurnOver, nextTurn } from '../async/turns.ts';
import { prepareCodec } from '../codec/zstd.ts';
import type { ContentStore } from '../content/content-store.ts';
import type { ContentInput } from '../content/writing/content-writer.ts';
import { pinsFor } from '../content/writing/copy-finder.ts';
import { ofItem } from '../content/writing/item-errors.ts';
import type { StoreOptions } from '../content/writing/large-content.ts';
import { digestLent } from '../content/writing/lent-content.ts';
import { throwIfAborted } from '../errors.ts';
import { CHUNKED_FROM_BYTES, type ContentKey } from '../format/content-names.ts';
import type { ContentRef } from '../format/content-ref.ts';
import type { SessionId } from '../format/session-id.ts';
import type { StoredContent } from '../format/stored-content.ts';
import { type ContentSource, ensureStream } from '../streams/chunk-stream.ts';
import { ensureThere, isGone } from '../streams/lent-memory.ts';
import { abortable, readHead, type StreamHead } from '../streams/stream-head.ts';
import type { Session } from './session.ts';
import { StandaloneSession } from './standalone-session.ts';

/** So many contents are gathered, and saved together; fewer where those that had to be copied take so many bytes. */
const GATHER_COUNT = 1_000;
const HELD_BYTES = 16 * 1024 * 1024;
/** Pins of no more than these go into attempt.json, which is never deleted; those of more get a record of their own. */
const MAX_FIRST_PINS = 100;

/** Options of saving many contents. */
export interface SaveManyOptions extends StoreOptions {
  /** The place that they go to: `HERE`, or the id of another one. */
  place: string;
}

/** Contents that were saved under a session, in their order. */
export interface SavedMany {
  /** Absent where there was no content. */
  session: SessionId | undefined;
  saved: StoredContent[];
}

/** A content that waits for its batch. */
type Gathered = ContentInput & { key: ContentKey; place: string };

/**
 * Saves contents under one session of their own, which keeps them from then on. Those that are small, or in memory, are gathered: looked
 * for and written side by side, and pinned by one object, the first few by attempt.json. A stream that turns out to be large is saved
 * by itself. Nothing is written before the first contents are there. The first failure ends the rest.
 */
export async function saveMany(
  store: ContentStore,
  contents: Iterable<ContentSource> | AsyncIterable<ContentSource>,
  options: SaveManyOptions,
): Promise<SavedMany> {
  const many = new ManyContents(store, options, !Array.isArray(contents));
  try {
    for await (const content of contents) await many.add(content);
    return await many.finish();
  } catch (error) {
    await many.fail(error);
    throw error;
  }
}

class ManyContents {
  readonly #store: ContentStore;
  readonly #place: string;
  readonly #options: StoreOptions;
  /** The source may use the memory of a content for the next one. */
  readonly #isReused: boolean;
  readonly #saved: StoredContent[] = [];
  #standalone: StandaloneSession | undefined;
  #batch: Gathered[] = [];
  #heldBytes = 0;

  constructor(store: ContentStore, { place, ...options }: SaveManyOptions, isReused: boolean) {
    this.#store = store;
    this.#place = place;
    this.#options = options;
    this.#isReused = isReused;
  }

  async add(content: ContentSource): Promise<void> {
    throwIfAborted(this.#options.signal);
    if (content instanceof Uint8Array) await this.#addBytes(content);
    else await this.#addStream(content, this.#count);
    // A generator that never waits would keep timers and signals from their turn.
    if (isTurnOver()) await nextTurn();
  }

  async finish(): Promise<SavedMany> {
    await this.#flush();
    const { signal } = this.#options;
    await this.#standalone?.done(this.#saved, { signal });
    return { session: this.#standalone?.session.id, saved: this.#saved };
  }

  /** Closes the session, if there is one by now, so that it keeps nothing. */
  async fail(error: unknown): Promise<void> {
    await this.#standalone?.fail(error);
  }

  get #count(): number {
    return this.#saved.length + this.#batch.length;
  }

  /**
   * What comes from a list is the caller's for as long as the call goes on. Of anything else one is copied, or saved before the next is
   * asked for.
   */
  async #addBytes(lent: Uint8Array): Promise<void> {
    if (!this.#isReused) return this.#gather(lent, 0);
    const isCopied = !isGone(lent) && lent.length < HELD_BYTES;
    await this.#gather(isCopied ? Uint8Array.from(lent) : lent, lent.length);
  }

  /** @param heldBytes the memory that the content takes up until it is saved */
  async #gather(bytes: Uint8Array, heldBytes: number): Promise<void> {
    const { signal, ...options } = this.#options;
    const index = this.#count;
    try {
      ensureThere(bytes);
      const key = await digestLent(bytes, { signal });
      this.#batch.push({ ...options, bytes, key, index, place: this.#place });
    } catch (error) {
      throw ofItem(error, index);
    }
    this.#heldBytes += heldBytes;
    if (this.#heldBytes >= HELD_BYTES || this.#batch.length >= GATHER_COUNT) await this.#flush();
  }

  async #addStream(stream: AsyncIterable<Uint8Array>, index: number): Promise<void> {
    const { signal } = this.#options;
    const source = abortable(stream, { signal });
    const { head, rest } = await this.#headOf(stream, source, index);
    if (!rest) return this.#gather(head, head.length);
    let session: Session;
    try {
      await this.#flush();
      ({ session } = this.#standalone ?? (await this.#open([])));
    } catch (error) {
      await source.return(undefined);
      throw error;
    }
    try {
      this.#saved.push(await session.putStream(rest, { ...this.#options, place: this.#place }));
    } catch (error) {
      throw ofItem(error, index);
    }
  }

  async #headOf(stream: unknown, source: AsyncIterable<Uint8Array>, index: number): Promise<StreamHead> {
    try {
      ensureStream(stream);
      return await readHead(source, CHUNKED_FROM_BYTES);
    } catch (error) {
      throw ofItem(error, index);
    }
  }

  async #flush(): Promise<void> {
    const [batch, { signal }] = [this.#batch, this.#options];
    if (batch.length === 0) return;
    const { session } = this.#standalone ?? (await this.#open(batch));
    const saved = await session.put(batch, { signal });
    for (const content of saved) this.#saved.push(content);
    [this.#batch, this.#heldBytes] = [[], 0];
  }

  async #open(first: readonly Gathered[]): Promise<StandaloneSession> {
    const { signal } = this.#options;
    await prepareCodec(); // what is missing is said before anything is written
    const place = await this.#store.at(this.#place, { signal });
    const pins: ContentRef[] = pinsFor(place, new Set(first.map(({ key }) => key)));
    const few = pins.length > MAX_FIRST_PINS ? [] : pins;
    this.#standalone = await StandaloneSession.open(this.#store, { signal, pins: few });
    return this.#standalone;
  }
}
