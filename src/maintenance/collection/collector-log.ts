import { digestHex } from '../../digest/blake3.ts';
import { StowageError } from '../../errors.ts';
import {
  COLLECTION_LISTS,
  type CollectionVersion,
  collectionVersionName,
  collectionVersionOf,
  damagedVersion,
  decodeCollectionList,
  decodeCollectionVersion,
  encodeCollectionList,
  encodeCollectionVersion,
  isCollectionList,
  MAX_COLLECTION_BYTES,
} from '../../format/collection-records.ts';
import type { ContentRef } from '../../format/content-ref.ts';
import { createOwn, tryCreateOwn } from '../../format/create-own.ts';
import { newSessionId, padSequence, type SessionId } from '../../format/session-id.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';

/** A version of the log as it was read. */
export type LogVersion = Omit<CollectionVersion, 'session'>;

/** A list takes so many bytes of entries, so that whatever stores it, a database among them, takes it whole. */
const MAX_LIST_BYTES = 4 * 1024 * 1024;
/** So many bytes of entries stand in the version itself; writers read these by one request. */
const MAX_INLINE_BYTES = 256 * 1024;

const NEVER_COLLECTED: LogVersion = { version: 0, state: 'idle', condemned: [], lists: [] };

/** The collector's log, as one collector reads and writes it, under a session of its own. */
export class CollectorLog {
  readonly session: SessionId = newSessionId();
  readonly #storage: DataStoreStorage;
  readonly #options: CallOptions;
  #lists = 0;

  constructor(storage: DataStoreStorage, { signal }: CallOptions) {
    this.#storage = storage;
    this.#options = { signal };
  }

  /** The newest version, by a LIST and a GET. */
  async newest(): Promise<LogVersion> {
    for await (const page of this.#storage.list({ prefix: 'gc/', limit: 1, ...this.#options })) {
      const [first] = page.objects;
      if (!first) continue;
      const version = collectionVersionOf(first.name);
      if (version !== undefined) return this.#read(version);
      if (!first.name.startsWith(COLLECTION_LISTS)) throw damagedVersion(this.#storage.uri(first.name));
    }
    return NEVER_COLLECTED;
  }

  /** The newest version up to `from` that is no proposal: what it condemns stays condemned. */
  async latestIdle(from: LogVersion): Promise<LogVersion> {
    let found = from;
    while (found.state === 'proposed') {
      found = found.version === 1 ? NEVER_COLLECTED : await this.#read(found.version - 1);
    }
    return found;
  }

  /**
   * All that a version condemns.
   *
   * @param newest the newest version, when this one was read
   * @throws SupersededError where a list went under a version that came since
   */
  async *entriesOf(
    { version, condemned, lists }: LogVersion,
    newest: number = version,
  ): AsyncGenerator<ContentRef, void> {
    yield* condemned;
    for (const { name, digest } of lists) {
      const object = await this.#storage.get(name, { ...this.#options, maxBytes: MAX_COLLECTION_BYTES });
      if (!object) {
        if ((await this.newest()).version !== newest) throw new SupersededError(version);
        throw damagedVersion(this.#storage.uri(collectionVersionName(version)));
      }
      yield* decodeCollectionList(object.body, this.#storage.uri(name), digest);
    }
  }

  /**
   * Creates a version (model: `propose`, `final`, `idle`); its lists first, each under a name of this collector's own.
   *
   * @throws SupersededError where another collector was faster
   */
  async create(
    version: number,
    state: CollectionVersion['state'],
    entries: Iterable<ContentRef>,
  ): Promise<LogVersion> {
    const lists: { name: string; digest: string }[] = [];
    let batch: ContentRef[] = [];
    let bytes = 0;
    for (const entry of entries) {
      const length = Buffer.byteLength(JSON.stringify(entry)) + 1;
      if (bytes + length > MAX_LIST_BYTES) {
        lists.push(await this.#createList(batch));
        [batch, bytes] = [[], 0];
      }
      batch.push(entry);
      bytes += length;
    }
    if (bytes > MAX_INLINE_BYTES) {
      lists.push(await this.#createList(batch));
      batch = [];
    }
    const record = { version, state, condemned: batch, lists };
    const body = encodeCollectionVersion({ ...record, session: this.session });
    const options = { ...this.#options, durability: 'barrier' } as const;
    if (await tryCreateOwn(this.#storage, collectionVersionName(version), body, options)) return record;
    await this.#storage.delete(
      lists.map(({ name }) => name),
      this.#options,
    );
    throw new SupersededError(version);
  }

  /** The store's time, in milliseconds since 1970: when it wrote a version. */
  async writtenAtMs({ version }: LogVersion): Promise<number> {
    const name = collectionVersionName(version);
    const info = await this.#storage.head(name, this.#options);
    if (info) return info.modifiedAtMs;
    throw damagedVersion(this.#storage.uri(name));
  }

  /** The names of all lists, whichever collector wrote them. */
  async *listNames(): AsyncGenerator<string, void> {
    for await (const page of this.#storage.list({ prefix: COLLECTION_LISTS, ...this.#options })) {
      for (const { name } of page.objects) if (isCollectionList(name)) yield name;
    }
  }

  async #createList(entries: readonly ContentRef[]): Promise<{ name: string; digest: string }> {
    const name = `${COLLECTION_LISTS}${this.session}/${padSequence(this.#lists++)}`;
    const body = encodeCollectionList(entries);
    await createOwn(this.#storage, name, body, { ...this.#options, durability: 'deferred' });
    return { name, digest: digestHex(body) };
  }

  async #read(version: number): Promise<LogVersion> {
    const name = collectionVersionName(version);
    const what = this.#storage.uri(name);
    const object = await this.#storage.get(name, { ...this.#options, maxBytes: MAX_COLLECTION_BYTES });
    if (!object) throw damagedVersion(what);
    return decodeCollectionVersion(object.body, what, version);
  }
}

/** Another collector has created a version since, so that this one gives way. */
export class SupersededError extends StowageError {
  constructor(version: number) {
    super(
      'STORAGE_FAILED',
      `Another collector wrote version ${version} of the log, or one behind it, first. What this one found out does not count any more; collect again.`,
      { details: { version } },
    );
  }
}
