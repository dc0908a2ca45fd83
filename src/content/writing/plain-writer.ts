import { countTaken, type WorkCounter } from '../../async/progress.ts';
import { sealEnvelope } from '../../codec/envelope.ts';
import { prepareCodec } from '../../codec/zstd.ts';
import { createHasher } from '../../digest/blake3.ts';
import { plainName } from '../../format/content-names.ts';
import { encodeLocator, type Locator } from '../../format/locator.ts';
import { PartDigests } from '../../format/plain-parts.ts';
import type { StoredContent } from '../../format/stored-content.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { validateUserName } from '../../storage/names.ts';
import { type ContentSource, ensureBytes } from '../../streams/chunk-stream.ts';
import { changedMeanwhile, ensureThere, settled } from '../../streams/lent-memory.ts';
import { abortable } from '../../streams/stream-head.ts';
import type { ContentPlace } from '../content-place.ts';
import type { CollectionState } from './collection-log.ts';
import type { CopyFinder } from './copy-finder.ts';
import type { CopyWriter } from './copy-writer.ts';
import { digestLent, piecesOf } from './lent-content.ts';
import type { SessionPins } from './session-pins.ts';
import type { UnnamedObjects } from './unnamed-objects.ts';

/** A plain object: content as it is, under a URI that any tool opens. */
export interface StoredPlain extends StoredContent {
  /** The plain object's name in the store. */
  plain: string;
}

/** Stores contents as plain objects under one session, by the steps of the writer's protocol. */
export class PlainWriter {
  readonly #place: ContentPlace;
  readonly #session: SessionPins;
  readonly #finder: CopyFinder;
  readonly #copies: CopyWriter;

  constructor(place: ContentPlace, session: SessionPins, finder: CopyFinder, copies: CopyWriter) {
    this.#place = place;
    this.#session = session;
    this.#finder = finder;
    this.#copies = copies;
  }

  /** Stores a content as a plain object named `file`, or finds one that holds it already, whatever its file is named. */
  async put(
    file: string,
    source: ContentSource,
    { progress, ...options }: CallOptions & { progress?: WorkCounter | undefined } = {},
  ): Promise<StoredPlain> {
    validateUserName(file, 'file name');
    await prepareCodec();
    return this.#place.saves.run(options, async (unnamed, own) => {
      if (source instanceof Uint8Array) {
        ensureThere(source);
        const wanted = { key: await digestLent(source, own), bytes: source.length };
        const stored = await this.#unlessStored(wanted, own, async (state) => {
          ensureThere(source);
          const plain = await createPlain(this.#session, file, source, unnamed, own);
          if (plain.key !== wanted.key) throw changedMeanwhile();
          return this.#name(plain, unnamed, state, own);
        });
        progress?.add(wanted.bytes);
        progress?.itemDone();
        return stored;
      }
      // The key of a stream is known only once its bytes are stored, which go again where it is stored already.
      const pieces = countTaken(abortable(source, own), progress);
      const plain = await createPlain(this.#session, file, pieces, unnamed, own);
      const stored = await this.#unlessStored(plain, own, (state) => this.#name(plain, unnamed, state, own));
      progress?.itemDone();
      return stored;
    });
  }

  /** The plain object that holds a content already, or what `save` makes. */
  async #unlessStored(
    { key, bytes }: Pick<StoredContent, 'key' | 'bytes'>,
    options: CallOptions,
    save: (state: CollectionState) => Promise<StoredPlain>,
  ): Promise<StoredPlain> {
    const state = await this.#finder.pinAndReadLog([key], options);
    return this.#place.locks.run(key, async () => {
      const hit = await this.#finder.find({ key, bytes, folder: 'manifests', plain: true }, state, options);
      return hit?.plain ? { ...hit.stored, plain: hit.plain } : save(state);
    });
  }

  /** Writes the locator of a plain object. */
  async #name(
    locator: Locator,
    unnamed: UnnamedObjects,
    state: CollectionState,
    options: CallOptions,
  ): Promise<StoredPlain> {
    const { key, bytes, plain } = locator;
    const sealed = sealEnvelope('locator', encodeLocator(locator), { compression: 'none' });
    const whole = { key, bytes, storedBytes: sealed.length + bytes, packs: [], plain, unnamed };
    return { ...(await this.#copies.write('manifests', sealed, whole, state, options)), plain };
  }
}

/**
 * Creates a plain object, unnamed yet, and describes it for its locator.
 *
 * @throws StowageError `INVALID_ARGUMENT` where the bytes were changed meanwhile
 */
async function createPlain(
  session: SessionPins,
  file: string,
  source: ContentSource,
  unnamed: UnnamedObjects,
  options: CallOptions,
): Promise<Locator> {
  const plain = plainName(session.id, session.nextSequence(), file);
  const hasher = createHasher();
  const parts = new PartDigests();
  let bytes = 0;
  let given: { piece: Uint8Array; length: number } | undefined;
  const observe = (piece: unknown): Uint8Array => {
    ensureBytes(piece);
    ensureThere(piece);
    hasher.update(piece);
    parts.update(piece);
    bytes += piece.length;
    given = { piece, length: piece.length };
    return piece;
  };
  const lent = source instanceof Uint8Array ? source : undefined;
  const isShared = lent?.buffer instanceof SharedArrayBuffer;
  let body = source;
  if (!lent || isShared) {
    // What is written of shared memory are the very copies that are hashed.
    const pieces = lent ? mapPieces(piecesOf(lent, options), settled) : source;
    body = mapPieces(pieces as AsyncIterable<Uint8Array>, observe);
  }
  try {
    if (lent && !isShared) for await (const piece of piecesOf(lent, options)) observe(piece);
    await unnamed.create(plain, body, options);
  } catch (error) {
    // Whoever writes a piece that is gone by then says so in words of the runtime.
    throw given && given.piece.length !== given.length ? changedMeanwhile() : error;
  } finally {
    if (lent) ensureThere(lent);
  }
  const key = hasher.digestHex();
  // Large bodies are written in the background, from the caller's own bytes.
  if (lent && !isShared && (await digestLent(lent, options)) !== key) throw changedMeanwhile();
  return { key, plain, bytes, parts: parts.finish() };
}

async function* mapPieces(
  source: AsyncIterable<Uint8Array>,
  map: (piece: Uint8Array) => Uint8Array,
): AsyncGenerator<Uint8Array> {
  for await (const piece of source) yield map(piece);
}
