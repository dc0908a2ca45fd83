import { type Progress, ProgressMeter, type ProgressOptions } from '../async/progress.ts';
import { isStowageError, type StowageError, type StowageErrorCode } from '../errors.ts';
import type { CountStorage } from '../storage/count.ts';

/** Counts of the attempts, or sessions outside tasks, that a copy looked at. */
export interface CopyCounts {
  /** Written to the target; in a dry run, those that would be. */
  copied: number;
  /** Those that were in the target already, with the same result. */
  present: number;
  /** The target holds something else under the same name, and keeps it. */
  refused: number;
  /** Could not be read, or written. */
  failed: number;
  /** Still open in the source, so that there is no result to copy yet. */
  open: number;
}

/** Something that was not copied, and why. */
export interface CopyProblem {
  /** `<flow>/<run>`, or `<flow>/<run>/<step>/<task>/<n>`, or `loose/<session>`, or `names/<name>/<version>`. */
  path: string;
  /** `refused`: the target holds something else there. `failed`: it could not be read or written. */
  kind: 'refused' | 'failed';
  /** Tells what happened, and what to do. */
  error: StowageError;
}

/** The result of a copy. */
export interface CopyResult {
  /** True if nothing was written; the rest tells what would have been. */
  dryRun: boolean;
  /** The runs that were looked at. */
  runs: number;
  attempts: CopyCounts;
  /** Content saved outside tasks: the code of runs, and where a whole store is copied all of it, that of published versions included. */
  sessions: CopyCounts;
  /** Published versions, where a whole store is copied; withdrawn ones keep their numbers. */
  published: CopyCounts;
  /**
   * Entries of the cache whose attempts the target has. `refused` are those that are left out: their attempt is another one there, the
   * target has a later result of its own, or it is {@link unsignedEntries}; `failed` those that cannot be read. They cost a run
   * each, and are no problems.
   */
  entries: CopyCounts;
  /**
   * The refused entries that were left out for their signature: no key that is set here (`signingKeys`) made it, or
   * there is none though keys are set.
   */
  unsignedEntries: number;
  /** The length of the content of what was copied, before compression, each content as often as it is referred to; inline values are none. */
  contentBytes: number;
  /** The part of {@link contentBytes} that the target had already, or that was equal to other content of the copy. */
  bytesDeduplicated: number;
  /** Bytes of objects that were read from the source. */
  bytesRead: number;
  /** Bytes of objects that were written to the target. */
  bytesWritten: number;
  /** Attempts that the source gave up since (deleted, purged, erased in part), and published versions that it withdrew, which the target still has as they were. */
  outlived: number;
  /** Things that were not copied, at most the first 1,000. The counts are exact. */
  problems: CopyProblem[];
}

/**
 * The progress of a copy: `bytesDone` is the content of what is copied, `itemsDone` counts attempts and sessions outside tasks. How much
 * there is shows only at the end.
 */
export interface CopyProgress extends Progress {
  runsDone: number;
  runs: number;
  /** Attempts that were looked at to the end. */
  attemptsDone: number;
  /** Attempts that the listings have shown so far. */
  attempts: number;
  /** Bytes of objects that were read from the source. */
  bytesRead: number;
  /** Bytes of objects that were written to the target. */
  bytesWritten: number;
}

const MAX_PROBLEMS = 1_000;

/** The target holds something else; it is not a failure of either store. */
const REFUSALS: readonly StowageErrorCode[] = [
  'ATTEMPT_EXISTS',
  'ATTEMPT_FENCED',
  'RUN_EXISTS',
  'PUBLISHED_EXISTS',
];
/** Faults of one attempt, which the next may not have. Every other fault ends the copy. */
const OF_ONE_ATTEMPT: readonly StowageErrorCode[] = [
  ...REFUSALS,
  'INVALID_ARGUMENT',
  'INVALID_NAME',
  'UNSUPPORTED_FORMAT',
  'OBJECT_TOO_LARGE',
  'ATTEMPT_DELETED',
  'CODEC_UNAVAILABLE',
  'CONTENT_NOT_FOUND',
  'CONTENT_DAMAGED',
  'CONTENT_TOO_LARGE',
  'CONTENT_PURGED',
  'CONTENT_LOST',
  'PLACE_NOT_FOUND',
  'PLACE_NOT_TRUSTED',
  'PLACE_UNREACHABLE',
  'PLACE_NOT_OURS',
  'RECORD_DAMAGED',
  'STORAGE_FAILED',
];
/**
 * Faults of a place elsewhere, at which the source has content of some attempts, rather than of a store. One that does not
 * answer is not among them: it would be waited for anew by each attempt.
 */
