import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { UnrecordedTask } from '../../src/cached-tasks/record.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { SerializerRegistry } from '../../src/values/registry.ts';
import { errorOf, objectNames, openFlow } from '../flow/fixtures.ts';
import { propertyRuns, test } from '../property.ts';
import { arbitraryValue, Vector, vectorTransformer } from '../values/arbitrary-value.ts';
import { difference } from '../values/strictly-equal.ts';

const endings: (() => void)[] = [];
afterEach(() => {
  for (const end of endings.splice(0)) end();
});

/** The warnings of the process about a task from now on. */
function warnings(task = ''): (Error & { code?: string })[] {
  const heard: (Error & { code?: string })[] = [];
  const note = (warning: Error): void => {
    if (warning.message.includes(`"${task}"`)) heard.push(warning);
  };
  process.on('warning', note);
  endings.push(() => process.off('warning', note));
  return heard;
}

function registry(): SerializerRegistry {
  const serializers = new SerializerRegistry();
  serializers.registerClass(vectorTransformer);
  return serializers;
}

class Answer {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

test.prop([arbitraryValue], { numRuns: propertyRuns })(
  'a miss returns what a hit does, whatever the function returned',
  async (value) => {
    const flow = await openFlow({ serializers: registry() });
    const task = flow.cachedTask({ name: 'same', version: '1', run: () => value });
    const [miss, hit] = [await task.detailed(), await task.detailed()];
    expect([miss.hit, hit.hit]).toEqual([false, true]);
    expect(difference(miss.value, hit.value)).toBeUndefined();
  },
);

describe('the result of a miss', () => {
  const twice = { deep: [1] };
  const kinds: [string, () => unknown][] = [
    ['a Buffer', () => Buffer.from('hello')],
    ['a Buffer inside', () => ({ page: Buffer.from('hello') })],
    ['an object that is there twice', () => [twice, twice]],
    ['a frozen object', () => Object.freeze({ list: Object.freeze([1]) })],
    ['an instance of a registered class', () => new Vector(1, 2)],
    ['an error with a cause', () => new TypeError('odd', { cause: [Buffer.from('x')] })],
    ['a view of a larger buffer', () => new Uint8Array(new ArrayBuffer(64), 8, 4)],
    ['-0, undefined and a hole', () => [-0, { nothing: undefined }, new Array(2)]],
    ['large bytes', () => Buffer.alloc(300_000, 'x')],
  ];

  /** What a caller can tell of a value. */
  function told(value: unknown): unknown {
    const [first, second] = Array.isArray(value) ? value : [];
    const buffer = ArrayBuffer.isView(value) ? value.buffer.byteLength : undefined;
    const name = (value as object).constructor.name;
    return [name, String(value), Object.isFrozen(value), first === second, buffer];
  }

  for (const mode of ['auto', 'refresh', 'off', 'readonly'] as const) {
    it.each(kinds)(`of %s is as a hit returns it (mode ${mode})`, async (_, run) => {
      const flow = await openFlow({ serializers: registry() });
      const task = flow.cachedTask({ name: 'told', version: '1', run });
      const miss = await task.detailed(undefined, { mode });
      expect(miss.hit).toBe(false);
      if (mode === 'off' || mode === 'readonly') await task();
      const hit = await task.detailed();
      expect(hit.hit).toBe(true);
      expect(told(miss.value)).toEqual(told(hit.value));
      expect(difference(miss.value, hit.value)).toBeUndefined();
    });
  }

  it('is as a hit returns it where the store is down', async () => {
    const storage = new FaultStorage(new MemoryStorage(), () => ({ kind: 'before' }));
    const flow = await openFlow({ storage });
    const task = flow.cachedTask({ name: 'down', version: '1', run: () => Buffer.from('x') });
    const { value, stored } = await task.detailed();
    expect([stored, value.constructor]).toEqual([false, Uint8Array]);
  });

  it('is not what the function goes on to change, and changing it changes no hit', async () => {
    const flow = await openFlow({ maxInlineBytes: 0 });
    const kept = { bytes: new Uint8Array(4), list: [1] };
    const task = flow.cachedTask({ name: 'goes-on', version: '1', run: () => kept });
    const miss = await task();
    kept.bytes[0] = 9;
    kept.list.push(2);
    expect(miss).toEqual({ bytes: new Uint8Array(4), list: [1] });
    miss.bytes[1] = 8;
    miss.list.length = 0;
    expect(await task()).toEqual({ bytes: new Uint8Array(4), list: [1] });
  });

  it.each([
    ['inline', {}],
    ['as content', { maxInlineBytes: 0 }],
  ])('is saved %s as it was when the function returned', async (_, options) => {
    const flow = await openFlow(options);
    const kept = { bytes: new Uint8Array(4), list: [1], text: 'a' };
    const changes = [kept, kept.bytes, kept.list];
    for (const [index, returned] of changes.entries()) {
      const task = flow.cachedTask({
        name: `changed-${index}`,
        version: '1',
        run: () => {
          kept.bytes.fill(0);
          Object.assign(kept, { list: [1], text: 'a' });
          // Right after it has returned, and while its result is being saved.
          queueMicrotask(() => {
            kept.bytes.fill(7);
            kept.list.push(2);
            Object.assign(kept, { text: 'b' });
          });
          return returned;
        },
      });
      const [miss, hit] = [await task.detailed(), await task.detailed()];
      expect(hit.hit).toBe(true);
      expect(difference(miss.value, hit.value)).toBeUndefined();
    }
  });

  it('is parsed by the output schema as that of a hit is', async () => {
    const flow = await openFlow();
    const seen: string[] = [];
    const output = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value: unknown) => {
          seen.push((value as object).constructor.name);
          return { value };
        },
      },
    } as const;
    const task = flow.cachedTask({
      name: 'parsed',
      version: '1',
      interfaceVersion: '1',
      output,
      run: () => Buffer.from('x'),
    });
    await task();
    await task();
    expect(seen).toEqual(['Uint8Array', 'Uint8Array']);
  });
});

