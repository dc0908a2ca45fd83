import type { ProgressOptions } from '../async/progress.ts';
import type { CodeOptions } from '../cache/auto-version.ts';
import { LEASE_MS } from '../cache/task-cache.ts';
import { invalidArgument, isRecoverable } from '../errors.ts';
import type { StandardSchema } from '../flow/standard-schema.ts';
import { LABEL } from '../format/label.ts';
import { checkMembers } from '../options/option-names.ts';
import {
  ANYTHING,
  checkKinds,
  checkOptions,
  FLAG,
  FUNCTION,
  NAMES,
  type OptionKind,
  type OptionTable,
  oneOf,
  TEXT,
  wholeMilliseconds,
  wholeNumber,
} from '../options/option-table.ts';
import type { Directories } from '../references/directories.ts';
import type { Files } from '../references/files.ts';
import type { Frames } from '../references/frames.ts';
import type { Report, ReportOptions } from '../reports/report.ts';
import type { CallOptions } from '../storage/contract.ts';
import { validateUserName } from '../storage/names.ts';
import type { Checkpoints } from '../trace/checkpoints.ts';
import type { Traced } from '../trace/traces.ts';

/**
 * The ways in which a call uses the cache.
 * - `auto`: a result that is there is returned; else the function runs, and its result is stored.
 * - `refresh`: the function runs, and its result replaces what is there; nothing that was begun before the call is returned.
 * - `readonly`: a result that is there is returned; else the function runs, and nothing is written, not even an attempt.
 * - `off`: the function runs, and an attempt records it; the cache is neither asked nor changed.
 */
export type CacheMode = 'auto' | 'refresh' | 'readonly' | 'off';

/** Tries a run that failed again, each time as a new attempt. */
export interface TaskRetry {
  /** The most tries in all, the first included: from 1 to 1,000. */
  attempts: number;
  /** Chooses the errors that may pass. Default: all but those whose `recoverable` is `false`. */
  when?: ((error: unknown) => boolean) | undefined;
  /** Milliseconds to wait before the next try, or a function of how many there were. Default 0. */
  delayMs?: number | ((tries: number) => number) | undefined;
}

/** The second argument of a cached task's function, beside its input. */
export interface CachedTaskContext {
  /** Adds a line to the log of the attempt, formatted as `console.log` does. Never waits, never throws. */
  readonly log: (...values: unknown[]) => void;
  /** Aborted when the caller, and everybody who waits for the same call, was. */
  readonly signal: AbortSignal;
  /** The number of this try, from 0; see `retry`. */
  readonly attempt: number;
  /** The attempt that is recorded, `run/step/task/attempt`; `undefined` where the store could not be written. */
  readonly pathspec: string | undefined;
  /** An empty folder of this try's own, removed when it ends. Made when it is first asked for. */
  readonly workDir: string;
  /**
   * Opens a report of the attempt: what people are to see of the task, as one HTML file. It is no part of the cached value; it is read from the attempt
   * that the result's `provenance` names. A store that fails costs the record, and no error.
   *
   * @throws StowageError `INVALID_NAME` for a name that is not `[A-Za-z0-9_-]{1,32}`; `INVALID_ARGUMENT`
   */
  readonly report: (name: string, options?: ReportOptions) => Report;
  /** Keeps files with the attempt. */
  readonly files: CachedTaskFiles;
  /** References to data frames, which may be part of the output, as those to files. */
  readonly frames: Frames;
  /**
   * Wraps a function so that its calls are not repeated by a later try, as `OpenTaskDataStore.trace` does. A store that fails costs the
   * record, and no error. With mode `refresh` only tries of the same call are replayed; with `readonly` nothing is recorded or replayed.
   */
  trace<Args extends unknown[], R>(name: string, fn: (...args: Args) => R): Traced<Args, R>;
  /**
   * States to go on from, as those of `OpenTaskDataStore.checkpoint`. A store that fails costs the record, and no error; where nothing is
   * recorded, as with mode `readonly`, nothing is saved or found. With mode `refresh` only those of the same call are found.
   */
  readonly checkpoint: Checkpoints;
  /** References to directories, which may be part of the output; kept as files are. */
  readonly directories: Directories;
}

