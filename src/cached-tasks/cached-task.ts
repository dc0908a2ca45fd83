import { LinkedAbort } from '../async/linked-abort.ts';
import { orAborted } from '../async/next-or-aborted.ts';
import { countBy } from '../cache/code-part.ts';
import type { CacheKey } from '../cache/key-parts.ts';
import { isStowageError, throwIfAborted } from '../errors.ts';
import { checkOptionNames } from '../options/option-names.ts';
import type { CallOptions } from '../storage/contract.ts';
import { CALL_OPTION_NAMES, type CachedCallOptions, checkCallOptions } from './cached-task-options.ts';
import type { Call } from './call.ts';
import { currentTask, noteRead, refuseOwnCall } from './current-task.ts';
import {
  checkConcurrency,
  checkInputs,
  checkProgress,
  type MapOptions,
  type MapOutcome,
  mapCalls,
} from './map-calls.ts';
import { type CallPlan, planCalls } from './plan-calls.ts';
import { recordHit } from './record-hit.ts';
import { resolveCall } from './resolve-call.ts';
import type { CachedResult, SharedResult } from './result.ts';
import type { KeyedCall, TaskDefinition } from './task-definition.ts';

/** The arguments of a call: the input may be left out where it may be `undefined`. */
export type CallArguments<Input> = undefined extends Input
  ? [input?: Input, options?: CachedCallOptions]
  : [input: Input, options?: CachedCallOptions];

/**
 * A function whose results are kept: called with what it was called with before, in whatever process, it returns the result of
 * then. Made by `FlowDataStore.cachedTask`.
 */
export interface CachedTask<Input, Output> {
  /**
   * The task's result, of this run or of an earlier one; a drop-in for the function itself.
   *
   * @throws what the function throws; StowageError `INPUT_INVALID`, `OUTPUT_INVALID`, `UNKEYABLE_VALUE`, `UNSERIALIZABLE_ARTIFACT`,
   * `INVALID_ARGUMENT`, `ABORTED`. Never what the cache or the store fails with.
   */
  (...args: CallArguments<Input>): Promise<Output>;
  /** The task's name. */
  readonly taskName: string;
  /** The result, with whether it is a hit, where it came from, and whether it was stored. Throws as the call itself. */
  detailed(...args: CallArguments<Input>): Promise<CachedResult<Output>>;
  /**
   * Tells which of many calls would be hits. Runs nothing and writes nothing. Loads no results: one that the present `output` schema
   * would refuse counts as a hit, and its call runs. `TaskCache.lookup` tells what each lookup costs.
   *
   * @throws StowageError as a call does for an input that is not valid.
   */
  plan(
    inputs: Iterable<Input> | AsyncIterable<Input>,
    options?: Pick<CachedCallOptions, 'salt'> & Pick<MapOptions, 'concurrency' | 'signal'>,
  ): Promise<CallPlan>;
  /**
   * Calls with each of many inputs, some at once, and yields what became of each, in the order of the inputs. A call that fails does
   * not end the others. Each input is to be an object of its own: one that is filled anew for each row would be changed under its call.
   */
  map(
    inputs: Iterable<Input> | AsyncIterable<Input>,
    options?: Omit<CachedCallOptions, 'signal'> & MapOptions,
  ): AsyncGenerator<MapOutcome<CachedResult<Output>>>;
  /** The key of a call, for `explainKeys`, `FlowDataStore.cache` and `stowage cache explain`. */
  keyOf(input: Input, options?: Pick<CachedCallOptions, 'salt' | 'signal'>): Promise<CacheKey>;
  /** Forgets the result of a call, so that the next one runs; idempotent. Throws what the storage fails with. */
  evict(input: Input, options?: Pick<CachedCallOptions, 'salt' | 'signal'>): Promise<void>;
}

/** Many calls may share one signal. */
async function alone<T>(
  work: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  const caller = new LinkedAbort(signal);
  try {
    return await orAborted(() => work(caller.signal), caller.signal);
  } finally {
    caller.release();
  }
}

const schemaNumbers = new WeakMap<object, number>();
let schemas = 0;

/** Tells an output schema of this process from all others. */
function schemaNumber(output: object | undefined): number {
  if (output === undefined) return 0;
  const number = schemaNumbers.get(output) ?? ++schemas;
  schemaNumbers.set(output, number);
  return number;
}

const MAP_OPTION_NAMES = [...CALL_OPTION_NAMES, 'concurrency', 'onProgress'];

