import { channel } from 'node:diagnostics_channel';
import { statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Patience } from '../async/deadline.ts';
import { failOrReport } from '../attempts/failing-attempts.ts';
import { attempted, isStowageError, messageOf, StowageError } from '../errors.ts';
import { OpenTaskDataStore } from '../flow/open-task-data-store.ts';
import type { CachedCall } from '../format/description.ts';
import type { CallOptions } from '../storage/contract.ts';
import { validateUserName } from '../storage/names.ts';
import { TaskLog } from './task-log.ts';

/** The artifacts that every attempt of a cached task has. */
export const INPUT_ARTIFACT = 'input';
/** See {@link INPUT_ARTIFACT}. */
export const OUTPUT_ARTIFACT = 'output';

/** What the channel `stowage:cached-task-unrecorded` carries: a task ran, and not all of it could be recorded. */
export interface UnrecordedTask {
  task: string;
  /** `run/step/task/attempt`, where the attempt was opened. */
  pathspec: string | undefined;
  error: unknown;
}

const unrecorded = channel('stowage:cached-task-unrecorded');

/** Tells by the channel `stowage:cached-task-unrecorded` what has cost a record, and nothing else. */
export function tellUnrecorded(message: UnrecordedTask): void {
  unrecorded.publish(message);
}

/** How an attempt is opened, and how long recording it may keep the task waiting. */
export interface RecordingOptions {
  taskName: string;
  /** `undefined` where nothing is to be written, and what it resolves to where there is nothing to run. */
  open: ((options: CallOptions) => Promise<OpenTaskDataStore | undefined>) | undefined;
  patience: Patience;
  signal: AbortSignal;
}

/**
 * The attempt that a run of a cached task writes. A store that is down or slow costs the record, never the task: from its first
 * failure on nothing more is recorded, and the channel `stowage:cached-task-unrecorded` tells why.
 */
export class AttemptRecording {
  readonly #options: RecordingOptions;
  #attempt: OpenTaskDataStore | undefined;
  #log: TaskLog | undefined;
  #failure: { error: unknown } | undefined;

  private constructor(options: RecordingOptions) {
    this.#options = options;
  }

  /** Opens an attempt, and saves what is passed to the task, before the task may change it. */
  static async begin(options: RecordingOptions, input: unknown): Promise<AttemptRecording> {
    const recording = new AttemptRecording(options);
    const { open } = options;
    if (!open) return recording;
    const work = async (signal: AbortSignal): Promise<void> => {
      const attempt = await open({ signal });
      if (!attempt) return;
      if (recording.#failure) return giveUp(attempt, recording.#failure.error);
      recording.#attempt = attempt;
      await recording.#saveInput(attempt, input, { signal });
    };
    try {
      await recording.#within(work, options.signal);
    } catch (error) {
      // Nobody else would close it: it would show signs of life for as long as the process lives.
      recording.#giveUp(error);
      throw error;
    }
    return recording;
  }

  /** The attempt, where it could be opened. */
  get attempt(): OpenTaskDataStore | undefined {
    return this.#attempt;
  }

  /** `run/step/task/attempt`; `undefined` where it could not be opened. */
  get pathspec(): string | undefined {
    return this.#attempt?.pathspec;
  }

  /** What kept the attempt from being recorded. */
  get failure(): { error: unknown } | undefined {
    return this.#failure;
  }

  /** Adds a line to the attempt's log. */
  log(...values: unknown[]): void {
    if (!this.#attempt || this.#failure) return;
    this.#log ??= new TaskLog(this.#attempt);
    this.#log.write(...values);
  }

  /** Saves a file as an artifact; throws what is wrong with the file or the name. */
  async saveFile(name: string, path: string): Promise<void> {
    if (name === INPUT_ARTIFACT || name === OUTPUT_ARTIFACT) {
      throw new StowageError(
        'INVALID_NAME',
        `A file of a cached task cannot be named ${name}: the task's own ${name} has that name.`,
        { details: { name } },
      );
    }
    validateUserName(name, 'artifact name');
    const attempt = this.#attempt;
    if (!attempt || this.#failure) return (await openFile(name, path)).close();
    const { signal } = this.#options;
    try {
      // Begun at once, so that the attempt waits for it, whether or not the task does.
      const read = (): AsyncGenerator<Uint8Array> => bytesOf(name, path);
      const isFile = attempted(() => statSync(path).isFile()) === true; // a pipe is not read twice
      if (isFile) await attempt.saveArtifactFile(name, read, { signal });
      else await attempt.saveArtifactStream(name, read(), { signal });
    } catch (error) {
      const isFault = isStowageError(error, 'INVALID_NAME', 'INVALID_ARGUMENT');
      if (signal.aborted || isFault) throw error;
      this.#fail(error);
    }
  }

  /**
   * Saves what the task's function returned.
   *
   * @throws StowageError `UNSERIALIZABLE_ARTIFACT` for a value that cannot be saved, naming the task.
   */
  async saveOutput(output: unknown): Promise<void> {
    const attempt = this.#attempt;
    if (!attempt) return;
    await this.#within((signal) => this.#saveOutput(attempt, output, { signal }), this.#options.signal);
  }

  /** Closes the attempt as done; `cached` says whose result it is to be. Resolves to the closed attempt, if all of it could be recorded. */
  async done(cached: CachedCall | undefined): Promise<OpenTaskDataStore | undefined> {
    const attempt = this.#attempt;
    if (!attempt) return undefined;
    await this.#within(async (signal) => {
      await this.#log?.end();
      await OpenTaskDataStore.attemptOf(attempt).done({ signal, cached });
    }, this.#options.signal);
    return this.#failure ? undefined : attempt;
  }

  /** Closes the attempt as failed. What keeps it from that is told by the channel; the task's own error is what counts. */
  async fail(error: unknown): Promise<void> {
    const attempt = this.#attempt;
    if (!attempt || this.#failure) return;
    // Not by the caller's signal: it may be what ended the task, and the attempt is to say so.
    await this.#within(async (signal) => {
      await this.#log?.end();
      await attempt.fail(error, { signal });
    }, undefined);
  }

  /** What counts in the key by a digest of its own need not be something that can be saved. */
  async #saveInput(attempt: OpenTaskDataStore, input: unknown, options: CallOptions): Promise<void> {
    try {
      await attempt.saveArtifacts({ [INPUT_ARTIFACT]: input }, options);
    } catch (error) {
      if (!isStowageError(error, 'UNSERIALIZABLE_ARTIFACT')) throw error;
      OpenTaskDataStore.attemptOf(attempt).forgoArtifact(INPUT_ARTIFACT);
      this.log(`The input is not recorded: ${error.message}`);
    }
  }

