import type { ListedEntry } from '../../cache/entry-listing.ts';
import type { CacheMissReason } from '../../cache/entry-reader.ts';
import { isStowageError, StowageError } from '../../errors.ts';
import { isSignatureFault } from '../../format/cache-entry.ts';
import type { Invocation } from '../invocation.ts';
import { entryCount } from './entries.ts';

/** Counts the entries that cannot be read, or do not count, by what is wrong with them; keeps the first error of each kind. */
export class ProblemTally {
  readonly counts: Map<CacheMissReason, number> = new Map();
  readonly #first: Map<CacheMissReason, unknown> = new Map();

  add({ problem, error }: ListedEntry): void {
    if (problem === undefined) return;
    this.counts.set(problem, (this.counts.get(problem) ?? 0) + 1);
    if (!this.#first.has(problem)) this.#first.set(problem, error);
  }

  /** Damage, and what a newer release wrote, could not be read. That signatures do not hold is what was to be found out. */
  report(invocation: Invocation): void {
    for (const problem of ['damaged', 'newer-format'] as const) {
      const count = this.counts.get(problem) ?? 0;
      if (count > 0) invocation.failed(unreadableEntry(this.#first.get(problem), count));
    }
    const unavailable = this.#first.get('unavailable');
    if (isStowageError(unavailable)) invocation.failed(unavailable);
    const unsigned = [...this.counts].reduce(
      (sum, [problem, count]) => sum + (isSignatureFault(problem) ? count : 0),
      0,
    );
    if (unsigned === 0) return;
    invocation.note(
      `${entryCount(unsigned)} not signed by a key in STOWAGE_CACHE_KEY; tasks that have these keys run again.`,
    );
  }
}

/** The error of entries that cannot be read, the first of which failed with `error`. */
export function unreadableEntry(error: unknown, count = 1): StowageError {
  const isNewer = isStowageError(error, 'UNSUPPORTED_FORMAT');
  const said = error instanceof Error ? error.message : 'It cannot be read.';
  const others = count > 1 ? ` (And ${count - 1} more of the cache.)` : '';
  const remedy = isNewer
    ? ''
    : ' It costs a run of its task, no more; to remove it: stowage cache evict <key>';
  return new StowageError(isNewer ? 'UNSUPPORTED_FORMAT' : 'RECORD_DAMAGED', `${said}${others}${remedy}`, {
    details: { ...(isStowageError(error) ? error.details : {}), entries: count },
    cause: error,
  });
}
