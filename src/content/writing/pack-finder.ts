import { isStowageError } from '../../errors.ts';
import { packPlaceOf } from '../../format/content-names.ts';
import type { ContentRef } from '../../format/content-ref.ts';
import type { PackEntry } from '../../format/manifest.ts';
import type { CallOptions } from '../../storage/contract.ts';
import type { ContentPlace } from '../content-place.ts';
import { lookAtPacks } from '../copies.ts';
import { markDamaged } from '../damage.ts';
import type { CollectionState } from './collection-log.ts';
import { HintedChunks } from './hinted-chunks.ts';
import type { PackedEntry } from './pack-writer.ts';
import type { SessionPins } from './session-pins.ts';
import type { StepHint } from './step-hint.ts';

/** Packs of one content that are asked about together. */
const ASKED_TOGETHER = 100;

/** Finds packs of others that one session may rely on at one place, and where chunks lie in them. */
export class PackFinder {
  readonly #place: ContentPlace;
  readonly #session: SessionPins;
  readonly #hinted: HintedChunks | undefined;
  readonly #usablePacks = new Map<string, Promise<boolean>>();
  readonly #unusable = new Set<string>();

  /** @param hint - that of the step whose contents are saved. Default: none */
  constructor(place: ContentPlace, session: SessionPins, hint?: StepHint) {
    this.#place = place;
    this.#session = session;
    this.#hinted = hint && new HintedChunks(place, hint);
  }

  /** Readies {@link findChunk} for a content that is about to be cut into chunks. */
  async prepare(options: CallOptions): Promise<void> {
    await this.#hinted?.prepare(options);
  }

  /**
   * Finds a chunk whose manifest this process wrote or read before, or that a manifest holds which the step's hint names, in a pack that
   * this session may rely on. `undefined` at once where there is nothing to ask about.
   */
  findChunk(id: string, options: CallOptions): Promise<PackedEntry | undefined> | undefined {
    const known = this.#place.knownChunks.get(id);
    if (!known && !this.#hinted?.mayName(id)) return undefined;
    return this.#findChunk(id, known, options);
  }

  async #findChunk(
    id: string,
    known: PackedEntry | undefined,
    options: CallOptions,
  ): Promise<PackedEntry | undefined> {
    if (known && (await this.mayUsePack(known.pack, options))) return known;
    for (const candidate of this.#hinted?.candidates(id) ?? []) {
      const chunks = await this.#hinted?.read(candidate, options);
      if (chunks) this.#learn(chunks);
      const entry = this.#place.knownChunks.get(id);
      if (entry && entry !== known && (await this.mayUsePack(entry.pack, options))) return entry;
      if (chunks) this.#hinted?.noteVain(candidate);
    }
    return undefined;
  }

  /** Remembers chunks of a manifest that was read, but for those that are known to lie in packs as good. */
  #learn(chunks: ReadonlyMap<string, PackedEntry>): void {
    const fresh = new Map<string, PackedEntry>();
    for (const [id, entry] of chunks) {
      const known = this.#place.knownChunks.get(id);
      if (!known || this.#isUnusable(known.pack)) fresh.set(id, entry);
    }
    this.rememberChunks(fresh);
  }

