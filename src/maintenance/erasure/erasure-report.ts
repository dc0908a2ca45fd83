import type { StowageError } from '../../errors.ts';
import type { ContentKey } from '../../format/content-names.ts';
import type { ObjectAt } from '../../format/erasure-records.ts';

/** A session that has something of the contents, or had. */
export interface ErasureHolder {
  /** `flow/run/step/task/attempt`, or `loose/<session>` for content saved outside a task. */
  readonly path: string;
  /** The artifacts that go: their value is one of the contents. */
  readonly artifacts: readonly string[];
  /** The artifacts that go because a reference in them points at one of the contents. */
  readonly references: readonly string[];
  /** The reports that go. */
  readonly reports: readonly string[];
  /** The runs whose code the session keeps, as far as their records can be read: `flow/run`. */
  readonly codeOf: readonly string[];
  /** The published versions whose value the session keeps, as far as their records can be read, `name/version`: they stay in their places, and loading them says why it was erased. */
  readonly published: readonly string[];
}

/** A session that is open, and may have something of the contents. */
export interface WaitedFor {
  /** `flow/run/step/task/attempt`, or `loose/<session>`. */
  readonly path: string;
  /** It relies on one of the contents. Of others nobody can tell before they are closed. */
  readonly pinned: boolean;
}

/** One of the contents, as the store has it. */
export interface ContentToErase {
  readonly key: ContentKey;
  /** Copies under its key, and plain objects. */
  readonly copies: number;
  /** Packs that hold its chunks. */
  readonly packs: number;
}

/** What an erasure found and did. */
export interface ErasureResult {
  /**
   * - `dry-run`: nothing was changed;
   * - `nothing`: nothing in the store has the contents;
   * - `complete`: nothing in the store has them any more;
   * - `open`: something is left, see `waitsFor`, `undeleted` and `problems`. Go on with `continue: true`.
   */
  readonly outcome: 'dry-run' | 'nothing' | 'complete' | 'open';
  /** The id of the erasure, which its records have; absent in a dry run, and where there was nothing to erase. */
  readonly erasure?: string;
  readonly contents: readonly ContentToErase[];
  /** All that is counted is erased, or would be in a dry run. */
  readonly counts: {
    readonly attempts: number;
    /** Of content saved outside tasks. */
    readonly sessions: number;
    readonly artifacts: number;
    readonly reports: number;
    /** Objects of values that are written anew. */
    readonly values: number;
    /** Traces, checkpoints and versions of reports. */
    readonly partial: number;
    readonly cacheEntries: number;
  };
  /** At most 1,000 of them. */
  readonly holders: readonly ErasureHolder[];
  /** At most 1,000 of them. */
  readonly waitsFor: readonly WaitedFor[];
  readonly waiting: number;
  /** Keys of other contents whose chunks lie in the same packs: at most 100. These are written anew. */
  readonly sharing: readonly ContentKey[];
  readonly sharingCount: number;
  /** Objects that could not be deleted: at most 100. */
  readonly undeleted: readonly (ObjectAt & { error: Error })[];
  /** What could not be looked at, or not be erased: at most 100. */
  readonly problems: readonly { path: string; error: StowageError }[];
}

const MOST_HOLDERS = 1_000;
const MOST_FAILURES = 100;

/** Gathers what comes to be an {@link ErasureResult}. */
export class ErasureReport {
  readonly counts = {
    attempts: 0,
    sessions: 0,
    artifacts: 0,
    reports: 0,
    values: 0,
    partial: 0,
    cacheEntries: 0,
  };
  readonly holders: ErasureHolder[] = [];
  readonly undeleted: (ObjectAt & { error: Error })[] = [];
  /** All that could not be deleted, by name. */
  readonly left: ObjectAt[] = [];
  readonly problems: { path: string; error: StowageError }[] = [];
  contents: ContentToErase[] = [];
  sharing: ContentKey[] = [];
  sharingCount = 0;
  waitsFor: WaitedFor[] = [];
  waiting = 0;
  /** Everything that was left undone, counted. */
  failures = 0;

  holder(holder: ErasureHolder, values: number): void {
    if (isOfTask(holder.path)) this.counts.attempts += 1;
    else this.counts.sessions += 1;
    this.counts.artifacts += holder.artifacts.length + holder.references.length;
    this.counts.reports += holder.reports.length;
    this.counts.values += values;
    if (this.holders.length < MOST_HOLDERS) this.holders.push(holder);
  }

  notDeleted(object: ObjectAt, error: Error): void {
    this.failures += 1;
    if (this.left.some(({ place, name }) => place === object.place && name === object.name)) return;
    this.left.push(object);
    if (this.undeleted.length < MOST_FAILURES) this.undeleted.push({ ...object, error });
  }

  /** Of shared content: the collector's log has what was condemned, so that nobody deletes it by name alone. */
  notCollected(object: ObjectAt, error: Error): void {
    this.failures += 1;
    if (this.undeleted.length < MOST_FAILURES) this.undeleted.push({ ...object, error });
  }

  problem(path: string, error: StowageError): void {
    this.failures += 1;
    if (this.problems.some((told) => told.path === path && told.error.code === error.code)) return;
    if (this.problems.length < MOST_FAILURES) this.problems.push({ path, error });
  }

  /** Sessions that are waited for, once a round is over. */
  waits(waitsFor: readonly WaitedFor[]): void {
    this.waiting = waitsFor.length;
    this.waitsFor = waitsFor.slice(0, MOST_HOLDERS);
  }

  result(outcome: ErasureResult['outcome'], erasure: string | undefined): ErasureResult {
    const { contents, counts, holders, waitsFor, waiting, sharing, sharingCount, undeleted, problems } = this;
    const facts = {
      contents,
      counts,
      holders,
      waitsFor,
      waiting,
      sharing,
      sharingCount,
      undeleted,
      problems,
    };
    return { outcome, ...(erasure === undefined ? {} : { erasure }), ...facts };
  }
}

/** `flow/run/step/task/attempt` of an attempt, `loose/<session>` of others. */
export function pathOf(base: string): string {
  return base.startsWith('flows/') ? base.slice('flows/'.length) : base;
}

function isOfTask(path: string): boolean {
  return path.split('/').length > 2;
}
