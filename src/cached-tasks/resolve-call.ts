import { setTimeout as sleep } from 'node:timers/promises';
import { types } from 'node:util';
import type { Patience } from '../async/deadline.ts';
import type { Lease } from '../cache/lease.ts';
import { abortError, invalidArgument, isStowageError, StowageError, thrownText } from '../errors.ts';
import type { OpenTaskDataStore } from '../flow/open-task-data-store.ts';
import { taskIdOf } from '../format/cache-names.ts';
import type { CallOptions } from '../storage/contract.ts';
import { AttemptRecording } from './attempt-recording.ts';
import { isDelay } from './cached-task-options.ts';
import type { Call, Looked, RunOptions, TriedCall } from './call.ts';
import { withinTask } from './current-task.ts';
import { finishedCall } from './finished-call.ts';
import { type LoadedResult, loadHit } from './load-hit.ts';
import type { CachedResult } from './result.ts';
import { storeResult } from './store-result.ts';
import { runTry } from './task-context.ts';
import type { ChangedPart, TaskDefinition } from './task-definition.ts';

/**
 * Finds the result of a call, or runs the task and stores what it returns.
 *
 * @param seal - told where the call is about to run anew: a later refresh is to see the world as it is later
 */
export async function resolveCall<Input, Output>(
  definition: TaskDefinition<Input, Output>,
  call: Call,
  signal: AbortSignal,
  seal: () => void = () => {},
): Promise<CachedResult<Output>> {
  const { host, checked } = definition;
  const { mode, brief } = call;
  const patience = host.cache.patience(checked.cacheTimeoutMs);
  const looked: Looked = { seen: undefined, missReason: undefined };
  if (mode !== 'off') {
    const found = await host.cache.lookup(brief.key, { maxAgeMs: checked.maxAgeMs, patience, signal });
    looked.seen = found.seen;
    const isUnavailable = found.status === 'miss' && found.reason === 'unavailable';
    if (isUnavailable) host.warnings.failed(definition.name, 'lookup', found.error);
    if (mode === 'refresh') {
      seal();
      // What is there is not known then, and must be taken neither for a result of somebody who refreshes too.
      if (isUnavailable) looked.missReason = found.reason;
    } else {
      if (found.status === 'hit') {
        const loaded = await loadHit(definition, found, { patience, signal });
        if ('provenance' in loaded) return toHit(call, loaded);
        looked.missReason = loaded.reason;
      } else {
        looked.missReason = found.reason;
      }
    }
  }
  // Where nothing could be looked up, nobody can be waited for either.
  const isAlone = mode === 'off' || mode === 'readonly' || looked.missReason === 'unavailable';
  if (!definition.serialize || isAlone) {
    return runAndStore(definition, call, looked, { patience, signal, lease: undefined });
  }
  return resolveSerialized(definition, call, looked, { patience, signal });
}

/** Runs under a lease, or takes the result of who had it. */
async function resolveSerialized<Input, Output>(
  definition: TaskDefinition<Input, Output>,
  call: Call,
  looked: Looked,
  { patience, signal }: { patience: Patience; signal: AbortSignal },
): Promise<CachedResult<Output>> {
  const { host, checked } = definition;
  const acquired = await host.cache.acquire(call.brief.key, {
    maxAgeMs: checked.maxAgeMs,
    seen: looked.seen,
    refresh: call.mode === 'refresh',
    leaseMs: checked.leaseMs,
    patience,
    signal,
  });
  if (acquired.status === 'unserialized') host.warnings.failed(definition.name, 'lease', acquired.error);
  if (acquired.status === 'hit') {
    const loaded = await loadHit(definition, acquired, { patience, signal });
    if ('provenance' in loaded) return toHit(call, loaded);
    looked.missReason = loaded.reason;
    looked.seen = acquired.seen;
  }
  const lease = acquired.status === 'held' ? acquired.lease : undefined;
  try {
    return await runAndStore(definition, call, looked, { patience, signal, lease });
  } finally {
    if (lease) await releaseWithin(patience, lease);
  }
}

