import { BoundedWork } from '../../async/bounded-work.ts';
import { isOfOneRecord } from '../../attempts/run-listing.ts';
import type { ContentStore } from '../../content/content-store.ts';
import { isStowageError } from '../../errors.ts';
import { createdName, decodeRunCreated, runDeletedName } from '../../format/run-records.ts';
import { decodeAttempt, erasedFile, readSessionFile, SESSION_FILES } from '../../format/session-files.ts';
import { releaseSession } from '../../sessions/standalone-session.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';
import { abandon, isSilent } from '../collection/mark-sessions.ts';
import type { CollectedPlace } from '../collection/places.ts';
import { type ListedSession, listSessions } from '../collection/session-listing.ts';
import { Cursor, SortedLines, type WorkFolder } from '../collection/sorted-lines.ts';
import { attemptBaseOf, attemptLine } from './kept-attempts.ts';
import { partOf, type RemovedPath } from './removed-path.ts';
import type { RetentionResult } from './retention-plan.ts';
import { isBegun } from './survey.ts';

/** What goes: a run, one step, task or attempt of it, and how. */
export interface GivenUp extends RemovedPath {
  contentOnly: boolean;
  /** Only attempts go whose deletion was begun. */
  onlyBegun?: boolean;
  /** Attempts that stay: `attemptLine`. */
  kept: SortedLines;
}

/** What the parts of one retention share. */
export interface GivingUp {
  content: ContentStore;
  folder: WorkFolder;
  places: readonly CollectedPlace[];
  /** The store's time, by which attempts are silent. */
  storeNowMs: number;
  counts: Pick<RetentionResult, 'attempts' | 'abandoned' | 'codeSessions' | 'objects'>;
  onProblem: (error: Error, at: { flow: string; run: string; name?: string }) => void;
  options: CallOptions;
}

/** The state in which something that was given up is left. */
export type GivenUpState = 'gone' | 'in-part' | 'running';

const CONCURRENCY = 16;
const BATCH = 500;
const EMPTY = new Uint8Array(0);
/** Partial records that stay under `PURGED`: what was said of an attempt is its history. */
const HISTORY = /^\d+\.metadata\.\d+\.json$/;

/**
 * Gives up attempts, and then the records of the run where nothing else is left of it. Each attempt is marked first, so that readers are told; its description
 * goes last, so that whoever finds one beside a mark goes on. Nothing is changed where an attempt is open and its owner lives.
 *
 * What cannot be deleted is told and left, with the records of the run, to the next time.
 */
export async function giveUp(giving: GivingUp, what: GivenUp): Promise<GivenUpState> {
  const work = new GiveUpWork(giving, what);
  if (!what.onlyBegun && !(await closeSilent(giving, what))) return 'running';
  await work.mark();
  await work.deleteBeside();
  if (what.contentOnly) return 'in-part';
  await work.deleteDescriptions();
  if (what.onlyBegun || what.step !== undefined || work.hasFailed) return 'in-part';
  return (await work.deleteRun()) ? 'gone' : 'in-part';
}

/** Step 1: attempts at a path whose owners are silent are closed as abandoned. `false`, with none closed, where an owner lives. */
export async function closeSilent(
  { content, storeNowMs, counts, options }: Omit<GivingUp, 'folder' | 'places' | 'onProblem'>,
  path: RemovedPath,
): Promise<boolean> {
  const { storage } = content;
  for (const isFirst of [true, false]) {
    for await (const listed of listSessions(storage, options, [`flows/${partOf(path)}`])) {
      if (listed.files.has('done') || listed.files.has('deleted')) continue;
      const name = listed.base + SESSION_FILES.attempt;
      const bytes = await readSessionFile(storage, name, options);
      if (!bytes) continue; // the rest of an attempt that nobody can close
      const attempt = decodeAttempt(bytes, storage.uri(name), listed.subject);
      if (!(await isSilent(content, listed, attempt, storeNowMs, options))) return false;
      if (!isFirst && (await abandon(content, listed, attempt, options))) counts.abandoned.attempts += 1;
    }
  }
  return true;
}

class GiveUpWork {
  readonly #giving: GivingUp;
  readonly #what: GivenUp;
  readonly #storage: DataStoreStorage;
  /** The attempts that are given up: {@link attemptLine}. */
  readonly #marked: SortedLines;
  readonly #descriptions: SortedLines;
  hasFailed = false;

  constructor(giving: GivingUp, what: GivenUp) {
    this.#giving = giving;
    this.#what = what;
    this.#storage = giving.content.storage;
    this.#marked = new SortedLines(giving.folder);
    this.#descriptions = new SortedLines(giving.folder);
  }

