import { types } from 'node:util';
import type { ContentStore } from '../content/content-store.ts';
import { isError, StowageError } from '../errors.ts';
import {
  finishRunRecord,
  type RunCreated,
  type RunFinished,
  type RunOutcome,
  readRunCreated,
  readRunFinished,
} from '../format/run-records.ts';
import { checkOptionNames } from '../options/option-names.ts';
import type { CallOptions } from '../storage/contract.ts';
import type { SelectedRun } from './run-selection.ts';
import type { TaskDataStore } from './task-data-store.ts';
import type { GetTasksOptions } from './task-selection.ts';

/** Everything that is recorded of a run itself. */
export interface RunInfo extends RunCreated {
  /** `open` until somebody finishes the run. */
  status: 'open' | RunOutcome;
  finished?: RunFinished;
}

/** The parts of its flow that a run needs. */
export interface RunOwner {
  readonly flowName: string;
  readonly caStore: ContentStore;
  getTaskDataStores(selection: GetTasksOptions & CallOptions): Promise<TaskDataStore[]>;
}

/** One run of a flow. */
export class Run {
  readonly #flow: RunOwner;
  /** The run's id. */
  readonly runId: string;

  /**
   * For use by `FlowDataStore`.
   *
   * @internal
   */
  constructor(flow: RunOwner, runId: string) {
    this.#flow = flow;
    this.runId = runId;
  }

  /** The flow's name. */
  get flowName(): string {
    return this.#flow.flowName;
  }

  /**
   * Reads when and with what the run was made, and how it ended.
   *
   * @throws StowageError `RUN_NOT_FOUND`
   */
  async info(options: CallOptions = {}): Promise<RunInfo> {
    checkOptionNames(options, 'info');
    const { storage } = this.#flow.caStore;
    await this.#flow.caStore.prepareToRead(options);
    const [created, finished] = await Promise.all([
      readRunCreated(storage, this.flowName, this.runId, options),
      readRunFinished(storage, this.flowName, this.runId, options),
    ]);
    if (!created) throw runNotFound(this.flowName, this.runId);
    return { ...created, status: finished?.status ?? 'open', ...(finished ? { finished } : {}) };
  }

  /** The names of the steps that have tasks; throws `RUN_NOT_FOUND`. */
  async steps(options: CallOptions = {}): Promise<string[]> {
    checkOptionNames(options, 'steps');
    const { storage } = this.#flow.caStore;
    await this.#flow.caStore.prepareToRead(options);
    const prefix = `flows/${this.flowName}/${this.runId}/`;
    const steps: string[] = [];
    for await (const page of storage.list({ prefix, depth: 'one', signal: options.signal })) {
      for (const folder of page.folders) steps.push(folder.slice(prefix.length, -1));
    }
    if (steps.length === 0) await this.info(options); // without tasks it must at least have been made
    return steps;
  }

  /** The run's tasks that are done, or all with `allowNotDone`; see `FlowDataStore.getTaskDataStores`. */
  async tasks(options: Omit<GetTasksOptions, 'runId'> & CallOptions = {}): Promise<TaskDataStore[]> {
    checkOptionNames(options, 'tasks', ['steps', 'attempt', 'allowNotDone', 'includePrior']);
    return this.#flow.getTaskDataStores({ ...options, runId: this.runId });
  }

  /**
   * Records that the run has ended, and by which error, if it failed: `finish('failed', error)`, or `{ error }` where it may be anything that
   * was thrown. Tasks may still be opened afterwards; the record says what the engine thought. A run that failed may be taken up again
   * and finished anew: the latest end counts.
   *
   * @throws StowageError `RUN_EXISTS` where it was finished as done, or is at this moment; `RUN_NOT_FOUND` where nobody opened it.
   */
  async finish(
    status: RunOutcome = 'done',
    errorOrOptions: Error | (CallOptions & { error?: unknown }) = {},
  ): Promise<void> {
    const isThrown = isError(errorOrOptions) || types.isProxy(errorOrOptions);
    const options: CallOptions & { error?: unknown } = isThrown ? { error: errorOrOptions } : errorOrOptions;
    checkOptionNames(options, 'finish', ['error']);
    const { error, signal } = options;
    const { storage } = this.#flow.caStore;
    await this.#flow.caStore.prepareToWrite({ signal });
    if (!(await readRunCreated(storage, this.flowName, this.runId, { signal }))) {
      throw runNotFound(this.flowName, this.runId);
    }
    if (await finishRunRecord(storage, this.flowName, this.runId, status, error, { signal })) return;
    throw new StowageError(
      'RUN_EXISTS',
      `Run ${this.runId} of flow ${this.flowName} was finished as done, or by somebody else just now; what was recorded is not changed.`,
      { details: { flow: this.flowName, run: this.runId } },
    );
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

export function toSummary(flow: RunOwner, { listed, problem }: SelectedRun): RunSummary {
  const { run, createdAtMs, finished } = listed;
  return { run: new Run(flow, run), createdAt: new Date(createdAtMs), isFinished: finished, problem };
}

export function runNotFound(flow: string, run: string): StowageError {
  return new StowageError(
    'RUN_NOT_FOUND',
    `Flow ${flow} has no run ${run} in this store. See its runs with: stowage runs ${flow}`,
    { details: { flow, run } },
  );
}
