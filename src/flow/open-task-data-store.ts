import type { SaveOptions } from '../attempts/attempt-table.ts';
import type { LogStreams } from '../attempts/log-parts.ts';
import type { Metadata } from '../attempts/metadata-parts.ts';
import type { OpenAttempt } from '../attempts/open-attempt.ts';
import { StowageError } from '../errors.ts';
import type { CallOptions } from '../storage/contract.ts';
import { TaskDataStore } from './task-data-store.ts';

/**
 * One attempt of a task while its owner works on it. Readers see nothing of it before {@link done} or {@link fail};
 * afterwards nothing changes.
 */
export class OpenTaskDataStore implements AsyncDisposable {
  readonly #attempt: OpenAttempt;

  /** For use by {@link FlowDataStore}. */
  constructor(attempt: OpenAttempt) {
    this.#attempt = attempt;
  }

  get flowName(): string {
    return this.#attempt.path.flow;
  }

  get runId(): string {
    return this.#attempt.path.run;
  }

  get stepName(): string {
    return this.#attempt.path.step;
  }

  get taskId(): string {
    return this.#attempt.path.task;
  }

  /** The attempt's number, from 0. */
  get attempt(): number {
    return this.#attempt.number;
  }

  /** `run/step/task/attempt`. */
  get pathspec(): string {
    return this.#attempt.pathspec;
  }

  get isClosed(): boolean {
    return this.#attempt.isClosed;
  }

  /**
   * Saves values by name; a later value of the same name replaces an earlier one. All are validated and serialized before
   * anything is written, and none is named unless all could be stored.
   *
   * @throws StowageError `UNSERIALIZABLE_ARTIFACT` with the path inside the value, `INVALID_NAME`, `ATTEMPT_CLOSED`, or a storage's error.
   */
  async saveArtifacts(
    artifacts: Readonly<Record<string, unknown>>,
    options: SaveOptions = {},
  ): Promise<void> {
    await this.#attempt.saveArtifacts(artifacts, options);
  }

  /**
   * Keeps JSON about the attempt (durations, versions, counts). Written at once, so that a crash keeps it; later calls replace
   * members of the same name.
   *
   * @throws StowageError `INVALID_ARGUMENT` for what JSON cannot hold, `ATTEMPT_CLOSED`.
   */
  async saveMetadata(metadata: Metadata, options: CallOptions = {}): Promise<void> {
    await this.#attempt.saveMetadata(metadata, options);
  }

  /**
   * Appends to the attempt's logs, at once: text or bytes by stream. `source` tells who logs (`task`, `runtime`, ...).
   *
   * @throws StowageError `INVALID_NAME` for a source or stream that is not `[A-Za-z0-9_-]{1,32}`, `ATTEMPT_CLOSED`.
   */
  async saveLogs(source: string, streams: LogStreams, options: CallOptions = {}): Promise<void> {
    await this.#attempt.saveLogs(source, streams, options);
  }

  /** Notes that this attempt's results rest on those of `task`, for its provenance. */
  recordRead(task: TaskDataStore): void {
    if (!(task instanceof TaskDataStore)) {
      throw new StowageError(
        'INVALID_ARGUMENT',
        'recordRead takes a task that was opened for reading, by getTaskDataStore.',
      );
    }
    this.#attempt.recordRead(`${task.flowName}/${task.pathspec}`);
  }

  /**
   * Closes the attempt as done. Everything it saved is durable before it becomes visible.
   *
   * @throws StowageError `ATTEMPT_CLOSED`, `ATTEMPT_FENCED` or `CONTENT_LOST` where a collector gave up on it meanwhile.
   */
  async done(options: CallOptions = {}): Promise<void> {
    await this.#attempt.done(options);
  }

  /** Closes the attempt as failed, and keeps the error: name, message, stack, causes, and its `recoverable` if it has one. */
  async fail(error: unknown, options: CallOptions = {}): Promise<void> {
    await this.#attempt.fail(error, options);
  }

  /** Fails the attempt unless it was closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isClosed) return;
    await this.fail(
      new StowageError(
        'ATTEMPT_NOT_DONE',
        `Attempt ${this.pathspec} was disposed of before it was closed; call done() when its work is complete.`,
      ),
    );
  }
}
