import { channel } from 'node:diagnostics_channel';
import { type FileHandle, open, stat } from 'node:fs/promises';
import type { Deadline } from '../async/deadline.ts';
import { inTurn, openPatiently } from '../async/open-files.ts';
import type { ProgressOptions } from '../async/progress.ts';
import type { SavedForm } from '../attempts/artifact-input.ts';
import { failOrReport } from '../attempts/failing-attempts.ts';
import type { OpenAttempt } from '../attempts/open-attempt.ts';
import type { ContentAddressedStore } from '../content-addressed-store.ts';
import { isStowageError, messageOf, StowageError } from '../errors.ts';
import { OpenTaskDataStore } from '../flow/open-task-data-store.ts';
import { TaskOpener } from '../flow/task-opener.ts';
import { taskIdOf } from '../format/cache-names.ts';
import type { CachedCall } from '../format/description.ts';
import { checkOptions, PROGRESS_OPTIONS } from '../options/option-table.ts';
import type { FileKeeper } from '../references/file-keeper.ts';
import { checkReport } from '../reports/attempt-reports.ts';
import { Report, type ReportOptions } from '../reports/report.ts';
import type { CallOptions } from '../storage/contract.ts';
import { validateUserName } from '../storage/names.ts';
import { TaskRecords } from '../trace/task-records.ts';
import type { Call, TaskDefinition } from './define.ts';
import type { CachedResult } from './result.ts';
import { TaskLog } from './task-log.ts';

/** The artifacts that every attempt of a cached task has. */
const INPUT_ARTIFACT = 'input';
/** See {@link INPUT_ARTIFACT}. */
export const OUTPUT_ARTIFACT = 'output';
/** The input is not part of the result. */
export const NOT_RESULT: ReadonlySet<string> = new Set([INPUT_ARTIFACT]);

/** A message of the channel `stowage:cached-task-unrecorded`: a task ran, and not all of it could be recorded. */
export interface UnrecordedTask {
  task: string;
  /** `run/step/task/attempt`, where the attempt was opened. */
  pathspec: string | undefined;
  error: unknown;
}

/** Faults of what is traced, or of what may read it, rather than of the store. */
const TRACE_FAULTS = [
  'INVALID_ARGUMENT',
  'ATTEMPT_CLOSED',
  'UNKNOWN_ENCODING',
  'UNDECODABLE_ARTIFACT',
] as const;

const unrecorded = channel('stowage:cached-task-unrecorded');

/** Tells by the channel `stowage:cached-task-unrecorded` what has cost a record, and nothing else. */
export function tellUnrecorded(message: UnrecordedTask): void {
  unrecorded.publish(message);
}

/**
 * The attempt that a run of a cached task writes. A store that is down or slow costs the record, never the task: from its first
 * failure on nothing more is recorded, and the channel `stowage:cached-task-unrecorded` tells why.
 */
export class AttemptRecording {
  readonly #task: string;
  readonly #store: ContentAddressedStore;
  readonly #deadline: Deadline;
  readonly #signal: AbortSignal;
  #attempt: OpenAttempt | undefined;
  #log: TaskLog | undefined;
  #failure: { error: unknown } | undefined;

  /** @param deadline - bounds the time that recording keeps the task waiting */
  constructor(task: string, store: ContentAddressedStore, deadline: Deadline, signal: AbortSignal) {
    this.#task = task;
    this.#store = store;
    this.#deadline = deadline;
    this.#signal = signal;
  }

