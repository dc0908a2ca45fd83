import { mapInOrder } from '../async/bounded-work.ts';
import type { AttemptView } from '../attempts/attempt-view.ts';
import { isOfOneRecord } from '../attempts/run-listing.ts';
import type { ContentStore } from '../content/content-store.ts';
import { isStowageError, type StowageError } from '../errors.ts';
import {
  checkVersion,
  type ListedPublished,
  listNames,
  listVersions,
  type PublishedId,
  readPublishedRecord,
  withdrawnMarkName,
} from '../format/published-names.ts';
import type { Owner } from '../format/session-files.ts';
import { checkOptions, FLAG, type OptionTable, TEXT, wholeNumber } from '../options/option-table.ts';
import { releaseSession } from '../sessions/standalone-session.ts';
import type { CallOptions } from '../storage/contract.ts';
import { validateUserName } from '../storage/names.ts';
import type { SerializerRegistry } from '../values/registry.ts';
import { publish } from './publish.ts';
import type { CheckedPublish } from './publish-options.ts';
import { allWithdrawn, nameNotFound, releasedAlone, versionNotFound, withdrawn } from './published-errors.ts';
import { PublishedVersion } from './published-version.ts';
import { type FoundVersion, type ReadVersion, readVersion } from './read-version.ts';

/** The choice of published versions for a list. */
export interface PublishedFilter {
  /** All versions of this name, newest first. Default: the latest version of each name, in the order of the storage. */
  name?: string | undefined;
  /** Lists versions that were withdrawn as well. Default `false`. */
  withdrawn?: boolean | undefined;
  /** At most so many. Default: all. */
  limit?: number | undefined;
}

const FILTER: OptionTable<PublishedFilter> = { name: TEXT, withdrawn: FLAG, limit: wholeNumber(0) };

/** A published version in a list. */
export interface PublishedSummary extends PublishedId {
  /** It was withdrawn, or is about to be: it keeps nothing. */
  withdrawn: boolean;
  /** The version itself. Absent of one that was withdrawn, and of one with a `problem`. */
  published?: PublishedVersion;
  /** By the publisher's clock. Absent of one with a `problem`. */
  publishedAt?: Date;
  /** The process that published it. Absent of one with a `problem`. */
  publishedBy?: Owner;
  /** Its records cannot be read. */
  problem?: StowageError;
}

/** So many versions of a list are read at once. */
const CONCURRENCY = 16;
/** A latest version that is withdrawn while it is read is looked for again so often. */
const MAX_TRIES = 10;
/** So many names are looked at for one that was meant. */
const MAX_SUGGESTED = 1_000;

/** Publishes in a store, reads what is published, and withdraws it. */
export class PublishedVersions {
  readonly #content: ContentStore;
  readonly #registry: SerializerRegistry;

  constructor(content: ContentStore, registry: SerializerRegistry) {
    this.#content = content;
    this.#registry = registry;
  }

