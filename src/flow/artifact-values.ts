import type { ReadAttempt } from '../attempts/attempt-reader.ts';
import { cloneJson } from '../attempts/inline-value.ts';
import type { ContentAddressedStore } from '../content/content-addressed-store.ts';
import { isStowageError, StowageError, type StowageErrorCode } from '../errors.ts';
import type { ArtifactEntry } from '../format/description.ts';
import { formatPathspec } from '../format/pathspec.ts';
import type { CallOptions } from '../storage/contract.ts';
import type { SerializerRegistry } from '../values/registry.ts';

/** Serialized bytes that were fetched before anybody asked, by key. They are not changed. */
export type PrefetchedBytes = ReadonlyMap<string, Uint8Array>;

/** What is wrong with one content, rather than with the store. */
export const CONTENT_FAULTS: readonly StowageErrorCode[] = [
  'CONTENT_NOT_FOUND',
  'CONTENT_DAMAGED',
  'CONTENT_TOO_LARGE',
  'PLACE_NOT_FOUND',
  'PLACE_NOT_TRUSTED',
  'PLACE_UNREACHABLE',
  'PLACE_NOT_OURS',
];

/** The values of one attempt's artifacts. */
export class ArtifactValues {
  readonly #content: ContentAddressedStore;
  readonly #registry: SerializerRegistry;
  readonly #read: ReadAttempt;
  readonly #prefetched: PrefetchedBytes | undefined;

  constructor(
    content: ContentAddressedStore,
    registry: SerializerRegistry,
    read: ReadAttempt,
    prefetched: PrefetchedBytes | undefined,
  ) {
    this.#content = content;
    this.#registry = registry;
    this.#read = read;
    this.#prefetched = prefetched;
  }

  /** Loads a value; without a promise where nothing has to be waited for, which a thousand small values in a row feel. */
  load(entry: ArtifactEntry, options: CallOptions): unknown | Promise<unknown> {
    if (entry.inline && 'json' in entry.inline) return cloneJson(entry.inline.json);
    return this.#fetch(entry, options);
  }

  /** The serialized bytes, piece by piece, verified. */
  async *stream(entry: ArtifactEntry, options: CallOptions): AsyncGenerator<Uint8Array> {
    if (entry.content) {
      this.#ensureKept(entry);
      yield* this.#content.reader.stream(entry.content, options);
    } else {
      yield this.#inlineBytes(entry);
    }
  }

  async #fetch(entry: ArtifactEntry, options: CallOptions): Promise<unknown> {
    const loading = this.#registry.prepareToLoad(entry);
    if (loading) await loading;
    const bytes = entry.content ? await this.#bytes(entry, options) : this.#inlineBytes(entry);
    return this.#registry.deserialize(entry.name, entry, bytes);
  }

  #inlineBytes(entry: ArtifactEntry): Uint8Array {
    const { name, encoding, inline } = entry;
    if (inline && 'base64' in inline) return Uint8Array.from(Buffer.from(inline.base64, 'base64'));
    this.#registry.checkKnown(name, entry);
    return this.#registry.serialize(name, (inline as { json: unknown }).json, { serializer: encoding }).bytes;
  }

  async #bytes(entry: ArtifactEntry, options: CallOptions): Promise<Uint8Array> {
    this.#ensureKept(entry);
    // A copy: values share the memory of their bytes, and whoever loads one may change it.
    const prefetched = this.#prefetched?.get(entry.key)?.slice();
    if (prefetched) return prefetched;
    try {
      return await this.#content.reader.load(entry.content as NonNullable<ArtifactEntry['content']>, options);
    } catch (error) {
      if (!isStowageError(error, ...CONTENT_FAULTS)) throw error;
      const details = { ...error.details, ...this.#where(entry) };
      const { pathspec } = details;
      throw new StowageError(error.code, `Artifact ${entry.name} of ${pathspec}: ${error.message}`, {
        details,
        cause: error,
      });
    }
  }

  #ensureKept(entry: ArtifactEntry): void {
    if (!this.#read.purged) return;
    const details = { ...this.#where(entry), key: entry.key };
    throw new StowageError(
      'CONTENT_PURGED',
      `The content of artifact ${entry.name} of ${details.pathspec} was given up by retention; its history and its small values remain. Run the task again to have it back.`,
      { details },
    );
  }

  #where(entry: ArtifactEntry): { flow: string; pathspec: string; artifact: string } {
    const { path, attempt } = this.#read;
    return { flow: path.flow, pathspec: formatPathspec(path, attempt), artifact: entry.name };
  }
}