  async #saveOutput(attempt: OpenTaskDataStore, output: unknown, options: CallOptions): Promise<void> {
    try {
      await attempt.saveArtifacts({ [OUTPUT_ARTIFACT]: output }, options);
    } catch (error) {
      if (!isStowageError(error, 'UNSERIALIZABLE_ARTIFACT')) throw error;
      const task = this.#options.taskName;
      throw new StowageError(
        'UNSERIALIZABLE_ARTIFACT',
        `The result of task "${task}" cannot be saved: ${error.message}`,
        { details: { ...error.details, task }, cause: error },
      );
    }
  }

  async #within(
    work: (signal: AbortSignal) => Promise<void>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (this.#failure) return;
    try {
      await this.#options.patience.spend({ signal }, (options) => work(options.signal));
    } catch (error) {
      if (isStowageError(error, 'UNSERIALIZABLE_ARTIFACT') || signal?.aborted) throw error;
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (this.#failure) return;
    this.#giveUp(error);
    tellUnrecorded({ task: this.#options.taskName, pathspec: this.pathspec, error });
  }

  #giveUp(error: unknown): void {
    this.#failure = { error };
    if (this.#attempt) giveUp(this.#attempt, error);
  }
}

/** What is wrong with a file is told whether or not it can be recorded. */
async function openFile(name: string, path: string): Promise<FileHandle> {
  try {
    return await open(path);
  } catch (error) {
    throw unreadable(name, path, error);
  }
}

async function* bytesOf(name: string, path: string): AsyncGenerator<Uint8Array> {
  const pieces = (await openFile(name, path)).createReadStream();
  try {
    for await (const piece of pieces) yield piece;
  } catch (error) {
    throw unreadable(name, path, error);
  } finally {
    pieces.destroy();
  }
}

function unreadable(name: string, path: string, cause: unknown): StowageError {
  return new StowageError(
    'INVALID_ARGUMENT',
    `The file ${path} cannot be read, to be kept as ${name}: ${messageOf(cause)}. A relative path begins at the working directory.`,
    { details: { name, path }, cause },
  );
}

/** Closes an attempt as failed if that is still possible, while nobody waits for it; it shows no more signs of life either way. */
export function giveUp(task: OpenTaskDataStore, error: unknown): void {
  void failOrReport(OpenTaskDataStore.attemptOf(task), error);
}
