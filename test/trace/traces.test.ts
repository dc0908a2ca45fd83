import { channel } from 'node:diagnostics_channel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OpenTaskDataStore } from '../../src/flow/open-task-data-store.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import type { FileRef } from '../../src/references/file-ref.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { afterThisTest } from '../cleanups.ts';
import { errorOf, noise, objectNames, openFlow } from '../flow/fixtures.ts';
import { propertyRuns, test } from '../property.ts';

const SPEC = { runId: 'r1', stepName: 'fit', taskId: '0' };
const FATAL = Object.assign(new RangeError('no such model'), { recoverable: false, status: 404 });

/** Runs an attempt that fails once its work is over. */
async function failing<T>(flow: FlowDataStore, work: (task: OpenTaskDataStore) => Promise<T>): Promise<T> {
  const task = await flow.createTaskDataStore(SPEC);
  try {
    return await work(task);
  } finally {
    await task.fail(new Error('on to the next attempt'));
  }
}

async function collected<T>(items: AsyncIterable<T>, most = Number.POSITIVE_INFINITY): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) {
    found.push(item);
    if (found.length >= most) break;
  }
  return found;
}

/** Tells of calls that were recorded and run again. */
function notReplayed(): { error: unknown }[] {
  const told: { error: unknown }[] = [];
  const note = (message: unknown): unknown => told.push(message as { error: unknown });
  channel('stowage:trace-not-replayed').subscribe(note);
  afterThisTest(() => channel('stowage:trace-not-replayed').unsubscribe(note));
  return told;
}

