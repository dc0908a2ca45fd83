import { channel } from 'node:diagnostics_channel';
import { BoundedMap } from '../async/bounded-map.ts';
import type { FreeVariable } from '../cache/auto-version.ts';
import { type SourceFunction, sourceText } from '../cache/function-source.ts';
import { digestHex } from '../digest/blake3.ts';
import { messageOf } from '../errors.ts';

/** A program that listens here is told of failures. */
const FAILURE_CHANNELS = {
  lookup: 'stowage:task-cache-failed',
  lease: 'stowage:task-cache-failed',
  store: 'stowage:task-cache-failed',
  record: 'stowage:cached-task-unrecorded',
} as const;

/** The part of a cached call that failed: looking for a result, waiting for others, storing the entry, writing the attempt. */
export type FailedPart = keyof typeof FAILURE_CHANNELS;

/** The message of each kind: the event, and its consequence for the call. */
const WHAT: Readonly<Record<FailedPart, readonly [string, string]>> = {
  lookup: ['cache lookup failed', 'the task runs uncached'],
  lease: ['taking a lease failed', 'the task runs without waiting for other processes'],
  store: ['storing the result failed', 'the call returns it uncached'],
  record: ['recording the attempt failed', 'the call returns its result uncached'],
};

/** The most definitions, and warnings told, that are remembered. */
const MAX_KNOWN = 1000;
/** A message names at most so many variables. */
const MAX_NAMED = 10;

/** A message of the channel `stowage:cached-task-warning`: a cached task may return results that are not its own. */
export interface CachedTaskWarning {
  /** `STOWAGE_CACHED_TASK_REDEFINED`, `STOWAGE_UNSEEN_VARIABLES`, `STOWAGE_OTHER_SOURCE`. */
  code: string;
  flow: string;
  task: string;
  message: string;
}

const doubts = channel('stowage:cached-task-warning');

/** Warnings about code that this process was told: code is the same for every flow, even if each request opens one. */
const toldOfCode = new BoundedMap<string, true>(MAX_KNOWN);

/** A definition of a task, for those that share its results. */
interface Definition {
  /** The text of its function, where its version does not tell that. */
  text: string;
  functions: readonly WeakRef<SourceFunction>[];
}

/**
 * Warns of the cached tasks of one flow by `process.emitWarning`. A library does not log, but a cache that does nothing, or returns
 * results of something else, without anybody noticing costs more than a line.
 */
export class CachedTaskWarnings {
  readonly #flowName: string;
  /** By what makes results shared: the definition that was seen last. */
  readonly #definitions = new BoundedMap<string, Definition>(MAX_KNOWN);
  /** By code and task. */
  readonly #told = new BoundedMap<string, true>(MAX_KNOWN);
  #hasFailed = false;

  constructor(flowName: string) {
    this.#flowName = flowName;
  }

  /** Warns of the first failure only, and not if somebody listens to the channel that tells of it. */
  failed(task: string, part: FailedPart, error: unknown): void {
    const name = FAILURE_CHANNELS[part];
    if (this.#hasFailed || channel(name).hasSubscribers) return;
    this.#hasFailed = true;
    const [what, follows] = WHAT[part];
    const message = `${this.#titleOf(task)}: ${what} (${phrase(error)}); ${follows}. Equal calls run again until this is mended. ${remedyOf(part)}Told once for each open flow; subscribe to the channel ${name} to be told of each failure instead.`;
    warn('STOWAGE_CACHE_FAILED', message, error);
  }

  /** Warns, once for each task, of a result that could not be saved, unless somebody listens to the channel that tells of each. */
  unsavable(task: string, error: unknown): void {
    const name = FAILURE_CHANNELS.record;
    if (channel(name).hasSubscribers || !this.#isFirst(`STOWAGE_UNSAVABLE_RESULT ${task}`)) return;
    const message = `${this.#titleOf(task)} returned a result that is not stored, so that equal calls run again. ${phrase(error)}. Calls return such a result as it is; \`onUnsavable: 'throw'\` makes it an error. Told once; subscribe to the channel ${name} to be told of each instead.`;
    warn('STOWAGE_UNSAVABLE_RESULT', message, error);
  }

  /**
   * Notes the functions of a task under what makes results shared, and warns, once for each name, where they are others than before: of
   * other source, or of the same and with variables that nothing makes count (`unseen`), which may hold something else then.
   */
  async defined(task: {
    name: string;
    version: string | undefined;
    sharedBy: string;
    functions: readonly SourceFunction[];
    unseen: () => Promise<readonly string[]>;
  }): Promise<void> {
    const { name, version, sharedBy, functions, unseen } = task;
    const text =
      version === undefined ? '' : digestHex(Buffer.from(functions.slice(0, 1).map(sourceText).join()));
    const before = this.#definitions.get(sharedBy);
    this.#definitions.set(sharedBy, { text, functions: functions.map((fn) => new WeakRef(fn)) });
    if (before === undefined || areSame(before.functions, functions)) return;
    if (before.text !== text) {
      this.#doubt(
        'STOWAGE_CACHED_TASK_REDEFINED',
        name,
        `Two definitions of the cached task "${name}" of flow "${this.#flowName}" share results, and their functions differ: both have version ${JSON.stringify(version)}. Give two tasks two names, and a changed function another version.`,
      );
      return;
    }
    const variables = await unseen();
    if (variables.length === 0) return;
    this.#doubt(
      'STOWAGE_CACHED_TASK_REDEFINED',
      name,
      `Two definitions of the cached task "${name}" of flow "${this.#flowName}" share results: their functions have the same source, but ${listed(variables)} may differ. ${makeThemCount(variables)}`,
    );
  }

