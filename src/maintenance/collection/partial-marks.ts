import { BoundedWork } from '../../async/bounded-work.ts';
import type { ContentStore } from '../../content/content-store.ts';
import { type PartialName, parsePartialName, partialPrefix } from '../../format/partial-names.ts';
import { readPartial, withoutOlderCheckpoints } from '../../format/partial-records.ts';
import { refsOf } from '../../format/refs.ts';
import type { Outcome } from '../../format/session-files.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';
import { compareNames } from '../../storage/name-order.ts';
import { outOfOrder } from './impossible-listings.ts';
import { allOf, type Marks } from './marks.ts';
import type { ListedSession } from './session-listing.ts';
import { Cursor } from './sorted-lines.ts';

/** How far an attempt got. `given up`: a mark says so of one that is not done. */
export type AttemptState = Outcome | 'open' | 'given up';

/** So many records are read at once. */
const CONCURRENCY = 16;
/** Digits of the largest attempt number. */
const NUMBER_DIGITS = 16;
const FLOWS = 'flows/';
const PARTIAL = 'partial/';

/** Notes how far an attempt got, for {@link markPartial}. Sessions outside a task have no partial records. */
export function noteAttempt(marks: Marks, listed: ListedSession, outcome: Outcome | 'open'): void {
  if (listed.values !== undefined) marks.attempts.add(attemptLine(listed, outcome));
}

/** A line for {@link TaskStates}: how far an attempt of a task got. */
export function attemptLine({ base, files }: ListedSession, outcome: AttemptState): string {
  const slash = base.lastIndexOf('/') + 1;
  const isGivenUp = outcome !== 'done' && (files.has('deleted') || files.has('purged'));
  const state: AttemptState = isGivenUp ? 'given up' : outcome;
  const number = base.slice(slash).padStart(NUMBER_DIGITS, '0');
  return `${base.slice(FLOWS.length, slash)}\t${number}\t${state}`;
}

/**
 * Keeps what the traces and the last checkpoint of each attempt name that is open, failed or abandoned, behind the latest of its task that is done
 * (model: `read traces`). Attempts were read before, so that all that one recorded before it was closed is listed. What an earlier mark read is
 * not read again.
 *
 * @param marks those of this reading last; what is kept is added to them
 * @throws StowageError `RECORD_DAMAGED`, `UNSUPPORTED_FORMAT` for a record that cannot be read
 */
export async function markPartial(
  content: ContentStore,
  marks: readonly Marks[],
  { signal }: CallOptions,
): Promise<void> {
  const { storage } = content;
  const current = marks.at(-1) as Marks;
  const states = new TaskStates(allOf(marks, 'attempts'));
  const known = new Cursor(allOf(marks.slice(0, -1), 'partial'));
  const work = new BoundedWork(CONCURRENCY);
  try {
    let task: { prefix: string; isRead: (attempt: number) => boolean } | undefined;
    for await (const record of listCountingPartial(storage, { signal })) {
      const prefix = partialPrefix(record.path);
      if (task?.prefix !== prefix) task = { prefix, isRead: readable(states.of(prefix)) };
      if (!task.isRead(record.attempt) || known.has(record.name)) continue;
      await work.begin(async () => {
        const read = await readPartial(storage, record, { signal });
        if (!read) return; // it was deleted since it was listed
        for (const ref of refsOf({ kind: record.kind, table: read.table })) current.keep(ref);
        current.partial.add(record.name);
      });
    }
    await work.finish();
  } finally {
    states.close();
    known.close();
    await work.settle();
  }
}

/** Tells the attempts of a task whose records count. */
function readable(states: ReadonlyMap<number, ReadonlySet<AttemptState>>): (attempt: number) => boolean {
  let latestDone = -1;
  for (const [attempt, of] of states) if (of.has('done')) latestDone = Math.max(latestDone, attempt);
  return (attempt) => {
    const of = states.get(attempt);
    return of !== undefined && attempt > latestDone && !of.has('given up');
  };
}

/** The traces of attempts, and of the checkpoints of each the last one. One LIST. */
export async function* listCountingPartial(
  storage: DataStoreStorage,
  options: CallOptions,
  prefix: string = PARTIAL,
): AsyncGenerator<PartialName, void> {
  yield* withoutOlderCheckpoints(listPartial(storage, prefix, options));
}

async function* listPartial(
  storage: DataStoreStorage,
  prefix: string,
  { signal }: CallOptions,
): AsyncGenerator<PartialName, void> {
  let last = '';
  for await (const page of storage.list({ prefix, signal })) {
    for (const { name } of page.objects) {
      // Attempts that are listed too late would be taken for none.
      if (compareNames(name, last) < 0) throw outOfOrder(name, last);
      last = name;
      const record = parsePartialName(name);
      if (record) yield record;
    }
  }
}

/** The attempts of one task after the other, in the order of their names, from lines of {@link attemptLine}. */
export class TaskStates {
  readonly #lines: Iterator<string, void>;
  #next: string | undefined;

  constructor(lines: Iterator<string, void>) {
    this.#lines = lines;
    this.#advance();
  }

  /** All states in which marks saw each attempt of a task. Tasks are asked for in their order. */
  of(partialPrefixOfTask: string): Map<number, Set<AttemptState>> {
    const task = partialPrefixOfTask.slice('partial/'.length);
    const states = new Map<number, Set<AttemptState>>();
    while (this.#next !== undefined) {
      const [of = '', number, state] = this.#next.split('\t');
      const order = compareNames(of, task);
      if (order > 0) break;
      this.#advance();
      if (order < 0) continue;
      const attempt = Number(number);
      states.set(attempt, (states.get(attempt) ?? new Set()).add(state as AttemptState));
    }
    return states;
  }

  /** Frees what the lines are read from. */
  close(): void {
    this.#lines.return?.();
  }

  #advance(): void {
    this.#next = this.#lines.next().value ?? undefined;
  }
}
