import type { Deadline } from '../async/deadline.ts';
import { type AbortSource, LinkedAbort } from '../async/linked-abort.ts';
import { orAborted } from '../async/next-or-aborted.ts';
import type { CacheHit, SeenEntry } from '../cache/entry-reader.ts';
import type { Lease } from '../cache/lease.ts';
import { isStowageError, throwIfAborted } from '../errors.ts';
import type { CacheEntrySource } from '../format/cache-entry.ts';
import type { JsonValue } from '../format/json-value.ts';
import { currentTask, noteRead, refuseOwnCall, waitForEachOther } from './current-task.ts';
import type { Call, TaskDefinition } from './define.ts';
import { type LoadedResult, loadHit } from './hits.ts';
import { type CachedCallOptions, checkCallOptions } from './options.ts';
import { NOT_RESULT, recordHit, tellUnrecorded } from './record.ts';
import { type CachedResult, type CallMissReason, provenanceOf, type SharedResult } from './result.ts';
import { type RanCall, type RunOptions, runCall } from './run.ts';

/** The result of a lookup that was no hit, for the run: the entry to replace, and the reason. */
interface LookupResult {
  seen: SeenEntry | undefined;
  /** The attempt that the entry names, where it can be read. */
  source: CacheEntrySource | undefined;
  missReason: CallMissReason | undefined;
}

/** The options of a run that do not come of the lookup. */
type OutsideOptions = Omit<RunOptions, 'mayBeFinished' | 'seenSource'>;

const schemaNumbers = new WeakMap<object, number>();
let schemas = 0;

/** Calls a cached task: checks and keys the call, resolves it, and records a hit where that is asked for. */
export async function callTask<Input, Output>(
  definition: TaskDefinition<Input, Output>,
  input: unknown,
  options: CachedCallOptions | undefined,
): Promise<CachedResult<Output>> {
  const { tasks, name } = definition;
  const {
    mode = 'auto',
    salt,
    runId,
    label,
    recordHit: isToRecord,
    signal,
  } = checkCallOptions(name, options);
  throwIfAborted(signal);
  tasks.ensureOpen(name);
  const keyed = await definition.keyed(input, salt, signal);
  const enclosing = currentTask(tasks);
  refuseOwnCall(tasks, name, keyed.brief.key);
  const run = runId ?? enclosing?.runId ?? tasks.processRun;
  const call: Call = { mode, isStored: mode === 'auto' || mode === 'refresh', runId: run, label, ...keyed };
  // What is not to be shared with later calls is not shared with those beside it either.
  const result =
    mode === 'off'
      ? await resolveDetached(definition, call, signal)
      : await resolveShared(definition, call, signal);
  // Whoever joined a call of another definition goes by an `onUnsavable` of its own.
  if (result.notStoredReason === 'unsavable') tellUnsavable(definition, call, result);
  // A call that joined that of another run has no attempt of its own yet.
  const isElsewhere = result.hit || (result.recorded !== undefined && !result.recorded.startsWith(`${run}/`));
  const recorded =
    isElsewhere && isToRecord && mode !== 'readonly'
      ? await recordHit(definition, result, call, { signal })
      : result.recorded;
  noteRead(name, enclosing?.attempt, result.provenance);
  return { ...result, recorded };
}

/** @throws StowageError `UNSERIALIZABLE_ARTIFACT` where the task wants that of a result that cannot be saved */
function tellUnsavable<Input, Output>(
  { tasks, name, checked }: TaskDefinition<Input, Output>,
  { isStored }: Call,
  { notStoredError: error, recorded: pathspec }: CachedResult<Output>,
): void {
  if (checked.onUnsavable === 'throw') throw error;
  tellUnrecorded({ task: name, pathspec, error });
  if (isStored) tasks.warnings.unsavable(name, error);
}

/** Resolves a call by itself. Many calls may share one signal, so that it works by one of its own. */
async function resolveDetached<Input, Output>(
  definition: TaskDefinition<Input, Output>,
  call: Call,
  signal: AbortSignal | undefined,
): Promise<CachedResult<Output>> {
  const own = new LinkedAbort(signal);
  try {
    return await orAborted(() => resolveCall(definition, call, own), own.signal);
  } finally {
    own.release();
  }
}