/** Makes the function that a definition describes. */
export function toCachedTask<CallInput, Input, Output>(
  definition: TaskDefinition<Input, Output>,
): CachedTask<CallInput, Output> {
  const { name, host } = definition;

  /** Schemas and files that count may take their time. */
  const keyedCall = async (
    input: unknown,
    salt: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<KeyedCall> => {
    throwIfAborted(signal);
    return signal ? alone(() => definition.keyed(input, salt), signal) : definition.keyed(input, salt);
  };

  // What is too old for one task may be young enough for another of its name.
  const flightOf = (mode: string, key: string): string =>
    `${mode} ${definition.checked.maxAgeMs ?? 'any age'} ${key}`;

  const callWith = async (
    input: unknown,
    given: CachedCallOptions | undefined,
  ): Promise<CachedResult<Output>> => {
    const { mode = 'auto', salt, runId, recordHit: isRecorded, signal } = checkCallOptions(name, given);
    throwIfAborted(signal);
    host.ensureOpen(name);
    const keyed = await keyedCall(input, salt, signal);
    const enclosing = currentTask(host.flow);
    refuseOwnCall(host.flow, name, keyed.brief.key);
    const run = runId ?? enclosing?.runId ?? host.processRun();
    const call: Call = { ...keyed, mode, runId: run };
    const resolve = (inner: AbortSignal, seal?: () => void): Promise<CachedResult<Output>> =>
      resolveCall(definition, call, inner, seal);
    const { output } = definition;
    const fly = async (inner: AbortSignal, seal: () => void): Promise<SharedResult> => {
      try {
        return { output, result: await resolve(inner, seal) };
      } catch (error) {
        if (!isStowageError(error, 'OUTPUT_INVALID')) throw error;
        return { output, refused: error };
      }
    };
    const together = async (): Promise<CachedResult<Output>> => {
      const flight = flightOf(mode, keyed.brief.key);
      let flown = await host.flights.run(flight, fly, signal);
      if (flown.output !== output) {
        // What another definition's schema made of the result is not ours. What the function returned is stored by now, as a rule.
        if (mode === 'refresh' && 'result' in flown && flown.result.stored) call.mode = 'auto';
        flown = await host.flights.run(`${call.mode} ${schemaNumber(output)} ${flight}`, fly, signal);
      }
      if ('refused' in flown) throw flown.refused;
      return flown.result as CachedResult<Output>;
    };
    // What is not to be shared with later calls is not shared with those beside it either.
    const result = mode === 'off' ? await alone((inner) => resolve(inner), signal) : await together();
    // A call that joined that of another run has no attempt of its own yet.
    const isElsewhere =
      result.hit || (result.recorded !== undefined && !result.recorded.startsWith(`${run}/`));
    const isToRecord = isElsewhere && isRecorded && mode !== 'readonly';
    const recorded = isToRecord ? await recordHit(definition, result, run, { signal }) : result.recorded;
    noteRead(name, enclosing, result.provenance);
    return { ...result, recorded };
  };

  const task = async (...[input, options]: CallArguments<CallInput>): Promise<Output> =>
    (await callWith(input, options)).value;
  const methods: Omit<CachedTask<CallInput, Output>, never> = {
    taskName: name,
    detailed: (...[input, options]) => callWith(input, options),
    plan: async (inputs, options = {}) => {
      checkOptionNames(options, 'plan', ['salt', 'concurrency']);
      checkInputs(inputs, 'plan');
      checkConcurrency(options.concurrency);
      host.ensureOpen(name);
      return planCalls(definition, inputs, options);
    },
    map: (inputs, options = {}) => {
      checkOptionNames(options, 'map', MAP_OPTION_NAMES);
      const { concurrency, onProgress, signal, ...callOptions } = options;
      checkInputs(inputs, 'map');
      checkConcurrency(concurrency);
      checkProgress(onProgress);
      checkCallOptions(name, callOptions);
      const call = (input: CallInput, inner: AbortSignal): Promise<CachedResult<Output>> =>
        callWith(input, { ...callOptions, signal: inner });
      return mapCalls(inputs, call, { concurrency, onProgress, signal });
    },
    keyOf: async (input, options = {}) => {
      checkOptionNames(options, 'keyOf', ['salt']);
      return definition.described((await keyedCall(input, options.salt, options.signal)).full());
    },
    evict: async (input, options: Pick<CachedCallOptions, 'salt'> & CallOptions = {}) => {
      checkOptionNames(options, 'evict', ['salt']);
      const { brief } = await keyedCall(input, options.salt, options.signal);
      await host.cache.evict(brief.key, { signal: options.signal });
    },
  };
  // Their source is that of every cached task.
  for (const method of [task, ...Object.values(methods)]) {
    if (typeof method === 'function') countBy(method, definition);
  }
  return Object.defineProperty(Object.assign(task, methods), 'name', { value: name }) as CachedTask<
    CallInput,
    Output
  >;
}
