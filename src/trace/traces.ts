import type { OpenAttempt } from '../attempts/open-attempt.ts';
import { isRecoverable, StowageError } from '../errors.ts';
import { checkOptionNames } from '../options/option-names.ts';
import type { CallOptions } from '../storage/contract.ts';
import type { EarlierRecords } from './earlier-attempts.ts';
import type { TaskMemory } from './task-memory.ts';
import { argumentDigest, callDigest, checkTraced, equalCalls } from './trace-key.ts';
import { type Replayed, recordCall, replayCall, type TracedCall } from './trace-records.ts';
import { isStream, iterableCall, notStream } from './traced-call.ts';
import { serializeThrown } from './traced-error.ts';
import { itemsOf, KeptItems } from './traced-items.ts';

/**
 * What a traced call returns: a promise of what the function returns. Where that is an async iterable, the call itself can be iterated as
 * well, `for await (const item of step(x))`.
 */
export type TracedResult<R> = 0 extends 1 & Awaited<R>
  ? Promise<Awaited<R>>
  : [Awaited<R>] extends [AsyncIterable<infer Item>]
    ? Promise<AsyncGenerator<Item, void>> & AsyncIterable<Item>
    : Promise<Awaited<R>>;

/** A traced function. */
export type Traced<Args extends unknown[], R> = (...args: Args) => TracedResult<R>;

/** A function of users. */
type AnyFunction = (...args: unknown[]) => unknown;

/** The equal calls that a stream was made by: passed to a traced function, it counts by them. */
const madeBy = new WeakMap<object, Promise<string>>();

/**
 * The traces of one attempt. Each call is recorded at once, and a retried attempt replays what earlier ones recorded. Calls are told
 * apart by function and arguments; of equal ones, which are interchangeable, the recorded ones are replayed first.
 */
export class Traces {
  readonly #memory: TaskMemory;
  /** By equal calls: how many of them were replayed or recorded. */
  readonly #counts = new Map<string, number>();

  constructor(memory: TaskMemory) {
    this.#memory = memory;
  }

  /**
   * Wraps a function; see `OpenTaskDataStore.trace`.
   *
   * @throws StowageError `INVALID_NAME`, `INVALID_ARGUMENT`
   */
  trace<Args extends unknown[], R>(
    name: string,
    fn: (...args: Args) => R,
    options: CallOptions = {},
  ): Traced<Args, R> {
    checkTraced(name, fn);
    checkOptionNames(options, 'trace');
    const signal = options.signal ?? this.#memory.signal;
    const traced = new TracedFunction(this, name, fn as AnyFunction, { signal });
    return ((...args: Args) => traced.call(args)) as unknown as Traced<Args, R>;
  }

  get attempt(): OpenAttempt {
    return this.#memory.attempt;
  }

  get memory(): TaskMemory {
    return this.#memory;
  }

  /** The call that is to be replayed for the next of equal ones, if there is one. */
  take(name: string, equal: string, { traces }: EarlierRecords): [TracedCall, readonly number[]] | undefined {
    const ordinal = this.#counts.get(equal) ?? 0;
    const call = callDigest(equal, ordinal);
    const recordedBy = traces.get(call);
    if (!recordedBy) return undefined;
    this.#counts.set(equal, ordinal + 1);
    return [{ name, call, ordinal }, recordedBy];
  }

  /** The next of equal calls, to be recorded. One that fails so that it is not recorded leaves its place to another. */
  next(name: string, equal: string): TracedCall {
    const ordinal = this.#counts.get(equal) ?? 0;
    this.#counts.set(equal, ordinal + 1);
    return { name, call: callDigest(equal, ordinal), ordinal };
  }
}

/** One traced function of an attempt. */
class TracedFunction {
  readonly #traces: Traces;
  readonly #name: string;
  readonly #fn: AnyFunction;
  readonly #options: CallOptions;

  constructor(traces: Traces, name: string, fn: AnyFunction, options: CallOptions) {
    this.#traces = traces;
    this.#name = name;
    this.#fn = fn;
    this.#options = options;
  }

