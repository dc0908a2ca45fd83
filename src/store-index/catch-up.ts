import { setImmediate as nextTurn } from 'node:timers/promises';
import { mapInOrder } from '../async/bounded-work.ts';
import type { ProgressMeter } from '../async/progress.ts';
import { StowageError } from '../errors.ts';
import type { CallOptions, SqlStatement } from '../storage/contract.ts';
import type { StoreView } from '../views/store-view.ts';
import type { ChangePage, ChangeSource } from './changes.ts';
import type { IndexDatabase, IndexWork } from './index-database.ts';
import type { IndexState } from './index-tables.ts';
import { type Projected, project } from './project.ts';
import type { Subject } from './subjects.ts';
import { countRows, writeProjected } from './write-rows.ts';

/** What a catch-up did. */
export interface CaughtUp {
  /** Runs, attempts, entries of the cache and published versions that were read, and whose rows were written. */
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

/** The index was made anew by somebody, or brought further, since it was read: the catch-up begins again. */
export class IndexMoved extends Error {}

/** Writes all that a source tells, page by page, and then that it did. */
export class CatchUp {
  readonly #database: IndexDatabase;
  readonly #view: StoreView;
  readonly #state: IndexState;
  readonly #progress: ProgressMeter | undefined;
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
    for await (const page of source.changes({ position: this.#position, full, signal }))
      await this.#writePage(page, { signal });
    await this.#write([], this.#position, { signal }, [
      {
        text: 'update stowage_index set caught_up_at = $1, full_at = case when $2 = 1 then $1 else full_at end, is_whole = 1',
        parameters: [startedAtMs, full || !this.#state.isWhole ? 1 : 0],
      },
    ]);
    return this.done;
  }

  async #writePage({ subjects, position, afterwards }: ChangePage, options: CallOptions): Promise<void> {
    let batch: Projected[] = [];
    let rows = 0;
    const read = (subject: Subject): Promise<Projected> => project(this.#view, subject);
    for await (const projected of mapInOrder(subjects, CONCURRENCY, read)) {
      batch.push(projected);
      rows += countRows(projected);
      if (rows < ROWS) continue;
      await this.#write(batch, this.#position, options);
      batch = [];
      rows = 0;
    }
    if (batch.length > 0 || position !== undefined || afterwards)
      await this.#write(batch, position ?? this.#position, options, afterwards);
  }

  /** One transaction, if the index is as this one left it. */
  async #write(
    batch: readonly Projected[],
    position: string,
    options: CallOptions,
    then: readonly SqlStatement[] = [],
  ): Promise<void> {
    const { type } = this.#database;
    const { build } = this.#state;
    const before = this.#position;
    await this.#database.write(function* (): IndexWork<void> {
      const text = 'select build, position from stowage_index';
      const [now] = yield { text: type === 'postgres' ? `${text} for share` : text };
      if (now?.build !== build || now.position !== before) throw new IndexMoved();
      yield* writeProjected(type, batch);
      if (position !== before)
        yield { text: 'update stowage_index set position = $1', parameters: [position] };
      yield* then;
    }, options);
    // SQLite answers at once: timers, aborts and what its library frees would wait for the end of it all.
    await nextTurn();
    this.#position = position;
    for (const each of batch) this.#count(each);
  }

  #count({ subject, row }: Projected): void {
    const { done } = this;
    if (subject.kind === 'run') done.runs += 1;
    if (subject.kind === 'attempt') done.attempts += 1;
    if (subject.kind === 'entry') done.entries += 1;
    if (subject.kind === 'published') done.published += 1;
    if (!row) done.removed += 1;
    if (row?.failure != null) done.unreadable += 1;
    this.#progress?.itemDone();
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
