import { channel } from 'node:diagnostics_channel';
import { BoundedMap } from '../async/bounded-map.ts';
import type { FreeVariable } from '../cache/auto-version.ts';
import { type SourceFunction, sourceText } from '../cache/function-source.ts';
import { digestHex } from '../digest/blake3.ts';
import { messageOf } from '../errors.ts';

/** Where a program listens that wants to know of failures. */
const FAILURE_CHANNELS = {
  lookup: 'stowage:task-cache-failed',
  lease: 'stowage:task-cache-failed',
  store: 'stowage:task-cache-failed',
  record: 'stowage:cached-task-unrecorded',
} as const;

/** What of a cached call failed: looking for a result, waiting for others, storing the entry, writing the attempt. */
export type FailedPart = keyof typeof FAILURE_CHANNELS;

const WHAT: Readonly<Record<FailedPart, string>> = {
  lookup: 'finds no result, because the store could not be asked',
  lease: 'waits for no other process, because no lease could be had',
  store: 'ran, and its result was not stored',
  record: 'ran, and its result was not stored, because its attempt could not be recorded',
};

/** How many definitions, and how many that were told, are remembered. */
const MAX_KNOWN = 1000;
/** As many variables a message names. */
const MAX_NAMED = 10;

/** What the channel `stowage:cached-task-warning` carries: a cached task may return results that are not its own. */
export interface CachedTaskWarning {
  /** `STOWAGE_CACHED_TASK_REDEFINED`, `STOWAGE_UNSEEN_VARIABLES`, `STOWAGE_OTHER_SOURCE`. */
  code: string;
  flow: string;
  task: string;
  message: string;
}

const doubts = channel('stowage:cached-task-warning');

/** What was told in this process of code: it is the same whatever flow is opened for it, be it one for each request. */
const toldOfCode = new BoundedMap<string, true>(MAX_KNOWN);

/** A definition of a task, for those that share its results. */
interface Definition {
  /** The text of its function, where its version does not tell that. */
  text: string;
  functions: readonly WeakRef<SourceFunction>[];
}

/**
 * What the cached tasks of one flow warn of by `process.emitWarning`: a library does not log, but a cache that nobody notices to be
 * of no use, or to return results of something else, costs more than a line.
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

  /** Warns of the first failure, unless somebody listens to the channel that tells of it; of none after that. */
  failed(task: string, part: FailedPart, error: unknown): void {
    const name = FAILURE_CHANNELS[part];
    if (this.#hasFailed || channel(name).hasSubscribers) return;
    this.#hasFailed = true;
    const message = `${this.#titleOf(task)} ${WHAT[part]}: ${sentence(error)} No task fails by that, but equal calls run again until it is mended. ${remedyOf(part)}This is told once for each open flow; a subscriber to the channel ${name} is told instead, and of more.`;
    warn('STOWAGE_CACHE_FAILED', message, error);
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
        `Two definitions of the cached task "${name}" of flow "${this.#flowName}" share results, though their functions differ: both have version ${JSON.stringify(version)}. If they are two tasks, give one of them another name; if one is the other's successor, give it another version.`,
      );
      return;
    }
    const variables = await unseen();
    if (variables.length === 0) return;
    this.#doubt(
      'STOWAGE_CACHED_TASK_REDEFINED',
      name,
      `Two definitions of the cached task "${name}" of flow "${this.#flowName}" share results: their functions have the same source, and are two, for which ${listed(variables)} may differ. ${makeThemCount(variables)}`,
    );
  }

  /** Warns, once in the process, of variables that the code of a task uses and that are no part of its version. */
  unseen(task: string, variables: readonly FreeVariable[]): void {
    if (variables.length === 0) return;
    this.#tellOfCode(
      'STOWAGE_UNSEEN_VARIABLES',
      task,
      variables.map(({ name, place }) => `${name} ${place}`).join(),
      `${this.#titleOf(task)} ${unseenText(variables)} This is told once; \`freeVariables: 'error'\` makes it an error.`,
    );
  }

  /** Warns, once in the process for each name and version, of a hit that a function of other source made. */
  otherSource(task: string, version: string, storedAt: string): void {
    if (this.#told.get(`STOWAGE_CACHED_TASK_REDEFINED ${task}`)) return; // that says more
    this.#tellOfCode(
      'STOWAGE_OTHER_SOURCE',
      task,
      version,
      `${this.#titleOf(task)} returned a result of ${storedAt}, which a function of other source made: the version ${JSON.stringify(version)} is that of then, and the code is not. If that changes results, give it another version; if not, \`{ mode: 'refresh' }\` or \`evict\` renews what was stored, and a subscriber to the channel stowage:cached-task-warning is told instead. This is told once.`,
    );
  }

  /** @param of - what of the task's code it is about */
  #tellOfCode(code: string, task: string, of: string, message: string): void {
    const key = [code, this.#flowName, task, of].join('\n');
    if (toldOfCode.get(key)) return;
    toldOfCode.set(key, true);
    this.#tell(code, task, message);
  }

  #doubt(code: string, task: string, message: string): void {
    const key = `${code} ${task}`;
    if (this.#told.get(key)) return;
    this.#told.set(key, true);
    this.#tell(code, task, message);
  }

  /** By the channel, to whoever listens, instead of as a warning. */
  #tell(code: string, task: string, message: string): void {
    const doubt: CachedTaskWarning = { code, flow: this.#flowName, task, message };
    if (doubts.hasSubscribers) doubts.publish(doubt);
    else warn(code, message);
  }

  #titleOf(task: string): string {
    return `The cached task "${task}" of flow "${this.#flowName}"`;
  }
}

/** That a version does not see variables, and what to do. */
export function unseenText(variables: readonly FreeVariable[]): string {
  const named = variables.map(({ name, place }) => (place === 'run' ? name : `${name} (in ${place})`));
  return `has version 'auto', which sees source only, and its code uses ${listed(named)}: a change of what is there changes no key, and earlier results are returned. ${makeThemCount(variables.map(({ name }) => name))}`;
}

function makeThemCount(variables: readonly string[]): string {
  const [name, ...others] = variables;
  const example = others.length === 0 && name !== undefined && /^[\w$]+$/.test(name) && name !== 'this';
  return `If results depend on one of them, make it count: functions, modules and files by \`dependsOn\`, values by members of \`config\` that have their names${example ? ` (\`config: { ${name} }\`)` : ''}, or by \`salt\`, or pass it in the input. Name in \`ignoredVariables\` what does not change results (libraries, clients), or counts by a salt or the input.`;
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
  return "Where the store is not to be written, call with { mode: 'readonly' }. ";
}

function warn(code: string, message: string, cause?: unknown): void {
  const warning = new Error(message, cause === undefined ? {} : { cause });
  process.emitWarning(Object.assign(warning, { name: 'StowageWarning', code }));
}

function sentence(error: unknown): string {
  const text = messageOf(error);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
