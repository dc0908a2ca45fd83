import { channel } from 'node:diagnostics_channel';
import type { EntryKey } from '../format/cache-names.ts';
import type { DataStoreStorage } from '../storage/contract.ts';

/** During what the cache of tasks failed. */
export type TaskCacheOperation = 'lookup' | 'store' | 'acquire' | 'release' | 'use';

/** A message of the channel `stowage:task-cache-failed`. */
export interface TaskCacheFailure {
  operation: TaskCacheOperation;
  /** The fault: `unavailable`, or that of an entry (`damaged`, `forged`, ...). */
  reason: string;
  /** The first key that it happened to. */
  key: EntryKey;
  /** The address of the store. */
  uri: string;
  error?: unknown;
}

const taskCacheFailed = channel('stowage:task-cache-failed');
const told = new WeakMap<DataStoreStorage, Set<string>>();

/**
 * Tells that the cache failed, which has cost a run and nothing else, by the channel `stowage:task-cache-failed`: the first time
 * of each operation and reason, since what fails once often fails for every task.
 */
export function reportTaskCacheFailure(
  storage: DataStoreStorage,
  failure: Omit<TaskCacheFailure, 'uri'>,
): void {
  if (!taskCacheFailed.hasSubscribers) return;
  const cause = `${failure.operation} ${failure.reason}`;
  const causes = told.get(storage) ?? new Set();
  if (causes.has(cause)) return;
  told.set(storage, causes.add(cause));
  const message: TaskCacheFailure = { ...failure, uri: storage.uri('cache') };
  taskCacheFailed.publish(message);
}