  /** @throws StowageError `PUBLISHED_NOT_FOUND`, `PUBLISHED_WITHDRAWN`, `NO_SUCH_STORE`, `RECORD_DAMAGED`, `INVALID_NAME` */
  async get(name: string, version: number | 'latest', options: CallOptions): Promise<PublishedVersion> {
    validateUserName(name, 'name of a published version');
    if (version !== 'latest') checkVersion(version);
    await this.#content.prepareToRead(options);
    if (version === 'latest') return this.#latest(name, options);
    const id = { name, version };
    // First: a copy of a withdrawn version points at a session that it never had.
    if (await this.#isWithdrawn(id, options)) throw withdrawn(id);
    const found = await readVersion(this.#content, id, options);
    if (found?.state === 'kept') return this.#toVersion(found.version);
    throw await this.#notThere(id, found, options);
  }

  /** Publishes an artifact of an attempt; see {@link publish}. */
  async publish(
    origin: AttemptView,
    checked: CheckedPublish,
    options: CallOptions,
  ): Promise<PublishedVersion> {
    return this.#toVersion(await publish(this.#content, origin, checked, options));
  }

  /** A version as users hold it. */
  #toVersion(read: ReadVersion): PublishedVersion {
    return new PublishedVersion(this.#content, this.#registry, read);
  }

  /** A store that is not there yet has none. One whose records cannot be read ends no list. */
  async list(filter: PublishedFilter & CallOptions): Promise<PublishedSummary[]> {
    checkOptions<PublishedFilter & CallOptions>(filter, 'listPublished', FILTER);
    const { name, limit = Number.POSITIVE_INFINITY, signal } = filter;
    const options = { signal };
    if (name !== undefined) validateUserName(name, 'name of a published version');
    if (limit === 0 || !(await this.#content.isThereToRead(options))) return [];
    const { storage } = this.#content;
    const summaries: PublishedSummary[] = [];
    const read = (listed: ListedPublished): Promise<PublishedSummary> => this.#summaryOf(listed, options);
    const chosen = choose(listVersions(storage, { ...options, name }), filter);
    try {
      // Those that turn out to be withdrawn are no part of the list, and others take their place.
      while (summaries.length < limit) {
        const batch = await take(chosen, limit - summaries.length);
        if (batch.length === 0) break;
        for await (const summary of mapInOrder(batch, CONCURRENCY, read))
          if (!summary.withdrawn || filter.withdrawn) summaries.push(summary);
      }
    } finally {
      await chosen.return();
    }
    return summaries;
  }

  /**
   * Marks a version as withdrawn, and then gives up what it keeps. Idempotent: one that was interrupted is finished by the next.
   *
   * @throws StowageError `PUBLISHED_NOT_FOUND`, `NO_SUCH_STORE`, `INVALID_NAME`; `RECORD_DAMAGED` where the record cannot be read, so that
   * the version is withdrawn, and what it keeps is not given up
   */
  async withdraw(name: string, version: number, options: CallOptions): Promise<void> {
    validateUserName(name, 'name of a published version');
    checkVersion(version);
    const { storage } = this.#content;
    await this.#content.prepareToRead(options);
    const id = { name, version };
    if (!(await this.#find(id, options))) throw await this.#notThere(id, undefined, options);
    await storage.create(withdrawnMarkName(id), new Uint8Array(0), options);
    const record = await readPublishedRecord(storage, id, options);
    if (!record) return;
    try {
      await releaseSession(storage, record.session, options);
    } catch (error) {
      if (!isStowageError(error, 'SESSION_NOT_FOUND')) throw error; // without a session nothing is kept
    }
  }

  async #latest(name: string, options: CallOptions): Promise<PublishedVersion> {
    for (let tries = 1; ; tries++) {
      const id = await this.#latestId(name, options);
      const found = await readVersion(this.#content, id, options);
      if (found?.state === 'kept') return this.#toVersion(found.version);
      // It may have been withdrawn since it was listed.
      if (tries < MAX_TRIES && (await this.#isWithdrawn(id, options))) continue;
      throw await this.#notThere(id, found, options);
    }
  }

  async #latestId(name: string, options: CallOptions): Promise<PublishedId> {
    let newest: number | undefined;
    for await (const listed of listVersions(this.#content.storage, { ...options, name })) {
      newest ??= listed.version;
      if (!listed.withdrawn) return { name, version: listed.version };
    }
    if (newest === undefined) throw nameNotFound(name, await this.#names(options));
    throw allWithdrawn(name, newest);
  }

  async #summaryOf(
    { name, version, withdrawn: isMarked }: ListedPublished,
    options: CallOptions,
  ): Promise<PublishedSummary> {
    const id = { name, version };
    const { storage } = this.#content;
    try {
      if (isMarked) {
        const record = await readPublishedRecord(storage, id, options);
        const told = record && { publishedAt: new Date(record.publishedAt), publishedBy: record.owner };
        return { ...id, withdrawn: true, ...told };
      }
      const found = await readVersion(this.#content, id, options);
      if (found?.state !== 'kept') return { ...id, withdrawn: true };
      const published = this.#toVersion(found.version);
      const { publishedAt, publishedBy } = published;
      return { ...id, withdrawn: false, published, publishedAt, publishedBy };
    } catch (error) {
      if (!isOfOneRecord(error) && !isStowageError(error, 'CONTENT_NOT_FOUND', 'CONTENT_DAMAGED'))
        throw error;
      return { ...id, withdrawn: isMarked, problem: error };
    }
  }

  /** The error of a version that cannot be had. */
  async #notThere(
    id: PublishedId,
    found: FoundVersion | undefined,
    options: CallOptions,
  ): Promise<StowageError> {
    if (await this.#isWithdrawn(id, options)) return withdrawn(id);
    if (found?.state === 'released') return releasedAlone(id, found.record.session);
    for await (const newest of listVersions(this.#content.storage, { ...options, name: id.name }))
      return versionNotFound(id, newest.version);
    return nameNotFound(id.name, await this.#names(options));
  }

  async #find({ name, version }: PublishedId, options: CallOptions): Promise<ListedPublished | undefined> {
    for await (const listed of listVersions(this.#content.storage, { ...options, name })) {
      if (listed.version === version) return listed;
      if (listed.version < version) break;
    }
    return undefined;
  }

  async #isWithdrawn(id: PublishedId, options: CallOptions): Promise<boolean> {
    return (await this.#content.storage.head(withdrawnMarkName(id), options)) !== undefined;
  }

  async #names(options: CallOptions): Promise<string[]> {
    const names: string[] = [];
    for await (const name of listNames(this.#content.storage, options)) {
      names.push(name);
      if (names.length >= MAX_SUGGESTED) break;
    }
    return names;
  }
}

/** Of all versions, or of the latest of each name, those that no mark withdraws, unless these are asked for too. */
async function* choose(
  versions: AsyncIterable<ListedPublished>,
  { name, withdrawn = false }: PublishedFilter,
): AsyncGenerator<ListedPublished, void> {
  let last: string | undefined;
  for await (const listed of versions) {
    const isOlder = name === undefined && last === listed.name;
    if (isOlder || (listed.withdrawn && !withdrawn)) continue;
    last = listed.name;
    yield listed;
  }
}

/** The next so many, or as many as there are. */
async function take<T>(items: AsyncGenerator<T, void>, count: number): Promise<T[]> {
  const taken: T[] = [];
  while (taken.length < count) {
    const { value, done } = await items.next();
    if (done) break;
    taken.push(value);
  }
  return taken;
}