  /**
   * Opens an attempt, and saves the input, before the task may change it.
   *
   * @param open - resolves to `undefined` where there is nothing to run
   */
  async begin(
    open: (options: { signal: AbortSignal }) => Promise<OpenAttempt | undefined>,
    input: unknown,
  ): Promise<void> {
    const work = async (signal: AbortSignal): Promise<void> => {
      const attempt = await open({ signal });
      if (!attempt) return;
      if (this.#failure) return giveUp(attempt, this.#failure.error);
      this.#attempt = attempt;
      await this.#saveInput(attempt, input, { signal });
    };
    try {
      await this.#within(work, this.#signal);
    } catch (error) {
      // Nobody else would close it: it would show signs of life for as long as the process lives.
      this.#giveUp(error);
      throw error;
    }
  }

  /** The attempt, where it could be opened. */
  get attempt(): OpenAttempt | undefined {
    return this.#attempt;
  }

  /** The error that kept the attempt from being recorded. */
  get failure(): { error: unknown } | undefined {
    return this.#failure;
  }

  /** Keeps contents of files with the attempt. */
  get fileKeeper(): FileKeeper {
    const attempt = this.#attempt;
    if (attempt && !this.#failure) return attempt.fileKeeper;
    const keep = async (): Promise<never> => {
      throw this.#notRecorded();
    };
    return { store: this.#store, keep };
  }

  #notRecorded(): StowageError {
    const why = this.#failure
      ? `its store failed by: ${messageOf(this.#failure.error)}`
      : 'its mode is readonly';
    return new StowageError(
      'INVALID_ARGUMENT',
      `Task "${this.#task}" cannot save a file to refer to: its attempt is not recorded, since ${why}, so that nothing would keep the file.`,
      { details: { task: this.#task }, cause: this.#failure?.error },
    );
  }

  /** Adds a line to the attempt's log. */
  log(...values: unknown[]): void {
    if (!this.#attempt || this.#failure) return;
    this.#log ??= new TaskLog(this.#attempt);
    this.#log.write(...values);
  }

  /** Saves a file as an artifact; throws what is wrong with the file or the name. */
  async saveFile(name: string, path: string, options: ProgressOptions = {}): Promise<void> {
    checkOptions<ProgressOptions>(options, 'files.save', PROGRESS_OPTIONS);
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
    const signal = this.#signal;
    try {
      // Begun at once, so that the attempt waits for it, whether or not the task does.
      const read = (): AsyncGenerator<Uint8Array> => inTurn(() => bytesOf(name, path), signal);
      const { onProgress } = options;
      await attempt.saveArtifactStream(name, read(), { signal, onProgress }, read);
    } catch (error) {
      const isFault = isStowageError(error, 'INVALID_NAME', 'INVALID_ARGUMENT');
      if (signal.aborted || isFault) throw error;
      this.#fail(error);
    }
  }

  /** Opens a report of the attempt; where nothing is recorded, one that nobody keeps. */
  report(name: string, options: ReportOptions = {}): Report {
    const attempt = this.#attempt;
    if (attempt && !this.#failure) return attempt.report(name, options, () => this.#failure !== undefined);
    return new Report(name, checkReport(name, options), { ensureOpen: () => {}, changed: () => {} });
  }

  /** Traces and checkpoints of the attempt; `undefined` where there is none to record them. A store that fails costs their records only. */
  records({ since }: { since?: number | undefined }): TaskRecords | undefined {
    const attempt = this.#attempt;
    if (!attempt || this.#failure) return undefined;
    const signal = this.#signal;
    const tolerates = (error: unknown): boolean => {
      if (this.#failure) return true;
      if (signal.aborted || isStowageError(error, ...TRACE_FAULTS)) return false;
      this.#fail(error);
      return true;
    };
    return new TaskRecords(attempt, { signal, since, tolerates });
  }

  /** Saves what the task's function returned. */
  async saveOutput(form: SavedForm): Promise<void> {
    const attempt = this.#attempt;
    if (!attempt) return;
    await this.#within(
      (signal) => attempt.saveArtifacts({ [OUTPUT_ARTIFACT]: form }, { signal }),
      this.#signal,
    );
  }

  /** Closes the attempt as done; `cached` says whose result it is to be. Resolves to the closed attempt, if all of it could be recorded. */
  async done(cached: CachedCall | undefined): Promise<OpenAttempt | undefined> {
    const attempt = this.#attempt;
    if (!attempt) return undefined;
    await this.#within(async (signal) => {
      await this.#log?.end();
      await attempt.done({ signal, cached });
    }, this.#signal);
    return this.#failure ? undefined : attempt;
  }

  /**
   * Closes the attempt as failed. What keeps it from that is told by the channel; the task's own error is what counts. Resolves as
   * {@link done}.
   */
  async fail(error: unknown): Promise<OpenAttempt | undefined> {
    const attempt = this.#attempt;
    if (!attempt || this.#failure) return undefined;
    // Not by the caller's signal: it may be what ended the task, and the attempt is to say so.
    await this.#within(async (signal) => {
      await this.#log?.end();
      await attempt.fail(error, { signal });
    }, undefined);
    return this.#failure ? undefined : attempt;
  }

  /** An input that counts in the key by a digest of its own need not be one that can be saved. */
  async #saveInput(attempt: OpenAttempt, input: unknown, options: CallOptions): Promise<void> {
    try {
      await attempt.saveArtifacts({ [INPUT_ARTIFACT]: input }, options);
    } catch (error) {
      // What it refers to may lie in another store.
      if (!isStowageError(error, 'UNSERIALIZABLE_ARTIFACT', 'CONTENT_NOT_FOUND', 'PLACE_NOT_FOUND'))
        throw error;
      attempt.forgoArtifact(INPUT_ARTIFACT);
      this.log(`The input is not recorded: ${error.message}`);
    }
  }

  async #within(
    work: (signal: AbortSignal) => Promise<void>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (this.#failure) return;
    try {
      await this.#deadline.run({ signal }, (options) => work(options.signal));
    } catch (error) {
      if (signal?.aborted) throw error;
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (this.#failure) return;
    this.#giveUp(error);
    tellUnrecorded({ task: this.#task, pathspec: this.#attempt?.pathspec, error });
  }

  #giveUp(error: unknown): void {
    this.#failure = { error };
    if (this.#attempt) giveUp(this.#attempt, error);
  }
}

/** A fault of a file is told whether or not it can be recorded. */
async function openFile(name: string, path: string): Promise<FileHandle> {
  try {
    // To open a pipe waits for somebody who writes to it, maybe for ever.
    if (!(await stat(path)).isFile()) throw new Error('it is a folder, pipe or device, not a file');
    return await openPatiently(() => open(path));
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
function giveUp(attempt: OpenAttempt, error: unknown): void {
  void failOrReport(attempt, error);
}

/**
 * Records a hit as an attempt of the caller's run that shares the content of the first: a clone. Resolves to its pathspec, or to
 * `undefined` where it could not be written, which costs the record only.
 */
export async function recordHit<Input, Output>(
  { tasks, name, checked }: TaskDefinition<Input, Output>,
  { key, provenance }: CachedResult<Output>,
  { runId, label }: Pick<Call, 'runId' | 'label'>,
  { signal }: CallOptions,
): Promise<string | undefined> {
  if (!provenance) return undefined;
  const { flowName, pathspec, metadataDigest } = provenance;
  const spec = { runId, stepName: name, taskId: taskIdOf(key), label };
  try {
    return await tasks.cache.deadline(checked.cacheTimeoutMs).run({ signal }, async (options) => {
      const opener = new TaskOpener(flowName, tasks.context);
      const read = await opener.open(pathspec, {}, options);
      // An entry may be signed, attempts are not: what was planted in its place is not to be recorded as the result.
      if (read.done?.metadataDigest !== metadataDigest) throw notTheSource(flowName, pathspec);
      const { runId: run, stepName: step, taskId: task, attempt: number } = provenance;
      const source = { flow: flowName, run, step, task, attempt: number };
      const next = await tasks.openAfter(source, spec, options);
      const attempt = next ?? (await tasks.open(spec, options));
      try {
        await new OpenTaskDataStore(attempt).clone(opener.toStore(read), options);
        await attempt.done(options);
        tasks.noteEnded(attempt, false);
      } catch (error) {
        giveUp(attempt, error);
        throw error;
      }
      return attempt.pathspec;
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    tellUnrecorded({ task: name, pathspec: undefined, error });
    return undefined;
  }
}

function notTheSource(flowName: string, pathspec: string): StowageError {
  return new StowageError(
    'RECORD_DAMAGED',
    `${pathspec} of flow ${flowName} is not the attempt that its cache entry names, so that the hit is not recorded: its metadata.json is another one. Somebody replaced it; evict the entry.`,
    { details: { flow: flowName, pathspec } },
  );
}