const OF_A_PLACE: readonly StowageErrorCode[] = [
  'NO_SUCH_BUCKET',
  'STORAGE_CREDENTIALS',
  'STORAGE_NOT_PERMITTED',
  'STORAGE_UNSUPPORTED',
];

/** Keeps count of a copy. */
export class CopyReport {
  readonly attempts: CopyCounts = noCounts();
  readonly sessions: CopyCounts = noCounts();
  readonly published: CopyCounts = noCounts();
  readonly entries: CopyCounts = noCounts();
  runs = 0;
  runsDone = 0;
  attemptsFound = 0;
  contentBytes = 0;
  bytesDeduplicated = 0;
  outlived = 0;
  unsignedEntries = 0;
  readonly #problems: CopyProblem[] = [];
  readonly #sources: readonly CountStorage[];
  readonly #targets: readonly CountStorage[];
  /** Counts the content, for whoever asked how far the copy is. */
  readonly progress: ProgressMeter<CopyProgress> | undefined;

  constructor(
    sources: readonly CountStorage[],
    targets: readonly CountStorage[],
    onProgress: ProgressOptions<CopyProgress>['onProgress'],
  ) {
    this.#sources = sources;
    this.#targets = targets;
    this.progress = onProgress && new ProgressMeter(onProgress, 'copyStore', (at) => this.#completed(at));
  }

  /** Tells whoever asked how far it is. */
  progressed(): void {
    this.progress?.touch();
  }

  /** Counts content of a dry run. */
  wouldCopy(bytes: number): void {
    this.contentBytes += bytes;
    this.progress?.add(bytes);
  }

  /**
   * Runs the copy of one thing and counts what becomes of it; throws what ends the whole copy.
   *
   * @returns whether the target has it now
   */
  async count(
    counts: CopyCounts | undefined,
    path: string,
    copy: () => Promise<'copied' | 'present' | 'open' | 'nothing'>,
  ): Promise<boolean> {
    try {
      const outcome = await copy();
      if (counts && outcome !== 'nothing') counts[outcome] += 1;
      return true;
    } catch (error) {
      if (!isOfOneAttempt(error)) throw error;
      const kind = REFUSALS.includes(error.code) ? 'refused' : 'failed';
      if (counts) counts[kind] += 1;
      if (this.#problems.length < MAX_PROBLEMS) this.#problems.push({ path, kind, error });
      return false;
    } finally {
      this.progressed();
    }
  }

  result(dryRun: boolean): CopyResult {
    const { runs, attempts, sessions, published, entries } = this;
    const { unsignedEntries, contentBytes, bytesDeduplicated, outlived } = this;
    return {
      dryRun,
      runs,
      attempts,
      sessions,
      published,
      entries,
      unsignedEntries,
      contentBytes,
      bytesDeduplicated,
      ...this.#bytes(),
      outlived,
      problems: this.#problems,
    };
  }

  #completed(progress: Progress): CopyProgress {
    const attemptsDone = sumOf(this.attempts);
    return {
      ...progress,
      itemsDone: attemptsDone + sumOf(this.sessions),
      itemsTotal: undefined,
      runsDone: this.runsDone,
      runs: this.runs,
      attemptsDone,
      attempts: this.attemptsFound,
      ...this.#bytes(),
    };
  }

  #bytes(): { bytesRead: number; bytesWritten: number } {
    return {
      bytesRead: this.#sources.reduce((sum, source) => sum + source.snapshot().get.bytes, 0),
      bytesWritten: this.#targets.reduce((sum, target) => sum + target.snapshot().create.bytes, 0),
    };
  }
}

/** True if an error is about one attempt, record or content, rather than a store. */
export function isOfOneAttempt(error: unknown): error is StowageError {
  if (!isStowageError(error)) return false;
  if (OF_ONE_ATTEMPT.includes(error.code)) return true;
  return error.details.placeUri !== undefined && OF_A_PLACE.includes(error.code);
}

function sumOf({ copied, present, refused, failed, open }: CopyCounts): number {
  return copied + present + refused + failed + open;
}

function noCounts(): CopyCounts {
  return { copied: 0, present: 0, refused: 0, failed: 0, open: 0 };
}
