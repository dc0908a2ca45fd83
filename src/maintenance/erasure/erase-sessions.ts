import { BoundedWork } from '../../async/bounded-work.ts';
import { StowageError } from '../../errors.ts';
import type { OwnObject } from '../../format/own-values.ts';
import { erasedFile, SESSION_FILES } from '../../format/session-files.ts';
import { readSession } from '../collection/kept-by-session.ts';
import { type ListedSession, listAgain, listSessions } from '../collection/session-listing.ts';
import { Cursor, SortedLines, union } from '../collection/sorted-lines.ts';
import { isOfOneAttempt } from '../copy-report.ts';
import { describeAnew } from './describe-anew.ts';
import { EraserSession } from './eraser-session.ts';
import { deleteOrTell, type SweepContext } from './erasure-context.ts';
import { pathOf, type WaitedFor } from './erasure-report.ts';
import { type Holding, readHolding, valuesListedBy } from './holding.ts';
import { publishedBy, runsOfCode } from './named-by.ts';

const CONCURRENCY = 8;
/** A session that others erase from meanwhile is read anew so often. */
const MAX_TRIES = 10;
/** In the order of names. */
const PREFIXES = ['flows/', 'loose/'];

/** Goes through the closed sessions of a store, as often as it takes, and describes those anew that hold what is to go. */
export class SessionsToErase {
  readonly #context: SweepContext;
  /** Sessions that were read closed and hold nothing: they never change but by another erasure, which leaves out more. */
  readonly #read: SortedLines[] = [];
  /** Descriptions that count for nothing, and held something. */
  #superseded = 0;
  /** Cache keys whose result was an attempt that held something. */
  readonly cacheKeys: Set<string> = new Set();
  /** Attempts that held something. */
  readonly erased: Set<string> = new Set();

  constructor(context: SweepContext) {
    this.#context = context;
  }

