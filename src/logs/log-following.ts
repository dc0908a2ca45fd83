import { setTimeout as sleep } from 'node:timers/promises';
import { abortError, invalidArgument, type StowageError, throwIfAborted } from '../errors.ts';
import {
  isChosen,
  type LogChoice,
  type LogName,
  type LogPart,
  LogPartNames,
  logId,
  validateLogChoice,
} from '../format/log-names.ts';
import type { TaskPath } from '../format/pathspec.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';

/** Which logs to follow, and from where. */
export interface FollowChoice extends LogChoice {
  /** `start`: what was logged so far comes first. `end`: only what is logged from now on. Default `start`. */
  from?: 'start' | 'end' | undefined;
}

/** How logs are followed. */
export interface FollowOptions extends CallOptions {
  /** How long to wait before looking again, in milliseconds. Default 1,000. */
  pollMs?: number | undefined;
}

/** A piece of a log. */
export interface LogPiece extends LogName {
  bytes: Uint8Array;
}

const DEFAULT_POLL_MS = 1_000;
/** The longest that a timer waits. */
const MAX_POLL_MS = 2 ** 31 - 1;

/**
 * The logs of an attempt as they grow: each piece once, and those of a log in order. Asks `isOver` before each look, and
 * ends after the look that follows on a yes. What is scrubbed before it was read is left out; the note of it comes instead.
 *
 * @throws StowageError `INVALID_ARGUMENT`, `INVALID_NAME`, `ABORTED`
 */
export async function* followLogs(
  storage: DataStoreStorage,
  path: TaskPath,
  attempt: number,
  choice: FollowChoice,
  isOver: () => Promise<boolean>,
  options: FollowOptions,
): AsyncGenerator<LogPiece> {
  validateLogChoice(choice);
  const { from = 'start' } = choice;
  if (from !== 'start' && from !== 'end') throw invalid(`from must be 'start' or 'end', not ${String(from)}`);
  const { pollMs = DEFAULT_POLL_MS, signal } = options;
  if (!Number.isSafeInteger(pollMs) || pollMs < 0 || pollMs > MAX_POLL_MS)
    throw invalid(`pollMs must be a whole number of milliseconds, from 0 to ${MAX_POLL_MS}, not ${pollMs}`);
  const follower = new LogFollower(storage, new LogPartNames(path, attempt), choice, signal);
  if (from === 'end') await follower.skip();
  while (true) {
    throwIfAborted(signal);
    const isLast = await isOver();
    yield* follower.look();
    if (isLast) return;
    await wait(pollMs, signal);
  }
}

/** Remembers how far each log was read. */
class LogFollower {
  readonly #storage: DataStoreStorage;
  readonly #names: LogPartNames;
  readonly #choice: LogChoice;
  readonly #signal: AbortSignal | undefined;
  /** The last part of each log that was given. */
  readonly #given = new Map<string, LogPart>();

  constructor(
    storage: DataStoreStorage,
    names: LogPartNames,
    choice: LogChoice,
    signal: AbortSignal | undefined,
  ) {
    this.#storage = storage;
    this.#names = names;
    this.#choice = choice;
    this.#signal = signal;
  }

  /** Counts all that is there as given. */
  async skip(): Promise<void> {
    for (const parts of (await this.#list()).values()) this.#give(parts.at(-1) as LogPart);
  }

  /**
   * What is new. A listing may miss a part that is written while it runs, and yet show one that is written later; what is there
   * before a listing begins it does show. So where a number is missing, a second listing tells: up to the last part that
   * the first one showed, what it does not show either was deleted.
   */
  async *look(): AsyncGenerator<LogPiece> {
    const certain = new Map<string, number>();
    let isUncertain = true;
    while (isUncertain) {
      isUncertain = false;
      for (const [id, parts] of await this.#list()) {
        for (const part of parts) {
          if (part.sequence > this.#givenOf(part) + 1 && part.sequence > (certain.get(id) ?? -1)) {
            certain.set(id, (parts.at(-1) as LogPart).sequence);
            isUncertain = true;
            break;
          }
          this.#give(part);
          const object = await this.#storage.get(part.name, { signal: this.#signal });
          const { source, stream } = part;
          if (object && object.body.length > 0) yield { source, stream, bytes: object.body };
        }
      }
    }
  }

  #give(part: LogPart): void {
    this.#given.set(logId(part), part);
  }

  #givenOf(log: LogName): number {
    return this.#given.get(logId(log))?.sequence ?? -1;
  }

  /** The parts that were not given, by log. */
  async #list(): Promise<Map<string, LogPart[]>> {
    const found = new Map<string, LogPart[]>();
    const [only] = this.#given.values();
    const isOne = this.#choice.source !== undefined && this.#choice.stream !== undefined;
    let startAfter = isOne ? only?.name : undefined;
    do startAfter = await this.#listFrom(startAfter, found);
    while (startAfter !== undefined);
    return found;
  }

  /** Lists on to the end, or to a page that ends within what was given of a log: then the rest of that can be leapt over. */
  async #listFrom(
    startAfter: string | undefined,
    found: Map<string, LogPart[]>,
  ): Promise<string | undefined> {
    const prefix = this.#names.prefix(this.#choice);
    for await (const page of this.#storage.list({ prefix, startAfter, signal: this.#signal })) {
      let last: LogPart | undefined;
      for (const { name } of page.objects) {
        last = this.#names.parse(name);
        if (!last || !isChosen(last, this.#choice) || last.sequence <= this.#givenOf(last)) continue;
        const parts = found.get(logId(last));
        if (parts) parts.push(last);
        else found.set(logId(last), [last]);
      }
      if (last && last.sequence < this.#givenOf(last)) return this.#given.get(logId(last))?.name;
    }
    return undefined;
  }
}

async function wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    throw signal?.aborted ? abortError(signal) : error;
  }
}

function invalid(problem: string): StowageError {
  return invalidArgument(`Logs cannot be followed: ${problem}.`);
}
