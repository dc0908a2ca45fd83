import { inspect } from 'node:util';
import type { CodeOptions } from '../cache/auto-version.ts';
import { invalidArgument } from '../errors.ts';
import type { StandardSchema } from '../flow/standard-schema.ts';
import { checkMembers, checkOptionNames } from '../options/option-names.ts';
import type { CallOptions } from '../storage/contract.ts';
import { validateUserName } from '../storage/names.ts';

/**
 * How a call uses the cache.
 * - `auto`: a result that is there is returned; else the function runs, and its result is stored.
 * - `refresh`: the function runs, and its result replaces what is there; nothing that was begun before the call is returned.
 * - `readonly`: a result that is there is returned; else the function runs, and nothing is written, not even an attempt.
 * - `off`: the function runs, and an attempt records it; the cache is neither asked nor changed.
 */
export type CacheMode = 'auto' | 'refresh' | 'readonly' | 'off';

/** How often, and when, a run that failed is tried again, each time as a new attempt. */
export interface TaskRetry {
  /** The most tries in all, the first included: from 1 to 1,000. */
  attempts: number;
  /** Which errors may pass. Default: all but those whose `recoverable` is `false`. */
  when?: ((error: unknown) => boolean) | undefined;
  /** Milliseconds to wait before the next try, or a function of how many there were. Default 0. */
  delayMs?: number | ((tries: number) => number) | undefined;
}

/** What a cached task's function gets beside its input. */
export interface CachedTaskContext {
  /** Adds a line to the log of the attempt, formatted as `console.log` does. Never waits, never throws. */
  readonly log: (...values: unknown[]) => void;
  /** Aborted when the caller, and everybody who waits for the same call, was. */
  readonly signal: AbortSignal;
  /** Which try of this call it is, from 0; see `retry`. */
  readonly attempt: number;
  /** The attempt that is recorded, `run/step/task/attempt`; `undefined` where the store could not be written. */
  readonly pathspec: string | undefined;
  /** An empty folder of this try's own, removed when it ends. Made when it is first asked for. */
  readonly workDir: string;
  /** Keeps files with the attempt. */
  readonly files: CachedTaskFiles;
}

/** Files that a cached task keeps beside its output. */
export interface CachedTaskFiles {
  /**
   * Saves a file as an artifact of the attempt, streamed, whatever its size. It is no part of the cached value; it is read from the
   * attempt that the result's `provenance` names. It takes as long as the storage allows: `cacheTimeoutMs` does not count what the
   * function itself does. A store that fails costs the record, and no error;
   * so does a file that could not be read, unless another one is saved by its name.
   *
   * @throws StowageError `INVALID_NAME`; `INVALID_ARGUMENT` for a file that cannot be read.
   */
  save(name: string, path: string): Promise<void>;
}

/** Options of `FlowDataStore.cachedTask`. */
export interface CachedTaskOptions<CallInput, Input, Result, Output, OutputInput = unknown> {
  /** The task's name: part of the key, and the name of the step under which its attempts stand. */
  name: string;
  /**
   * What the function does, in a word that is changed when it does something else; or `auto`: the function's own source and that of
   * `dependsOn`, comments and layout aside.
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
   * What becomes of variables that the code of the version `auto` uses and does not declare (see `CodeVersion.freeVariables`), unless a
   * function of `dependsOn` or a member of `config` is named as they are: a warning of the process, once, or `INVALID_ARGUMENT` for each call.
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
   * What else the result depends on: any value that can be saved. Read anew for the key of each call, so that an object may be changed
   * between calls; changed while a call that runs is under way, it ends that by `INVALID_ARGUMENT`. Default none.
   */
  config?: unknown;
  /** Members of the input that do not change the result: no part of the key, nor of what is recorded. Default none. */
  ignoredInputs?: readonly string[] | undefined;
  /** Who shares results: `flow` (this flow), `global` (all flows of the store), or any other text. Default `flow`. */
  scope?: string | undefined;
  /** How old a result may be: milliseconds, or text such as `12h`, `7d`. Default: any age. */
  maxAge?: number | string | undefined;
  /** Whether identical calls of different processes wait for one another, so that one of them runs. Default `false`. */
  serialize?: boolean | undefined;
  /**
   * After how long without a sign of life a process that runs a serialized call counts as dead, and another one runs it, in
   * milliseconds: 20 to 3,600,000. Default 60,000.
   */
  leaseMs?: number | undefined;
  /** How a run that failed is tried again. Default: not. */
  retry?: TaskRetry | undefined;
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
  /** Any text that is part of this call's key: calls that differ in it do not share results. Default none. */
  salt?: string | undefined;
  /** The run under which a miss is recorded. Default: that of the task within which the call is made; else one of this process. */
  runId?: string | undefined;
  /** Whether a hit is recorded too, as an attempt of the run that shares the content of the first. Default `false`. */
  recordHit?: boolean | undefined;
}