/**
 * Files of a cached task: those that it keeps beside its output, and references, which may be part of its output. What is referenced is
 * kept by the attempt: where that is not recorded (mode `readonly`, a store that failed) saving a file is `INVALID_ARGUMENT`.
 */
export interface CachedTaskFiles
  extends Pick<Files, 'fromLocal' | 'fromData' | 'create' | 'existing' | 'remote'> {
  /**
   * Saves a file as an artifact of the attempt, streamed, whatever its size. It is no part of the cached value; it is read from the
   * attempt that the result's `provenance` names. It takes as long as the storage allows: `cacheTimeoutMs` does not count what the
   * function itself does. A store that fails costs the record, and no error;
   * so does a file that could not be read, unless another one is saved by its name.
   *
   * @throws StowageError `INVALID_NAME`; `INVALID_ARGUMENT` for a file that cannot be read.
   */
  save(name: string, path: string, options?: ProgressOptions): Promise<void>;
}

/** Options of `FlowDataStore.cachedTask`. */
export interface CachedTaskOptions<CallInput, Input, Result, Output, OutputInput = unknown> {
  /** The task's name: part of the key, and the name of the step under which its attempts stand. */
  name: string;
  /**
   * A text that is changed when the function does something else; or `auto`: the function's own source and that of `dependsOn`,
   * comments and layout aside.
   */
  version: string;
  /** The work. Gets the parsed input, and a context; see {@link CachedTaskContext}. Called without a `this`. */
  run: (input: Input, context: CachedTaskContext) => Result | Promise<Result>;
  /**
   * Functions, cached tasks, and files by their paths, whose change is a change of the version `auto`. Files are looked at for each call, and
   * read when they were changed; a change while a call that runs is under way ends that by `INVALID_ARGUMENT`. Default none.
   */
  dependsOn?: CodeOptions['dependsOn'];
  /**
   * Warns once of variables that the code of the version `auto` uses and does not declare (see `CodeVersion.freeVariables`), or makes them
   * `INVALID_ARGUMENT` for each call. A variable that a function of `dependsOn` or a member of `config` is named as is none of them.
   * Default `warn`.
   */
  freeVariables?: 'warn' | 'error' | undefined;
  /** Names of such variables that do not change the result, or count by other means: a salt, the input, a file. Default none. */
  ignoredVariables?: readonly string[] | undefined;
  /** Any text that is part of the key, with every version: changed, everything runs anew. Default none. */
  salt?: string | undefined;
  /** A Standard Schema that inputs are parsed by; the key is made of what it returns. Default: inputs are taken as they come. */
  input?: StandardSchema<Input, CallInput> | undefined;
  /**
   * A Standard Schema that results are parsed by, hits too: what the function returned is stored as it is, so that a changed schema counts at
   * once; a stored result that it refuses is a miss. The function has to return what it takes. Default: as they come.
   */
  output?: StandardSchema<Output, OutputInput> | undefined;
  /** Stands for schemas of which no JSON Schema can be had; changed by hand when they change. Default: the JSON Schemas. */
  interfaceVersion?: string | undefined;
  /**
   * A value that the result depends on beside the input; any that can be saved. Read anew for the key of each call, so that an object may be changed
   * between calls; changed while a call that runs is under way, it ends that by `INVALID_ARGUMENT`. Default none.
   */
  config?: unknown;
  /** Members of the input that do not change the result: no part of the key, nor of what is recorded. Default none. */
  ignoredInputs?: readonly string[] | undefined;
  /** The calls that share results: `flow` (this flow), `global` (all flows of the store), or any other text. Default `flow`. */
  scope?: string | undefined;
  /** The age at which a result does not count any more: milliseconds, or text such as `12h`, `7d`. Default: any age. */
  maxAge?: number | string | undefined;
  /** Has identical calls of different processes wait for one another, so that one of them runs. Default `false`. */
  serialize?: boolean | undefined;
  /**
   * After how long without a sign of life a process that runs a serialized call counts as dead, and another one runs it, in
   * milliseconds: 20 to 3,600,000. Default 60,000.
   */
  leaseMs?: number | undefined;
  /** Tries a run that failed again. Default: not. */
  retry?: TaskRetry | undefined;
  /**
   * The fate of a result that cannot be saved. `return`: the caller gets it all the same, with `stored: false`, and the process is warned.
   * `throw`: the call fails with `UNSERIALIZABLE_ARTIFACT`. The attempt has failed either way, and an equal call runs again. Default `return`.
   */
  onUnsavable?: 'return' | 'throw' | undefined;
  /**
   * The longest that looking for a result and recording one may keep a call waiting together, in milliseconds. Large outputs need
   * longer; files that the function itself saves, and `recordHit`, are not counted. Default: that of the flow's cache, 60,000.
   */
  cacheTimeoutMs?: number | undefined;
}

