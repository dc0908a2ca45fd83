import { setMaxListeners } from 'node:events';
import { delay } from '../../async/in-time.ts';
import { attemptBase, type ListedTask, latestAttempt, readDone } from '../../format/attempt-files.ts';
import { type LogChoice, logId } from '../../format/log-names.ts';
import { readRunFinished } from '../../format/run-ends.ts';
import { type Outcome, type RecordedError, SESSION_FILES } from '../../format/session-files.ts';
import { followLogs } from '../../logs/log-following.ts';
import { listLogs } from '../../logs/log-reader.ts';
import { errorLine } from '../../views/artifact-texts.ts';
import { pathOf, tasksAt } from '../../views/listing.ts';
import { formatStorePath, type RunPath } from '../../views/paths.ts';
import type { Invocation } from '../invocation.ts';
import type { OpenStore } from '../store.ts';
import { fittedTail } from './fitted-logs.ts';
import { LogLines, type LogSink, type LogSubject, LogText, logTitle, MAX_PIECE_BYTES } from './log-sink.ts';
import { findTail } from './log-tail.ts';
import { nothingLoggedBy } from './nothing-logged.ts';

/** The logs to follow, and how much of what is there already comes first. */
export interface FollowSettings {
  choice: LogChoice;
  /** Only the last lines of each log that is there at the start; `undefined` for all. */
  tail: number | undefined;
}

/** An attempt whose logs are followed. */
interface Followed {
  listed: ListedTask;
  attempt: number;
}

/** Where to go on in the logs of an attempt, behind what is not wanted, or was written already. */
interface GoingOn {
  /** The last part of a log that is not read any more. */
  given: string[];
  /** The bytes of each log, by its id, which come first in the parts that are read, and are not written. */
  skips: Map<string, number>;
}

/** The wait before looking again: longer where looking costs a request. */
const LOCAL_POLL_MS = 200;
const REMOTE_POLL_MS = 1_000;
/** New tasks are looked for by a listing of the whole run: it takes at most this part of the time, unless it is very long. */
const LISTING_SHARE = 0.1;
const LONGEST_WAIT_MS = 10_000;
/** With `--fit`: an attempt, and a log, of which there is something at first has so many bytes at least, or nothing. */
const LEAST_ATTEMPT_BYTES = 4_000;
const LEAST_LOG_BYTES = 300;
/** A piece of a log says which one it is of, beside its names. */
const HEAD_BYTES = 100;

/** Writes the logs of an attempt as they grow, until it is closed. */
export async function followAttempt(
  invocation: Invocation,
  store: OpenStore,
  followed: Followed,
  settings: FollowSettings,
): Promise<void> {
  const { path } = followed.listed;
  const logs = await listLogs(store.storage, path, followed.attempt, invocation, settings.choice);
  const follow = new LogFollow(invocation, store, settings, logs.length > 1);
  const { maxBytes } = invocation.output;
  await follow.attempt(followed, { isNew: false, ...(Number.isFinite(maxBytes) ? { maxBytes } : {}) });
  if (follow.hasWritten) return;
  invocation.note(await nothingLoggedBy(store, followed.listed, followed.attempt));
}

/**
 * Writes the logs of all tasks that a path leads to as they grow, new tasks and attempts as they appear, until the run is
 * finished.
 */
export async function followTasks(
  invocation: Invocation,
  store: OpenStore,
  path: RunPath,
  settings: FollowSettings,
): Promise<void> {
  const follow = new LogFollow(invocation, store, settings, true);
  await follow.tasks(path);
}

class LogFollow {
  readonly #invocation: Invocation;
  readonly #store: OpenStore;
  readonly #settings: FollowSettings;
  readonly #text: LogText | undefined;
  readonly #sink: LogSink;
  readonly #pollMs: number;
  /** Ends everything as soon as one log cannot be followed. */
  readonly #ending = new AbortController();
  readonly #signal: AbortSignal;
  /** The latest attempt of each task that was met. */
  readonly #latest = new Map<string, number>();
  readonly #running = new Set<Promise<void>>();
  #fault: { error: unknown } | undefined;
  #isRunOver = false;
  #hasSaidThatItWaits = false;
  /** One piece is written after the other. */
  #writing: Promise<void> = Promise.resolve();
  hasWritten = false;

