import { channel } from 'node:diagnostics_channel';
import { BoundedMap } from '../../content/bounded-map.ts';
import { digestHex } from '../../digest/blake3.ts';
import { messageOf } from '../../errors.ts';

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

/** How many definitions, and how many names that were told, are remembered. */
const MAX_KNOWN = 1000;

/**
 * What the cached tasks of one flow warn of by `process.emitWarning`: a library does not log, but a cache that nobody notices to be
 * of no use, or to be shared by two functions, costs more than a line.
 */
export class CachedTaskWarnings {
  readonly #flowName: string;
  /** By what makes results shared: the digest of the source of the function that was seen last. */
  readonly #sources = new BoundedMap<string, string>(MAX_KNOWN);
  readonly #redefined = new BoundedMap<string, true>(MAX_KNOWN);
  #hasFailed = false;

  constructor(flowName: string) {
    this.#flowName = flowName;
  }

  /** Warns of the first failure, unless somebody listens to the channel that tells of it; of none after that. */
  failed(task: string, part: FailedPart, error: unknown): void {
    const name = FAILURE_CHANNELS[part];
    if (this.#hasFailed || channel(name).hasSubscribers) return;
    this.#hasFailed = true;
    const what = `The cached task "${task}" of flow "${this.#flowName}" ${WHAT[part]}`;
    const message = `${what}: ${sentence(error)} No task fails by that, but equal calls run again until it is mended. ${remedyOf(part)}This is told once for each open flow; a subscriber to the channel ${name} is told instead, and of more.`;
    warn('STOWAGE_CACHE_FAILED', message, error);
  }

  /**
   * Notes the function of a task under what makes results shared, and warns, once for each name, where it is another one than before: by
   * its source, since definitions inside of functions are made anew by each of their calls.
   */
  defined(task: { name: string; version: string; sharedBy: string; run: unknown }): void {
    const { name, version, sharedBy, run } = task;
    const source = digestHex(Buffer.from(Function.prototype.toString.call(run)));
    const before = this.#sources.get(sharedBy);
    this.#sources.set(sharedBy, source);
    if (before === undefined || before === source || this.#redefined.get(name)) return;
    this.#redefined.set(name, true);
    const message = `Two definitions of the cached task "${name}" of flow "${this.#flowName}" share results, though their functions differ: both have version ${JSON.stringify(version)}. If they are two tasks, give one of them another name; if one is the other's successor, give it another version.`;
    warn('STOWAGE_CACHED_TASK_REDEFINED', message);
  }
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
