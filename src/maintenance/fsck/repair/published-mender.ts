import {
  decodePublished,
  listVersions,
  MAX_PUBLISHED_BYTES,
  type PublishedId,
  type PublishedRecord,
  publishedRecordName,
  withdrawnMarkName,
} from '../../../format/published-names.ts';
import { standaloneFiles } from '../../../format/session-files.ts';
import type { SessionId } from '../../../format/session-id.ts';
import { listSessions } from '../../collection/session-listing.ts';
import { MergeJoin } from '../../merge-join.ts';
import { type FoundRecord, findRecord, putBack } from './put-back.ts';
import { isFaultOfSource, type RepairContext, type SourceStore } from './repair-context.ts';

/**
 * Mends the records of published versions, of which every copy of a store has the bytes. A source may have gone on by itself: a version of it is
 * one of this store only where the session that it points at is known here.
 */
export class PublishedMender {
  readonly #context: RepairContext;

  constructor(context: RepairContext) {
    this.#context = context;
  }

  /**
   * Mends what a source has and the store lacks: where the newest version of a name has lost its record, no check can tell, and its number would be given
   * again. Resolves to the names of the records. One LIST of both.
   */
  async *compare(source: SourceStore): AsyncGenerator<string, void> {
    const { target, options } = this.#context;
    const here = new MergeJoin(listVersions(target.storage, options), publishedRecordName);
    try {
      for await (const theirs of listVersions(source.store.storage, options)) {
        const ours = await here.at(publishedRecordName(theirs));
        if (theirs.recorded && !ours?.recorded && (await this.#mendFrom(source, theirs, false)))
          yield publishedRecordName(theirs);
      }
    } finally {
      await here.close();
    }
  }

  /** Mends a record that is known to have been there. Resolves to the address of the source that has it; `undefined` where none does. */
  async mend(id: PublishedId): Promise<string | undefined> {
    for (const source of this.#context.others) {
      if (await this.#mendFrom(source, id, true)) return source.uri;
    }
    return undefined;
  }

  async #mendFrom(source: SourceStore, id: PublishedId, wasHere: boolean): Promise<boolean> {
    const { target, targetId, dryRun, options } = this.#context;
    const theirs = await this.#readSource(source, id);
    if (theirs?.state !== 'whole') return false;
    const isSameStore = wasHere && source.id === targetId;
    if (!isSameStore && !(await this.#isKnown(source, id, theirs.record.session))) return false;
    const ours = await this.#find(target, id);
    if (ours.state === 'whole') return false;
    const object = publishedRecordName(id);
    if (!dryRun) await putBack(target.storage, object, theirs.bytes, ours, options);
    return true;
  }

  /** True where a session that a record points at is one of this store. Of what was withdrawn before it was copied, a copy has the marks alone. */
  async #isKnown(source: SourceStore, id: PublishedId, session: SessionId): Promise<boolean> {
    const { target, options } = this.#context;
    const { base } = standaloneFiles(session);
    for await (const _listed of listSessions(target.storage, options, [`${base}.`])) return true;
    const marks = [target, source.store].map(({ storage }) => storage.head(withdrawnMarkName(id), options));
    return (await Promise.all(marks)).every((mark) => mark !== undefined);
  }

  async #readSource(source: SourceStore, id: PublishedId): Promise<FoundRecord<PublishedRecord> | undefined> {
    try {
      return await this.#find(source.store, id);
    } catch (error) {
      if (!isFaultOfSource(error)) throw error;
      return undefined;
    }
  }

  #find({ storage }: RepairContext['target'], id: PublishedId): Promise<FoundRecord<PublishedRecord>> {
    const decode = (bytes: Uint8Array, what: string): PublishedRecord => decodePublished(bytes, what, id);
    return findRecord(storage, publishedRecordName(id), MAX_PUBLISHED_BYTES, decode, this.#context.options);
  }
}