/** What takes longer than there is patience left goes on while nobody waits. */
async function releaseWithin(patience: Patience, lease: Lease): Promise<void> {
  const released = lease.release();
  await patience.spend({}, () => released).catch(() => {});
}

async function runAndStore<Input, Output>(
  definition: TaskDefinition<Input, Output>,
  call: Call,
  looked: Looked,
  options: RunOptions,
): Promise<CachedResult<Output>> {
  // Before the function may change its input; whether somebody did is looked at right before it is called.
  const isStored = call.mode === 'auto' || call.mode === 'refresh';
  const full = isStored ? { ...call, brief: call.full() } : call;
  const mayBeFinished =
    call.mode === 'auto' && looked.missReason === 'absent' && !definition.host.cache.isSigned;
  const tried = await runWithRetries(definition, full, { ...options, mayBeFinished });
  if ('finished' in tried) return toHit(full, tried.finished);
  return storeResult(definition, full, tried, looked, options);
}

/** What a call comes to that has to run; or what it turns out to have come to before. */
type Tried<Output> = TriedCall<Output> | { finished: LoadedResult<Output> };

async function runWithRetries<Input, Output>(
  definition: TaskDefinition<Input, Output>,
  call: Call,
  options: RunOptions,
): Promise<Tried<Output>> {
  const { attempts, when, delayMs } = definition.checked.retry;
  for (let tries = 1; ; tries++) {
    try {
      return await runOnce(definition, call, tries - 1, options);
    } catch (error) {
      if (options.signal.aborted || tries >= attempts || isOwnFault(error)) throw error;
      const ask = (what: string, question: () => unknown): unknown =>
        askOf(definition.name, what, question, error);
      if (!ask('retry.when', () => when(error))) throw error;
      refuseChanged(definition.name, call, error);
      const waitMs = typeof delayMs === 'function' ? ask('retry.delayMs', () => delayMs(tries)) : delayMs;
      if (!isDelay(waitMs)) {
        throw notTriedAgain(
          definition.name,
          `retry.delayMs returned ${String(waitMs)}, which is not a number of milliseconds`,
          error,
        );
      }
      await wait(waitMs, options.signal);
    }
  }
}

/** One try, with an attempt of its own. */
async function runOnce<Input, Output>(
  definition: TaskDefinition<Input, Output>,
  call: Call,
  attempt: number,
  options: RunOptions,
): Promise<Tried<Output>> {
  const { host, name } = definition;
  const { patience, signal } = options;
  const isStored = call.mode === 'auto' || call.mode === 'refresh';
  const { key } = call.brief;
  const spec = { runId: call.runId, stepName: name, taskId: taskIdOf(key) };
  let finished: LoadedResult<Output> | undefined;
  const open = async (inner: CallOptions): Promise<OpenTaskDataStore | undefined> => {
    const first = await host.openFirst(spec, inner);
    if (first) return first;
    if (options.mayBeFinished && attempt === 0 && !call.changed()) {
      const task = { run: spec.runId, step: spec.stepName, task: spec.taskId };
      finished = await finishedCall(definition, call, task, { ...options, signal: inner.signal ?? signal });
    }
    return finished ? undefined : host.openNext(spec, inner);
  };
  const recording = await AttemptRecording.begin(
    {
      taskName: name,
      open: call.mode === 'readonly' ? undefined : open,
      patience,
      signal,
    },
    definition.recordedInput(call.input),
  );
  if (finished) return { finished };
  const within = {
    flow: host.flow,
    runId: call.runId,
    task: recording.attempt,
    key,
  };
  try {
    // Looking, waiting and recording took their time.
    const changed = (await call.changedBeside()) ?? call.changed();
    if (changed) throw changedMeanwhile(name, changed);
    const { returned, durationMs } = await withinTask(within, () =>
      runTry((context) => definition.run(call.input, context), { recording, attempt, signal }),
    );
    const changedUnder = await call.changedBeside();
    if (changedUnder) throw changedUnderRun(name, changedUnder);
    // Before it is parsed: what is stored is what the function returned, and parsing may change it in place.
    await recording.saveOutput(returned);
    const value = await definition.parseOutput(returned);
    const recorded = await recording.done(isStored ? { key, durationMs } : undefined);
    return { value, durationMs, attempt: recorded, failure: recording.failure };
  } catch (error) {
    await recording.fail(error);
    throw error;
  }
}

