import type { Deadline } from '../async/deadline.ts';
import type { AbortSource } from '../async/linked-abort.ts';
import type { ReadAttempt } from '../attempts/attempt-reader.ts';
import { AttemptView } from '../attempts/attempt-view.ts';
import type { CacheHit } from '../cache/entry-reader.ts';
import { resultOf } from '../cache/entry-writer.ts';
import type { Lease } from '../cache/lease.ts';
import { reportTaskCacheFailure } from '../cache/task-cache-failures.ts';
import { isStowageError, StowageError } from '../errors.ts';
import { TaskOpener } from '../flow/task-opener.ts';
import { attemptBase } from '../format/attempt-files.ts';
import type { CacheEntry } from '../format/cache-entry.ts';
import { taskIdOf } from '../format/cache-names.ts';
import type { ArtifactEntry } from '../format/description.ts';
import { formatPathspec } from '../format/pathspec.ts';
import { SESSION_FILES } from '../format/session-files.ts';
import type { CallOptions } from '../storage/contract.ts';
import type { Call, TaskDefinition } from './define.ts';
import { NOT_RESULT, OUTPUT_ARTIFACT } from './record.ts';
import { type CallMissReason, type Provenance, provenanceOf } from './result.ts';

/** The value of an entry, and where it comes from. */
export interface LoadedResult<Output> {
  value: Output;
  provenance: Provenance;
  /** A function of other source made it. */
  otherSource: boolean;
}

/**
 * Loads the result that an entry keeps (model: `hit`), as long as the deadline allows, and parses it by the output schema that the task has now: what
 * a schema does to values is not told by its JSON Schema, and so not by the key. Resolves to the reason where it cannot be had, which
 * makes it a miss.
 */
export async function loadHit<Input, Output>(
  definition: TaskDefinition<Input, Output>,
  { entry }: CacheHit,
  { deadline, signal }: { deadline: Deadline; signal: AbortSource },
): Promise<LoadedResult<Output> | { reason: CallMissReason }> {
  const { context, warnings } = definition.tasks;
  const { run, step, task, flow, attempt } = entry.source;
  const facts = {
    path: { flow, run, step, task },
    attempt,
    status: 'done' as const,
    described: { table: () => entry.table },
    purged: false,
  };
  try {
    const row = loadableOutput(entry);
    if (!row) throw withoutOutput(entry);
    const view = new AttemptView(context.content, context.registry, facts);
    // An entry has small values itself, and nothing is asked for them.
    const loading = row.inline
      ? view.load(row, {})
      : deadline.runUntil(signal, async (options) => view.load(row, options));
    const parsing = definition.parseOutput(loading instanceof Promise ? await loading : loading);
    const value = parsing instanceof Promise ? await parsing : parsing;
    const telling = definition.isOfOtherSource(entry);
    const otherSource = telling instanceof Promise ? await telling : telling;
    if (otherSource) warnings.otherSource(definition.name, entry.version, entry.createdAt);
    const provenance = provenanceOf(entry.source, new Date(entry.createdAt), entry.durationMs);
    return { value, provenance, otherSource };
  } catch (error) {
    if (signal.aborted) throw error;
    const reason = reasonOf(error);
    if (reason !== 'purged') {
      const { storage } = context.content;
      reportTaskCacheFailure(storage, { operation: 'lookup', reason, key: entry.key, error });
      // What is wrong with an entry is over once the run has replaced it.
      if (reason === 'unavailable') warnings.failed(entry.task, 'lookup', error);
    }
    return { reason };
  }
}

/** The row of the value; absent in an entry that something else than a cached task stored. */
export function loadableOutput({ table }: CacheEntry): ArtifactEntry | undefined {
  return table.artifacts.find(({ name }) => name === OUTPUT_ARTIFACT);
}

/**
 * Finds the result of a call that an attempt of the same run came to, and that nobody stored: its process ended between its DONE and the entry,
 * or the cache failed then. Stores the entry, and returns what it holds, as any hit. Not what was evicted since: that is to run anew.
 */
export async function findFinished<Input, Output>(
  definition: TaskDefinition<Input, Output>,
  call: Call,
  { deadline, lease }: { deadline: Deadline; lease: Lease | undefined },
  signal: AbortSignal,
): Promise<LoadedResult<Output> | undefined> {
  const { cache } = definition.tasks;
  const { key } = call.brief;
  const pathspec = formatPathspec({ run: call.runId, step: definition.name, task: taskIdOf(key) });
  const read = await latestDone(definition, pathspec, { signal });
  if (read?.described?.cached?.key !== key || read.purged || read.erased) return undefined;
  const done = attemptBase(read.path, read.attempt) + SESSION_FILES.done;
  if (await cache.wasEvictedSince(key, done, { signal })) return undefined;
  const { source, table } = resultOf(read);
  const artifacts = table.artifacts.filter(({ name }) => !NOT_RESULT.has(name));
  const entry = {
    ...definition.entryOf(call),
    source,
    table: { artifacts },
    durationMs: read.described.cached.durationMs,
    createdAt: read.closedAt as string, // as old as it is, for maxAge
  };
  const { maxAgeMs } = definition.checked;
  const found = await cache.takeUp(key, entry, { maxAgeMs, lease, signal });
  if (!found) return undefined;
  const loaded = await loadHit(definition, found, { deadline, signal });
  return 'provenance' in loaded ? loaded : undefined;
}

/** The latest attempt of a task, where it is done and can be read. */
async function latestDone<Input, Output>(
  { tasks }: TaskDefinition<Input, Output>,
  pathspec: string,
  options: CallOptions,
): Promise<ReadAttempt | undefined> {
  try {
    return await new TaskOpener(tasks.flowName, tasks.context).open(pathspec, {}, options);
  } catch (error) {
    if (isStowageError(error, ...NOT_READABLE)) return undefined;
    throw error;
  }
}

/** An attempt that cannot be read is none that a call could come to: it runs anew then, and the next one is opened. */
const NOT_READABLE = [
  'ATTEMPT_NOT_DONE',
  'ATTEMPT_DELETED',
  'RECORD_DAMAGED',
  'UNSUPPORTED_FORMAT',
  'CONTENT_NOT_FOUND',
  'CONTENT_DAMAGED',
] as const;

function reasonOf(error: unknown): CallMissReason {
  if (isStowageError(error, 'CONTENT_NOT_FOUND', 'CONTENT_PURGED')) return 'purged';
  if (isStowageError(error, 'PLACE_NOT_FOUND', 'PLACE_NOT_OURS', 'PLACE_NOT_TRUSTED')) return 'place-absent';
  if (isStowageError(error, 'UNSUPPORTED_FORMAT')) return 'newer-format';
  if (isStowageError(error, 'OUTPUT_INVALID')) return 'refused';
  const isDamaged = isStowageError(
    error,
    'CONTENT_DAMAGED',
    'RECORD_DAMAGED',
    'UNDECODABLE_ARTIFACT',
    'UNKNOWN_ENCODING',
  );
  return isDamaged ? 'damaged' : 'unavailable';
}

function withoutOutput({ key, task }: CacheEntry): StowageError {
  return new StowageError(
    'RECORD_DAMAGED',
    `The cache entry of task "${task}" has no artifact ${OUTPUT_ARTIFACT}: it was stored by something else than a cached task.`,
    { details: { key } },
  );
}
