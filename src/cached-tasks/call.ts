import type { Patience } from '../async/deadline.ts';
import type { SeenEntry } from '../cache/entry-reader.ts';
import type { Lease } from '../cache/lease.ts';
import type { OpenTaskDataStore } from '../flow/open-task-data-store.ts';
import type { CacheMode } from './cached-task-options.ts';
import type { CallMissReason } from './result.ts';
import type { KeyedCall } from './task-definition.ts';

/** One call on its way. */
export interface Call extends KeyedCall {
  mode: CacheMode;
  /** The run under which a miss is recorded. */
  runId: string;
}

/** What the lookup left for those who run. */
export interface Looked {
  seen: SeenEntry | undefined;
  missReason: CallMissReason | undefined;
}

/** A try that came to a result. */
export interface TriedCall<Output> {
  value: Output;
  durationMs: number;
  /** The closed attempt, where it could be recorded. */
  attempt: OpenTaskDataStore | undefined;
  /** What kept it from being recorded. */
  failure: { error: unknown } | undefined;
}

/** How a call is run: what the cache may still take, and the lease under which it is. */
export interface RunOptions {
  patience: Patience;
  signal: AbortSignal;
  lease: Lease | undefined;
  /** Whether an attempt of the same run may have come to the result, and nobody have stored it. */
  mayBeFinished?: boolean;
}