  constructor(invocation: Invocation, store: OpenStore, settings: FollowSettings, headed: boolean) {
    const { output, options, json, signal } = invocation;
    this.#invocation = invocation;
    this.#store = store;
    this.#settings = settings;
    this.#text = json ? undefined : new LogText(output, { ...options, headed });
    this.#sink = this.#text ?? new LogLines(output);
    this.#pollMs = store.storage.capabilities.localReads ? LOCAL_POLL_MS : REMOTE_POLL_MS;
    this.#signal = AbortSignal.any([signal, this.#ending.signal]);
    setMaxListeners(0, this.#signal); // each attempt that is followed waits on it
  }

  /**
   * Follows one attempt to its end; of one that is new all is written, however little of others was asked for.
   *
   * @param how.maxBytes - of what one that is not new has logged already so much is written at most, as JSON
   */
  async attempt(
    { listed, attempt }: Followed,
    { isNew, maxBytes }: { isNew: boolean; maxBytes?: number | undefined },
  ): Promise<void> {
    const { storage } = this.#store;
    const { choice } = this.#settings;
    const { given, skips } = isNew
      ? fromStart()
      : await (maxBytes === undefined
          ? this.#behindOthers({ listed, attempt })
          : this.#fitted({ listed, attempt }, maxBytes));
    if (!isNew && maxBytes !== undefined && isClosed({ listed, attempt })) return; // nothing comes behind it
    const doneName = attemptBase(listed.path, attempt) + SESSION_FILES.done;
    const options = { signal: this.#signal, pollMs: this.#pollMs };
    const from = !isNew && (this.#settings.tail === 0 || maxBytes === 0) ? 'end' : 'start';
    const isOver = async (): Promise<boolean> =>
      this.#isRunOver || (await storage.head(doneName, options)) !== undefined;
    const logs = new Map<string, LogSubject>();
    for await (const { source, stream, bytes } of followLogs(
      storage,
      listed.path,
      attempt,
      { ...choice, from },
      isOver,
      options,
      given,
    )) {
      const subject = { task: pathOf(listed), attempt, source, stream };
      logs.set(logTitle(subject), subject);
      const skipped = Math.min(skips.get(logId(subject)) ?? 0, bytes.length);
      if (skipped > 0) skips.set(logId(subject), (skips.get(logId(subject)) as number) - skipped);
      await this.#write(() => this.#sink.write(subject, bytes.subarray(skipped)));
      this.hasWritten ||= skipped < bytes.length;
    }
    for (const subject of logs.values()) await this.#write(() => this.#sink.end(subject));
    await this.#remarkOnEnd({ listed, attempt });
  }

  async tasks(path: RunPath): Promise<void> {
    const { flow, run } = path;
    const { storage } = this.#store;
    const options = { signal: this.#signal };
    try {
      for (let isFirst = true; ; isFirst = false) {
        const startedAt = performance.now();
        // Asked before the tasks are listed: whatever was logged before the end is written.
        const finished = await readRunFinished(storage, flow, run, options);
        this.#isRunOver = finished !== undefined;
        const tasks = await tasksAt({ ...this.#store, ...options }, path);
        const listingMs = performance.now() - startedAt;
        const followed = tasks.flatMap((listed) => this.#newAttempts(listed, isFirst));
        const shares = isFirst ? await this.#shares(followed) : undefined;
        const how = (one: Followed): { isNew: boolean; maxBytes?: number | undefined } => {
          return { isNew: !isFirst, maxBytes: shares && (shares.get(one) ?? 0) };
        };
        // What is complete is written first, one after the other, so that it stays in one piece.
        for (const one of followed.filter(isClosed))
          if (how(one).maxBytes !== 0) await this.attempt(one, how(one));
        for (const one of followed.filter((other) => !isClosed(other))) this.#start(one, how(one));
        if (finished) {
          await Promise.all(this.#running);
          return await this.#remark(finished, `run ${formatStorePath({ flow, run })}`);
        }
        await this.#remarkOnWaiting(path);
        await this.#wait(listingMs);
      }
    } catch (error) {
      this.#ending.abort();
      await Promise.allSettled(this.#running);
      throw this.#fault ? this.#fault.error : error;
    }
  }

  /** The attempts of a task that were not met before: the latest at first, and later on each that was opened since. */
  #newAttempts(listed: ListedTask, isFirst: boolean): Followed[] {
    const where = formatStorePath(pathOf(listed));
    const latest = latestAttempt(listed.attempts);
    const before = this.#latest.get(where) ?? (isFirst ? latest - 1 : -1);
    this.#latest.set(where, latest);
    const numbers = [...listed.attempts.keys()].filter((attempt) => attempt > before);
    return numbers.sort((a, b) => a - b).map((attempt) => ({ listed, attempt }));
  }

  /** Follows an attempt beside all others. */
  #start(followed: Followed, options: { isNew: boolean; maxBytes?: number | undefined }): void {
    const running = this.attempt(followed, options);
    this.#running.add(running);
    running.then(
      () => this.#running.delete(running),
      (error: unknown) => {
        this.#fault ??= { error };
        this.#ending.abort();
      },
    );
  }

  /** Finds where the lines that were asked for begin in each log. */
  async #behindOthers({ listed, attempt }: Followed): Promise<GoingOn> {
    const { tail, choice } = this.#settings;
    const on = fromStart();
    if (tail === undefined || tail === 0) return on;
    const { storage } = this.#store;
    const options = { signal: this.#signal };
    for (const log of await listLogs(storage, listed.path, attempt, options, choice)) {
      const { parts, skippedBytes } = await findTail(storage, log, tail, options);
      on.given.push(...log.parts.slice(0, log.parts.length - parts.length).slice(-1));
      on.skips.set(logId(log), skippedBytes);
    }
    return on;
  }

  /** Writes the last lines of each log of an attempt that fit together into `maxBytes`. */
  async #fitted({ listed, attempt }: Followed, maxBytes: number): Promise<GoingOn> {
    const on = fromStart();
    const { tail: lines = Number.POSITIVE_INFINITY, choice } = this.#settings;
    if (maxBytes === 0 || lines === 0) return on;
    const options = { signal: this.#signal };
    const logs = await listLogs(this.#store.storage, listed.path, attempt, options, choice);
    for (const log of logs) {
      const { source, stream, bytes } = log;
      const subject = { task: pathOf(listed), attempt, source, stream };
      const share = textShare(maxBytes / logs.length, subject);
      if (share < LEAST_LOG_BYTES) {
        on.given.push(...log.parts.slice(-1));
        continue;
      }
      const wanted = { lines, maxBytes: share };
      const { text, unread } = await fittedTail(this.#store.storage, log, wanted, options);
      await this.#write(() => this.#sink.write(subject, Buffer.from(text)));
      // The beginning of a character is written with its end.
      if (unread > 0) on.skips.set(logId(log), bytes - unread);
      else on.given.push(...log.parts.slice(-1));
      this.hasWritten ||= text !== '';
    }
    return on;
  }

  /** What of the attempts that are there at first is written at first, where a document has to fit: those that run, then the last ones. */
  async #shares(followed: readonly Followed[]): Promise<Map<Followed, number> | undefined> {
    const { maxBytes } = this.#invocation.output;
    if (!Number.isFinite(maxBytes)) return undefined;
    const share = Math.max(LEAST_ATTEMPT_BYTES, Math.floor(maxBytes / Math.max(1, followed.length)));
    const open = followed.filter((one) => !isClosed(one));
    const wanted = [...open, ...followed.filter(isClosed).reverse()];
    const chosen = wanted.slice(0, Math.floor(maxBytes / share));
    const left = wanted.length - chosen.length;
    if (left > 0) await this.#write(() => this.#invocation.output.json({ left }, 0));
    return new Map(chosen.map((one) => [one, share]));
  }

  async #write(work: () => Promise<void>): Promise<void> {
    const before = this.#writing;
    const writing = before.then(work);
    // Whoever comes next waits, and meets the same fault by its own writing.
    this.#writing = writing.catch(() => {});
    await writing;
  }

  async #remarkOnEnd({ listed, attempt }: Followed): Promise<void> {
    const done = await readDone(this.#store.storage, listed.path, attempt, { signal: this.#signal });
    if (!done) return; // the run ended before it did
    const { outcome, error } = done;
    await this.#remark({ status: outcome, error }, formatStorePath({ ...pathOf(listed), attempt }));
  }

  /** Says that something ended otherwise than it should. */
  async #remark(
    { status, error }: { status: Outcome; error?: RecordedError | undefined },
    what: string,
  ): Promise<void> {
    if (status === 'done') return;
    const how = status === 'abandoned' ? 'was given up' : 'failed';
    await this.#note(`${what} ${how}${error ? `: ${errorLine(error)}` : '.'}`);
  }

  async #remarkOnWaiting(path: RunPath): Promise<void> {
    if (this.#running.size > 0 || this.#hasSaidThatItWaits) return;
    this.#hasSaidThatItWaits = true;
    const run = formatStorePath({ flow: path.flow, run: path.run });
    await this.#note(
      `no task is running. Waiting for the next one, or for the end of run ${run}; Ctrl-C stops waiting.`,
    );
  }

  /** A remark on a line of its own. */
  async #note(text: string): Promise<void> {
    await this.#write(async () => {
      if (this.#invocation.output.isTerminal) await this.#text?.endLine();
      this.#invocation.note(text);
    });
  }

  async #wait(listingMs: number): Promise<void> {
    const waitMs = Math.min(LONGEST_WAIT_MS, listingMs / LISTING_SHARE);
    await delay(Math.max(this.#pollMs, waitMs), this.#signal);
  }
}

/** The bytes of a log's text among those of all that is written of it: each piece tells which log it is of. */
function textShare(maxBytes: number, subject: LogSubject): number {
  const head = Buffer.byteLength(JSON.stringify(subject)) + HEAD_BYTES;
  return Math.floor(maxBytes - head * (1 + Math.ceil(maxBytes / MAX_PIECE_BYTES)));
}

function isClosed({ listed, attempt }: Followed): boolean {
  return listed.attempts.get(attempt)?.has('done') === true;
}

function fromStart(): GoingOn {
  return { given: [], skips: new Map() };
}