/** The names of {@link CachedCallOptions}, but `signal`. */
export const CALL_OPTION_NAMES: readonly string[] = ['mode', 'salt', 'runId', 'recordHit'];
const MODES: readonly string[] = ['auto', 'refresh', 'readonly', 'off'];
const OPTION_NAMES = [
  'name',
  'version',
  'run',
  'dependsOn',
  'freeVariables',
  'ignoredVariables',
  'salt',
  'input',
  'output',
  'interfaceVersion',
  'config',
  'ignoredInputs',
  'scope',
  'maxAge',
  'serialize',
  'leaseMs',
  'retry',
  'cacheTimeoutMs',
];
const MIN_LEASE_MS = 20;
const MAX_LEASE_MS = 3_600_000;
const MAX_TRIES = 1_000;
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

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

/** What is checked of a task's options once. */
export interface CheckedTaskOptions {
  name: string;
  maxAgeMs: number | undefined;
  cacheTimeoutMs: number | undefined;
  leaseMs: number | undefined;
  retry: CheckedRetry;
}

/** {@link TaskRetry} with its defaults. */
export interface CheckedRetry {
  attempts: number;
  when: (error: unknown) => boolean;
  delayMs: number | ((tries: number) => number);
}

/** @throws StowageError `INVALID_ARGUMENT`, `INVALID_NAME` */
export function checkTaskOptions<A, B, C, D>(options: CachedTaskOptions<A, B, C, D>): CheckedTaskOptions {
  if (typeof options !== 'object' || options === null) {
    throw invalidArgument('cachedTask takes options, at least { name, version, run }.');
  }
  checkMembers(options, 'cachedTask', OPTION_NAMES);
  const { name, version, run, serialize, scope, maxAge, retry, cacheTimeoutMs } = options;
  validateUserName(name, 'name of a cached task');
  if (typeof run !== 'function')
    throw invalidArgument(`Task ${name} needs a function: run: async (input, ctx) => ...`);
  if (typeof version !== 'string' || version === '') {
    throw invalidArgument(
      `Task ${name} needs a version: text that you change when the function does something else, or 'auto'.`,
    );
  }
  if (options.dependsOn !== undefined && version !== 'auto')
    throw invalidArgument(`Task ${name} has dependsOn, which counts for version: 'auto' only.`);
  checkVariableOptions(name, options);
  for (const text of ['salt', 'interfaceVersion'] as const) {
    const value: unknown = options[text];
    if (value !== undefined && typeof value !== 'string')
      throw invalidArgument(`The ${text} of task ${name} must be text.`);
  }
  if (scope !== undefined && (typeof scope !== 'string' || scope === ''))
    throw invalidArgument(`The scope of task ${name} must be 'flow', 'global' or another text.`);
  if (serialize !== undefined && typeof serialize !== 'boolean')
    throw invalidArgument(`The option serialize of task ${name} must be true or false.`);
  for (const side of ['input', 'output'] as const) {
    if (options[side] !== undefined && typeof options[side]?.['~standard']?.validate !== 'function') {
      throw invalidArgument(
        `The ${side} of task ${name} is no Standard Schema (it has no ~standard.validate).`,
      );
    }
  }
  return {
    name,
    maxAgeMs: maxAge === undefined ? undefined : ageMs(name, maxAge),
    cacheTimeoutMs: checkMs(name, 'cacheTimeoutMs', cacheTimeoutMs, 1, MAX_TIMEOUT_MS),
    leaseMs: checkMs(name, 'leaseMs', options.leaseMs, MIN_LEASE_MS, MAX_LEASE_MS),
    retry: checkRetry(name, retry),
  };
}

