import { types } from 'node:util';
import { mapBounded } from '../async/bounded-work.ts';
import { listRuns } from '../attempts/run-listing.ts';
import { isError, type StowageError } from '../errors.ts';
import { hasTasks } from '../format/attempt-files.ts';
import { LABEL } from '../format/label.ts';
import { type RunEnd, type RunFinished, type RunOutcome, readRunFinished } from '../format/run-ends.ts';
import { pinRunRecord, type RunPin, readRunPin } from '../format/run-pins.ts';
import type { RunCreated } from '../format/run-records.ts';
import { checkOptionNames } from '../options/option-names.ts';
import { checkOptions } from '../options/option-table.ts';
import type { DirectoryRef } from '../references/directory/directory-ref.ts';
import type { CallOptions } from '../storage/contract.ts';
import type { OpenedTasks } from './left-out.ts';
import { readCode } from './run-code.ts';
import { endRun } from './run-ending.ts';
import { type RunFilter, requireRun, selectRuns } from './run-selection.ts';
import type { TaskOpener } from './task-opener.ts';
import { type GetTasksOptions, TASKS_OF_RUN } from './task-selection.ts';

/** Everything that is recorded of a run itself. */
export interface RunInfo extends RunCreated {
  /** `open` until somebody finishes the run. */
  status: 'open' | RunEnd;
  finished?: RunFinished;
  /** The latest word on whether retention may take it. Absent where it was never pinned. */
  pin?: RunPin;
}

/** Options of {@link Run.pin}. */
export interface PinOptions extends CallOptions {
  /** Why, for people: a line of text of at most 256 bytes. Default: none. */
  reason?: string | undefined;
}

/** So many steps are looked at at once. */
const CONCURRENCY = 16;

/** One run of a flow. */
export class Run {
  readonly #tasks: TaskOpener;
  /** The run's id. */
  readonly runId: string;

  /**
   * For use by `FlowDataStore`.
   *
   * @internal
   */
  constructor(tasks: TaskOpener, runId: string) {
    this.#tasks = tasks;
    this.runId = runId;
  }

  /** The flow's name. */
  get flowName(): string {
    return this.#tasks.flow;
  }

  /**
   * Reads when and with what the run was made, and how it ended.
   *
   * @throws StowageError `RUN_NOT_FOUND`
   */
  async info(options: CallOptions = {}): Promise<RunInfo> {
    checkOptionNames(options, 'info');
    const { storage } = this.#tasks.content;
    await this.#tasks.content.prepareToRead(options);
    const [created, finished, pin] = await Promise.all([
      requireRun(storage, this.flowName, this.runId, options),
      readRunFinished(storage, this.flowName, this.runId, options),
      readRunPin(storage, this.flowName, this.runId, options),
    ]);
    const status = finished?.status ?? 'open';
    return { ...created, status, ...(finished ? { finished } : {}), ...(pin ? { pin } : {}) };
  }

