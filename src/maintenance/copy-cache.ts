import type { BoundedWork } from '../async/bounded-work.ts';
import { readAttempt } from '../attempts/attempt-reader.ts';
import { EntryReader, type FoundEntry } from '../cache/entry-reader.ts';
import { replaceEntry, resultOf } from '../cache/entry-writer.ts';
import { isStowageError } from '../errors.ts';
import { listAttempts, readDone } from '../format/attempt-files.ts';
import { type CacheEntry, encodeEntry, isSignatureFault, type NewCacheEntry } from '../format/cache-entry.ts';
import { type EntryKey, entryName } from '../format/cache-names.ts';
import type { DoneRecord } from '../format/session-files.ts';
import type { EntrySigner } from '../format/signing.ts';
import { copiedSessionId } from '../sessions/copied-session.ts';
import type { CopyContext } from './copy-context.ts';
import { isOfOneAttempt } from './copy-report.ts';

/** An entry that others write meanwhile is compared anew so often. */
const MAX_TRIES = 5;

type EntryOutcome = 'copied' | 'present' | 'refused' | 'unsigned' | 'failed' | 'nothing';

/**
 * Copies the entries of the cache whose attempts the target has, so that calls which are hits in the source are hits in the target,
 * with the same results. Each names the target's attempt and content from then on, and is signed anew where a key is set; its age
 * stays. What is wrong with an entry costs a run and no copy: it is counted, and left out.
 */
export async function copyCacheEntries(
  context: CopyContext,
  signer: EntrySigner | undefined,
  work: BoundedWork,
): Promise<void> {
  const { source, entries, report, options } = context;
  const copier = new EntryCopier(context, signer);
  for await (const key of entries.keysIn(source.storage, options)) {
    await work.begin(async () => {
      const outcome = await copier.copy(key);
      if (outcome === 'unsigned') report.unsignedEntries += 1;
      if (outcome !== 'nothing') report.entries[outcome === 'unsigned' ? 'refused' : outcome] += 1;
      report.progressed();
    });
  }
}

class EntryCopier {
  readonly #context: CopyContext;
  readonly #signer: EntrySigner | undefined;
  readonly #ours: EntryReader;
  readonly #theirs: EntryReader;

  constructor(context: CopyContext, signer: EntrySigner | undefined) {
    this.#context = context;
    this.#signer = signer;
    this.#ours = new EntryReader(context.source, signer);
    this.#theirs = new EntryReader(context.target, signer);
  }

  /** `nothing` where it is not asked for, or gone by now. */
  async copy(key: EntryKey): Promise<EntryOutcome> {
    try {
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        const outcome = await this.#tryToCopy(key);
        if (outcome) return outcome;
      }
      return 'failed';
    } catch (error) {
      if (isOfOneAttempt(error)) return 'failed';
      throw error;
    }
  }

  /** `undefined` where the target's entry became another one meanwhile. */
  async #tryToCopy(key: EntryKey): Promise<EntryOutcome | undefined> {
    const { target, entries, dryRun, options } = this.#context;
    // The target's first: then the source's is no older than the one which that may have been copied from.
    const theirs = await this.#theirs.find(key, options);
    const ours = await this.#ours.find(key, options);
    if (!ours) return 'nothing';
    if ('problem' in ours) return isSignatureFault(ours.problem) ? 'unsigned' : 'failed';
    const { entry } = ours;
    if (!entries.has(entry)) return 'nothing';
    const verdict = theirs && (await this.#compare(entry, theirs));
    if (verdict) return verdict;
    // Without a key that signs it, it would be no entry for those who have one.
    if (entry.signedBy !== undefined && !this.#signer) return 'unsigned';
    if (dryRun) return 'copied';
    const moved = await this.#inTarget(entry);
    if (!moved) return 'refused';
    const { signedBy: _, ...unsigned } = entry;
    const leaseToken = theirs?.seen.token ?? 0;
    const body = encodeEntry({ ...unsigned, ...moved, leaseToken }, this.#signer);
    const isWritten = theirs
      ? await replaceEntry(target.storage, key, body, theirs.seen.version, options)
      : await target.storage.create(entryName(key), body, options);
    return isWritten ? 'copied' : undefined;
  }

  /**
   * Decides on an entry beside what the target has under its name. `undefined` if it takes the place of that:
   * - what is no hit for anybody: garbage, or what its signature does not hold for, or what names no attempt of the target;
   * - a copy of what the source said before;
   * - an older result.
   */
  async #compare(entry: CacheEntry, theirs: FoundEntry): Promise<EntryOutcome | undefined> {
    if ('problem' in theirs) return theirs.problem === 'newer-format' ? 'refused' : undefined;
    const { sourceId, targetId = '' } = this.#context;
    const standing = theirs.entry;
    const laterMs = Date.parse(standing.createdAt) - Date.parse(entry.createdAt);
    const { session } = entry.source;
    const copied = copiedSessionId(targetId, { store: sourceId, session });
    if (laterMs === 0 && standing.source.session === copied) return 'present';
    const done = await this.#doneInTarget(standing);
    if (done?.session !== standing.source.session) return undefined;
    // Clocks of those who wrote to the source do not matter: what it says now took the place of what it said before.
    if (done.origin?.store !== sourceId && laterMs >= 0) return laterMs === 0 ? 'present' : 'refused';
    // Those who have a key would lose their hits.
    return this.#signer === undefined && standing.signedBy !== undefined ? 'unsigned' : undefined;
  }

  /** The DONE of the attempt that an entry of the target names; `undefined` where it names none. */
  async #doneInTarget({ source: { attempt, ...path } }: CacheEntry): Promise<DoneRecord | undefined> {
    const { target, options } = this.#context;
    try {
      return await readDone(target.storage, path, attempt, options);
    } catch (error) {
      if (isOfOneAttempt(error)) return undefined;
      throw error;
    }
  }

  /** The attempt and the rows that the target has of an entry's result; `undefined` where it has another result there, or none. */
  async #inTarget({
    source,
    table,
  }: CacheEntry): Promise<Pick<NewCacheEntry, 'source' | 'table'> | undefined> {
    const { target, options } = this.#context;
    const { attempt, flow, run, step, task } = source;
    const path = { flow, run, step, task };
    try {
      const attempts = await listAttempts(target.storage, path, options);
      const rule = { attempt };
      const result = resultOf(
        await readAttempt(target.storage, target.reader, path, attempts, rule, options),
      );
      const rows = new Map(result.table.artifacts.map((row) => [row.name, row]));
      const artifacts = table.artifacts.flatMap(({ name, key }) => {
        const row = rows.get(name);
        return row?.key === key ? [row] : [];
      });
      if (artifacts.length < table.artifacts.length) return undefined;
      return { source: result.source, table: { artifacts } };
    } catch (error) {
      // Not there, not done, given up, or damaged: no result to name.
      const isNone = isStowageError(error, 'TASK_NOT_FOUND', 'ATTEMPT_NOT_FOUND', 'ATTEMPT_NOT_DONE');
      if (isNone || isOfOneAttempt(error)) return undefined;
      throw error;
    }
  }
}
