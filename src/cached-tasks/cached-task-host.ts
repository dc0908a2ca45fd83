import type { SingleFlight } from '../async/single-flight.ts';
import type { TaskCache } from '../cache/task-cache.ts';
import type { ContentAddressedStore } from '../content/content-addressed-store.ts';
import type { OpenTaskDataStore } from '../flow/open-task-data-store.ts';
import type { TaskDataStore } from '../flow/task-data-store.ts';
import type { TaskSpec } from '../flow-options.ts';
import type { CallOptions } from '../storage/contract.ts';
import type { SerializerRegistry } from '../values/registry.ts';
import type { Provenance, SharedResult } from './result.ts';
import type { CachedTaskWarnings } from './warnings.ts';

/** What cached tasks need of their flow. */
export interface CachedTaskHost {
  readonly flowName: string;
  readonly cache: TaskCache;
  readonly content: ContentAddressedStore;
  readonly registry: SerializerRegistry;
  /** What current tasks are told by: the flow store itself. */
  readonly flow: object;
  /** Calls that are under way. */
  readonly flights: SingleFlight<SharedResult>;
  readonly warnings: CachedTaskWarnings;
  /** Throws `STORAGE_CLOSED` once the flow was closed: a call would run, and not be recorded. */
  ensureOpen(task: string): void;
  /** The run of calls that are made outside any task: one per process and flow store. */
  processRun(): string;
  /** The first attempt of a task, without a listing; `undefined` where the task has some. As a rule it has none. */
  openFirst(spec: TaskSpec, options: CallOptions): Promise<OpenTaskDataStore | undefined>;
  openNext(spec: TaskSpec, options: CallOptions): Promise<OpenTaskDataStore>;
  /** The attempt that a result comes from, of whatever flow. */
  openSource(source: Provenance, options: CallOptions): Promise<TaskDataStore>;
}