/** Resolves identical calls that are under way together once. */
async function resolveShared<Input, Output>(
  definition: TaskDefinition<Input, Output>,
  call: Call,
  signal: AbortSignal | undefined,
): Promise<CachedResult<Output>> {
  const { output, tasks, checked } = definition;
  // What is too old for one task may be young enough for another of its name.
  const { key } = call.brief;
  const flight = `${call.mode} ${checked.maxAgeMs ?? 'any age'} ${key}`;
  const fly = async (inner: LinkedAbort, seal: () => void): Promise<SharedResult> => {
    try {
      return { output, result: await resolveCall(definition, call, inner, seal) };
    } catch (error) {
      if (!isStowageError(error, 'OUTPUT_INVALID')) throw error;
      return { output, refused: error };
    }
  };
  const title = definition.name;
  const options = { signal, title, circular: (titles: readonly string[]) => waitForEachOther(titles, key) };
  let flown = await tasks.flights.run(flight, fly, options);
  if (flown.output !== output) {
    // What another definition's schema made of the result is not ours. What the function returned is stored by now, as a rule.
    if (call.mode === 'refresh' && 'result' in flown && flown.result.stored) call.mode = 'auto';
    flown = await tasks.flights.run(`${call.mode} ${schemaNumber(output)} ${flight}`, fly, options);
  }
  if ('refused' in flown) throw flown.refused;
  return flown.result as CachedResult<Output>;
}

/** Tells an output schema of this process from all others. */
function schemaNumber(output: object | undefined): number {
  if (output === undefined) return 0;
  const number = schemaNumbers.get(output) ?? ++schemas;
  schemaNumbers.set(output, number);
  return number;
}

/**
 * Finds the result of a call, or runs the task and stores what it returns.
 *
 * @param seal - told where the call is about to run anew: a later refresh is to see the world as it is later
 */
async function resolveCall<Input, Output>(
  definition: TaskDefinition<Input, Output>,
  call: Call,
  aborting: LinkedAbort,
  seal: () => void = () => {},
): Promise<CachedResult<Output>> {
  const { tasks, checked, name } = definition;
  const { maxAgeMs, cacheTimeoutMs } = checked;
  const { mode, brief } = call;
  const deadline = tasks.cache.deadline(cacheTimeoutMs);
  const lookup: LookupResult = { seen: undefined, source: undefined, missReason: undefined };
  if (mode !== 'off') {
    const skipContent = mode === 'refresh';
    const rule = { maxAgeMs, skipOwnValues: true, skipContent };
    const found = await tasks.cache.look(brief.key, rule, { deadline, signal: aborting });
    lookup.source = found.entry?.source;
    const isUnavailable = found.status === 'miss' && found.reason === 'unavailable';
    if (isUnavailable) tasks.warnings.failed(name, 'lookup', found.error);
    if (mode === 'refresh') {
      seal();
      lookup.seen = found.seen;
      // What is there is not known then, and must not be taken for a result of somebody who refreshes too.
      if (isUnavailable) lookup.missReason = found.reason;
    } else if (found.status === 'hit') {
      const hit = await toHit(definition, call, found, lookup, { deadline, signal: aborting });
      if (hit) return hit;
    } else {
      lookup.seen = found.seen;
      lookup.missReason = found.reason;
    }
  }
  const { signal } = aborting;
  // Where nothing could be looked up, nobody can be waited for either.
  const isDetached = mode === 'off' || mode === 'readonly' || lookup.missReason === 'unavailable';
  if (!definition.serialize || isDetached)
    return runAndStore(definition, call, lookup, { deadline, signal, lease: undefined });
  return resolveSerialized(definition, call, lookup, { deadline, signal });
}

/**
 * Runs under a lease, or takes the result of its former owner.
 *
 * @throws StowageError `INVALID_ARGUMENT` where the owner waits for the task that makes the call
 */
async function resolveSerialized<Input, Output>(
  definition: TaskDefinition<Input, Output>,
  call: Call,
  lookup: LookupResult,
  { deadline, signal }: { deadline: Deadline; signal: AbortSignal },
): Promise<CachedResult<Output>> {
  const { tasks, checked, name } = definition;
  const acquired = await tasks.cache.acquire(call.brief.key, {
    maxAgeMs: checked.maxAgeMs,
    seen: lookup.seen,
    refresh: call.mode === 'refresh',
    leaseMs: checked.leaseMs,
    deadline,
    signal,
  });
  if (acquired.status === 'circular') throw waitForEachOther(acquired.tasks, call.brief.key);
  if (acquired.status === 'unserialized') tasks.warnings.failed(name, 'lease', acquired.error);
  if (acquired.status === 'hit') {
    const hit = await toHit(definition, call, acquired, lookup, { deadline, signal });
    if (hit) return hit;
  }
  const lease = acquired.status === 'held' ? acquired.lease : undefined;
  try {
    return await runAndStore(definition, call, lookup, { deadline, signal, lease });
  } finally {
    if (lease) await releaseWithin(deadline, lease);
  }
}

