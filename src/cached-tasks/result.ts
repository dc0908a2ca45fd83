import type { CacheMissReason } from '../cache/entry-reader.ts';
import type { NotStoredReason } from '../cache/entry-writer.ts';
import type { StowageError } from '../errors.ts';
import type { CacheEntrySource } from '../format/cache-entry.ts';
import { formatPathspec } from '../format/pathspec.ts';

/** The attempt that a result comes from. */
export interface Provenance {
  flowName: string;
  runId: string;
  stepName: string;
  taskId: string;
  attempt: number;
  /** `run/step/task/attempt`, as `getTaskDataStore` of that flow takes it. */
  pathspec: string;
  /** BLAKE3-256 of the attempt's metadata.json: an attempt that has another one is not the one that was cached. */
  metadataDigest: string;
  /** When the result was stored, by the clock of its process. */
  storedAt: Date;
  /** The time that the function ran then, in milliseconds. */
  durationMs: number | undefined;
}

/** The provenance of a result that an entry names, or is to name. */
export function provenanceOf(
  { flow, run, step, task, attempt, metadataDigest }: CacheEntrySource,
  storedAt: Date,
  durationMs: number | undefined,
): Provenance {
  return {
    flowName: flow,
    runId: run,
    stepName: step,
    taskId: task,
    attempt,
    pathspec: formatPathspec({ run, step, task }, attempt),
    metadataDigest,
    storedAt,
    durationMs,
  };
}

/** Why a call of a cached task was no hit: the cache had none, or the task's output schema refused what it had. */
export type CallMissReason = CacheMissReason | 'refused';

/** A result of a cached task, and how it came about. */
export interface CachedResult<Output> {
  /**
   * The return value of the function as it is loaded from the store, of a miss too, parsed by the schema of its output if it has one. One
   * that cannot be saved is the very value.
   */
  value: Output;
  /** `true` for the result of an earlier run, or of one elsewhere that this call waited for. */
  hit: boolean;
  /** `true` if later calls find it; `false` after a run that could not be stored, or was not to be. */
  stored: boolean;
  /** The call's key: 64 hexadecimal digits. */
  key: string;
  /** The attempt that it comes from; `undefined` where none could be recorded. */
  provenance: Provenance | undefined;
  /**
   * `true` if a function of other source made it, comments and layout aside, under the same `version`; `false` for the version `auto`,
   * and where it cannot be told.
   */
  otherSource: boolean;
  /**
   * The attempt of this call's own run, `run/step/task/attempt`: that of a run, or of a hit with `recordHit`. That of an unsavable result
   * has failed.
   */
  recorded: string | undefined;
  /**
   * Why it was no hit; `undefined` for hits, and where the cache was not asked. `refused`: there is a result, and the output schema that
   * the task has now does not take it.
   */
  missReason: CallMissReason | undefined;
  /**
   * Why it was not stored, where it was to be. `unrecorded`: its attempt could not be written. `unsavable`: it holds something that cannot
   * be saved; `notStoredError` names it.
   */
  notStoredReason: NotStoredReason | 'unrecorded' | 'unsavable' | undefined;
  /** The error that kept it from being stored, where something failed: `undefined` for hits, and where somebody else's result is there. */
  notStoredError: unknown;
  /** The time that the function ran, in milliseconds; for a hit the time that it ran then, if that is known. */
  durationMs: number | undefined;
}

/** The outcome that identical calls under way share, and the schema that parsed or refused it. */
export type SharedResult = { output: object | undefined } & (
  | { result: CachedResult<unknown> }
  | { refused: StowageError }
);
