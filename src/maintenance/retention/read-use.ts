import { BoundedWork } from '../../async/bounded-work.ts';
import { isOfOneRecord } from '../../attempts/run-listing.ts';
import type { ContentStore } from '../../content/content-store.ts';
import { isStowageError, type StowageError } from '../../errors.ts';
import { HERE } from '../../format/content-ref.ts';
import type { ArtifactEntry } from '../../format/description.ts';
import { refsOf } from '../../format/refs.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { readSession, type SessionFate } from '../collection/kept-by-session.ts';
import { Marks, refOfLine } from '../collection/marks.ts';
import { markPartial, noteAttempt } from '../collection/partial-marks.ts';
import type { CollectedPlace } from '../collection/places.ts';
import { type ListedSession, listSessions } from '../collection/session-listing.ts';
import { Cursor, type SortedLines, type WorkFolder } from '../collection/sorted-lines.ts';
import { ContentUse } from './content-use.ts';
import { attemptLine } from './kept-attempts.ts';
import { pathOf } from './survey.ts';

/** What a run would give up. */
export interface RunUse {
  tasks: number;
  attempts: number;
  artifacts: number;
  /** Attempts that entries of the cache keep. */
  keptAttempts: number;
}

/** The use of content by everything in a store. */
export interface StoreUse {
  content: ContentUse;
  /** By the number of the run. */
  runs: RunUse[];
  /** The names of artifacts by their numbers; those behind the last are counted as `''`, number 0. */
  artifactNames: string[];
}

/** A run whose attempts go together. */
export interface NumberedRun {
  flow: string;
  run: string;
  contentOnly: boolean;
}

const CONCURRENCY = 16;
const MAX_NAMES = 10_000;
/** What stays whatever becomes of runs. */
export const STAYS = 's';

/** The unit of attempts that go with a run, and of those of it that stay all the same. */
export function unitOf(run: number, isKept: boolean): string {
  return `${isKept ? 'k' : 'g'}${run}`;
}

/**
 * Reads what all sessions of a store use, and what of it belongs to each run: one LIST, and two GETs or more for each session, as for a
 * collection.
 *
 * @param runs all that may go, or whose bytes are asked for
 * @param options `onProblem` is told of each record that cannot be read: what it uses is not known
 */
export async function readUse(
  content: ContentStore,
  folder: WorkFolder,
  {
    runs,
    keptAttempts,
    places,
  }: {
    runs: readonly NumberedRun[];
    keptAttempts: SortedLines | undefined;
    places: Iterable<CollectedPlace>;
  },
  {
    signal,
    onSession,
    onProblem,
  }: CallOptions & { onSession: () => void; onProblem: (error: StowageError) => void },
): Promise<StoreUse> {
  const reading = new Reading(folder, runs);
  const kept = new Cursor(keptAttempts?.sorted() ?? []);
  const work = new BoundedWork(CONCURRENCY);
  try {
    for (const prefix of ['loose/', 'flows/']) {
      for await (const listed of listSessions(content.storage, { signal }, [prefix])) {
        const isKept = prefix === 'flows/' && kept.has(attemptLine(listed.base));
        reading.count(listed, isKept);
        if (listed.files.has('deleted')) continue;
        await work.begin(async () => {
          onSession();
          try {
            reading.add(listed, isKept, await readSession(content, listed, { signal }));
          } catch (error) {
            if (!isOfOneRecord(error) && !isStowageError(error, 'CONTENT_DAMAGED', 'CONTENT_NOT_FOUND'))
              throw error;
            onProblem(error);
          }
        });
      }
    }
    await work.finish();
  } finally {
    kept.close();
    await work.settle();
  }
  await markPartial(content, [reading.marks], { signal });
  for (const line of reading.marks.live.sorted()) {
    reading.use.addContent(refOfLine(line), { unit: STAYS, artifact: '' });
  }
  await reading.use.findObjects(places, { signal });
  return { content: reading.use, runs: reading.runs, artifactNames: reading.names };
}

class Reading {
  readonly use: ContentUse;
  readonly marks: Marks;
  readonly runs: RunUse[];
  readonly names: string[] = [''];
  readonly #numbers = new Map<string, number>();
  readonly #contentOnly: boolean[];
  readonly #artifacts = new Map<string, number>();
  #lastTask = '';

  constructor(folder: WorkFolder, runs: readonly NumberedRun[]) {
    this.use = new ContentUse(folder);
    this.marks = new Marks(folder);
    this.runs = runs.map(() => ({ tasks: 0, attempts: 0, artifacts: 0, keptAttempts: 0 }));
    this.#contentOnly = runs.map(({ contentOnly }) => contentOnly);
    for (const [index, { flow, run }] of runs.entries()) this.#numbers.set(`${flow}/${run}`, index);
  }

  /** Counts a session among those of its run, in the order of the listing. */
  count(listed: ListedSession, isKept: boolean): void {
    const number = this.#numberOf(listed);
    const use = number === undefined ? undefined : this.runs[number];
    const isGone =
      listed.files.has('deleted') || (listed.files.has('purged') && this.#contentOnly[number ?? 0]);
    if (!use || isGone) return;
    if (isKept) {
      use.keptAttempts += 1;
      return;
    }
    const task = listed.base.slice(0, listed.base.lastIndexOf('/'));
    if (task !== this.#lastTask) use.tasks += 1;
    this.#lastTask = task;
    use.attempts += 1;
  }

  add(listed: ListedSession, isKept: boolean, fate: SessionFate): void {
    const number = this.#numberOf(listed);
    const unit = number === undefined ? STAYS : unitOf(number, isKept);
    if (number === undefined || isKept)
      noteAttempt(this.marks, listed, fate.state === 'open' ? 'open' : fate.done.outcome);
    for (const ref of fate.refs) this.use.addContent(ref, { unit, artifact: '' });
    if (fate.state === 'open' || number === undefined) return;
    for (const row of fate.artifacts ?? []) this.#addRow(listed, row, unit);
    if (!isKept) (this.runs[number] as RunUse).artifacts += fate.artifacts?.length ?? 0;
  }

  #addRow(listed: ListedSession, row: ArtifactEntry, unit: string): void {
    const user = { unit, artifact: String(this.#artifactNumber(row.name)) };
    for (const ref of refsOf({ kind: 'artifact-table', table: { artifacts: [row] } }))
      this.use.addContent(ref, user);
    if (!row.own) return;
    const { object, offset, storedBytes, place = HERE } = row.own;
    this.use.addOwn(place, `${listed.values}${object}@${offset}`, storedBytes, user);
  }

  #numberOf(listed: ListedSession): number | undefined {
    if (listed.values === undefined) return undefined; // outside tasks
    const { flow, run } = pathOf(listed);
    return this.#numbers.get(`${flow}/${run}`);
  }

  #artifactNumber(name: string): number {
    const known = this.#artifacts.get(name);
    if (known !== undefined) return known;
    if (this.names.length >= MAX_NAMES) return 0;
    this.#artifacts.set(name, this.names.length);
    return this.names.push(name) - 1;
  }
}
