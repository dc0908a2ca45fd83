import { mapBounded, mapInOrder } from '../async/bounded-work.ts';
import type { ProgressMeter } from '../async/progress.ts';
import { StowageError } from '../errors.ts';
import type { CallOptions, SqlStatement } from '../storage/contract.ts';
import type { StoreView } from '../views/store-view.ts';
import type { ChangePage, ChangeSource } from './changes.ts';
import type { IndexDatabase, IndexWork } from './index-database.ts';
import type { IndexState } from './index-tables.ts';
import { type Projected, project } from './project.ts';
import { type Subject, subjectId, unlisted } from './subjects.ts';
import { countRows, removeGoneAttempts, writeProjected } from './write-rows.ts';

/** What a catch-up did. */
export interface CaughtUp {
  /**
   * Runs, attempts, entries of the cache and published versions that were read, and whose rows were written. One whose records were written
   * or deleted apart, with more than 10,000 others in between, counts again.
   */
  runs: number;
  attempts: number;
  entries: number;
  published: number;
  /** Those among them that were gone, and whose rows were removed. */
  removed: number;
  /** Those that could not be read: their rows have the reason. */
  unreadable: number;
  /** All of the store was compared. */
  full: boolean;
}

/** So many subjects are read at once. */
const CONCURRENCY = 16;
/** A transaction writes about so many rows: what SQLite holds up the event loop for. */
const ROWS = 1000;

/** So many subjects are remembered, those that were written last. */
const REMEMBERED = 10_000;

/** Others may be faster so often before a batch is given up. */
const MAX_TRIES = 30;

const COUNTS = { run: 'runs', attempt: 'attempts', entry: 'entries', published: 'published' } as const;

/** What a subject was found to be. */
type Outcome = 'there' | 'removed' | 'unreadable';

/** The index was made anew by somebody since it was read: the catch-up begins again. */
export class IndexMoved extends Error {}

/** Writes all that a source tells, page by page, and then that it did. */
export class CatchUp {
  readonly #database: IndexDatabase;
  readonly #view: StoreView;
  readonly #state: IndexState;
  readonly #progress: ProgressMeter | undefined;
  /** What the subjects that were written last came to, the latest last: objects of one subject may be told on several pages. */
  readonly #written: Map<string, Outcome> = new Map();
  readonly done: CaughtUp;
  #position: string;

  constructor(
    database: IndexDatabase,
    view: StoreView,
    state: IndexState,
    { full, progress }: { full: boolean; progress: ProgressMeter | undefined },
  ) {
    this.#database = database;
    this.#view = view;
    this.#state = state;
    this.#progress = progress;
    this.#position = state.position;
    this.done = { runs: 0, attempts: 0, entries: 0, published: 0, removed: 0, unreadable: 0, full };
  }

  /** @throws IndexMoved */
  async run(source: ChangeSource): Promise<CaughtUp> {
    const { signal } = this.#view;
    const { full } = this.done;
    const startedAtMs = Date.now();
    // One that was interrupted has written some things, which may have changed since.
    const compared = full || !this.#state.isWhole;
    for await (const page of source.changes({ position: this.#position, full: compared, signal }))
      await this.#writePage(page, { signal });
    await this.#write([], undefined, { signal }, [
      {
        text: 'update stowage_index set caught_up_at = $1, full_at = case when $2 = 1 then $1 else full_at end, is_whole = 1',
        parameters: [startedAtMs, compared ? 1 : 0],
      },
    ]);
    return this.done;
  }

  async #writePage(
    { subjects, position, afterwards, isSettled }: ChangePage,
    options: CallOptions,
  ): Promise<void> {
    const unread = isSettled ? subjects.filter((one) => !this.#written.has(subjectId(one))) : subjects;
    let batch: Projected[] = [];
    let rows = 0;
    for await (const projected of mapInOrder(unread, CONCURRENCY, this.#read)) {
      batch.push(projected);
      rows += countRows(projected);
      if (rows < ROWS) continue;
      await this.#write(batch, undefined, options);
      batch = [];
      rows = 0;
    }
    if (batch.length > 0 || position !== undefined || afterwards)
      await this.#write(batch, position, options, afterwards);
  }

  readonly #read = (subject: Subject): Promise<Projected> => project(this.#view, subject);

  /**
   * Writes what was read, if nobody brought the index further since: what somebody else wrote may be newer. Otherwise reads it again, and
   * writes that. A position that is behind theirs only has things told twice.
   *
   * @param position - `undefined` leaves it
   */
  async #write(
    batch: readonly Projected[],
    position: string | undefined,
    options: CallOptions,
    then: readonly SqlStatement[] = [],
  ): Promise<void> {
    let current = batch;
    for (let tries = 1; ; ) {
      const written = await this.#writeUnlessMoved(current, position, options, then);
      if (written === 'all') break;
      if (written === 'a part') continue;
      if (tries === MAX_TRIES) throw movedTooOften(this.#database.address);
      tries += 1;
      this.#position = written.theirs;
      const subjects = current.map(({ subject }) => unlisted(subject));
      current = await mapBounded(subjects, CONCURRENCY, this.#read);
    }
    this.#position = position ?? this.#position;
    for (const each of current) this.#count(each);
  }

  /**
   * One transaction. Where more attempts are gone than one should remove, it removes as many, and writes nothing else.
   *
   * @returns the position that somebody else has left, where that is another one, and nothing is written
   */
  #writeUnlessMoved(
    batch: readonly Projected[],
    position: string | undefined,
    options: CallOptions,
    then: readonly SqlStatement[],
  ): Promise<'all' | 'a part' | { theirs: string }> {
    const { type } = this.#database;
    const { build } = this.#state;
    const before = this.#position;
    return this.#database.write(function* (): IndexWork<'all' | 'a part' | { theirs: string }> {
      const text = 'select build, position from stowage_index';
      // As the update below takes it: two that both begin with a weaker lock would wait for each other.
      const [now] = yield { text: type === 'postgres' ? `${text} for no key update` : text };
      if (now?.build !== build) throw new IndexMoved();
      if (now.position !== before) return { theirs: String(now.position) };
      if (!(yield* removeGoneAttempts(type, batch, ROWS))) return 'a part';
      yield* writeProjected(type, batch);
      if (position !== undefined)
        yield { text: 'update stowage_index set position = $1', parameters: [position] };
      yield* then;
      return 'all';
    }, options);
  }

  /** Counts each subject once, as it was found last. */
  #count({ subject, row }: Projected): void {
    const id = subjectId(subject);
    const outcome = !row ? 'removed' : row.failure == null ? 'there' : 'unreadable';
    const before = this.#written.get(id);
    this.#written.delete(id);
    this.#written.set(id, outcome);
    const [oldest] = this.#written.keys();
    if (this.#written.size > REMEMBERED) this.#written.delete(oldest as string);
    const { done } = this;
    if (before === undefined) {
      done[COUNTS[subject.kind]] += 1;
      this.#progress?.itemDone();
    } else if (before !== 'there') done[before] -= 1;
    if (outcome !== 'there') done[outcome] += 1;
  }
}

/** The index goes on being made anew by others. */
export function movedTooOften(address: string): StowageError {
  return new StowageError(
    'STORAGE_UNAVAILABLE',
    `The index in ${address} is made anew, or brought further, by others all the time; try again.`,
    { details: { address } },
  );
}
