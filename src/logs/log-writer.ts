import { KeyLocks } from '../async/key-locks.ts';
import { StowageError, throwIfAborted } from '../errors.ts';
import { holdsBytes } from '../format/create-own.ts';
import {
  isChosen,
  type LogChoice,
  type LogName,
  LogPartNames,
  logId,
  validateLogChoice,
} from '../format/log-names.ts';
import type { TaskPath } from '../format/pathspec.ts';
import { checkOptions, MAX_TIMER_MS, type OptionTable, wholeMilliseconds } from '../options/option-table.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { validateLogName } from '../storage/names.ts';
import { LogIntake } from './log-intake.ts';
import { listLogs } from './log-reader.ts';
import { type LogScrub, type ScrubbedLog, scrubLog, toScrubbedLogs } from './log-scrubbing.ts';
import { type LogSource, type LogStreams, openLogStreams } from './log-streams.ts';

/** Options of appending to logs. */
export interface SaveLogsOptions extends CallOptions {
  /**
   * The time that something a stream gave may wait for more before it is written, in milliseconds: shorter shows a
   * running task's output sooner, in more and smaller objects. Default 2,000.
   */
  flushMs?: number | undefined;
}

const DEFAULT_FLUSH_MS = 2_000;
const SAVE_OPTIONS: OptionTable<SaveLogsOptions> = { flushMs: wholeMilliseconds(0, MAX_TIMER_MS) };
/** Longer data is written as several parts, so that each can be read at once. */
const MAX_PART_BYTES = 8 * 1024 * 1024;
/** So many names in a row may be taken. */
const MAX_TAKEN_NAMES = 16;

/** A log that is being written. */
interface OpenLog extends LogName {
  id: string;
  /** The sequence number of the next part. */
  next: number;
  /** A write was tried, so that parts may be there. */
  isBegun: boolean;
  intakes: Set<LogIntake>;
}

/** The options and intakes that the streams of one call share, and the first failure. */
interface Append {
  options: CallOptions;
  intakes: LogIntake[];
  failure?: { error: unknown };
}

/**
 * Appends to the logs of an attempt; nothing is ever rewritten. The parts of a log are written one after the other,
 * each as soon as the one before it is visible, so that a reader who sees one part sees all before it.
 */
export class LogWriter {
  readonly #storage: DataStoreStorage;
  readonly #path: TaskPath;
  readonly #attempt: number;
  readonly #names: LogPartNames;
  readonly #logs = new Map<string, OpenLog>();
  readonly #turns = new KeyLocks();

  constructor(storage: DataStoreStorage, path: TaskPath, attempt: number) {
    this.#storage = storage;
    this.#path = path;
    this.#attempt = attempt;
    this.#names = new LogPartNames(path, attempt);
  }

  /**
   * Appends text and bytes at once, and streams as they come: what a stream gave is written when 1 MiB has
   * gathered, or after `flushMs`. All streams are read at the same time. One that fails ends the call, and the
   * others with it; what they gave before that is kept. What was not written yet when `signal` is aborted is
   * dropped.
   *
   * @throws StowageError `INVALID_ARGUMENT`, `INVALID_NAME` before anything is written; `INVALID_ARGUMENT` for a
   * stream that yields neither text nor bytes; `ABORTED`; and what a stream throws, as it is.
   */
  async append(source: string, streams: LogStreams, options: SaveLogsOptions = {}): Promise<void> {
    checkOptions<SaveLogsOptions>(options, 'saveLogs', SAVE_OPTIONS);
    validateLogName(source, 'log source');
    const { flushMs = DEFAULT_FLUSH_MS, signal } = options;
    throwIfAborted(signal);
    const append: Append = { options: { signal }, intakes: [] };
    const work = openLogStreams(streams).map(({ stream, data }) => {
      const log = this.#log(source, stream);
      if (data instanceof Uint8Array) return this.#appendBytes(append, log, data);
      return this.#appendStream(append, log, data, flushMs);
    });
    await Promise.all(work);
    if (append.failure) throw append.failure.error;
  }