/** Options of one call of a cached task. */
export interface CachedCallOptions extends CallOptions {
  /** Default `auto`. */
  mode?: CacheMode | undefined;
  /**
   * The name that people see for the attempt that the call runs as, or is recorded as, beside its name, which is a digest: a line of text of at most 256
   * bytes. No part of the key. Default: nothing.
   */
  label?: string | undefined;
  /** Any text that is part of this call's key: calls that differ in it do not share results. Default none. */
  salt?: string | undefined;
  /** The run under which a miss is recorded. Default: that of the task within which the call is made; else one of this process. */
  runId?: string | undefined;
  /** Records a hit too, as an attempt of the run that shares the content of the first. Default `false`. */
  recordHit?: boolean | undefined;
}

/** The longest that a timer can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1;
const AGE = /^(\d+(?:\.\d+)?) ?(ms|s|min|m|h|d|w)$/;
const AGE_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

const SCHEMA: OptionKind = {
  expects: 'a Standard Schema, which has a ~standard.validate',
  accepts: (value) =>
    typeof (value as Partial<StandardSchema> | null)?.['~standard']?.validate === 'function',
};

const TASK_OPTIONS: OptionTable<CachedTaskOptions<unknown, unknown, unknown, unknown>> = {
  name: ANYTHING,
  version: ANYTHING,
  run: ANYTHING,
  dependsOn: ANYTHING,
  freeVariables: oneOf('warn', 'error'),
  ignoredVariables: NAMES,
  salt: TEXT,
  input: SCHEMA,
  output: SCHEMA,
  interfaceVersion: TEXT,
  config: ANYTHING,
  ignoredInputs: ANYTHING,
  scope: {
    expects: "'flow', 'global' or another text",
    accepts: (value) => typeof value === 'string' && value !== '',
  },
  maxAge: {
    expects: 'milliseconds, or text such as 30min, 12h, 7d',
    accepts: (value) => ageMs(value) !== undefined,
  },
  serialize: FLAG,
  leaseMs: LEASE_MS,
  retry: {
    expects: 'an object: { attempts: 3 }',
    accepts: (value) => typeof value === 'object' && value !== null,
  },
  onUnsavable: oneOf('return', 'throw'),
  cacheTimeoutMs: wholeMilliseconds(1, MAX_TIMER_MS),
};

const RETRY_OPTIONS: OptionTable<TaskRetry> = {
  attempts: wholeNumber(1, 1_000),
  when: FUNCTION,
  delayMs: {
    expects: 'milliseconds, or a function that returns them',
    accepts: (value) => typeof value === 'function' || isDelay(value),
  },
};

/** The options of a call, for those of `map` too. */
export const CALL_OPTIONS: OptionTable<CachedCallOptions> = {
  mode: oneOf('auto', 'refresh', 'readonly', 'off'),
  label: LABEL,
  salt: TEXT,
  runId: ANYTHING,
  recordHit: FLAG,
};

