import { openEnvelope } from '../../../codec/envelope.ts';
import { prepareCodec } from '../../../codec/zstd.ts';
import { listCopies } from '../../../content/copies.ts';
import type { ContentAddressedStore } from '../../../content-addressed-store.ts';
import { createHasher, digestBytes } from '../../../digest/blake3.ts';
import { StowageError, throwIfAborted } from '../../../errors.ts';
import { type ContentKey, parseCopyName } from '../../../format/content-names.ts';
import type { ChunkColumns, Manifest, PackEntry } from '../../../format/manifest.ts';
import { rootOf } from '../../../storage/canonical-address.ts';
import type { DataStoreStorage } from '../../../storage/contract.ts';
import type { ContentSource } from './content-mender.ts';
import { isFaultOfSource, placesOf, type RepairContext } from './repair-context.ts';

/** Where a chunk may lie. */
interface ChunkPlace {
  readonly storage: DataStoreStorage;
  readonly pack: PackEntry;
  readonly offset: number;
  readonly storedBytes: number;
}

/** A manifest of some content, in one of the stores. */
interface FoundManifest {
  readonly store: ContentAddressedStore;
  readonly place: string;
  readonly name: string;
  readonly manifest: Manifest;
}

/** The columns of one group, as one manifest has them. */
interface FoundColumns {
  readonly found: FoundManifest;
  readonly columns: ChunkColumns;
  readonly storage: DataStoreStorage;
}

/** A content whose chunks are not all where its manifests say. */
interface Broken {
  readonly key: ContentKey;
  readonly manifests: readonly FoundManifest[];
}

/** So many places of one chunk are remembered. */
const PLACES_OF_A_CHUNK = 4;
/** So many chunks are looked for in one reading of all manifests. */
const CHUNKS_AT_ONCE = 200_000;

/**
 * Puts large contents together from single chunks: of a content that no copy gives whole, chunks may lie whole in the packs of others, in
 * the store or in a source. Each chunk is verified by its digest, and the content by its key.
 */
export class ChunkSalvage {
  readonly #context: RepairContext;
  /** By digest: where chunks lie that their own manifests do not lead to. */
  readonly #places = new Map<string, ChunkPlace[]>();
  readonly #broken = new Map<string, Broken>();

  constructor(context: RepairContext) {
    this.#context = context;
  }

