import type { ListedRun } from '../attempts/run-listing.ts';
import type { Invocation } from './invocation.ts';
import { type RunJson, type RunWanted, readWantedRuns } from './run-view.ts';
import type { OpenStore } from './store.ts';
import { parseSince } from './ui/times.ts';

/** The statuses that runs can be asked for. */
export const RUN_STATUSES = ['open', 'done', 'failed'] as const;

/** Which runs to show, as options of a command. */
export interface RunFilterOptions {
  tag?: readonly string[];
  status?: (typeof RUN_STATUSES)[number];
  since?: string;
}

/** Runs that were chosen, and how many older ones nobody looked at, because there were enough. */
export interface SelectedRuns {
  runs: RunJson[];
  unread: number;
  /** Tags of all runs that were read, chosen or not, where tags are looked for. */
  seenTags: ReadonlySet<string>;
}

/** How many records are read at once while runs are looked for. */
const AT_ONCE = 32;

/** Chooses runs by what their records say, and reads no more of these than it must. */
export class RunFilter {
  readonly #tags: readonly string[];
  readonly #status: RunFilterOptions['status'];
  readonly #createdSinceMs: number;

  constructor({ tag = [], status, since }: RunFilterOptions) {
    this.#tags = tag;
    this.#status = status;
    this.#createdSinceMs = since === undefined ? Number.NEGATIVE_INFINITY : parseSince(since, '--since');
  }

  /** Whether all runs pass. */
  get isEmpty(): boolean {
    return this.#tags.length === 0 && this.#status === undefined && !Number.isFinite(this.#createdSinceMs);
  }

  /** The first `limit` of `listed`, newest first, that pass. */
  async select(
    invocation: Invocation,
    store: OpenStore,
    listed: readonly ListedRun[],
    limit: number,
  ): Promise<SelectedRuns> {
    const candidates = listed.filter((run) => this.#mayPass(run));
    const runs: RunJson[] = [];
    const seenTags = new Set<string>();
    const isWanted = this.#isWanted(seenTags);
    let next = 0;
    while (next < candidates.length && runs.length < limit) {
      const slice = candidates.slice(next, next + (this.isEmpty ? limit : AT_ONCE));
      for (const run of await readWantedRuns(invocation, store, slice, isWanted)) {
        if (runs.length === limit) break;
        next += 1;
        if (run && this.#passes(run)) runs.push(run);
      }
    }
    return { runs, unread: candidates.length - next, seenTags };
  }

  /** What the listing alone tells. */
  #mayPass({ createdAtMs, finished }: ListedRun): boolean {
    if (createdAtMs < this.#createdSinceMs) return false;
    return this.#status === undefined || finished === (this.#status !== 'open');
  }

  /** What tags tell, before the end of the run is read; notes them. Nothing where the filter has none. */
  #isWanted(seenTags: Set<string>): RunWanted | undefined {
    if (this.#tags.length === 0) return undefined;
    return (created) => {
      const { tags = [] } = created ?? {};
      for (const tag of tags) seenTags.add(tag);
      return this.#hasTags(tags);
    };
  }

  /** A run whose record could not be read has no tags. */
  #passes({ status, tags }: RunJson): boolean {
    return (this.#status === undefined || status === this.#status) && this.#hasTags(tags);
  }

  #hasTags(tags: readonly string[]): boolean {
    return this.#tags.every((tag) => tags.includes(tag));
  }
}
