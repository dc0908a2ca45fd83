import type { ContentStore } from '../../content/content-store.ts';
import { throwIfAborted } from '../../errors.ts';
import { parseCopyName } from '../../format/content-names.ts';
import type { ContentRef } from '../../format/content-ref.ts';
import type { CallOptions, ListedObject } from '../../storage/contract.ts';
import { CollectionMemory } from './collection-memory.ts';
import { type CollectionOptions, type CollectionStep, rewriteOptions } from './collection-options.ts';
import { type CollectionResult, NOTHING_REWRITTEN, resultOf, type Tally } from './collection-result.ts';
import { CollectorLog, type LogVersion, SupersededError } from './collector-log.ts';
import { type Deletion, deleteCondemned } from './deletion.ts';
import { fewerSessions, noSessions } from './impossible-listings.ts';
import { checkKnown } from './known-folders.ts';
import { type DeadObjects, ObjectMarker } from './mark-objects.ts';
import { markSessions, SILENT_AFTER_MS } from './mark-sessions.ts';
import { bytesOf, entriesOf, Marks, refOfLine, sizeLine } from './marks.ts';
import { type CollectedPlace, openPlaces } from './places.ts';
import { carriedOver, hasToPropose, heldInMemory, Proposal } from './proposal.ts';
import { Rewriting } from './rewriting.ts';
import { countOf, SortedLines, WorkFolder } from './sorted-lines.ts';
import { type SparsePack, SparsePacks } from './sparse-packs.ts';
import { SupersededCopies } from './superseded-copies.ts';
import { objectsOf, UnsharedObjects } from './unshared-objects.ts';
import { ValueMarks } from './values-marks.ts';

export type { CollectionOptions, CollectionStep, RewriteOptions } from './collection-options.ts';

const NO_PACKS: { packs: SparsePack[]; more: boolean } = { packs: [], more: false };

/**
 * Deletes what nothing keeps alive (docs/format.md, "What keeps content alive"), while others save to the store and collect it. Memory is
 * bounded: what it finds is sorted on disk, below the folder for temporary files, but for 50,000 names of each kind at a time, and what
 * one session keeps. Steps are those of the protocol; test/model/ has it as a model, whose steps the comments name.
 *
 * @throws StowageError `NO_SUCH_STORE`; `UNSUPPORTED_FORMAT` for a folder or record that it does not know; `RECORD_DAMAGED`,
 * `CONTENT_DAMAGED` or `CONTENT_NOT_FOUND` for a record that it cannot read, which may keep content alive; `STORAGE_FAILED` for a listing
 * that the storage cannot have given. Nothing is deleted then, but what an earlier collection had condemned for good.
 */
export async function collectGarbage(
  content: ContentStore,
  options: CollectionOptions = {},
): Promise<CollectionResult> {
  const folder = new WorkFolder();
  try {
    await content.prepareToRead(options);
    const collection = new Collection(content, folder, options);
    return await collection.run();
  } finally {
    folder.remove();
  }
}

class Collection {
  readonly #content: ContentStore;
  readonly #folder: WorkFolder;
  readonly #options: CollectionOptions;
  readonly #call: CallOptions;
  readonly #log: CollectorLog;
  readonly #rewrite: ReturnType<typeof rewriteOptions>;
  #memory: CollectionMemory | undefined;
  #places: ReadonlyMap<string, CollectedPlace> = new Map();
  #unshared: UnsharedObjects;

  constructor(content: ContentStore, folder: WorkFolder, options: CollectionOptions) {
    const { signal } = options;
    this.#content = content;
    this.#folder = folder;
    this.#options = options;
    this.#rewrite = rewriteOptions(options);
    this.#call = { signal };
    this.#log = new CollectorLog(content.storage, { signal });
    this.#unshared = new UnsharedObjects(content.storage, this.#places, { signal });
  }

