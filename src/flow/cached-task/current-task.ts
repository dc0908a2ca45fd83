import { AsyncLocalStorage } from 'node:async_hooks';
import { StowageError } from '../../errors.ts';
import { attemptOf, type OpenTaskDataStore } from '../open-task-data-store.ts';
import type { Provenance } from './result.ts';

/** The task within which code runs. */
export interface CurrentTask {
  /** The flow store that opened it: in tasks of another flow or store it has no part. */
  readonly flow: object;
  readonly runId: string;
  /** Absent where its attempt could not be recorded. */
  readonly task: OpenTaskDataStore | undefined;
  /** The keys of the cached calls within which it runs, its own last. */
  readonly keys: readonly string[];
}

const current = new AsyncLocalStorage<CurrentTask>();

/** The task of `flow` within which the caller runs, if any. */
export function currentTask(flow: object): CurrentTask | undefined {
  const found = current.getStore();
  return found?.flow === flow ? found : undefined;
}

/** Runs `work` within a task, so that cached tasks it calls are recorded in its run, and among what it read. */
export function withinTask<T>(task: CurrentTask, work: () => T): T {
  return current.run(task, work);
}

/** Whoever waits for his own end waits forever. */
export function refuseOwnCall(task: string, key: string, enclosing: CurrentTask | undefined): void {
  if (!enclosing?.keys.includes(key)) return;
  throw new StowageError(
    'INVALID_ARGUMENT',
    `Task "${task}" calls itself with the input that it was called with, and would wait for its own end. Call the plain function, or call it with another input.`,
    { details: { task, key } },
  );
}

/** Notes that a task rests on a result, for its provenance. */
export function noteRead(enclosing: CurrentTask | undefined, provenance: Provenance | undefined): void {
  if (!enclosing?.task || !provenance) return;
  const attempt = attemptOf(enclosing.task);
  if (attempt.isOpen) attempt.recordRead(`${provenance.flowName}/${provenance.pathspec}`);
}