  /** Notes a content that is to be put together, and the chunks of it that are not where they should be. `false` for one of which no manifest is left. */
  async note(place: string, key: ContentKey): Promise<boolean> {
    await prepareCodec();
    const manifests = await this.#manifestsOf(place, key);
    const [first] = manifests;
    if (!first) return false;
    for (let group = 0; group < first.manifest.groups.length; group++) {
      const columns = await this.#columnsOf(manifests, group);
      if (columns.length === 0) return false;
      for await (const { digest, bytes } of this.#chunksIn(columns)) {
        if (bytes || this.#places.has(digest)) continue;
        if (this.#places.size >= CHUNKS_AT_ONCE) return false;
        this.#places.set(digest, []);
      }
    }
    this.#broken.set(`${place}\t${key}`, { key, manifests });
    return true;
  }

  /** Reads all manifests of all stores once, for where the chunks that are missing lie. */
  async search(): Promise<void> {
    if (this.#places.size === 0) return;
    const { target, others, options } = this.#context;
    for (const store of [target, ...others.map(({ store }) => store)]) {
      for (const place of await placesOf(store, options)) await this.#searchIn(store, place);
    }
  }

  /** The content as its chunks give it; `undefined` of what was not noted. */
  sourceOf(place: string, key: ContentKey): ContentSource | undefined {
    const broken = this.#broken.get(`${place}\t${key}`);
    if (!broken) return undefined;
    const from = broken.manifests.some(({ store }) => store !== this.#context.target)
      ? 'chunks of several stores'
      : `chunks in ${rootOf(this.#context.target.storage)}`;
    return { from, read: () => this.#assemble(broken) };
  }

  async *#assemble({ key, manifests }: Broken): AsyncGenerator<Uint8Array> {
    const hasher = createHasher();
    const groups = manifests[0]?.manifest.groups.length ?? 0;
    for (let group = 0; group < groups; group++) {
      for await (const { digest, bytes } of this.#chunksIn(await this.#columnsOf(manifests, group))) {
        const chunk = bytes ?? (await this.#readFirst(this.#places.get(digest) ?? [], digest));
        if (!chunk) throw chunkLost(key);
        hasher.update(chunk);
        yield chunk;
      }
    }
    if (hasher.digestHex() !== key) throw chunkLost(key);
  }

  /** The manifests of a content that can be read, in all stores, of one root: that which the most have. */
  async #manifestsOf(place: string, key: ContentKey): Promise<FoundManifest[]> {
    const { target, others, options } = this.#context;
    const byRoot = new Map<string, FoundManifest[]>();
    const stores = [
      { store: target, places: [place] },
      ...(await Promise.all(
        others.map(async ({ store }) => ({ store, places: await placesOf(store, options) })),
      )),
    ];
    for (const { store, places } of stores) {
      for (const at of places) {
        const { storage, reader } = await store.at(at, options);
        for (const { name } of await listCopies(storage, 'manifests', key, options)) {
          const manifest = await unlessFault(() => reader.manifestOf(name, options));
          if (!manifest) continue;
          const found = { store, place: at, name, manifest };
          byRoot.set(manifest.root, [...(byRoot.get(manifest.root) ?? []), found]);
        }
      }
    }
    return [...byRoot.values()].sort((a, b) => b.length - a.length)[0] ?? [];
  }

  /** The columns of one group, as each manifest has them that can be read. */
  async #columnsOf(manifests: readonly FoundManifest[], group: number): Promise<FoundColumns[]> {
    const { options } = this.#context;
    const all: FoundColumns[] = [];
    for (const found of manifests) {
      const { reader, storage } = await found.store.at(found.place, options);
      const columns = await unlessFault(() => reader.columnsOf(found.name, found.manifest, group, options));
      if (columns) all.push({ found, columns, storage });
    }
    return all;
  }

  /** The chunks of a group, one after the other, each from the first of its manifests that leads to it whole. */
  async *#chunksIn(
    all: readonly FoundColumns[],
  ): AsyncGenerator<{ digest: string; bytes: Uint8Array | undefined }> {
    const count = all[0]?.columns.lengths.length ?? 0;
    for (let index = 0; index < count; index++) {
      throwIfAborted(this.#context.options.signal);
      const places = all.map(({ found, columns, storage }) =>
        placeIn(storage, found.manifest, columns, index),
      );
      const digest = digestAt((all[0] as FoundColumns).columns, index);
      yield { digest, bytes: await this.#readFirst(places, digest) };
    }
  }

  async #readFirst(places: readonly ChunkPlace[], digest: string): Promise<Uint8Array | undefined> {
    for (const { storage, pack, offset, storedBytes } of places) {
      const { signal } = this.#context.options;
      const part = await storage.get(pack.name, { signal, range: { offset, length: storedBytes } });
      if (!part) continue;
      const raw = await unlessFault(async () => openEnvelope(part.body, { kind: 'chunk' }).raw);
      if (raw && Buffer.from(digestBytes(raw)).toString('latin1') === digest) return raw;
    }
    return undefined;
  }

  async #searchIn(store: ContentAddressedStore, place: string): Promise<void> {
    const { options } = this.#context;
    const { storage, reader } = await store.at(place, options);
    for await (const page of storage.list({ prefix: 'manifests/', ...options })) {
      for (const { name } of page.objects) {
        if (!parseCopyName(name)) continue;
        const manifest = await unlessFault(() => reader.manifestOf(name, options));
        for (const group of manifest?.groups.keys() ?? []) {
          const found = manifest as Manifest;
          const columns = await unlessFault(() => reader.columnsOf(name, found, group, options));
          if (columns) this.#noteChunks(storage, found, columns);
        }
      }
    }
  }

  #noteChunks(storage: DataStoreStorage, manifest: Manifest, columns: ChunkColumns): void {
    for (let index = 0; index < columns.lengths.length; index++) {
      const places = this.#places.get(digestAt(columns, index));
      if (places && places.length < PLACES_OF_A_CHUNK)
        places.push(placeIn(storage, manifest, columns, index));
    }
  }
}

function digestAt({ digests }: ChunkColumns, index: number): string {
  return Buffer.from(digests.buffer, digests.byteOffset + index * 32, 32).toString('latin1');
}

function placeIn(
  storage: DataStoreStorage,
  { packs }: Manifest,
  columns: ChunkColumns,
  index: number,
): ChunkPlace {
  return {
    storage,
    pack: packs[columns.packs[index] as number] as PackEntry,
    offset: columns.offsets[index] as number,
    storedBytes: columns.storedBytes[index] as number,
  };
}

/** What a source has; `undefined` where it is damaged or gone there. */
async function unlessFault<T>(read: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!isFaultOfSource(error)) throw error;
    return undefined;
  }
}

function chunkLost(key: ContentKey): StowageError {
  return new StowageError(
    'CONTENT_DAMAGED',
    `Content ${key} lacks chunks that lie whole nowhere, in this store or in those that were named. Save the same content again to mend it.`,
    { details: { key } },
  );
}
