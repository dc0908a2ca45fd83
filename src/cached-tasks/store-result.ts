import { OpenTaskDataStore } from '../flow/open-task-data-store.ts';
import type { NewCacheEntry } from '../format/cache-entry.ts';
import type { JsonValue } from '../format/json-value.ts';
import { formatPathspec } from '../format/pathspec.ts';
import { INPUT_ARTIFACT } from './attempt-recording.ts';
import type { Call, Looked, RunOptions, TriedCall } from './call.ts';
import { loadHit } from './load-hit.ts';
import type { CachedResult, Provenance } from './result.ts';
import type { TaskDefinition } from './task-definition.ts';

/** What the entry of a call says is the same for all of them but for the attempt; its input is not part of the result. */
export const NOT_RESULT: ReadonlySet<string> = new Set([INPUT_ARTIFACT]);

/**
 * Stores the result of a run, unless the mode forbids it; whoever was not first returns the result of who was. A refresh returns its
 * own, whatever it is.
 */
export async function storeResult<Input, Output>(
  definition: TaskDefinition<Input, Output>,
  call: Call,
  { value, durationMs, attempt, failure }: TriedCall<Output>,
  { seen, missReason }: Looked,
  { patience, signal, lease }: RunOptions,
): Promise<CachedResult<Output>> {
  const { host, checked, name } = definition;
  const { key } = call.brief;
  const closed = attempt && OpenTaskDataStore.attemptOf(attempt).closedAs(NOT_RESULT);
  const ran = {
    value,
    hit: false,
    otherSource: false,
    key,
    missReason,
    durationMs,
    recorded: attempt?.pathspec,
  };
  if (!closed || call.mode === 'off' || call.mode === 'readonly') {
    const isUnrecorded = !closed && call.mode !== 'readonly';
    const provenance = closed && toProvenance(closed.source, durationMs);
    if (failure) host.warnings.failed(name, 'record', failure.error);
    const notStoredReason = isUnrecorded ? 'unrecorded' : undefined;
    return { ...ran, stored: false, provenance, notStoredReason, notStoredError: failure?.error };
  }
  const entry: NewCacheEntry = {
    ...aboutCall(definition, call),
    keyDescription: (await definition.described(call.brief)) as unknown as JsonValue,
    ...closed,
    durationMs,
  };
  const refresh = call.mode === 'refresh';
  const storing = { maxAgeMs: checked.maxAgeMs, replaces: seen, lease, refresh, patience, signal };
  const outcome = await host.cache.store(key, entry, storing);
  const own = { ...ran, provenance: toProvenance(closed.source, durationMs) };
  if (outcome.stored) return { ...own, stored: true, notStoredReason: undefined, notStoredError: undefined };
  const { reason, error } = outcome;
  if (error !== undefined) host.warnings.failed(name, 'store', error);
  const notStored = { ...own, stored: false, notStoredReason: reason, notStoredError: error };
  // Whoever refreshes wants what he ran, and not even what somebody who began later did.
  if (!outcome.winner || refresh) return notStored;
  const winner = await loadHit(definition, outcome.winner, { patience, signal });
  if (!('provenance' in winner)) return notStored;
  return { ...notStored, ...winner };
}

/** What the entry of a call says of it, whatever it comes to, and whoever made the result. */
export function aboutCall<Input, Output>(
  definition: TaskDefinition<Input, Output>,
  { brief, versionText }: Call,
): Omit<NewCacheEntry, 'source' | 'table'> {
  return {
    task: definition.name,
    scope: definition.scopeText,
    version: versionText,
    keyDescription: brief as unknown as JsonValue,
  };
}

function toProvenance(source: NewCacheEntry['source'], durationMs: number): Provenance {
  const { flow, run, step, task, attempt, metadataDigest } = source;
  return {
    flowName: flow,
    runId: run,
    stepName: step,
    taskId: task,
    attempt,
    pathspec: formatPathspec({ run, step, task }, attempt),
    metadataDigest,
    storedAt: new Date(),
    durationMs,
  };
}