  #isUnusable({ name }: PackEntry): boolean {
    return this.#unusable.has(name) || this.#place.reader.hasFoundDamaged(name);
  }

  /** Comes after the manifest that names their packs: no other packs may be found by their chunks. */
  rememberChunks(chunks: ReadonlyMap<string, PackedEntry>): void {
    const packs = new Set<PackEntry>();
    for (const [id, entry] of chunks) {
      this.#place.knownChunks.set(id, entry);
      packs.add(entry.pack);
    }
    const inOrder = [...packs];
    for (let start = 0; start < inOrder.length; start += ASKED_TOGETHER) {
      const together = inOrder.slice(start, start + ASKED_TOGETHER);
      for (const pack of together) this.#place.packsTogether.set(pack, together);
    }
  }

  /**
   * Tells whether a pack of {@link knownChunk} may be relied on. One that this session wrote may: its name carries the session, which protects
   * it. Of others those of the same content are asked about at once, by {@link mayUsePacks}, since who needs one of them is likely to need the
   * next: what is pinned in vain costs nothing.
   */
  async mayUsePack(pack: PackEntry, options: CallOptions): Promise<boolean> {
    const { packsTogether, reader } = this.#place;
    if (reader.hasFoundDamaged(pack.name)) return false;
    if (this.#isOwn(pack)) return true;
    if (!this.#usablePacks.has(pack.name)) {
      const together = packsTogether.get(pack) ?? [pack];
      const others = together.filter((other) => !this.#isOwn(other) && !reader.hasFoundDamaged(other.name));
      await this.mayUsePacks(others, options);
    }
    return this.mayUsePacks([pack], options);
  }

  /**
   * Tells whether packs may be relied on: they are pinned, the newest version read after that condemns none, and they are there, whole
   * in length and unmarked: step 4 of the writer's protocol (model: `pin packs`, `check packs`). Each is asked about once a session; those of one call together.
   */
  async mayUsePacks(packs: readonly PackEntry[], options: CallOptions): Promise<boolean> {
    if (packs.some(({ name }) => this.#place.reader.hasFoundDamaged(name))) return false;
    const fresh = packs.filter(({ name }) => !this.#usablePacks.has(name));
    if (fresh.length > 0) {
      const checked = this.#pinAndReadLog(fresh, options).then((state) =>
        this.#checkPacks(fresh, state, options),
      );
      for (const { name } of fresh) {
        const usable = checked.then((names) => {
          if (!names.has(name)) this.#unusable.add(name);
          return names.has(name);
        });
        this.#usablePacks.set(name, usable);
        usable.catch(() => this.#usablePacks.delete(name));
      }
    }
    try {
      const usable = await Promise.all(packs.map(({ name }) => this.#usablePacks.get(name)));
      return usable.every(Boolean);
    } catch (error) {
      const isOfAnother = isStowageError(error, 'ABORTED') && !options.signal?.aborted;
      // Whoever asked first was aborted, which is no reason for this call to end.
      if (!isOfAnother || fresh.length === packs.length) throw error;
      return this.mayUsePacks(packs, options);
    }
  }

  #isOwn({ name }: PackEntry): boolean {
    return packPlaceOf(name).session === this.#session.id;
  }

  /**
   * Tells whether the packs of a copy are whole, by a version that was read once its key was pinned (model: `check packs`). The key keeps them for that copy
   * alone: {@link mayUsePacks} pins them where their chunks are to serve another content.
   */
  async holdCopy(
    packs: readonly PackEntry[],
    state: CollectionState,
    options: CallOptions,
  ): Promise<boolean> {
    if (packs.some(({ name }) => this.#place.reader.hasFoundDamaged(name))) return false;
    return (
      (await this.#checkPacks(packs, state, options)).size === new Set(packs.map(({ name }) => name)).size
    );
  }

  /** The names of those that are usable, by a version of the collector's log. */
  async #checkPacks(
    packs: readonly PackEntry[],
    state: CollectionState,
    options: CallOptions,
  ): Promise<Set<string>> {
    const spared = packs.filter(({ name }) => !state.isCondemned(name, this.#place.id));
    const presences = await lookAtPacks(
      this.#place.storage,
      spared.map(({ name }) => name),
      options,
    );
    const usable = new Set<string>();
    for (const { name, bytes } of spared) {
      const presence = presences.get(name);
      if (presence && presence.bytes !== bytes)
        await markDamaged(this.#place.storage, name, 'its length is not the one recorded');
      if (presence?.bytes === bytes && !presence.marked) usable.add(name);
    }
    await this.#place.storage.persist([...usable], options);
    return usable;
  }

  async #pinAndReadLog(packs: readonly PackEntry[], options: CallOptions): Promise<CollectionState> {
    const pins = packs.map(({ name }): ContentRef => ({ place: this.#place.id, kind: 'pack', name }));
    await this.#session.pin(pins, options);
    return this.#place.log.newest(options);
  }
}
