import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StowageError } from '../../src/errors.ts';
import { type Fault, type FaultPlan, FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import type { RetryOptions } from '../../src/storage/retry-policy.ts';
import type { RetryMessage } from '../../src/storage/retry-report.ts';
import { test } from '../property.ts';

const text = (value: string) => new TextEncoder().encode(value);

function setUp(plan: FaultPlan, options: RetryOptions = {}) {
  const memory = new MemoryStorage();
  const waitsMs: number[] = [];
  let nowMs = 0;
  const calls: string[] = [];
  const storage = new RetryStorage(
    new FaultStorage(memory, (operation, name, index) => {
      calls.push(`${operation} ${name}`);
      return plan(operation, name, index);
    }),
    {
      nowMs: () => nowMs,
      random: () => 1,
      sleep: async (ms, signal) => {
        if (signal?.aborted) throw new StowageError('ABORTED', 'aborted');
        waitsMs.push(ms);
        nowMs += ms;
      },
      ...options,
    },
  );
  return { memory, storage, waitsMs, calls };
}

/** Fails the first `times` calls. */
const first =
  (times: number, fault: Fault): FaultPlan =>
  (_, __, index) =>
    index < times ? fault : undefined;
const always: FaultPlan = () => ({ kind: 'before' });

describe('RetryStorage', () => {
  const fault = fc.constantFrom<Fault | undefined>(
    { kind: 'before' },
    { kind: 'after' },
    undefined,
    undefined,
  );
  const command = fc.record({
    operation: fc.constantFrom('create', 'overwrite', 'delete', 'get', 'list'),
    name: fc.constantFrom('a', 'b', 'c/d'),
  });
  test.prop([fc.array(command, { maxLength: 30 }), fc.infiniteStream(fault)])(
    'hides passing faults: every answer is that of a storage without them',
    async (commands, faults) => {
      const model = new MemoryStorage();
      const { storage } = setUp(() => faults.next().value as Fault | undefined, {
        maxAttempts: 1000,
        budgetMs: 1e12,
      });
      for (const [i, { operation, name }] of commands.entries()) {
        const body = text(`${i}`);
        const answers = await Promise.all(
          [storage, model].map(async (one): Promise<unknown> => {
            if (operation === 'create') return one.create(name, body);
            if (operation === 'overwrite') return (await one.overwrite(name, body)) !== '';
            if (operation === 'delete') return one.delete([name, 'x']);
            if (operation === 'get') return (await one.get(name))?.body;
            const names: string[] = [];
            for await (const page of one.list({ prefix: '' })) names.push(...page.objects.map((o) => o.name));
            return names;
          }),
        );
        expect(answers[0]).toEqual(answers[1]);
      }
    },
  );

  it('knows its own write again though looking for it fails as often as anything may', async () => {
    for (const operation of ['create', 'overwrite'] as const) {
      const reads = { head: 3, get: 3 };
      let writes = 0;
      const { storage, memory } = setUp(
        (called) => {
          if (called === operation) return writes++ === 0 ? { kind: 'after' } : undefined;
          if (called !== 'head' && called !== 'get') return undefined;
          reads[called] -= 1;
          return reads[called] >= 0 ? { kind: 'before' } : undefined;
        },
        { maxAttempts: 4 },
      );
      const version = await memory.overwrite('beat', text('1'));
      const isOwn =
        operation === 'create'
          ? await storage.create('a', text('x'))
          : (await storage.overwrite('beat', text('2'), { ifMatch: version })) !== version;
      expect({ operation, isOwn, writes }).toEqual({ operation, isOwn: true, writes: 2 });
    }
  });

  it('looks for its own write no longer than it may, and says what it was about', async () => {
    let writes = 0;
    const { storage, calls } = setUp(
      (operation) =>
        operation === 'head' ? { kind: 'before' } : writes++ === 0 ? { kind: 'after' } : undefined,
      { maxAttempts: 4 },
    );
    await expect(storage.create('a', text('x'))).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      details: { operation: 'create', name: 'a', attempts: 4 },
    });
    expect(calls).toEqual(['create a', 'create a', 'head a', 'head a', 'head a', 'head a']);
  });

  it('waits longer each time, up to the longest wait, by the random share', async () => {
    const { storage, waitsMs } = setUp(first(9, { kind: 'before' }), { baseDelayMs: 100, maxDelayMs: 2_000 });
    await storage.head('a');
    expect(waitsMs).toEqual([100, 200, 400, 800, 1600, 2000, 2000, 2000, 2000]);
    const half = setUp(first(3, { kind: 'before' }), { random: () => 0.5 });
    await half.storage.head('a');
    expect(half.waitsMs).toEqual([50, 100, 200]);
  });

  it('waits as long as the storage asks for', async () => {
    const error = new StowageError('STORAGE_UNAVAILABLE', 'slow down', { details: { retryAfterMs: 5_000 } });
    const { storage, waitsMs } = setUp(first(2, { kind: 'before', error }));
    await storage.get('a');
    expect(waitsMs).toEqual([5_000, 5_000]);
  });

  it('gives up after its attempts, and says what it did', async () => {
    const { storage, calls } = setUp(always, { maxAttempts: 4 });
    await expect(storage.get('some/key')).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      message: expect.stringMatching(/get of "some\/key" after trying it 4 times/),
      details: { operation: 'get', name: 'some/key', attempts: 4 },
      cause: { code: 'STORAGE_UNAVAILABLE' },
    });
    expect(calls).toHaveLength(4);
  });

  it('says once what to do, though it and its cause both know', async () => {
    const error = new StowageError('STORAGE_UNAVAILABLE', 'Nobody is there. Try again when it answers.');
    const { storage } = setUp(() => ({ kind: 'before', error }), { maxAttempts: 2 });
    await expect(storage.get('a')).rejects.toMatchObject({
      message: 'Gave up on get of "a" after trying it 2 times: Nobody is there. Try again when it answers.',
    });
  });

  it('tells before each wait what it tries again, and why', async () => {
    const told: RetryMessage[] = [];
    const hear = (message: unknown): number => told.push(message as RetryMessage);
    subscribe('stowage:retrying', hear);
    const error = new StowageError('STORAGE_UNAVAILABLE', 'busy');
    const { storage } = setUp(first(2, { kind: 'before', error }));
    await storage.get('a').finally(() => unsubscribe('stowage:retrying', hear));
    const call = { operation: 'get', name: 'a', error };
    expect(told).toEqual([
      { ...call, attempt: 1, delayMs: 100 },
      { ...call, attempt: 2, delayMs: 200 },
    ]);
  });

  it('gives up before a wait that its budget does not hold', async () => {
    const { storage, waitsMs } = setUp(always, { budgetMs: 1_000 });
    await expect(storage.get('a')).rejects.toMatchObject({ details: { attempts: 4 } });
    expect(waitsMs).toEqual([100, 200, 400]);
  });

  describe('a storage that never answered', () => {
    const nobody = new StowageError('STORAGE_UNAVAILABLE', 'refused', { details: { neverAnswered: true } });
    const silent: FaultPlan = () => ({ kind: 'before', error: nobody });

    it('is given up within five seconds', async () => {
      const { storage, waitsMs } = setUp(silent);
      await expect(storage.get('a')).rejects.toMatchObject({ details: { attempts: 6, neverAnswered: true } });
      expect(waitsMs).toEqual([100, 200, 400, 800, 1600]);
    });

    it('is given up when its options say so', async () => {
      const patient = setUp(silent, { firstContactBudgetMs: 120_000 });
      await expect(patient.storage.get('a')).rejects.toMatchObject({ details: { attempts: 10 } });
      const hasty = setUp(silent, { firstContactBudgetMs: 0 });
      await expect(hasty.storage.get('a')).rejects.toMatchObject({ details: { attempts: 1 } });
      const short = setUp(silent, { budgetMs: 500 });
      await expect(short.storage.get('a')).rejects.toMatchObject({ details: { attempts: 3 } });
    });

    it('gets the whole budget for anything else that goes wrong', async () => {
      const { storage } = setUp((_, __, index) =>
        index < 4 ? { kind: 'before', error: nobody } : { kind: 'before' },
      );
      await expect(storage.get('a')).rejects.toMatchObject({ details: { attempts: 10 } });
    });
  });

  it.each(['STORAGE_FAILED', 'STORAGE_FULL', 'STORAGE_NOT_PERMITTED'] as const)(
    'passes %s at once',
    async (code) => {
      const error = new StowageError(code, 'no');
      const { storage, calls } = setUp(() => ({ kind: 'before', error }));
      await expect(storage.create('a', text('x'))).rejects.toBe(error);
      expect(calls).toHaveLength(1);
    },
  );

  it('ends with ABORTED while it waits', async () => {
    const controller = new AbortController();
    const { storage } = setUp(
      () => {
        setImmediate(() => controller.abort());
        return { kind: 'before' };
      },
      { sleep: undefined, baseDelayMs: 1e6, maxDelayMs: 1e6, budgetMs: 1e9 },
    );
    await expect(storage.get('a', { signal: controller.signal })).rejects.toMatchObject({ code: 'ABORTED' });
  });

  it('ends with STORAGE_CLOSED when it is closed, while it waits or before', async () => {
    const forEver = { sleep: undefined, baseDelayMs: 1e6, maxDelayMs: 1e6, budgetMs: 1e9 };
    const waiting = setUp(always, forEver).storage;
    const reading = waiting.get('a').catch((error: unknown) => error);
    await new Promise(setImmediate);
    await waiting.close();
    expect(await reading).toMatchObject({ code: 'STORAGE_CLOSED' });
    const failing: RetryStorage = setUp(() => {
      void failing.close();
      return { kind: 'before' };
    }, forEver).storage;
    await expect(failing.get('a')).rejects.toMatchObject({ code: 'STORAGE_CLOSED' });
  });

  describe('create', () => {
    it('is its own after a lost response', async () => {
      const { storage } = setUp(first(1, { kind: 'after' }));
      expect(await storage.create('a', text('mine'))).toBe(true);
    });

    it('makes its own durable, since what failed may have been that', async () => {
      const { storage, calls } = setUp(first(2, { kind: 'after' }));
      expect(await storage.create('a', text('mine'), { durability: 'barrier' })).toBe(true);
      expect(calls.at(-1)).toBe('persist a');
    });

    it("is not its own where another one's bytes are there", async () => {
      for (const theirs of ['other', 'more than mine', '']) {
        const { storage, memory } = setUp(first(1, { kind: 'before' }));
        await memory.create('a', text(theirs));
        expect(await storage.create('a', text('mine!'))).toBe(false);
        expect((await memory.get('a'))?.body).toEqual(text(theirs));
      }
    });

    it('does not look where the first answer is that the name is taken', async () => {
      const { storage, memory, calls } = setUp(() => undefined);
      await memory.create('a', text('mine'));
      expect(await storage.create('a', text('mine'))).toBe(false);
      expect(calls).toEqual(['create a']);
    });

    async function* stream() {
      yield text('mi');
      yield text('ne');
    }

    it('is repeated from a stream that was not read', async () => {
      const { storage, memory } = setUp(first(3, { kind: 'before' }));
      expect(await storage.create('a', stream())).toBe(true);
      expect((await memory.get('a'))?.body).toEqual(text('mine'));
    });

    it('is not repeated from a stream that was read', async () => {
      const { storage, calls } = setUp(first(1, { kind: 'after' }));
      await expect(storage.create('a', stream())).rejects.toMatchObject({
        code: 'STORAGE_UNAVAILABLE',
        message: expect.stringContaining('stream'),
      });
      expect(calls).toEqual(['create a']);
    });
  });

  it('overwrite with ifMatch is its own after a lost response', async () => {
    const { storage, memory } = setUp(first(1, { kind: 'after' }));
    const version = await memory.overwrite('a', text('old'));
    const next = await storage.overwrite('a', text('new'), { ifMatch: version });
    expect((await memory.head('a'))?.version).toBe(next);
    await expect(storage.overwrite('a', text('newer'), { ifMatch: version })).rejects.toMatchObject({
      code: 'PRECONDITION_FAILED',
    });
  });

  it('delete repeats only what failed, and reports what failed for good', async () => {
    const lasting = new StowageError('STORAGE_NOT_PERMITTED', 'locked');
    const { storage, memory, calls } = setUp((_, name, index) => {
      if (name === 'b') return { kind: 'before', error: lasting };
      return name === 'c' && index < 4 ? { kind: 'before' } : undefined;
    });
    for (const name of ['a', 'b', 'c']) await memory.create(name, text(name));
    expect(await storage.delete(['a', 'b', 'c'])).toEqual([{ name: 'b', error: lasting }]);
    expect(calls).toEqual(['delete a', 'delete b', 'delete c', 'delete c', 'delete c']);
    const dead = setUp(always, { maxAttempts: 2 });
    expect(await dead.storage.delete(['x'])).toMatchObject([
      { name: 'x', error: { code: 'STORAGE_UNAVAILABLE' } },
    ]);
  });

  it('list goes on after the last name it gave', async () => {
    const { storage, memory } = setUp((_, __, index) => (index % 2 === 1 ? { kind: 'after' } : undefined));
    const names = Array.from({ length: 3_500 }, (_, i) => String(i).padStart(5, '0'));
    for (const name of names) await memory.create(name, text(''));
    for (const limit of [undefined, 2_500]) {
      const listed: string[] = [];
      for await (const page of storage.list({ prefix: '', limit }))
        listed.push(...page.objects.map((o) => o.name));
      expect(listed).toEqual(names.slice(0, limit));
    }
  });
});