  /** Step 0 (model: `begin`): readies the store, and reads the newest version. */
  async run(): Promise<CollectionResult> {
    const { storage } = this.#content;
    await checkKnown(storage, this.#call);
    const opened = await openPlaces(this.#content, this.#options.adopt ?? [], this.#call);
    this.#places = opened.places;
    this.#unshared = new UnsharedObjects(storage, this.#places, this.#call);

    // A final version is finished before anything else, whoever wrote it (model: `finish`).
    let newest = await this.#log.newest();
    if (newest.state === 'final' && !this.#options.dryRun) newest = await this.#finishOther(newest);
    const tally: Tally = {
      sessions: 0,
      condemned: { copies: 0, packs: 0, plain: 0, values: 0 },
      condemnedBytes: 0,
      superseded: 0,
      rewritten: NOTHING_REWRITTEN,
      remembered: { sessions: 0, copies: 0 },
      more: false,
      skippedPlaces: opened.skipped,
    };
    try {
      return await this.#collect(newest, tally);
    } catch (error) {
      if (error instanceof SupersededError) return resultOf('superseded', newest.version, tally);
      throw error;
    } finally {
      this.#memory?.close();
    }
  }

  async #collect(newest: LogVersion, tally: Tally): Promise<CollectionResult> {
    // Step 1 (model: `list values`, `mark`, `list`): values, then sessions, then copies and what these name.
    const first = new Marks(this.#folder);
    const values = new ValueMarks(this.#folder);
    await values.list(this.#places.values(), this.#call);
    const memory = await this.#openMemory();
    const seen = await markSessions(this.#content, first, { ...this.#progress('mark'), values, memory });
    const sparse = this.#rewrite && new SparsePacks(this.#folder, this.#rewrite);
    const found = await this.#findDead([first], { sparse, memory });
    if (memory) this.#saveMemory(memory, tally);
    if (seen.sessions === 0 && !found.dead.isEmpty) throw noSessions(this.#content.storage);
    const deadValues = new SortedLines(this.#folder);
    const unowned = new SortedLines(this.#folder);
    for (const { place, name, bytes, unownedSinceMs } of values.dead(first.open.sorted())) {
      if (unownedSinceMs === undefined) deadValues.add(`${place}\t${name}\t${bytes}`);
      else unowned.add(`${place}\t${name}\t${bytes}\t${unownedSinceMs}`);
    }
    const carried = await carriedOver(this.#log, newest, this.#folder);
    const superseded = new SupersededCopies(this.#folder, this.#places, this.#call);
    const held = this.#options.superseded === false ? undefined : heldInMemory(carried);
    if (held) await this.#supersede({ superseded, several: found.several, carried: held, sparse }, tally);
    const dead = [found.dead, superseded.names()];
    const proposal = new Proposal(this.#folder, dead, carried, this.#options.maxCondemned);
    tally.sessions = seen.sessions;
    for (const line of superseded.names().sorted()) {
      const ref = refOfLine(line);
      found.sizes.add(sizeLine(ref, parseCopyName(ref.name)?.bytes ?? 0));
      tally.superseded += 1;
    }
    tally.condemned = { ...proposal.counts, values: countOf(deadValues.sorted()) };
    tally.condemnedBytes = bytesOf(proposal.entries, found.sizes);
    for (const { bytes = 0 } of objectsOf(deadValues)) tally.condemnedBytes += bytes;
    tally.more ||= proposal.more;
    if (this.#options.dryRun) return resultOf('dry-run', newest.version, tally);

    const findings = { proposal, unowned, first, seen, unshared: this.#unshared };
    if (!(await hasToPropose(findings, this.#options.nowMs))) {
      const { deleted, bytes } = await this.#unshared.deleteAtPlaces(deadValues, found.orphans);
      const isNothing = deleted.values + deleted.marks === 0;
      const undeleted = this.#unshared.undeleted;
      return resultOf(isNothing ? 'nothing' : 'collected', newest.version, tally, {
        deleted,
        deletedBytes: bytes,
        undeleted,
      });
    }
    return this.#carryOut({
      newest,
      first,
      proposal,
      superseded,
      carried,
      deadValues,
      unowned,
      found,
      tally,
    });
  }

  async #openMemory(): Promise<CollectionMemory | undefined> {
    const { memory } = this.#options;
    if (memory === undefined) return undefined;
    this.#memory = await CollectionMemory.of(this.#content, memory, this.#folder, this.#call);
    return this.#memory;
  }

  /** The next collection reads more where that cannot be: no reason to end this one. */
  #saveMemory(memory: CollectionMemory, tally: Tally): void {
    tally.remembered = memory.taken;
    try {
      memory.save();
    } catch (error) {
      tally.memoryProblem = error as Error;
    }
  }

  /** Chooses copies that nobody needs, and writes those anew of whose packs much is dead (model: `supersede`, `rewrite`). */
  async #supersede({ superseded, several, carried, sparse }: ToSupersede, tally: Tally): Promise<void> {
    const { dryRun = false } = this.#options;
    const { packs, more } = sparse?.choose() ?? NO_PACKS;
    const names = new Set(packs.map(({ place, name }) => `${place}\t${name}`));
    if (!dryRun) await superseded.choose(several, carried, (place, name) => names.has(`${place}\t${name}`));
    const rewriting = await Rewriting.plan(this.#places, packs, { ...this.#call, only: this.#rewrite?.only });
    tally.more = more;
    tally.rewritten = rewriting.planned;
    if (dryRun) return;
    let done = 0;
    const onRewritten = (copy: Parameters<SupersededCopies['add']>[0]): void => {
      done += 1;
      this.#tell('rewrite', done);
      superseded.add(copy);
    };
    tally.rewritten = await rewriting.carryOut(this.#content, onRewritten, this.#call);
  }

  /** Steps 2 to 5. */
  async #carryOut(work: Proposed): Promise<CollectionResult> {
    const { newest, first, proposal, superseded, carried, deadValues, unowned, found, tally } = work;
    // Step 2 (model: `propose`): fails where another version came since.
    this.#tell('propose', countOf(proposal.entries.sorted()));
    const proposed = await this.#log.create(newest.version + 1, 'proposed', entriesOf(proposal.entries));

    // Step 3 (model: `mark again`): sessions that are silent by the store's clock are closed, then what was opened since is read.
    const storeNowMs = this.#options.nowMs ?? (await this.#log.writtenAtMs(proposed));
    const second = new Marks(this.#folder);
    const again = { ...this.#progress('re-mark'), before: [first], storeNowMs };
    const { sessions, abandoned } = await markSessions(this.#content, second, again);
    if (sessions < tally.sessions) throw fewerSessions(this.#content.storage, tally.sessions, sessions);
    const marks = [first, second];
    const { dead } = await this.#findDead(marks);

    // Step 4 (model: `judge`, `final`): what came alive is spared, but for what could not be confirmed gone before (model: `carry`), and for
    // copies of which another one is whole.
    const { final, spared } = proposal.judge([dead, await superseded.judged(proposal.entries), carried]);
    this.#tell('final', countOf(final.sorted()));
    const version = await this.#log.create(proposed.version + 1, 'final', entriesOf(final));

    // Step 5 (model: `delete`, `delete pins`, `idle`).
    const deletion = await this.#delete(entriesOf(final));
    for (const line of unowned.sorted()) {
      const [place = '', name = '', bytes, sinceMs] = line.split('\t');
      const isOld = storeNowMs - Number(sinceMs) >= SILENT_AFTER_MS;
      if (isOld && !(await this.#hasAttempt(name))) deadValues.add(`${place}\t${name}\t${bytes}`);
    }
    const unshared = await this.#unshared.deleteAtPlaces(deadValues, found.orphans);
    const ofClosed = await this.#unshared.deleteOfClosed(marks);
    const { idle, lists } = await this.#idle(version, deletion);
    return resultOf('collected', idle.version, tally, {
      spared,
      abandoned,
      deleted: { ...unshared.deleted, ...deletion.deleted, ...ofClosed, lists },
      deletedBytes: bytesOf(final, found.sizes) - bytesOf(deletion.unconfirmed, found.sizes) + unshared.bytes,
      unconfirmed: deletion.examples,
      undeleted: this.#unshared.undeleted,
    });
  }

  /** Deletes what another collector condemned for good, and no pins: only that one knows which sessions it saw closed. */
  async #finishOther(final: LogVersion): Promise<LogVersion> {
    try {
      const deletion = await this.#delete(this.#log.entriesOf(final));
      return (await this.#idle(final, deletion)).idle;
    } catch (error) {
      if (!(error instanceof SupersededError)) throw error;
      const newest = await this.#log.newest(); // it was finished meanwhile
      return newest.state === 'final' ? this.#finishOther(newest) : newest;
    }
  }

  #delete(entries: AsyncIterable<ContentRef> | Iterable<ContentRef>): Promise<Deletion> {
    let done = 0;
    const onDeleted = (names: number): void => {
      done += names;
      this.#tell('delete', done);
    };
    return deleteCondemned(this.#folder, this.#places, entries, { ...this.#call, onDeleted });
  }

  /**
   * Ends a deletion (model: `idle`, `delete lists`): what is not confirmed gone stays condemned; lists that only versions before name are over. Where another collector
   * ended it meanwhile, that one carries what it could not confirm.
   */
  async #idle(final: LogVersion, { unconfirmed }: Deletion): Promise<{ idle: LogVersion; lists: number }> {
    // Listed before the version is there: what any version behind it names comes later.
    const over = new SortedLines(this.#folder);
    for await (const name of this.#log.listNames()) over.add(name);
    let idle: LogVersion;
    try {
      idle = await this.#log.create(final.version + 1, 'idle', entriesOf(unconfirmed));
    } catch (error) {
      if (!(error instanceof SupersededError)) throw error;
      return { idle: await this.#log.newest(), lists: 0 };
    }
    this.#tell('idle', idle.version);
    const named = new Set(idle.lists.map(({ name }) => name));
    const { count } = await this.#unshared.delete(filtered(over.sorted(), (name) => !named.has(name)));
    return { idle, lists: count };
  }

  async #findDead(
    marks: readonly Marks[],
    first: Pick<DeadObjects, 'sparse' | 'memory'> = {},
  ): Promise<DeadObjects> {
    const found = {
      ...first,
      dead: new SortedLines(this.#folder),
      orphans: new SortedLines(this.#folder),
      several: new SortedLines(this.#folder),
      sizes: new SortedLines(this.#folder),
    };
    for (const place of this.#places.values()) {
      await new ObjectMarker(this.#folder, place, marks, found, this.#call).mark();
    }
    return found;
  }

  /** A listing that left the attempt out would have its values taken for nobody's. */
  async #hasAttempt(values: string): Promise<boolean> {
    const prefix = `flows/${values.slice('values/'.length, values.lastIndexOf('.') + 1)}`;
    for await (const page of this.#content.storage.list({ prefix, limit: 1, ...this.#call })) {
      if (page.objects.length > 0) return true;
    }
    return false;
  }

  #progress(step: CollectionStep): CallOptions & { onSession: () => void } {
    let done = 0;
    const onSession = (): void => {
      done += 1;
      this.#tell(step, done);
    };
    return { ...this.#call, onSession };
  }

  #tell(step: CollectionStep, done: number): void {
    throwIfAborted(this.#options.signal);
    this.#options.onProgress?.(step, done);
  }
}

/** What choosing of superseded copies goes by. */
interface ToSupersede {
  superseded: SupersededCopies;
  several: SortedLines;
  carried: ReadonlySet<string>;
  sparse: SparsePacks | undefined;
}

/** What a collection carries from its first mark on. */
interface Proposed {
  newest: LogVersion;
  first: Marks;
  proposal: Proposal;
  superseded: SupersededCopies;
  carried: SortedLines;
  deadValues: SortedLines;
  unowned: SortedLines;
  found: DeadObjects;
  tally: Tally;
}

function* filtered(
  names: Iterable<string>,
  wanted: (name: string) => boolean,
): Generator<ListedObject, void> {
  for (const name of names) if (wanted(name)) yield { name };
}
