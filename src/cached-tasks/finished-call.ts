import type { ReadAttempt } from '../attempts/attempt-reader.ts';
import { resultOf } from '../cache/entry-writer.ts';
import { isStowageError } from '../errors.ts';
import { TaskOpener } from '../flow/task-opener.ts';
import { attemptBase } from '../format/attempt-files.ts';
import { formatPathspec, type TaskPath } from '../format/pathspec.ts';
import { SESSION_FILES } from '../format/session-files.ts';
import type { CallOptions } from '../storage/contract.ts';
import type { Call, RunOptions } from './call.ts';
import { type LoadedResult, loadHit } from './load-hit.ts';
import { aboutCall, NOT_RESULT } from './store-result.ts';
import type { TaskDefinition } from './task-definition.ts';

/**
 * The result of a call that an attempt of the same run came to, and that nobody stored: its process ended between its DONE and the entry, or the
 * cache failed then. Stores the entry, and returns what it holds, as any hit. Not what was evicted since: that is to run anew.
 */
export async function finishedCall<Input, Output>(
  definition: TaskDefinition<Input, Output>,
  call: Call,
  task: Omit<TaskPath, 'flow'>,
  { patience, signal, lease }: RunOptions,
): Promise<LoadedResult<Output> | undefined> {
  const { cache } = definition.host;
  const { key } = call.brief;
  const read = await latestDone(definition, formatPathspec(task), { signal });
  if (read?.described?.cached?.key !== key || read.purged || read.erased) return undefined;
  const done = attemptBase(read.path, read.attempt) + SESSION_FILES.done;
  if (await cache.wasEvictedSince(key, done, { signal })) return undefined;
  const { source, table } = resultOf(read);
  const artifacts = table.artifacts.filter(({ name }) => !NOT_RESULT.has(name));
  const entry = {
    ...aboutCall(definition, call),
    source,
    table: { artifacts, refs: table.refs },
    durationMs: read.described.cached.durationMs,
    createdAt: read.closedAt as string, // as old as it is, for maxAge
  };
  const { maxAgeMs } = definition.checked;
  const found = await cache.takeUp(key, entry, { maxAgeMs, lease, signal });
  if (!found) return undefined;
  const loaded = await loadHit(definition, found, { patience, signal });
  return 'provenance' in loaded ? loaded : undefined;
}

/** The latest attempt of a task, where it is done and can be read. */
async function latestDone<Input, Output>(
  { host }: TaskDefinition<Input, Output>,
  pathspec: string,
  options: CallOptions,
): Promise<ReadAttempt | undefined> {
  try {
    return await new TaskOpener(host.flowName, host.content).open(pathspec, {}, options);
  } catch (error) {
    if (isStowageError(error, ...NOT_READABLE)) return undefined;
    throw error;
  }
}

/** What makes an attempt none that a call could come to: it runs anew then, and the next one is opened. */
const NOT_READABLE = [
  'ATTEMPT_NOT_DONE',
  'ATTEMPT_DELETED',
  'RECORD_DAMAGED',
  'UNSUPPORTED_FORMAT',
  'CONTENT_NOT_FOUND',
  'CONTENT_DAMAGED',
] as const;
