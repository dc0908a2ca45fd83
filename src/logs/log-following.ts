import { delay } from '../async/in-time.ts';
import { throwIfAborted } from '../errors.ts';
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
import {
  ANYTHING,
  checkOptions,
  MAX_TIMER_MS,
  type OptionTable,
  oneOf,
  wholeMilliseconds,
} from '../options/option-table.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';

/** The logs to follow, and where to begin. */
export interface FollowChoice extends LogChoice {
  /** `start`: what was logged so far comes first. `end`: only what is logged from now on. Default `start`. */
  from?: 'start' | 'end' | undefined;
}

/** Options of following logs. */
export interface FollowOptions extends CallOptions {
  /** The wait before the next look, in milliseconds. Default 1,000. */
  pollMs?: number | undefined;
}

/** A piece of a log. */
export interface LogPiece extends LogName {
  bytes: Uint8Array;
}

const DEFAULT_POLL_MS = 1_000;
const FOLLOW_CHOICE: OptionTable<FollowChoice> = {
  source: ANYTHING,
  stream: ANYTHING,
  from: oneOf('start', 'end'),
};
const FOLLOW_OPTIONS: OptionTable<FollowOptions> = { pollMs: wholeMilliseconds(0, MAX_TIMER_MS) };

/**
 * The logs of an attempt as they grow: each piece once, and those of a log in order. Asks `isOver` before each
 * look, and ends after the look that follows on a yes. A part that is scrubbed before it was read is left out; its
 * note comes instead.
 *
 * @param given - names of parts: each, and those of its log before it, were read already
 * @throws StowageError `INVALID_ARGUMENT`, `INVALID_NAME`, `ABORTED`
 */
export async function* followLogs(
  storage: DataStoreStorage,
  path: TaskPath,
  attempt: number,
  choice: FollowChoice,
  isOver: () => Promise<boolean>,
  options: FollowOptions,
  given: Iterable<string> = [],
): AsyncGenerator<LogPiece> {
  checkOptions<FollowChoice>(choice, 'followLogs', FOLLOW_CHOICE);
  validateLogChoice(choice);
  checkOptions<FollowOptions>(options, 'followLogs', FOLLOW_OPTIONS);
  const { pollMs = DEFAULT_POLL_MS, signal } = options;
  const follower = new LogFollower(storage, new LogPartNames(path, attempt), choice, signal);
  follower.leap(given);
  if (choice.from === 'end') await follower.skip();
  while (true) {
    throwIfAborted(signal);
    const isLast = await isOver();
    yield* follower.look();
    if (isLast) return;
    await delay(pollMs, signal);
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

  /** Counts parts, and those of their logs before them, as given. */
  leap(names: Iterable<string>): void {
    for (const name of names) {
      const part = this.#names.parse(name);
      if (part) this.#give(part);
    }
  }

  /** Counts everything that is there as given. */
  async skip(): Promise<void> {
    for (const parts of (await this.#list()).values()) this.#give(parts.at(-1) as LogPart);
  }

  /**
   * Gives what is new. A listing may miss a part that is written while it runs, and yet show one that is written
   * later; what is there before a listing begins it does show. So where a number is missing, a second listing
   * tells: up to the last part that the first one showed, what it does not show either was deleted.
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