/** Waits for the release as long as the deadline allows; it goes on while nobody waits. */
async function releaseWithin(deadline: Deadline, lease: Lease): Promise<void> {
  const released = lease.release();
  await deadline.run({}, () => released).catch(() => {});
}

async function runAndStore<Input, Output>(
  definition: TaskDefinition<Input, Output>,
  call: Call,
  lookup: LookupResult,
  options: OutsideOptions,
): Promise<CachedResult<Output>> {
  // Before the function may change its input; whether somebody did is looked at right before it is called.
  const full = call.isStored ? { ...call, brief: call.full() } : call;
  const mayBeFinished =
    call.mode === 'auto' && lookup.missReason === 'absent' && !definition.tasks.cache.isSigned;
  const ran = await runCall(definition, full, { mayBeFinished, seenSource: lookup.source, ...options });
  if ('finished' in ran) return hitOf(full, ran.finished);
  return storeResult(definition, full, ran, lookup, options);
}

/**
 * Stores the result of a run, unless the mode forbids it. A call that was not the first to store returns the result of the one that
 * was; a refresh returns its own, whatever it is.
 */
async function storeResult<Input, Output>(
  definition: TaskDefinition<Input, Output>,
  call: Call,
  { value, durationMs, attempt, recorded, notSaved }: RanCall<Output>,
  { seen, missReason }: LookupResult,
  { deadline, signal, lease }: OutsideOptions,
): Promise<CachedResult<Output>> {
  const { tasks, checked, name } = definition;
  const { key } = call.brief;
  const closed = attempt?.closedAs(NOT_RESULT);
  const ran = {
    value,
    hit: false,
    otherSource: false,
    key,
    missReason,
    durationMs,
    recorded,
    provenance: closed && provenanceOf(closed.source, new Date(), durationMs),
  };
  if (!closed || !call.isStored) {
    const told = call.mode === 'readonly' ? undefined : notSaved;
    if (told?.reason === 'unrecorded') tasks.warnings.failed(name, 'record', told.error);
    return { stored: false, notStoredReason: told?.reason, notStoredError: told?.error, ...ran };
  }
  const keyDescription = (await definition.described(call.brief)) as unknown as JsonValue;
  const entry = { durationMs, ...closed, ...definition.entryOf(call), keyDescription };
  const refresh = call.mode === 'refresh';
  const storing = { maxAgeMs: checked.maxAgeMs, replaces: seen, lease, refresh, deadline, signal };
  const outcome = await tasks.cache.store(key, entry, storing);
  if (outcome.stored) {
    if (attempt) tasks.noteEnded(attempt, false);
    return { stored: true, notStoredReason: undefined, notStoredError: undefined, ...ran };
  }
  const { reason, error, winner } = outcome;
  if (error !== undefined) tasks.warnings.failed(name, 'store', error);
  const notStored = { stored: false, notStoredReason: reason, notStoredError: error, ...ran };
  // A refresh returns what it ran, and not even what somebody who began later did.
  if (!winner || refresh) return notStored;
  const loaded = await loadHit(definition, winner, { deadline, signal });
  return 'provenance' in loaded ? { ...notStored, ...loaded } : notStored;
}

/** Loads the result of a hit; where it cannot be had, notes why, so that the call goes on as a miss. */
async function toHit<Input, Output>(
  definition: TaskDefinition<Input, Output>,
  call: Call,
  found: CacheHit,
  lookup: LookupResult,
  options: { deadline: Deadline; signal: AbortSource },
): Promise<CachedResult<Output> | undefined> {
  const loaded = await loadHit(definition, found, options);
  if ('provenance' in loaded) {
    if (call.mode !== 'readonly') definition.tasks.cache.noteUse(found.entry);
    return hitOf(call, loaded);
  }
  lookup.seen = found.seen;
  lookup.missReason = loaded.reason;
  return undefined;
}

/** The spread comes last: members that are added to a copy one by one take fifty times as long. */
function hitOf<Output>({ brief }: Call, loaded: LoadedResult<Output>): CachedResult<Output> {
  return {
    hit: true,
    stored: true,
    key: brief.key,
    recorded: undefined,
    missReason: undefined,
    notStoredReason: undefined,
    notStoredError: undefined,
    durationMs: loaded.provenance.durationMs,
    ...loaded,
  };
}