  /** Step 2: marks the attempts. */
  async mark(): Promise<void> {
    const { contentOnly } = this.#what;
    const kept = new Cursor(this.#what.kept.sorted());
    const work = new BoundedWork(CONCURRENCY);
    try {
      for await (const listed of this.#sessions('flows')) {
        if (kept.has(attemptLine(listed.base))) continue;
        const { files } = listed;
        if (!files.has('done') && !files.has('deleted')) continue;
        if (this.#what.onlyBegun && !isBegun(listed)) continue;
        if (contentOnly && files.has('deleted')) continue;
        await work.begin(() => this.#markOne(listed));
      }
      await work.finish();
    } finally {
      kept.close();
      await work.settle();
    }
  }

  async #markOne(listed: ListedSession): Promise<void> {
    const { counts, options } = this.#giving;
    const kind = this.#what.contentOnly ? 'purged' : 'deleted';
    if (!listed.files.has(kind)) {
      try {
        // Whoever else creates it means the same.
        const mark = listed.base + SESSION_FILES[kind];
        await this.#storage.create(mark, EMPTY, { ...options, durability: 'deferred' });
      } catch (error) {
        if (!isOfOneRecord(error)) throw error;
        this.#failed(error, listed.base + SESSION_FILES[kind]);
        return;
      }
      counts.attempts[kind] += 1;
    }
    this.#marked.add(attemptLine(listed.base));
    if (kind === 'purged') return;
    if (listed.files.has('metadata')) this.#descriptions.add(listed.base + SESSION_FILES.metadata);
    for (let revision = 0; revision <= (listed.erasedRevision ?? -1); revision++)
      this.#descriptions.add(listed.base + erasedFile(revision));
  }

  /** Step 3: deletes values, here and elsewhere, partial records and logs of what was marked. The marks are durable before. */
  async deleteBeside(): Promise<void> {
    if (this.#marked.isEmpty) return;
    await this.#storage.persist([], { ...this.#giving.options, durability: 'barrier' });
    for (const { storage } of this.#giving.places) await this.#deleteOf('values', storage, () => true);
    const isPurged = this.#what.contentOnly;
    await this.#deleteOf('partial', this.#storage, (file) => !(isPurged && HISTORY.test(file)));
    if (!isPurged) await this.#deleteOf('logs', this.#storage, () => true);
  }

  /** Step 4. */
  async deleteDescriptions(): Promise<void> {
    if (this.hasFailed) return; // what stays is found by them
    await this.#delete(this.#storage, this.#descriptions.sorted());
  }

  /** Step 5: deletes the records of the run, if nothing but tombstones is left of its attempts; the record that makes it one goes last. */
  async deleteRun(): Promise<boolean> {
    const { flow, run } = this.#what;
    const { options } = this.#giving;
    for await (const listed of this.#sessions('flows')) {
      if (!listed.files.has('deleted') || isBegun(listed)) return false;
    }
    await this.#releaseCode();
    const created = createdName(flow, run);
    const mark = runDeletedName(flow, run);
    // Without the record of its end the run would be taken for one that runs.
    await this.#storage.create(mark, EMPTY, options);
    const names: string[] = [];
    for await (const page of this.#storage.list({ prefix: `runs/${flow}/${run}/`, ...options })) {
      for (const { name } of page.objects) if (name !== created && name !== mark) names.push(name);
    }
    for (const some of [names, [created], [mark]]) {
      if (!this.hasFailed) await this.#delete(this.#storage, some);
    }
    return !this.hasFailed;
  }

  /** The session that keeps the code of a run is named by nothing else. */
  async #releaseCode(): Promise<void> {
    const { flow, run } = this.#what;
    const { counts, options } = this.#giving;
    const name = createdName(flow, run);
    const object = await this.#storage.get(name, options);
    if (!object) return;
    try {
      const { code } = decodeRunCreated(object.body, this.#storage.uri(name), { flow, run });
      if (!code) return;
      await releaseSession(this.#storage, code.session, options);
      counts.codeSessions += 1;
    } catch (error) {
      // Without a session there is nothing to release; a record that nobody can read tells of none.
      if (isStowageError(error, 'SESSION_NOT_FOUND', 'RECORD_DAMAGED')) return;
      if (!isOfOneRecord(error)) throw error;
      this.#failed(error, name);
    }
  }

  async #deleteOf(
    folder: 'values' | 'partial' | 'logs',
    storage: DataStoreStorage,
    isWanted: (file: string) => boolean,
  ): Promise<void> {
    const { options } = this.#giving;
    const marked = new Cursor(this.#marked.sorted());
    let batch: string[] = [];
    try {
      for await (const page of storage.list({ prefix: this.#prefix(folder), ...options })) {
        for (const { name } of page.objects) {
          const file = name.slice(name.lastIndexOf('/') + 1);
          if (!marked.has(attemptLine(attemptBaseOf(name))) || !isWanted(file)) continue;
          batch.push(name);
          if (batch.length < BATCH) continue;
          await this.#delete(storage, batch);
          batch = [];
        }
      }
    } finally {
      marked.close();
    }
    await this.#delete(storage, batch);
  }

  async #delete(storage: DataStoreStorage, names: Iterable<string>): Promise<void> {
    const { counts, options } = this.#giving;
    let batch: string[] = [];
    const flush = async (): Promise<void> => {
      if (batch.length === 0) return;
      const failures = await storage.delete(batch, options);
      counts.objects += batch.length - failures.length;
      for (const { name, error } of failures) this.#failed(error, name);
      batch = [];
    };
    for (const name of names) {
      batch.push(name);
      if (batch.length >= BATCH) await flush();
    }
    await flush();
  }

  #failed(error: Error, name: string): void {
    this.hasFailed = true;
    const { flow, run } = this.#what;
    this.#giving.onProblem(error, { flow, run, name });
  }

  #sessions(folder: 'flows'): AsyncGenerator<ListedSession, void> {
    return listSessions(this.#storage, this.#giving.options, [this.#prefix(folder)]);
  }

  #prefix(folder: 'flows' | 'values' | 'partial' | 'logs'): string {
    return `${folder}/${partOf(this.#what)}`;
  }
}