function toHit<Output>(
  { brief }: Call,
  { value, provenance, otherSource }: LoadedResult<Output>,
): CachedResult<Output> {
  return {
    value,
    hit: true,
    stored: true,
    key: brief.key,
    provenance,
    otherSource,
    recorded: undefined,
    missReason: undefined,
    notStoredReason: undefined,
    notStoredError: undefined,
    durationMs: provenance.durationMs,
  };
}

/** What comes out the same however often it is tried. */
function isOwnFault(error: unknown): boolean {
  const isChanged = isStowageError(error, 'INVALID_ARGUMENT') && error.details.changed !== undefined;
  return isChanged || isStowageError(error, 'OUTPUT_INVALID', 'UNSERIALIZABLE_ARTIFACT');
}

/** The result would be that of another input, configuration or code than the key's. */
function changedMeanwhile(task: string, changed: ChangedPart): StowageError {
  return invalidArgument(
    `The ${changed} of task "${task}" was changed before the task could run with it. ${LEAVE_IT[changed]}`,
    { task, changed },
  );
}

/** Nobody can tell which of both the result is of. */
function changedUnderRun(task: string, changed: ChangedPart): StowageError {
  return invalidArgument(
    `The ${changed} of task "${task}" was changed while the task ran, so that its result belongs to neither of both and is not kept. ${LEAVE_IT[changed]}`,
    { task, changed },
  );
}

const LEAVE_IT: Readonly<Record<ChangedPart, string>> = {
  input: 'Pass each call an object of its own, and leave it as it is until the call has ended.',
  config:
    'Leave it as it is while calls are under way; what is to differ from call to call belongs into the input.',
  code: 'Leave the files and tasks of `dependsOn` as they are while calls are under way, and call it again.',
};

/** Tried again with another input, it would come to a result of that one. */
function refuseChanged(task: string, call: Call, cause: unknown): void {
  const changed = call.changed();
  if (!changed) return;
  const [what, remedy] =
    changed === 'input'
      ? ['it changed its input', 'Have it work on a copy.']
      : ['its config was changed', LEAVE_IT.config];
  throw new StowageError(
    'INVALID_ARGUMENT',
    `Task "${task}" failed and cannot be tried again, because ${what}. ${remedy}`,
    { details: { task }, cause },
  );
}

/** What the caller's own function says of a failed try. A promise would count as a yes, whatever it comes to. */
function askOf(task: string, what: string, question: () => unknown, cause: unknown): unknown {
  let answer: unknown;
  try {
    answer = question();
  } catch (fault) {
    throw notTriedAgain(task, `${what} threw ${thrownText(fault)}`, cause);
  }
  if (types.isPromise(answer)) {
    answer.catch(() => {}); // nobody else awaits it
    throw notTriedAgain(task, `${what} returned a promise, and has to answer at once`, cause);
  }
  return answer;
}

/** The task's own error is what counts: it is the cause. */
function notTriedAgain(task: string, why: string, cause: unknown): StowageError {
  return new StowageError(
    'INVALID_ARGUMENT',
    `Task "${task}" failed and cannot be tried again, because ${why}.`,
    { details: { task }, cause },
  );
}

async function wait(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    throw signal.aborted ? abortError(signal) : error;
  }
}
