import type { Patience } from '../async/deadline.ts';
import { AttemptView } from '../attempts/attempt-view.ts';
import type { CacheHit } from '../cache/entry-reader.ts';
import { reportTaskCacheFailure } from '../cache/task-cache-failures.ts';
import { isStowageError, StowageError } from '../errors.ts';
import type { CacheEntry } from '../format/cache-entry.ts';
import type { ArtifactEntry } from '../format/description.ts';
import { formatPathspec } from '../format/pathspec.ts';
import { OUTPUT_ARTIFACT } from './attempt-recording.ts';
import type { CallMissReason, Provenance } from './result.ts';
import type { TaskDefinition } from './task-definition.ts';

/** The value of an entry, and where it comes from. */
export interface LoadedResult<Output> {
  value: Output;
  provenance: Provenance;
  /** Whether a function of other source made it. */
  otherSource: boolean;
}

/** Either; or why it cannot be had, which makes it a miss. */
export type LoadedHit<Output> = LoadedResult<Output> | { reason: CallMissReason };

/**
 * Loads the result that an entry keeps, as long as there is patience, and parses it by the output schema that the task has now: what
 * a schema does to values is not told by its JSON Schema, and so not by the key.
 */
export async function loadHit<Input, Output>(
  definition: TaskDefinition<Input, Output>,
  { entry }: CacheHit,
  { patience, signal }: { patience: Patience; signal: AbortSignal },
): Promise<LoadedHit<Output>> {
  const { content, registry, warnings } = definition.host;
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
    const view = new AttemptView(content, registry, facts);
    const result = row.content
      ? await patience.spend({ signal }, async (options) => view.load(row, options))
      : await view.load(row, { signal }); // the entry has it: nothing is asked for
    const value = await definition.parseOutput(result);
    const otherSource = await definition.isOfOtherSource(entry);
    if (otherSource) warnings.otherSource(definition.name, entry.version, entry.createdAt);
    return { value, provenance: provenanceOf(entry), otherSource };
  } catch (error) {
    if (signal.aborted) throw error;
    const reason = reasonOf(error);
    if (reason !== 'purged') {
      reportTaskCacheFailure(content.storage, { operation: 'lookup', reason, key: entry.key, error });
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

/** Where an entry comes from. */
export function provenanceOf({ source, createdAt, durationMs }: CacheEntry): Provenance {
  const { flow, run, step, task, attempt, metadataDigest } = source;
  return {
    flowName: flow,
    runId: run,
    stepName: step,
    taskId: task,
    attempt,
    pathspec: formatPathspec({ run, step, task }, attempt),
    metadataDigest,
    storedAt: new Date(createdAt),
    durationMs,
  };
}

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