  /**
   * Deletes what the chosen logs say, and leaves a note in its place. What was on its way counts: calls before this
   * one, and what their streams gave and was not written yet. Streams that are still being read go on after the
   * note.
   *
   * @throws StowageError as `scrubLogs` does
   */
  async scrub(choice: LogChoice, options: CallOptions): Promise<ScrubbedLog[]> {
    validateLogChoice(choice);
    const logs = [...this.#logs.values()].filter((log) => isChosen(log, choice));
    const turns = logs.map((log) => this.#turns.run(log.id, () => this.#scrubLog(log, options)));
    // All at once, so that streams do not go on meanwhile; and all to their end, so that nothing happens after an
    // error.
    await Promise.allSettled(turns);
    const scrubs = (await Promise.all(turns)).filter((scrub) => scrub !== undefined);
    return toScrubbedLogs(this.#storage, this.#path, this.#attempt, scrubs);
  }

  /** Reads no further in any stream, as if each ended here. */
  stopStreams(): void {
    for (const { intakes } of this.#logs.values()) for (const intake of intakes) intake.stop();
  }

  #log(source: string, stream: string): OpenLog {
    const id = logId({ source, stream });
    let log = this.#logs.get(id);
    if (!log) {
      log = { id, source, stream, next: 0, isBegun: false, intakes: new Set() };
      this.#logs.set(id, log);
    }
    return log;
  }

  async #appendBytes(append: Append, log: OpenLog, bytes: Uint8Array): Promise<void> {
    try {
      await this.#turns.run(log.id, async () => {
        if (bytes.length === 0) await this.#begin(log, append.options);
        for (let start = 0; start < bytes.length; start += MAX_PART_BYTES) {
          await this.#writePart(log, bytes.subarray(start, start + MAX_PART_BYTES), append.options);
        }
      });
    } catch (error) {
      fail(append, error);
    }
  }

  async #appendStream(append: Append, log: OpenLog, source: LogSource, flushMs: number): Promise<void> {
    const intake = new LogIntake(log.stream, source, flushMs, append.options);
    append.intakes.push(intake);
    log.intakes.add(intake);
    try {
      while (await intake.fill()) {
        await this.#turns.run(log.id, async () => {
          const bytes = intake.take();
          if (bytes.length > 0) await this.#writePart(log, bytes, append.options);
        });
      }
      if (!append.failure) await this.#turns.run(log.id, () => this.#begin(log, append.options));
    } catch (error) {
      fail(append, error);
    } finally {
      log.intakes.delete(intake);
      await intake.close().catch((error: unknown) => fail(append, error));
    }
  }

  /** Makes a log that got no bytes empty, not missing. */
  async #begin(log: OpenLog, options: CallOptions): Promise<void> {
    if (log.next === 0) await this.#writePart(log, new Uint8Array(0), options);
  }

  /**
   * The number of a write that failed is tried again by the next: it may have taken effect, or still do, and then
   * the name is taken and the next number's turn.
   */
  async #writePart(log: OpenLog, bytes: Uint8Array, { signal }: CallOptions): Promise<void> {
    log.isBegun = true;
    for (let taken = 0; taken < MAX_TAKEN_NAMES; taken++) {
      const name = this.#names.format(log, log.next);
      const isOurs =
        (await this.#storage.create(name, bytes, { signal, durability: 'deferred' })) ||
        (await holdsBytes(this.#storage, name, bytes, signal));
      log.next += 1;
      if (isOurs) return;
    }
    const name = this.#names.format(log, log.next - 1);
    throw new StowageError(
      'STORAGE_FAILED',
      `${this.#storage.uri(name)} already exists, and so do the names before it, though only this attempt's owner writes them; check that no other program writes into the store's folders.`,
      { details: { name } },
    );
  }

  async #scrubLog(log: OpenLog, options: CallOptions): Promise<LogScrub | undefined> {
    const dropped = [...log.intakes].map((intake) => intake.drop());
    if (!log.isBegun && !dropped.includes(true)) return undefined;
    const { source, stream } = log;
    const [listed] = await listLogs(this.#storage, this.#path, this.#attempt, options, { source, stream });
    const empty = { source, stream, bytes: 0, parts: [] };
    const scrub = await scrubLog(this.#storage, this.#path, this.#attempt, listed ?? empty, options);
    log.isBegun = true;
    log.next = Math.max(log.next, scrub.next);
    return scrub;
  }
}

/** The first failure is the call's; the other streams end where they are. */
function fail(append: Append, error: unknown): void {
  append.failure ??= { error };
  for (const intake of append.intakes) intake.stop();
}