/** @throws StowageError `INVALID_ARGUMENT` */
export function checkCallOptions(task: string, options: CachedCallOptions | undefined): CachedCallOptions {
  if (options === undefined) return {};
  if (typeof options !== 'object') {
    throw invalidArgument(
      `The second argument of ${task} is its options, such as { mode }, not ${String(options)}. In Array.map, write inputs.map((input) => ${task}(input)); or use map(inputs).`,
    );
  }
  checkOptionNames(options, task, CALL_OPTION_NAMES);
  const { mode, salt, runId, recordHit } = options;
  if (mode !== undefined && !MODES.includes(mode))
    throw invalidArgument(`The mode of a call is one of ${MODES.join(', ')}, not ${JSON.stringify(mode)}.`);
  if (salt !== undefined && typeof salt !== 'string')
    throw invalidArgument('The salt of a call must be text.');
  if (runId !== undefined) validateUserName(runId, 'run id');
  if (recordHit !== undefined && typeof recordHit !== 'boolean')
    throw invalidArgument('The option recordHit must be true or false.');
  return options;
}

function checkVariableOptions(
  name: string,
  {
    version,
    freeVariables,
    ignoredVariables = [],
  }: Pick<CachedTaskOptions<never, never, never, never>, 'version' | 'freeVariables' | 'ignoredVariables'>,
): void {
  if (freeVariables !== undefined && freeVariables !== 'warn' && freeVariables !== 'error')
    throw invalidArgument(
      `The option freeVariables of task ${name} is 'warn' or 'error', not ${inspect(freeVariables)}.`,
    );
  if (freeVariables !== undefined && version !== 'auto')
    throw invalidArgument(`Task ${name} has freeVariables, which counts for version: 'auto' only.`);
  // A text would be taken for its letters.
  if (!Array.isArray(ignoredVariables) || ignoredVariables.some((variable) => typeof variable !== 'string'))
    throw invalidArgument(
      `The option ignoredVariables of task ${name} is a list of names of variables: ['client', 'process.env.DEBUG'].`,
    );
}

function ageMs(task: string, age: unknown): number {
  if (typeof age === 'number' && Number.isFinite(age) && age >= 0) return age;
  const [, count, unit] = (typeof age === 'string' && AGE.exec(age)) || [];
  if (count !== undefined && unit !== undefined) return Number(count) * (AGE_UNITS[unit] as number);
  throw invalidArgument(
    `The maxAge of task ${task} is milliseconds, or text such as 30min, 12h, 7d, not ${JSON.stringify(age)}.`,
  );
}

function checkMs(task: string, option: string, ms: unknown, min: number, max: number): number | undefined {
  if (ms === undefined) return undefined;
  if (typeof ms === 'number' && Number.isSafeInteger(ms) && ms >= min && ms <= max) return ms;
  throw invalidArgument(
    `The ${option} of task ${task} must be whole milliseconds from ${min} to ${max}, not ${String(ms)}.`,
  );
}

function checkRetry(task: string, retry: TaskRetry | undefined): CheckedRetry {
  const { attempts, when, delayMs } = retry ?? { attempts: 1 };
  if (retry !== undefined) {
    if (typeof retry !== 'object' || retry === null)
      throw invalidArgument(`The retry of task ${task} is an object: { attempts: 3 }.`);
    checkMembers(retry, `The retry of task ${task}`, ['attempts', 'when', 'delayMs']);
  }
  if (!Number.isInteger(attempts) || attempts < 1 || attempts > MAX_TRIES)
    throw invalidArgument(
      `retry.attempts of task ${task} must be an integer from 1 to ${MAX_TRIES}, not ${String(attempts)}.`,
    );
  if (when !== undefined && typeof when !== 'function')
    throw invalidArgument(`retry.when of task ${task} must be a function.`);
  if (delayMs !== undefined && typeof delayMs !== 'function' && !isDelay(delayMs))
    throw invalidArgument(
      `retry.delayMs of task ${task} must be milliseconds, or a function that returns them.`,
    );
  return { attempts, when: when ?? isRecoverable, delayMs: delayMs ?? 0 };
}

/** Whether a timer can wait that long. */
export function isDelay(ms: unknown): ms is number {
  return typeof ms === 'number' && ms >= 0 && ms <= MAX_TIMEOUT_MS;
}

function isRecoverable(error: unknown): boolean {
  return (error as { recoverable?: unknown } | null | undefined)?.recoverable !== false;
}
