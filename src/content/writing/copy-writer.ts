import { throwIfAborted } from '../../errors.ts';
import { type CopyFolder, copyName } from '../../format/content-names.ts';
import { createOwn } from '../../format/create-own.ts';
import type { HintedManifest } from '../../format/hint.ts';
import { placeMember, type StoredContent } from '../../format/stored-content.ts';
import type { CallOptions } from '../../storage/contract.ts';
import type { ContentPlace } from '../content-place.ts';
import type { CollectionState } from './collection-log.ts';
import type { CopyFinder, WholeCopy } from './copy-finder.ts';
import type { PackedContent } from './large-content.ts';
import type { PackFinder } from './pack-finder.ts';
import type { SessionPins } from './session-pins.ts';
import type { UnnamedObjects } from './unnamed-objects.ts';

/** A content whose bytes are stored, or are in the copy itself; the objects that only the copy will name, and the chunks in them. */
export interface CopyToWrite
  extends Omit<StoredContent, 'copy'>,
    Omit<WholeCopy, 'stored'>,
    Partial<Pick<PackedContent, 'chunks' | 'samples'>> {
  unnamed?: UnnamedObjects;
}

/** Writes the objects that make contents findable under their keys: step 5 of the writer's protocol (model: `write copy`). */
export class CopyWriter {
  readonly #place: ContentPlace;
  readonly #session: SessionPins;
  readonly #finder: CopyFinder;
  readonly #packs: PackFinder;
  readonly #newManifests: HintedManifest[] = [];

  constructor(place: ContentPlace, session: SessionPins, finder: CopyFinder, packs: PackFinder) {
    this.#place = place;
    this.#session = session;
    this.#finder = finder;
    this.#packs = packs;
  }

  /** Writes a copy, once all that it names is visible. */
  async write(
    folder: CopyFolder,
    sealed: Uint8Array,
    whole: CopyToWrite,
    state: CollectionState,
    options: CallOptions,
  ): Promise<StoredContent> {
    const session = this.#session;
    const { key, bytes, storedBytes, root, packs, plain } = whole;
    const copy = copyName(folder, key, session.id, session.nextSequence(), sealed.length);
    throwIfAborted(options.signal);
    whole.unnamed?.keep();
    const { signal } = options;
    await createOwn(this.#place.storage, copy, sealed, { signal, durability: 'deferred', isContent: true });
    if (whole.chunks) this.#packs.rememberChunks(whole.chunks);
    const { samples } = whole;
    if (samples) this.#newManifests.push({ copy, place: this.#place.id, samples });
    const stored = {
      key,
      copy,
      bytes,
      storedBytes,
      ...(root === undefined ? {} : { root }),
      ...placeMember(this.#place.id),
    };
    return this.#finder.learn({ stored, packs, plain }, state).stored;
  }

  /** The manifests that were written since this was called last, newest first. */
  takeManifests(): HintedManifest[] {
    return this.#newManifests.splice(0).reverse();
  }
}