  /**
   * Pins the run: retention leaves it and all of its content, whatever the policy, from the next time on that it begins. Does nothing where it is
   * pinned for that reason already.
   *
   * @throws StowageError `RUN_NOT_FOUND`, `INVALID_ARGUMENT`
   */
  async pin(options: PinOptions = {}): Promise<void> {
    checkOptions<PinOptions>(options, 'pin', { reason: LABEL });
    await this.#pin(
      { pinned: true, ...(options.reason === undefined ? {} : { reason: options.reason }) },
      options,
    );
  }

  /**
   * Takes the pin off the run, so that the policy decides again. Does nothing where it is not pinned.
   *
   * @throws StowageError `RUN_NOT_FOUND`
   */
  async unpin(options: CallOptions = {}): Promise<void> {
    checkOptionNames(options, 'unpin');
    await this.#pin({ pinned: false }, options);
  }

  /**
   * The sources that made the run, as `createRun({ code })` kept them; `undefined` of a run that was made without. Files are read where they
   * are asked for: `download(folder)` restores them.
   *
   * @throws StowageError `RUN_NOT_FOUND`; `CONTENT_PURGED` where they were released; `RECORD_DAMAGED`
   */
  async code(options: CallOptions = {}): Promise<DirectoryRef | undefined> {
    checkOptionNames(options, 'code');
    const { content } = this.#tasks;
    await content.prepareToRead(options);
    const run = { flow: this.flowName, run: this.runId };
    const { code } = await requireRun(content.storage, run.flow, run.run, options);
    return code && readCode(content, run, code, options);
  }

  /** The names of the steps that have tasks; throws `RUN_NOT_FOUND`. A LIST of the run's folders, and one of each that ends at its first task. */
  async steps(options: CallOptions = {}): Promise<string[]> {
    checkOptionNames(options, 'steps');
    const { storage } = this.#tasks.content;
    await this.#tasks.content.prepareToRead(options);
    const [flow, run] = [this.flowName, this.runId];
    const prefix = `flows/${flow}/${run}/`;
    const folders: string[] = [];
    for await (const page of storage.list({ prefix, depth: 'one', signal: options.signal })) {
      for (const folder of page.folders) folders.push(folder.slice(prefix.length, -1));
    }
    // Other programs leave folders of their own.
    const areSteps = await mapBounded(folders, CONCURRENCY, (step) =>
      hasTasks(storage, { flow, run, step }, options),
    );
    const steps = folders.filter((_, index) => areSteps[index]);
    if (steps.length === 0) await this.info(options); // without tasks it must at least have been made
    return steps;
  }

  /** The run's tasks that are done, or all with `allowNotDone`; see `FlowDataStore.getTaskDataStores`. */
  async tasks(options: Omit<GetTasksOptions, 'runId'> & CallOptions = {}): Promise<OpenedTasks> {
    checkOptions<Omit<GetTasksOptions, 'runId'> & CallOptions>(options, 'tasks', TASKS_OF_RUN);
    return this.#tasks.stores({ ...options, runId: this.runId });
  }

  /**
   * Records that the run has ended, and by which error, if it failed: `finish('failed', error)`, or `{ error }` where it may be anything that
   * was thrown. Tasks may still be opened afterwards; the record says what the engine thought. A run that failed or was abandoned may be taken up again
   * and finished anew: the latest end counts.
   *
   * @throws StowageError `RUN_EXISTS` where it was finished as done, or is at this moment; `RUN_NOT_FOUND` where nobody opened it.
   */
  async finish(
    status: RunOutcome = 'done',
    errorOrOptions: Error | (CallOptions & { error?: unknown }) = {},
  ): Promise<void> {
    const options = isThrown(errorOrOptions) ? { error: errorOrOptions } : errorOrOptions;
    checkOptionNames(options, 'finish', ['error']);
    const { error, signal } = options;
    const run = { flow: this.flowName, run: this.runId };
    await endRun(this.#tasks.content, run, { status, error }, { signal });
  }

  async #pin(pin: Pick<RunPin, 'pinned' | 'reason'>, { signal }: CallOptions): Promise<void> {
    const { content } = this.#tasks;
    const run = { flow: this.flowName, run: this.runId };
    await content.prepareToRead({ signal });
    await requireRun(content.storage, run.flow, run.run, { signal });
    await content.prepareToWrite({ signal });
    await pinRunRecord(content.storage, run, pin, { signal });
  }
}

/** A run as a listing shows it. */
export interface RunSummary {
  run: Run;
  /** The time at which it was created, by its creator's clock. */
  createdAt: Date;
  /** True if somebody recorded its end. */
  isFinished: boolean;
  /** The error of a record that cannot be read, so that nobody can tell whether the filter lets the run through. `undefined` as a rule. */
  problem: StowageError | undefined;
}

/** The runs of a flow that a filter lets through, newest first. A store that is not there yet has none. */
export async function listSummaries(
  tasks: TaskOpener,
  filter: RunFilter,
  options: CallOptions,
): Promise<RunSummary[]> {
  const { storage } = tasks.content;
  if (!(await tasks.content.isThereToRead(options))) return [];
  const listed = await listRuns(storage, tasks.flow, options);
  const selected = await selectRuns(storage, listed, filter, options);
  return selected.map(({ listed: { run, createdAtMs, finished }, problem }) => {
    return { run: new Run(tasks, run), createdAt: new Date(createdAtMs), isFinished: finished, problem };
  });
}

/** True for what cannot be options, and so was thrown: programs without types pass on whatever they caught. */
function isThrown(given: unknown): given is Error {
  return (
    typeof given !== 'object' ||
    given === null ||
    Array.isArray(given) ||
    isError(given) ||
    types.isProxy(given)
  );
}