describe('a traced call', () => {
  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a value', { a: [1, 'two', 3n], when: new Date(5), what: new Map([[1, new Set(['x'])]]) }],
    ['an empty list', []],
    ['large bytes', noise(300_000)],
    ['bytes that are no text', new Uint8Array([0, 255, 3])],
  ])('is not run again by a later attempt: %s', async (_name, value) => {
    const flow = await openFlow();
    let runs = 0;
    const step = (task: OpenTaskDataStore): Promise<unknown> =>
      task.trace('fetch', async (_input: unknown) => {
        runs += 1;
        return value;
      })({ q: 1 });
    for (let attempt = 0; attempt < 3; attempt++) expect(await failing(flow, step)).toEqual(value);
    expect(runs).toBe(1);
  });

  it('gives each attempt a value of its own', async () => {
    const flow = await openFlow();
    const step = (task: OpenTaskDataStore): Promise<number[]> => task.trace('list', () => [1])();
    for (let attempt = 0; attempt < 3; attempt++) {
      const list = await failing(flow, step);
      expect(list).toEqual([1]);
      list.push(2);
    }
  });

  it('throws the error again that is not recoverable, as it was, and runs again after any other', async () => {
    const flow = await openFlow();
    class Refused extends Error {
      readonly recoverable = false;
      readonly code = 'E_REFUSED';
      readonly socket = { send: (): void => {} };
      override name = 'Refused';
    }
    let runs = 0;
    const attempt = (thrown: unknown): Promise<unknown> =>
      failing(flow, async (task) => {
        const step = task.trace('call', (_kind: string): never => {
          runs += 1;
          throw thrown;
        });
        return step(String(thrown)).catch((error: unknown) => error);
      });
    const cause = new TypeError('why');
    for (const fatal of [FATAL, new Refused('no', { cause }), { recoverable: false, plain: 1 }]) {
      runs = 0;
      expect(await attempt(fatal)).toBe(fatal);
      const again = (await attempt(fatal)) as typeof fatal;
      expect(runs).toBe(1);
      expect(again).toMatchObject({ recoverable: false });
      if (!(fatal instanceof Error)) {
        expect(again).toEqual(fatal);
        continue;
      }
      expect(again).toBeInstanceOf(Error);
      expect(again).toMatchObject({ name: fatal.name, message: fatal.message, stack: fatal.stack });
      if (fatal instanceof Refused) {
        expect(again).toMatchObject({ code: 'E_REFUSED', cause: { name: 'TypeError', message: 'why' } });
      } else expect(again).toBeInstanceOf(RangeError);
    }
    runs = 0;
    for (let n = 0; n < 3; n++) await attempt(new Error('busy'));
    expect(runs).toBe(3);
  });

  it('is told from others by its function, name and arguments, and not by layout', async () => {
    const flow = await openFlow();
    const ran: string[] = [];
    await failing(flow, async (task) => {
      await task.trace('a', async (x: number) => ran.push(`1 ${x}`))(1);
    });
    ran.length = 0;
    await failing(flow, async (task) => {
      // biome-ignore format: the layout is what differs
      await task.trace('a', async (x: number) => /* again */ ran.push( `1 ${x}` ))(1);
      expect(ran).toEqual([]);
      await task.trace('a', async (x: number) => ran.push(`2 ${x}`))(1);
      await task.trace('b', async (x: number) => ran.push(`1 ${x}`))(1);
      await task.trace('a', async (x: number) => ran.push(`1 ${x}`))(2);
    });
    expect(ran).toEqual(['2 1', '1 1', '1 2']);
  });

  it('is over once a later attempt is done: whoever runs the task anew runs it', async () => {
    const flow = await openFlow();
    let runs = 0;
    const work = async (task: OpenTaskDataStore): Promise<void> => {
      await task.trace('count', () => {
        runs += 1;
        return runs;
      })();
    };
    await failing(flow, work);
    await flow.task(SPEC, work);
    expect(runs).toBe(1);
    await flow.task(SPEC, work);
    expect(runs).toBe(2);
  });

  it.each(['DELETED', 'PURGED'])('runs again once its attempt is given up by %s', async (mark) => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    let runs = 0;
    const work = (task: OpenTaskDataStore): Promise<number> => task.trace('count', () => ++runs)();
    await failing(flow, work);
    await storage.create(`flows/Test/r1/fit/0/0.${mark}`, new Uint8Array(0));
    await failing(flow, work);
    expect(runs).toBe(2);
  });

  it('runs again, and says so, where its record or its content is gone or damaged', async () => {
    const storage = new MemoryStorage();
    const told = notReplayed();
    const flow = await openFlow({ storage });
    let runs = 0;
    const work = (task: OpenTaskDataStore): Promise<Uint8Array> =>
      task.trace('load', () => {
        runs += 1;
        return noise(100_000, 8);
      })();
    await failing(flow, work);
    await storage.delete(await objectNames(storage, 'data/'));
    expect(await failing(flow, work)).toEqual(noise(100_000, 8));
    expect([runs, told.length]).toEqual([2, 1]);
    // The latest attempt's counts; where that is damaged an older one.
    const [, record = ''] = await objectNames(storage, 'partial/');
    const bytes = (await storage.get(record))?.body as Uint8Array;
    await storage.overwrite(record, bytes.with(20, (bytes[20] as number) ^ 1));
    expect(await failing(flow, work)).toEqual(noise(100_000, 8));
    expect([runs, told.length]).toEqual([2, 2]);
  });

  it('costs one create, and in a first attempt nothing is asked before', async () => {
    const counting = new CountStorage(new MemoryStorage('', { localReads: false }));
    const flow = await openFlow({ storage: counting });
    const task = await flow.createTaskDataStore({ ...SPEC, attempt: 0 });
    counting.reset();
    const step = task.trace('fetch', async (q: string) => ({ q, text: 'x'.repeat(40_000) }));
    await Promise.all(['a', 'b', 'c'].map(step));
    expect(counting.snapshot()).toMatchObject({ requests: 3, create: { calls: 3 } });
    await task.fail(new Error('next'));
    const retry = await flow.createTaskDataStore({ ...SPEC, attempt: 1 });
    counting.reset();
    await Promise.all(
      ['a', 'b', 'c'].map(retry.trace('fetch', async (q: string) => ({ q, text: 'x'.repeat(40_000) }))),
    );
    // Two listings and the DONE of the earlier attempt, once; then a record each.
    expect(counting.snapshot()).toMatchObject({ requests: 6, list: { calls: 2 }, get: { calls: 4 } });
    await retry.done();
  });

  it('is refused by a typed error where it cannot be told from others, recorded, or is too late', async () => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(SPEC);
    expect((await errorOf(async () => task.trace('a/b', () => 1), 'INVALID_NAME')).message).toContain('a/b');
    const bound = (() => 1).bind(undefined);
    expect((await errorOf(async () => task.trace('a', bound), 'INVALID_ARGUMENT')).message).toMatch(
      /Wrap it/,
    );
    await errorOf(async () => task.trace('a', 5 as never), 'INVALID_ARGUMENT');
    await errorOf(async () => task.trace('a', () => 1, { x: 1 } as never), 'INVALID_ARGUMENT');
    const call = task.trace('a', (_input: unknown) => 1);
    const unkeyable = await errorOf(call({ signal: () => {} }), 'UNKEYABLE_VALUE');
    expect(unkeyable.message).toMatch(/trace "a".*arguments\[0\]\.signal/);
    let runs = 0;
    const unsavable = task.trace('b', () => {
      runs += 1;
      return { close: (): void => {} };
    });
    expect((await errorOf(unsavable(), 'UNSERIALIZABLE_ARTIFACT')).message).toContain('b.close');
    expect(runs).toBe(1);
    await errorOf(async () => {
      for await (const _item of call(1) as never as AsyncIterable<number>);
    }, 'INVALID_ARGUMENT');
    const late = task.trace('late', () => runs++);
    await task.done();
    await errorOf(late(), 'ATTEMPT_CLOSED');
    expect(runs).toBe(1);
  });

  it('that ends after its attempt is an error, and leaves nothing', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const task = await flow.createTaskDataStore(SPEC);
    let end = (_value: string): void => {};
    let began = (): void => {};
    const beginning = new Promise<void>((resolve) => {
      began = resolve;
    });
    const slow = new Promise<string>((resolve) => {
      end = resolve;
    });
    const call = task.trace('slow', () => {
      began();
      return slow;
    })();
    await beginning;
    await task.done();
    end('too late');
    await errorOf(call, 'ATTEMPT_CLOSED');
    expect(await objectNames(storage, 'partial/')).toEqual([]);
  });

  test.prop(
    [fc.array(fc.tuple(fc.nat(3), fc.nat(5)), { minLength: 1, maxLength: 12 }), fc.nat(12), fc.scheduler()],
    { numRuns: Math.ceil(propertyRuns * 0.5) },
  )('never runs again what was recorded, whatever the schedule', async (calls, diesAfter, schedule) => {
    const flow = await openFlow();
    const results = new Map<number, number[]>();
    let made = 0;
    const attempt = (most: number): Promise<{ input: number; result: number }[]> =>
      failing(flow, async (task) => {
        const step = task.trace('step', async (input: number) => {
          await schedule.schedule(Promise.resolve(), `call ${input}`);
          made += 1;
          results.set(input, [...(results.get(input) ?? []), made]);
          return made;
        });
        const working = Promise.all(
          calls.slice(0, most).map(async ([input]) => ({ input, result: await step(input) })),
        );
        await schedule.waitFor(working);
        return working;
      });
    const first = await attempt(diesAfter);
    const recorded = made;
    const second = await attempt(calls.length);
    expect(made).toBe(calls.length);
    expect(recorded).toBe(first.length);
    // Equal calls are interchangeable: each input has the results that were made for it, each once.
    for (const [input, of] of results) {
      const got = second.filter((one) => one.input === input).map(({ result }) => result);
      expect(got.sort((a, b) => a - b)).toEqual(of.sort((a, b) => a - b));
    }
  });

  it('keeps the files that its result refers to, also in a stream, and is told by those it is given', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    let runs = 0;
    const work = (): Promise<string[]> =>
      failing(flow, async (task) => {
        const make = task.trace('make', async (text: string) => {
          runs += 1;
          return { file: await task.files.fromData('x.txt', text) };
        });
        const parts = task.trace('parts', async function* (whole: FileRef) {
          runs += 1;
          for (const part of (await whole.text()).split(' '))
            yield await task.files.fromData('part.txt', part.repeat(70_000));
        });
        const { file } = await make('one two');
        const read: string[] = [];
        for await (const part of parts(file)) read.push((await part.text()).slice(0, 3));
        return read;
      });
    for (let n = 0; n < 3; n++) expect(await work()).toEqual(['one', 'two']);
    expect(runs).toBe(2);
  });

  it('that fails so that it is not recorded leaves its place to an equal one', async () => {
    const flow = await openFlow();
    let runs = 0;
    const work = async (task: OpenTaskDataStore): Promise<number> => {
      const step = task.trace('flaky', async () => {
        runs += 1;
        if (runs === 1) throw new Error('busy');
        return runs;
      });
      return step().catch(() => step());
    };
    expect(await failing(flow, work)).toBe(2);
    expect(await failing(flow, work)).toBe(2);
    expect(runs).toBe(2);
  });
});