  /** Warns, once in the process, of variables that the code of a task uses and that are no part of its version. */
  unseen(task: string, variables: readonly FreeVariable[]): void {
    if (variables.length === 0) return;
    this.#tellOfCode(
      'STOWAGE_UNSEEN_VARIABLES',
      task,
      variables.map(({ name, place }) => `${name} ${place}`).join(),
      `${this.#titleOf(task)} ${unseenText(variables)} Told once; \`freeVariables: 'error'\` makes it an error.`,
    );
  }

  /** Warns, once in the process for each name and version, of a hit that a function of other source made. */
  otherSource(task: string, version: string, storedAt: string): void {
    if (this.#told.get(`STOWAGE_CACHED_TASK_REDEFINED ${task}`)) return; // that says more
    this.#tellOfCode(
      'STOWAGE_OTHER_SOURCE',
      task,
      version,
      `${this.#titleOf(task)} returned a result of ${storedAt} that a function of other source made: the code changed, and the version ${JSON.stringify(version)} did not. If results change by that, give it another version. If not, renew the result by \`{ mode: 'refresh' }\` or \`evict\`, or subscribe to the channel stowage:cached-task-warning to be told there instead. Told once.`,
    );
  }

  /** @param of - the part of the task's code that it is about */
  #tellOfCode(code: string, task: string, of: string, message: string): void {
    const key = [code, this.#flowName, task, of].join('\n');
    if (toldOfCode.get(key)) return;
    toldOfCode.set(key, true);
    this.#tell(code, task, message);
  }

  #doubt(code: string, task: string, message: string): void {
    if (this.#isFirst(`${code} ${task}`)) this.#tell(code, task, message);
  }

  #isFirst(key: string): boolean {
    if (this.#told.get(key)) return false;
    this.#told.set(key, true);
    return true;
  }

  /** Uses the channel if somebody listens there, else a warning. */
  #tell(code: string, task: string, message: string): void {
    const doubt: CachedTaskWarning = { code, flow: this.#flowName, task, message };
    if (doubts.hasSubscribers) doubts.publish(doubt);
    else warn(code, message);
  }

  #titleOf(task: string): string {
    return `The cached task "${task}" of flow "${this.#flowName}"`;
  }
}

/** Says that a version does not see variables, and what to do. */
export function unseenText(variables: readonly FreeVariable[]): string {
  const named = variables.map(({ name, place }) => (place === 'run' ? name : `${name} (in ${place})`));
  return `has version 'auto', which sees source only, and its code uses ${listed(named)}: a change there changes no key, and earlier results are returned. ${makeThemCount(variables.map(({ name }) => name))}`;
}

function makeThemCount(variables: readonly string[]): string {
  const [name, ...others] = variables;
  const example = others.length === 0 && name !== undefined && /^[\w$]+$/.test(name) && name !== 'this';
  return `If results depend on one of them, make it count: functions, modules and files by \`dependsOn\`; values by members of \`config\` with their names${example ? ` (\`config: { ${name} }\`)` : ''}, by \`salt\`, or in the input. Name in \`ignoredVariables\` what changes no result (libraries, clients), or counts by a salt or the input.`;
}

function listed(names: readonly string[]): string {
  const more = names.length - MAX_NAMED;
  return more > 0 ? `${names.slice(0, MAX_NAMED).join(', ')} and ${more} more` : names.join(', ');
}

function areSame(before: readonly WeakRef<SourceFunction>[], now: readonly SourceFunction[]): boolean {
  return before.length === now.length && before.every((ref, index) => ref.deref() === now[index]);
}

function remedyOf(part: FailedPart): string {
  if (part === 'lookup' || part === 'lease') return '';
  return "If the store must not be written, call with { mode: 'readonly' }. ";
}

function warn(code: string, message: string, cause?: unknown): void {
  const warning = new Error(message, cause === undefined ? {} : { cause });
  process.emitWarning(Object.assign(warning, { name: 'StowageWarning', code }));
}

function phrase(error: unknown): string {
  return messageOf(error).replace(/\.$/, '');
}
