import { countBy } from '../cache/code-part.ts';
import type { CacheKey } from '../cache/key-parts.ts';
import { checkOptions, type OptionTable } from '../options/option-table.ts';
import type { CachedTasks } from './cached-tasks.ts';
import { TaskDefinition } from './define.ts';
import {
  type CallPlan,
  checkInputs,
  MAP_LABEL,
  MAP_OPTIONS,
  type MapLabel,
  type MapOptions,
  type MapOutcome,
  mapCalls,
  planCalls,
} from './map-calls.ts';
import { CALL_OPTIONS, type CachedCallOptions, type CachedTaskOptions, checkCallOptions } from './options.ts';
import { callTask } from './resolve.ts';
import type { CachedResult } from './result.ts';

/**
 * A type without what is lost where a function's type is inferred beside that of a schema: literals are texts, numbers and so on
 * there, and tuples are arrays. `async () => ({ grade: 'good' })` is so a function for a schema that takes `{ grade: 'good' | 'bad' }`.
 */
export type Widened<T> = unknown extends T
  ? T
  : T extends string
    ? string
    : T extends number
      ? number
      : T extends bigint
        ? bigint
        : T extends boolean
          ? boolean
          : T extends (...args: never) => unknown
            ? T
            : T extends readonly unknown[]
              ? readonly Widened<T[number]>[]
              : { [Name in keyof T]: Widened<T[Name]> };

/** The arguments of a call: the input may be left out where it may be `undefined`. */
export type CallArguments<Input> = undefined extends Input
  ? [input?: Input, options?: CachedCallOptions]
  : [input: Input, options?: CachedCallOptions];

/**
 * A function whose equal calls return the stored result, across runs, processes and machines. Made by `FlowDataStore.cachedTask`.
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
  /** Calls as the function itself, and tells whether it was a hit, where the result comes from, and whether it was stored. */
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
    options?: Omit<CachedCallOptions, 'signal' | 'label'> & MapOptions & { label?: MapLabel<Input> },
  ): AsyncGenerator<MapOutcome<CachedResult<Output>>>;
  /** The key of a call, for `explainKeys`, `FlowDataStore.cache` and `stowage cache explain`. */
  keyOf(input: Input, options?: Pick<CachedCallOptions, 'salt' | 'signal'>): Promise<CacheKey>;
  /** Forgets the result of a call, so that the next one runs; idempotent. Throws what the storage fails with. */
  evict(input: Input, options?: Pick<CachedCallOptions, 'salt' | 'signal'>): Promise<void>;
}

type KeyOptions = Pick<CachedCallOptions, 'salt' | 'signal'>;

const KEY_OPTIONS: OptionTable<KeyOptions> = { salt: CALL_OPTIONS.salt };

/**
 * Makes a cached task of its options.
 *
 * @throws StowageError `INVALID_ARGUMENT`, `INVALID_NAME`
 */
export function defineCachedTask<CallInput, Input, Result, Output>(
  tasks: CachedTasks,
  options: CachedTaskOptions<CallInput, Input, Result, Output>,
): CachedTask<CallInput, Output> {
  const definition = new TaskDefinition(tasks, options as CachedTaskOptions<unknown, Input, unknown, Output>);
  const { name } = definition;
  const task = async (...[input, given]: CallArguments<CallInput>): Promise<Output> =>
    (await callTask(definition, input, given)).value;
  const methods: Omit<CachedTask<CallInput, Output>, never> = {
    taskName: name,
    detailed: (...[input, given]) => callTask(definition, input, given),
    plan: async (inputs, given = {}) => {
      checkOptions(given, 'plan', { ...KEY_OPTIONS, concurrency: MAP_OPTIONS.concurrency });
      checkInputs(inputs, 'plan');
      tasks.ensureOpen(name);
      return planCalls(definition, inputs, given);
    },
    map: (inputs, given = {}) => {
      checkOptions(given, 'map', { ...CALL_OPTIONS, ...MAP_OPTIONS, label: MAP_LABEL });
      const { concurrency, onProgress, signal, label, ...callOptions } = given;
      const labelOf = typeof label === 'function' ? label : () => label;
      checkInputs(inputs, 'map');
      checkCallOptions(name, callOptions);
      const call = async (
        input: CallInput,
        inner: AbortSignal,
        index: number,
      ): Promise<CachedResult<Output>> =>
        callTask(definition, input, { ...callOptions, label: labelOf(input, index), signal: inner });
      return mapCalls(inputs, call, { concurrency, onProgress, signal });
    },
    keyOf: async (input, given = {}) => {
      checkOptions<KeyOptions>(given, 'keyOf', KEY_OPTIONS);
      return definition.described((await definition.keyed(input, given.salt, given.signal)).full());
    },
    evict: async (input, given = {}) => {
      checkOptions<KeyOptions>(given, 'evict', KEY_OPTIONS);
      const { brief } = await definition.keyed(input, given.salt, given.signal);
      await tasks.cache.evict(brief.key, { signal: given.signal });
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
