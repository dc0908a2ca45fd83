import type { MaintenanceOptions } from '../opened-store.ts';
import type { RetentionPolicy, RunStatus } from './policy.ts';

/** What goes, and what that frees once the store is collected. */
export interface RetentionAccount {
  /** Runs that go, or of which attempts go. */
  runs: number;
  tasks: number;
  attempts: number;
  artifacts: number;
  /**
   * Stored bytes that nothing else refers to, so that a collection frees them: content, small values of attempts and logs. Records and
   * inline values are not counted. Of a run these are the bytes that nothing but this run refers to: what several runs share that all go
   * counts for their flow or the whole alone.
   */
  freedBytes: number;
  /** Stored bytes that it refers to and something else does as well, so that they stay for that. */
  sharedBytes: number;
}

/** The reason why a run goes: it is older than the policy keeps, beyond the newest that it keeps, or beyond the size; or its deletion was begun. */
export type RunReason = 'age' | 'count' | 'size' | 'begun';

/** A run that goes. */
export interface PlannedRun extends RetentionAccount {
  flow: string;
  run: string;
  /** ISO 8601, by its creator's clock. */
  createdAt: string;
  status: RunStatus;
  reason: RunReason;
  /** Only its content goes. */
  contentOnly: boolean;
  /** Attempts that stay since entries of the cache which stay name them; the run's records stay with them. */
  keptAttempts: number;
}

/** The number of runs that stay, by the first reason that keeps each. */
export interface KeptRuns {
  /** They still run. */
  running: number;
  pinned: number;
  /** They have one of `keepTags`. */
  tagged: number;
  /** They have one of `keepStatus`. */
  status: number;
  /** They are among the newest, or young enough, or no rule limits them. */
  limits: number;
  /** Of all these, the runs of which nothing can be read that the policy asks for; they stay. */
  unreadable: number;
}

/** Something of a plan that its maker should know. */
export interface RetentionWarning {
  /**
   * - `cache-outlives-runs`: entries of the cache are good for longer than the policy keeps runs, so that their attempts stay for that long;
   * - `cache-cut-short`: entries go that would be good for longer;
   * - `size-not-reached`: what may not go takes up more than `maxBytes`;
   * - `unreadable`: a record cannot be read, so that its run stays.
   */
  kind: 'cache-outlives-runs' | 'cache-cut-short' | 'size-not-reached' | 'unreadable';
  message: string;
}

/** What a policy gives up of a store. Nothing was changed. */
export interface RetentionPlan {
  storeId: string;
  /** The policy that it was made by. */
  policy: RetentionPolicy;
  /** The time by which ages were told, ISO 8601. */
  plannedAt: string;
  /** What goes, oldest first. */
  runs: PlannedRun[];
  /** The same by flow, ascending by name. */
  flows: ({ flow: string } & RetentionAccount)[];
  /** The same by the names of artifacts, those first that free most: 1,000 at most, the others together as `''`. */
  artifacts: ({ name: string } & Pick<RetentionAccount, 'freedBytes' | 'sharedBytes'>)[];
  /** All of it together. */
  total: RetentionAccount;
  /** Runs that stay. */
  kept: KeptRuns;
  /** Runs that are closed as `abandoned`, since their processes left them open. Those that go as well are among `runs`. */
  abandoned: { flow: string; run: string }[];
  cache: {
    /** Entries that go, and the bytes of their objects. */
    entries: number;
    bytes: number;
    /** Those of them that have expired. */
    expired: number;
    /** Entries that stay. */
    kept: number;
  };
  warnings: RetentionWarning[];
  /** No run of the store would stay: it is not carried out unless that is confirmed (`evenEverything`). */
  deletesEverything: boolean;
}

/** An object that could not be deleted, or a run that could not be worked on. What else goes went; the next retention tries again. */
export interface RetentionProblem {
  flow?: string;
  run?: string;
  /** The object, where it is one. */
  name?: string;
  error: Error;
}