  /**
   * Reads those that were not read before. Resolves to how many held something, by a description that counts or one that does not.
   *
   * @param prefixes of the names of sessions, ascending. Default: all
   */
  async sweep(prefixes: readonly string[] = PREFIXES): Promise<number> {
    const { content, options, progress } = this.#context;
    const eraser = new EraserSession(this.#context);
    const holdings: Holding[] = [];
    const before = this.#superseded;
    let seen = 0;
    const looked = new SortedLines(this.#context.folder);
    try {
      for (const prefix of prefixes) {
        const known = new Cursor(union(...this.#read));
        const work = new BoundedWork(CONCURRENCY);
        try {
          for await (const listed of listSessions(content.storage, options, [prefix])) {
            progress('sessions', ++seen);
            if (!listed.files.has('done') || known.has(`${listed.base}.`)) continue;
            await work.begin(async () => {
              const holding = await this.#look(listed, eraser);
              if (holding) holdings.push(this.#note(holding));
              if (holding !== null) looked.add(`${listed.base}.`);
            });
          }
          await work.finish();
        } finally {
          known.close();
          await work.settle();
        }
      }
      await eraser.close((name) => deleteOrTell(this.#context, [name]));
    } catch (error) {
      await eraser.fail(error);
      throw error;
    }
    this.#read.push(looked);
    await this.#tell(holdings);
    return holdings.length + this.#superseded - before;
  }

  /** The sessions that are open, but for those of erasers that leave out the same. */
  async listOpen(): Promise<{ base: string; told: WaitedFor }[]> {
    const { content, targets, harmless, options } = this.#context;
    const open: { base: string; told: WaitedFor }[] = [];
    const work = new BoundedWork(CONCURRENCY);
    try {
      for await (const listed of listSessions(content.storage, options)) {
        if (listed.files.has('done')) continue;
        await work.begin(async () => {
          const fate = await readSession(content, listed, options);
          if (fate.state === 'open' && harmless.has(fate.attempt.label ?? '')) return;
          const pinned = fate.refs.some(({ kind, name }) => kind === 'key' && targets.has(name));
          open.push({ base: listed.base, told: { path: pathOf(listed.base), pinned } });
        });
      }
      await work.finish();
    } finally {
      await work.settle();
    }
    return open.sort((a, b) => (a.base < b.base ? -1 : 1));
  }

  /** `null` where it could not be read, or not be erased from. */
  async #look(listed: ListedSession, eraser: EraserSession): Promise<Holding | undefined | null> {
    try {
      return await this.#erase(listed, eraser);
    } catch (error) {
      if (!isOfOneAttempt(error)) throw error;
      this.#context.report.problem(pathOf(listed.base), error);
      return null;
    }
  }

  async #erase(listed: ListedSession, eraser: EraserSession): Promise<Holding | undefined> {
    const { content, targets, dryRun, at, options } = this.#context;
    let current: ListedSession | undefined = listed;
    for (let tries = 0; current && tries < MAX_TRIES; tries++) {
      const { holding, leftovers, held, standing } = await readHolding(content, current, targets, options);
      if (held) this.#superseded += 1;
      if (dryRun) return holding;
      if (!holding) {
        await this.#deleteBehind(current, leftovers, standing);
        return undefined;
      }
      const reason = targets.reasonOf(holding.keys);
      if (await describeAnew(content, eraser, holding, { reason, at }, options)) {
        const revision = (holding.erased?.revision ?? -1) + 1;
        // The values first: the description that lists them tells whoever goes on.
        await this.#deleteValues(current, holding.objects);
        const before = Array.from({ length: revision }, (_, index) => current?.base + erasedFile(index));
        await deleteOrTell(this.#context, [current.base + SESSION_FILES.metadata, ...before]);
        return holding;
      }
      current = await listAgain(content.storage, current, options);
    }
    if (!current) return undefined;
    throw new StowageError(
      'STORAGE_FAILED',
      `${pathOf(listed.base)} is erased from by others again and again. Erase once they are done.`,
      { details: { base: listed.base } },
    );
  }

  /** What supersedes a description may have been written by a process that died before it was durable. */
  async #deleteBehind(
    session: ListedSession,
    leftovers: readonly string[],
    standing: readonly OwnObject[],
  ): Promise<void> {
    if (leftovers.length === 0) return;
    const { base, files, erasedRevision } = session;
    const { content, options } = this.#context;
    const marks = files.has('deleted') ? [base + SESSION_FILES.deleted] : [];
    if (erasedRevision !== undefined) marks.push(base + erasedFile(erasedRevision));
    await content.storage.persist(marks, options);
    const stay = new Set(standing.map(({ object }) => object));
    for (const name of leftovers) {
      const listed = await valuesListedBy(content, name, options);
      await this.#deleteValues(
        session,
        listed.filter(({ object }) => !stay.has(object)),
      );
    }
    await deleteOrTell(this.#context, leftovers);
  }

  async #deleteValues(
    { values }: Pick<ListedSession, 'values'>,
    objects: readonly OwnObject[],
  ): Promise<void> {
    if (values === undefined) return;
    for (const { object, place } of objects) await deleteOrTell(this.#context, [values + object], place);
  }

  async #tell(holdings: readonly Holding[]): Promise<void> {
    const { content, targets, report, options } = this.#context;
    const loose = holdings
      .filter(({ listed }) => listed.values === undefined)
      .map(({ listed }) => listed.base);
    const codeOf = await runsOfCode(content.storage, loose, options);
    const published = await publishedBy(content.storage, loose, options);
    for (const { listed, rows, reports, objects } of holdings) {
      const isOwn = (key: string): boolean => targets.has(key);
      const holder = {
        path: pathOf(listed.base),
        artifacts: rows.filter(({ key }) => isOwn(key)).map(({ name }) => name),
        references: rows.filter(({ key }) => !isOwn(key)).map(({ name }) => name),
        reports: reports.map(({ name }) => name),
        codeOf: codeOf.get(listed.base) ?? [],
        published: published.get(listed.base) ?? [],
      };
      report.holder(holder, objects.length);
    }
  }

  /** Whatever becomes of the rest, the entries of the cache go that name what holds nothing any more. */
  #note(holding: Holding): Holding {
    const { listed, description } = holding;
    this.erased.add(pathOf(listed.base));
    if (description.cached) this.cacheKeys.add(description.cached.key);
    return holding;
  }
}
