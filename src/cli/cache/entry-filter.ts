import type { ListedEntry } from '../../cache/entry-listing.ts';
import { didYouMean, suggest } from '../suggestions.ts';
import { parseSince } from '../ui/times.ts';
import { storedAtMs } from './entry-view.ts';

/** Which entries are meant, as options of a command. */
export interface EntryFilterOptions {
  task?: string;
  scope?: string;
  olderThan?: string;
  since?: string;
}

/** Names beyond these are not kept for suggestions. */
const MAX_SEEN = 1000;

/** Chooses entries by what they say; of one that cannot be read, only its age is known. */
export class EntryFilter {
  /** Whether all entries pass. */
  readonly isEmpty: boolean;
  readonly #task: string | undefined;
  readonly #scope: string | undefined;
  readonly #beforeMs: number;
  readonly #sinceMs: number;
  readonly #seenTasks: Set<string> = new Set();
  readonly #seenScopes: Set<string> = new Set();

  /** @throws CliError `USAGE` */
  constructor({ task, scope, olderThan, since }: EntryFilterOptions) {
    this.isEmpty = [task, scope, olderThan, since].every((option) => option === undefined);
    this.#task = task;
    this.#scope = scope;
    this.#beforeMs =
      olderThan === undefined ? Number.POSITIVE_INFINITY : parseSince(olderThan, '--older-than');
    this.#sinceMs = since === undefined ? Number.NEGATIVE_INFINITY : parseSince(since, '--since');
  }

  passes(listed: ListedEntry): boolean {
    const { entry } = listed;
    if (entry && this.#seenTasks.size < MAX_SEEN) this.#seenTasks.add(entry.task);
    if (entry && this.#seenScopes.size < MAX_SEEN) this.#seenScopes.add(entry.scope);
    if (this.#task !== undefined && entry?.task !== this.#task) return false;
    if (this.#scope !== undefined && !isOfScope(entry?.scope, this.#scope)) return false;
    const atMs = storedAtMs(listed);
    return atMs < this.#beforeMs && atMs >= this.#sinceMs;
  }

  /** What may have been meant where nothing passed. */
  didYouMean(): string {
    const [task, scope] = [this.#task, this.#scope];
    if (task !== undefined && !this.#seenTasks.has(task)) return meant(task, this.#seenTasks);
    const names = [...this.#seenScopes].map((seen) => seen.replace(/^flow /, ''));
    if (scope !== undefined && ![...this.#seenScopes].some((seen) => isOfScope(seen, scope)))
      return meant(scope.replace(/^flow /, ''), names);
    return '';
  }
}

/** A flow's scope is told as `flow Train`, and may be asked for by the flow's name. */
function isOfScope(scope: string | undefined, wanted: string): boolean {
  return scope === wanted || scope === `flow ${wanted}`;
}

function meant(wanted: string, seen: Iterable<string>): string {
  return didYouMean(suggest(wanted, [...seen]));
}