  call(args: readonly unknown[]): Promise<unknown> & AsyncIterable<unknown> {
    const equal = this.#equalCalls(args);
    const result = this.#run(args, equal);
    const called = iterableCall(this.#name, result);
    madeBy.set(called, equal);
    return called;
  }

  /** Arguments are looked at before anything is waited for, since they may change. */
  #equalCalls(args: readonly unknown[]): Promise<string> {
    const { registry } = this.#traces.attempt.context;
    const name = this.#name;
    const digests: (string | Promise<string>)[] = [];
    try {
      for (const [index, arg] of args.entries()) {
        const maker = isObject(arg) ? madeBy.get(arg) : undefined;
        digests.push(maker ?? argumentDigest(name, arg, index, registry));
      }
    } catch (error) {
      return Promise.reject(error);
    }
    return Promise.all(digests).then((inputs) => equalCalls(name, this.#fn, inputs));
  }

  async #run(args: readonly unknown[], equalCall: Promise<string>): Promise<unknown> {
    const traces = this.#traces;
    const equal = await equalCall;
    const earlier = await traces.memory.tolerating(() => {
      traces.attempt.ensureOpen(`call trace ${this.#name}`);
      return traces.memory.earlier.records(this.#options);
    });
    const taken = earlier && traces.take(this.#name, equal, earlier);
    const replayed =
      taken && (await traces.memory.tolerating(() => replayCall(traces.attempt, ...taken, this.#options)));
    // A call whose record is of no use any more is recorded in its place.
    const place = (): TracedCall => taken?.[0] ?? traces.next(this.#name, equal);
    if (!replayed) return this.#runAndRecord(args, equal, place);
    if (replayed.stream) return this.#made(this.#replay(args, replayed, place), equal);
    if (replayed.error) throw replayed.error.thrown;
    return replayed.output;
  }

  async #runAndRecord(args: readonly unknown[], equal: string, place: () => TracedCall): Promise<unknown> {
    let output: unknown;
    try {
      const fn = this.#fn;
      output = await fn(...args);
    } catch (thrown) {
      if (!isRecoverable(thrown)) await this.#record(place(), { thrown });
      throw thrown;
    }
    if (isStream(output)) return this.#made(this.#recorded(output, this.#keptItems(), place), equal);
    await this.#record(place(), { output });
    return output;
  }

  #made(stream: AsyncGenerator<unknown, void>, equal: string): AsyncGenerator<unknown, void> {
    madeBy.set(stream, Promise.resolve(equal));
    return stream;
  }

  #keptItems(): KeptItems {
    return new KeptItems(this.#name, this.#traces.attempt.context.registry);
  }

  /** Passes a stream through, and records it once it is over, or its consumer has enough. */
  async *#recorded(
    source: AsyncIterable<unknown>,
    kept: KeptItems,
    place: () => TracedCall,
  ): AsyncGenerator<unknown, void> {
    const iterator = source[Symbol.asyncIterator]();
    let isSuspended = false;
    try {
      for (;;) {
        const step = await this.#nextOf(iterator, kept, place);
        if (step.done) break;
        await kept.add(step.value);
        isSuspended = true;
        yield step.value;
        isSuspended = false;
      }
    } catch (error) {
      await iterator.return?.();
      throw error;
    } finally {
      if (isSuspended) {
        await iterator.return?.();
        await this.#recordItems(place(), kept, true);
      }
    }
    await this.#recordItems(place(), kept, false);
  }

  async #nextOf(
    iterator: AsyncIterator<unknown>,
    kept: KeptItems,
    place: () => TracedCall,
  ): Promise<IteratorResult<unknown>> {
    try {
      return await iterator.next();
    } catch (thrown) {
      if (!isRecoverable(thrown)) await this.#recordItems(place(), kept, false, { thrown });
      throw thrown;
    }
  }

  /** Replays the items of a stream. Whoever wants more than a partial one has gets it by another run, which has to give the same so far. */
  async *#replay(
    args: readonly unknown[],
    { output, stream, error, ...record }: Replayed,
    place: () => TracedCall,
  ): AsyncGenerator<unknown, void> {
    const { context } = this.#traces.attempt;
    const kept = this.#keptItems();
    const items = stream as NonNullable<typeof stream>;
    for await (const item of itemsOf(this.#name, output, items, context, record)) {
      if (items.partial) await kept.add(item);
      yield item;
    }
    if (error) throw error.thrown;
    if (items.partial) yield* this.#goOn(args, kept, place);
  }

  async *#goOn(
    args: readonly unknown[],
    kept: KeptItems,
    place: () => TracedCall,
  ): AsyncGenerator<unknown, void> {
    const fn = this.#fn;
    const source: unknown = await fn(...args);
    if (!isStream(source)) throw notStream(this.#name);
    const iterator = source[Symbol.asyncIterator]();
    for (let index = 0; index < kept.count; index++) {
      const { done, value } = await iterator.next();
      if (!done && (await kept.isSame(index, value))) continue;
      await iterator.return?.();
      // From now on it is as if nothing had been recorded.
      await this.#traces.memory.tolerating(() =>
        recordCall(this.#traces.attempt, place(), {}, this.#options),
      );
      throw diverged(this.#name, index, kept.count);
    }
    yield* this.#recorded({ [Symbol.asyncIterator]: () => iterator }, kept, place);
  }

  async #record(call: TracedCall, outcome: { output: unknown } | { thrown: unknown }): Promise<void> {
    const { attempt } = this.#traces;
    const { registry } = attempt.context;
    const name = this.#name;
    if ('thrown' in outcome) {
      const error = serializeThrown(name, outcome.thrown, registry);
      await this.#traces.memory.tolerating(() => recordCall(attempt, call, { error }, this.#options));
      return;
    }
    const loading = registry.prepareToSave([outcome.output]);
    if (loading) await loading;
    const output = registry.serialize(name, outcome.output);
    await this.#traces.memory.tolerating(() => recordCall(attempt, call, { output }, this.#options));
  }

  async #recordItems(
    call: TracedCall,
    kept: KeptItems,
    partial: boolean,
    ending?: { thrown: unknown },
  ): Promise<void> {
    const { attempt } = this.#traces;
    const { serialized: output, stream } = kept.serialize(partial);
    const error = ending && serializeThrown(this.#name, ending.thrown, attempt.context.registry);
    await this.#traces.memory.tolerating(() =>
      recordCall(attempt, call, { output, stream, error }, this.#options),
    );
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function diverged(name: string, index: number, count: number): StowageError {
  return new StowageError(
    'TRACE_DIVERGED',
    `The stream of trace "${name}" was left after ${count} items by an earlier attempt, which were replayed; more was asked for, and run again it gave another item ${index}. What was replayed cannot go on as something else: retry the task, which runs this stream anew.`,
    { details: { trace: name, index, items: count } },
  );
}