/** What was given up. Its content is freed by the collection that follows. */
export interface RetentionResult {
  /** `true`: it was counted what would go, and nothing was changed. */
  dryRun: boolean;
  /** Runs that are gone from listings. */
  runs: number;
  /** Runs of which something went, and something stays: history, attempts that the cache names, or what could not be deleted. */
  runsInPart: number;
  /** Attempts that were marked now. */
  attempts: { deleted: number; purged: number };
  /** Artifacts that were removed from attempts which stay. */
  artifacts: number;
  /** Runs, and attempts of tasks, that were closed as abandoned. */
  abandoned: { runs: number; attempts: number };
  /** Sessions that kept the code of runs, and were released. */
  codeSessions: number;
  cacheEntries: number;
  /** Objects that were deleted: descriptions, values, logs, partial records, records of runs. */
  objects: number;
  /** Runs of a plan that were left, since they run again, were pinned since, or are gone. */
  left: { flow: string; run: string; why: 'running' | 'pinned' | 'kept' | 'gone' }[];
  /** The first 100 problems, and how many there are. */
  problems: RetentionProblem[];
  problemCount: number;
}

/** How far retention is. */
export interface RetentionProgress {
  /** `look`: lists runs and attempts; `count`: reads what they hold; `delete`: gives up what goes. */
  step: 'look' | 'cache' | 'count' | 'delete';
  /** Runs or attempts that were looked at, or given up, in this step. */
  done: number;
  /** How many there are, where that is known. */
  total: number | undefined;
}

/** Options of `planRetention`. */
export interface PlanRetentionOptions extends MaintenanceOptions {
  policy: RetentionPolicy;
  /** Is told how far it is. */
  onProgress?: ((progress: RetentionProgress) => void) | undefined;
  /** The time by which ages are told, in milliseconds since 1970. Default: this machine's. */
  nowMs?: number | undefined;
}

/** Options of `applyRetention`: a `plan`, or a `policy` without one. */
export interface ApplyRetentionOptions extends MaintenanceOptions {
  /** Default: that of `plan`. */
  policy?: RetentionPolicy | undefined;
  /**
   * What was shown before. Of it goes what its policy still gives up, by the plan's time: nothing beside it goes. Runs that run again or were pinned
   * since stay. Default: none, all goes that the policy gives up now.
   */
  plan?: RetentionPlan | undefined;
  /** Gives up every run of the store, where the policy does. Default `false`: `INVALID_ARGUMENT` then. */
  evenEverything?: boolean | undefined;
  /** The number of runs that are worked on at a time. Default 4. */
  concurrency?: number | undefined;
  onProgress?: ((progress: RetentionProgress) => void) | undefined;
  /** The time by which ages are told and sessions are silent, in milliseconds since 1970, for tests. Default: the store's. */
  nowMs?: number | undefined;
}

/** Options of `removeFromStore`. */
export interface RemoveOptions extends MaintenanceOptions {
  /**
   * `<flow>/<run>`, `<flow>/<run>/<step>` or `<flow>/<run>/<step>/<task>`: a run, a step or a task, with all attempts; `<task>/<attempt>`: one attempt;
   * `<task>/<artifact>` or `<task>/<attempt>/<artifact>`: an artifact of all attempts of a task, or of one. A number behind a task is an attempt.
   */
  path: string;
  /** Gives up the content alone, see `RunRules.contentOnly`. Default `false`. */
  contentOnly?: boolean | undefined;
  /** Removes a run that is pinned as well. Default `false`: `RUN_PINNED`. */
  evenPinned?: boolean | undefined;
  /** Counts what would go, and changes nothing. Default `false`. */
  dryRun?: boolean | undefined;
  onProgress?: ((progress: RetentionProgress) => void) | undefined;
  /** As for `applyRetention`. */
  nowMs?: number | undefined;
}