describe('a traced stream', () => {
  const item = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.uint8Array(),
    fc.constantFrom<unknown>(null, undefined, { a: [1] }, new Map([[1, 2]]), 5n),
  );

  test.prop([fc.array(item, { maxLength: 12 }), fc.boolean(), fc.boolean()], {
    numRuns: Math.ceil(propertyRuns * 0.5),
  })('passes through, and is replayed once, whatever its items', async (items, fails, isGenerator) => {
    const flow = await openFlow();
    let runs = 0;
    const stream = async function* (): AsyncGenerator<unknown, void> {
      runs += 1;
      yield* items;
      if (fails) throw FATAL;
    };
    const read = (): Promise<unknown[]> =>
      failing(flow, async (task) => {
        const found: unknown[] = [];
        const call = isGenerator ? task.trace('s', stream)() : await task.trace('s', async () => stream())();
        try {
          for await (const each of call) found.push(each);
        } catch (error) {
          expect(error).toMatchObject({ message: FATAL.message, status: 404 });
          found.push('failed');
        }
        return found;
      });
    const expected = [...items, ...(fails ? ['failed'] : [])];
    for (let n = 0; n < 3; n++) expect(await read()).toEqual(expected);
    expect(runs).toBe(1);
  });

  it('is recorded as it was, though its consumer changes what it gets', async () => {
    const flow = await openFlow();
    const shared = new Uint8Array(3);
    const work = (): Promise<unknown[]> =>
      failing(flow, async (task) => {
        const found: unknown[] = [];
        const step = task.trace('s', async function* () {
          for (let n = 1; n < 4; n++) {
            shared.fill(n); // one memory for all pieces
            yield shared;
          }
        });
        for await (const piece of step()) {
          found.push([...piece]);
          piece.fill(9);
        }
        return found;
      });
    for (let n = 0; n < 2; n++) {
      expect(await work()).toEqual([
        [1, 1, 1],
        [2, 2, 2],
        [3, 3, 3],
      ]);
    }
  });

  /** A stream that tells how often it was begun, and how far it came. */
  function counted(most: number): {
    begun: number;
    given: number;
    ended: number;
    stream: () => AsyncGenerator<number, void>;
  } {
    const counts = {
      begun: 0,
      given: 0,
      ended: 0,
      async *stream(): AsyncGenerator<number, void> {
        counts.begun += 1;
        try {
          for (let n = 0; n < most; n++) {
            counts.given += 1;
            yield n;
          }
        } finally {
          counts.ended += 1;
        }
      },
    };
    return counts;
  }

  test.prop(
    [fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 8 }), fc.integer({ min: 0, max: 8 })],
    { numRuns: Math.ceil(propertyRuns * 0.5) },
  )(
    'that its consumer left is replayed as far as that, and goes on by another run',
    async (first, second, length) => {
      const flow = await openFlow();
      const counts = counted(length);
      const read = (most: number): Promise<number[]> =>
        failing(flow, (task) => collected(task.trace('s', () => counts.stream())(), most));
      const all = Array.from({ length }, (_, n) => n);
      expect(await read(first)).toEqual(all.slice(0, first));
      expect([counts.begun, counts.ended]).toEqual([1, 1]);
      expect(await read(second)).toEqual(all.slice(0, second));
      const wantsMore = first <= length && second > first;
      expect(counts.begun).toBe(wantsMore ? 2 : 1);
      expect(counts.ended).toBe(counts.begun);
      // What the second run gave is recorded in its place.
      expect(await read(second)).toEqual(all.slice(0, second));
      expect(counts.begun).toBe(wantsMore ? 2 : 1);
    },
  );

  it('that goes on as something else is an error, and the attempt after it runs it anew', async () => {
    const flow = await openFlow();
    let run = 0;
    const read = (most: number): Promise<string[]> =>
      failing(flow, (task) => {
        const step = task.trace('tokens', async function* () {
          run += 1;
          for (const word of ['a', 'b', 'c']) yield `${word}${run}`;
        });
        return collected(step(), most);
      });
    expect(await read(2)).toEqual(['a1', 'b1']);
    expect(await read(2)).toEqual(['a1', 'b1']);
    const error = await errorOf(read(3), 'TRACE_DIVERGED');
    expect(error.details).toEqual({ trace: 'tokens', index: 0, items: 2 });
    expect(await read(3)).toEqual(['a3', 'b3', 'c3']);
    expect(await read(3)).toEqual(['a3', 'b3', 'c3']);
    expect(run).toBe(3);
  });

  it('that a traced function is made of counts by the call that made it, and is recorded once it is consumed', async () => {
    const flow = await openFlow();
    const counts = counted(3);
    let sums = 0;
    const work = (): Promise<number> =>
      failing(flow, async (task) => {
        const numbers = task.trace('numbers', (_seed: string) => counts.stream());
        const sum = task.trace('sum', async (items: AsyncIterable<number>) => {
          sums += 1;
          return (await collected(items)).reduce((a, b) => a + b, 0);
        });
        return sum(numbers('seed'));
      });
    for (let n = 0; n < 3; n++) expect(await work()).toBe(3);
    expect([counts.begun, sums]).toEqual([1, 1]);
  });

  it('within a traced stream is recorded with it when the last item is consumed', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const counts = counted(3);
    const work = (most?: number): Promise<number[]> =>
      failing(flow, (task) => {
        const inner = task.trace('inner', () => counts.stream());
        const outer = task.trace('outer', async function* () {
          for await (const n of inner()) yield n * 10;
        });
        return collected(outer(), most);
      });
    expect(await work()).toEqual([0, 10, 20]);
    expect(await objectNames(storage, 'partial/')).toHaveLength(2);
    expect(await work()).toEqual([0, 10, 20]);
    expect(counts.begun).toBe(1);
  });

  it('of which an item cannot be recorded ends with the reason, and its source is closed', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    let closed = 0;
    const task = await flow.createTaskDataStore(SPEC);
    const step = task.trace('s', async function* () {
      try {
        yield 1;
        yield () => {};
      } finally {
        closed += 1;
      }
    });
    await errorOf(collected(step()), 'UNSERIALIZABLE_ARTIFACT');
    expect(closed).toBe(1);
    expect(await objectNames(storage, 'partial/')).toEqual([]);
    await task.done();
  });
});