describe('a result that cannot be saved', () => {
  it('is returned as it is, and says why it is not stored', async () => {
    const flow = await openFlow();
    const heard = warnings('once');
    let runs = 0;
    const run = (text: string) => ({ answer: new Answer(text), runs: ++runs });
    const ask = flow.cachedTask({ name: 'once', version: '1', run });
    const result = await ask.detailed('why', { runId: 'r' });
    expect(result.value.answer).toBeInstanceOf(Answer);
    expect(result).toMatchObject({
      hit: false,
      stored: false,
      notStoredReason: 'unsavable',
      notStoredError: { code: 'UNSERIALIZABLE_ARTIFACT', details: { task: 'once' } },
      provenance: undefined,
    });
    const { message } = result.notStoredError as Error;
    expect(message).toContain('The result of task "once" cannot be saved');
    expect(message).toContain('output.answer');
    expect((await ask('why')).runs).toBe(2);
    expect((await ask.plan(['why'])).misses).toBe(1);
    expect(await objectNames(flow.storage, 'cache/')).toEqual([]);
    await setImmediate();
    expect(heard.map(({ code }) => code)).toEqual(['STOWAGE_UNSAVABLE_RESULT']);
    expect(heard[0]?.message).toContain('output.answer');
  });

  it('leaves a failed attempt that tells why, with the input', async () => {
    const flow = await openFlow();
    warnings();
    const run = (text: string) => new Answer(text);
    const ask = flow.cachedTask({ name: 'ask', version: '1', run });
    for (const mode of ['auto', 'off'] as const) {
      const { recorded } = await ask.detailed('why', { runId: `r-${mode}`, mode });
      const refused = await errorOf(flow.getTaskDataStore(recorded as string), 'ATTEMPT_NOT_DONE');
      expect(refused.message).toContain('failed');
      const attempt = await flow.getTaskDataStore(recorded as string, { allowNotDone: true });
      expect(attempt.error).toMatchObject({ message: expect.stringContaining('output') });
      expect(await attempt.loadArtifacts()).toEqual({ input: 'why' });
    }
    const { recorded, value } = await ask.detailed('why', { mode: 'readonly' });
    expect([recorded, value.text]).toEqual([undefined, 'why']);
  });

  it('is an outcome of map like any other', async () => {
    const flow = await openFlow();
    warnings();
    const task = flow.cachedTask({
      name: 'mixed',
      version: '1',
      run: (n: number) => (n === 1 ? () => n : n),
    });
    const outcomes = [];
    for await (const outcome of task.map([0, 1, 2])) outcomes.push(outcome);
    expect(outcomes.map((outcome) => outcome.ok && outcome.stored)).toEqual([true, false, true]);
  });

  it("is an error with onUnsavable: 'throw', for whom that was asked by, and is not tried again", async () => {
    const flow = await openFlow();
    warnings();
    let runs = 0;
    const run = async (text: string) => {
      runs += 1;
      await setImmediate();
      return new Answer(text);
    };
    const define = (options: object) => flow.cachedTask({ name: 'ask', version: '1', run, ...options });
    const strict = define({ onUnsavable: 'throw', retry: { attempts: 3 } });
    const [error, answer] = await Promise.all([
      errorOf(strict('x'), 'UNSERIALIZABLE_ARTIFACT'),
      define({})('x'),
    ]);
    expect(error.message).toContain('The result of task "ask" cannot be saved');
    expect([answer.text, runs]).toEqual(['x', 1]);
    const refused = await errorOf(async () => define({ onUnsavable: 'maybe' }), 'INVALID_ARGUMENT');
    expect(refused.message).toContain('return, throw');
  });

  it('is told by the channel that is listened to, each time', async () => {
    const told: UnrecordedTask[] = [];
    const listen = (message: unknown): void => void told.push(message as UnrecordedTask);
    subscribe('stowage:cached-task-unrecorded', listen);
    endings.push(() => unsubscribe('stowage:cached-task-unrecorded', listen));
    const heard = warnings('told');
    const flow = await openFlow();
    const task = flow.cachedTask({ name: 'told', version: '1', run: () => new Answer('x') });
    await task(undefined, { runId: 'r' });
    await task(undefined, { runId: 'r' });
    await setImmediate();
    expect(told.map(({ pathspec }) => pathspec?.at(-1))).toEqual(['0', '1']);
    expect(heard).toEqual([]);
  });

  it('has each of those run that wait for its lease, one after the other', async () => {
    warnings();
    const storage = new MemoryStorage();
    let underWay = 0;
    const most: number[] = [];
    const run = async () => {
      most.push(++underWay);
      await setImmediate();
      underWay -= 1;
      return new Answer('x');
    };
    const calls = [1, 2, 3].map(async () => {
      const flow = await openFlow({ storage });
      const task = flow.cachedTask({ name: 'leased', version: '1', serialize: true, run });
      return (await task.detailed(undefined, { runId: 'r' })).notStoredReason;
    });
    expect(await Promise.all(calls)).toEqual(['unsavable', 'unsavable', 'unsavable']);
    expect(most).toEqual([1, 1, 1]);
  });

  it('may be one that is saved and cannot be loaded', async () => {
    warnings();
    const serializers = new SerializerRegistry();
    serializers.register({
      id: 'one-way',
      priority: 500,
      accepts: (value) => value instanceof Answer,
      serialize: () => ({ type: 'Answer', bytes: new Uint8Array(1) }),
      deserialize: () => {
        throw new Error('no way back');
      },
    });
    const flow = await openFlow({ serializers });
    const task = flow.cachedTask({ name: 'one-way', version: '1', run: () => new Answer('x') });
    const { value, notStoredReason, notStoredError } = await task.detailed();
    expect([value.text, notStoredReason]).toEqual(['x', 'unsavable']);
    expect((notStoredError as Error).message).toContain('no way back');
  });
});