/** Options that are checked once, with their defaults. */
export interface CheckedTaskOptions {
  name: string;
  maxAgeMs: number | undefined;
  cacheTimeoutMs: number | undefined;
  leaseMs: number | undefined;
  onUnsavable: 'return' | 'throw';
  retry: {
    attempts: number;
    when: (error: unknown) => boolean;
    delayMs: number | ((tries: number) => number);
  };
}

/** @throws StowageError `INVALID_ARGUMENT`, `INVALID_NAME` */
export function checkTaskOptions<A, B, C, D>(options: CachedTaskOptions<A, B, C, D>): CheckedTaskOptions {
  if (typeof options !== 'object' || options === null)
    throw invalidArgument('cachedTask takes options, at least { name, version, run }.');
  checkMembers(options, 'cachedTask', Object.keys(TASK_OPTIONS));
  const { name, version, run, dependsOn, freeVariables, maxAge, retry, cacheTimeoutMs, leaseMs } = options;
  const { onUnsavable = 'return' } = options;
  validateUserName(name, 'name of a cached task');
  const owner = ` of task ${name}`;
  checkKinds<CachedTaskOptions<unknown, unknown, unknown, unknown>>(options as never, TASK_OPTIONS, owner);
  if (typeof run !== 'function')
    throw invalidArgument(`Task ${name} needs a function: run: async (input, ctx) => ...`);
  if (typeof version !== 'string' || version === '') {
    throw invalidArgument(
      `Task ${name} needs a version: text that you change when the function does something else, or 'auto'.`,
    );
  }
  for (const [option, value] of Object.entries({ dependsOn, freeVariables })) {
    if (value !== undefined && version !== 'auto')
      throw invalidArgument(`Task ${name} has ${option}, which counts for version: 'auto' only.`);
  }
  if (retry !== undefined) {
    checkMembers(retry, `The retry of task ${name}`, Object.keys(RETRY_OPTIONS));
    checkKinds(retry, RETRY_OPTIONS, ` of the retry${owner}`);
    if (retry.attempts === undefined)
      throw invalidArgument(`The retry of task ${name} needs attempts: the most tries in all, such as 3.`);
  }
  const { attempts, when = isRecoverable, delayMs = 0 } = retry ?? { attempts: 1 };
  return {
    name,
    maxAgeMs: ageMs(maxAge),
    cacheTimeoutMs,
    leaseMs,
    onUnsavable,
    retry: { attempts, when, delayMs },
  };
}

/** @throws StowageError `INVALID_ARGUMENT`, `INVALID_NAME` */
export function checkCallOptions(task: string, options: CachedCallOptions | undefined): CachedCallOptions {
  if (options === undefined) return {};
  if (typeof options !== 'object') {
    throw invalidArgument(
      `The second argument of ${task} is its options, such as { mode }, not ${String(options)}. In Array.map, write inputs.map((input) => ${task}(input)); or use map(inputs).`,
    );
  }
  checkOptions<CachedCallOptions>(options, task, CALL_OPTIONS);
  if (options.runId !== undefined) validateUserName(options.runId, 'run id');
  return options;
}

/** Knows a time that a timer can wait. */
export function isDelay(ms: unknown): ms is number {
  return typeof ms === 'number' && ms >= 0 && ms <= MAX_TIMER_MS;
}

/** An age in milliseconds; `undefined` for what is none. */
function ageMs(age: unknown): number | undefined {
  if (typeof age === 'number' && Number.isFinite(age) && age >= 0) return age;
  const [, count, unit] = (typeof age === 'string' && AGE.exec(age)) || [];
  return count === undefined || unit === undefined ? undefined : Number(count) * (AGE_UNITS[unit] as number);
}
