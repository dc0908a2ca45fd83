import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StowageError } from '../../src/errors.ts';
import type {
  DataStoreStorage,
  ListedWrites,
  UnfinishedWrite,
  UnfinishedWrites,
} from '../../src/storage/contract.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { LimitStorage } from '../../src/storage/limit.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { PrefixStorage } from '../../src/storage/prefix.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { test } from '../property.ts';

const text = (value: string) => new TextEncoder().encode(value);

/** A storage whose `head` ends when told. */
class Gated extends MemoryStorage {
  readonly started: string[] = [];
  readonly gates = new Map<string, () => void>();
  override async head(name: string) {
    this.started.push(name);
    await new Promise<void>((open) => this.gates.set(name, open));
    return undefined;
  }
}
const settle = () => new Promise((done) => setImmediate(done));

describe('LimitStorage', () => {
  test.prop([fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 20 })])(
    'lets through no more than its limit, in order',
    async (limit, calls) => {
      const gated = new Gated();
      const storage = new LimitStorage(gated, limit);
      const all = Array.from({ length: calls }, (_, i) => storage.head(`n${i}`));
      for (let done = 0; done < calls; done += 1) {
        await settle();
        expect(gated.started).toHaveLength(Math.min(limit + done, calls));
        gated.gates.get(`n${done}`)?.();
      }
      await Promise.all(all);
      expect(gated.started).toEqual(all.map((_, i) => `n${i}`));
    },
  );

  it('frees the place of a call that failed', async () => {
    const storage = new LimitStorage(new FaultStorage(new MemoryStorage(), () => ({ kind: 'before' })), 1);
    for (let i = 0; i < 3; i += 1) await expect(storage.get('a')).rejects.toThrow();
  });

  it('lets a waiting call be aborted, and the others pass', async () => {
    const gated = new Gated();
    const storage = new LimitStorage(gated, 1);
    const controller = new AbortController();
    const calls = [storage.head('a'), storage.head('b', { signal: controller.signal }), storage.head('c')];
    await settle();
    controller.abort();
    await expect(calls[1]).rejects.toMatchObject({ code: 'ABORTED' });
    gated.gates.get('a')?.();
    await settle();
    expect(gated.started).toEqual(['a', 'c']);
    gated.gates.get('c')?.();
    await calls[2];
  });

  it('holds no place between the pages of a listing', async () => {
    const storage = new LimitStorage(new MemoryStorage(), 1);
    await storage.create('a', text('x'));
    for await (const page of storage.list({ prefix: '' })) {
      for (const { name } of page.objects) expect(await storage.get(name)).toBeDefined();
    }
  });

  test.prop([fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 12 })], { numRuns: 50 })(
    'lets streams read through the limit that they are written through',
    async (limit, streams) => {
      const storage = new LimitStorage(new MemoryStorage(), limit);
      await storage.create('source', text('read from the store'));
      const read = async function* () {
        for (const offset of [0, 5, 10]) {
          for await (const page of storage.list({ prefix: 'source' })) expect(page.objects).toHaveLength(1);
          const part = await storage.get('source', { range: { offset, length: 5 } });
          yield part?.body as Uint8Array;
        }
      };
      await Promise.all(Array.from({ length: streams }, (_, i) => storage.create(`s${i}`, read())));
      for (let i = 0; i < streams; i += 1)
        expect((await storage.get(`s${i}`))?.body).toEqual(text('read from the s'));
    },
  );

  it('holds no place for a stream that keeps silent, which is read to its end all the same', async () => {
    const storage = new LimitStorage(new MemoryStorage(), 1);
    let goOn = () => {};
    const silence = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const read = async function* () {
      yield text('a');
      await silence;
      yield text('b');
    };
    const all = ['x', 'y', 'z'].map((name) => storage.create(name, read()));
    for (let i = 0; i < 3; i += 1) expect(await storage.create(`beside ${i}`, text('at once'))).toBe(true);
    goOn();
    expect(await Promise.all(all)).toEqual([true, true, true]);
    expect((await storage.get('y'))?.body).toEqual(text('ab'));
  });

  it('keeps no call out for good by streams that never end nor wait', async () => {
    const storage = new LimitStorage(new MemoryStorage(), 2);
    const controller = new AbortController();
    const endless = async function* () {
      for (;;) yield text('a');
    };
    const options = { signal: controller.signal };
    const all = Array.from({ length: 5 }, (_, i) => storage.create(`s${i}`, endless(), options));
    for (let i = 0; i < 10; i += 1) expect(await storage.create(`n${i}`, text('x'))).toBe(true);
    controller.abort();
    for (const result of await Promise.allSettled(all)) expect(result.status).toBe('rejected');
  });

  it('keeps no timer from its turn by streams that never end nor wait', async () => {
    const storage = new LimitStorage(new MemoryStorage(), 2);
    const controller = new AbortController();
    const endless = async function* () {
      for (let i = 0; i < 10_000_000; i += 1) yield new Uint8Array(1);
    };
    setTimeout(() => controller.abort(), 1);
    const options = { signal: controller.signal };
    await expect(storage.create('s', endless(), options)).rejects.toMatchObject({ code: 'ABORTED' });
  });

  it('cleans up a silent stream at once when its call is aborted', async () => {
    const storage = new LimitStorage(new MemoryStorage(), 1);
    const controller = new AbortController();
    let isReturned = false;
    const stream = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<IteratorResult<Uint8Array>>(() => {}),
        return: async () => {
          isReturned = true;
          return { done: true as const, value: undefined };
        },
      }),
    };
    const creating = storage.create('a', stream, { signal: controller.signal });
    await settle();
    controller.abort();
    await expect(creating).rejects.toMatchObject({ code: 'ABORTED' });
    expect(isReturned).toBe(true);
  });

  const anyEnd = fc.constantFrom(
    'ends',
    'fails',
    'is aborted',
    'is aborted in silence',
    'is of a taken name',
  );
  test.prop([fc.integer({ min: 1, max: 3 }), fc.array(anyEnd, { maxLength: 12 })], { numRuns: 50 })(
    'has all its places again however streams end',
    async (limit, ends) => {
      const gated = new Gated();
      const storage = new LimitStorage(gated, limit);
      await gated.create('taken', text('x'));
      const all = ends.map((end, i) => {
        const controller = new AbortController();
        const read = async function* () {
          yield text('a');
          await settle();
          if (end === 'fails') throw new Error('gone');
          if (end === 'is aborted') controller.abort();
          if (end === 'is aborted in silence') {
            setImmediate(() => controller.abort());
            await new Promise((later) => setTimeout(later, 5));
          }
          yield text('b');
        };
        const name = end === 'is of a taken name' ? 'taken' : `s${i}`;
        return storage.create(name, read(), { signal: controller.signal });
      });
      await Promise.allSettled(all);
      await new Promise((later) => setTimeout(later, 6));
      const heads = Array.from({ length: limit + 1 }, (_, i) => storage.head(`n${i}`));
      await settle();
      expect(gated.started).toHaveLength(limit);
      for (let i = 0; i <= limit; i += 1) {
        gated.gates.get(`n${i}`)?.();
        await settle();
      }
      await Promise.all(heads);
    },
  );

  it.each([0, -1, 1.5, Number.NaN])('refuses a limit of %s', (limit) => {
    expect(() => new LimitStorage(new MemoryStorage(), limit)).toThrow(/at least 1/);
  });
});

describe('PrefixStorage', () => {
  it('keeps everything below its prefix, and shows nothing else', async () => {
    const memory = new MemoryStorage('prefix.test');
    const storage = new PrefixStorage(memory, 'team/x');
    await memory.create('team/xy', text('beside'));
    await memory.create('other', text('beside'));
    await storage.create('a/b', text('mine'));
    expect((await memory.get('team/x/a/b'))?.body).toEqual(text('mine'));
    expect((await storage.get('a/b'))?.name).toBe('a/b');
    expect((await storage.head('a/b'))?.name).toBe('a/b');
    expect(storage.uri('a/b')).toBe(memory.uri('team/x/a/b'));
    const pages = [];
    for await (const page of storage.list({ prefix: '', depth: 'one' })) pages.push(page);
    expect(pages).toEqual([{ objects: [], folders: ['a/'] }]);
  });

  it('reports names as they were given', async () => {
    const failing = new FaultStorage(new MemoryStorage(), () => ({ kind: 'before' }));
    const failures = await new PrefixStorage(failing, 'p').delete(['a', '../b']);
    expect(failures.map((failure) => failure.name).sort()).toEqual(['../b', 'a']);
  });

  it.each(['', '/', 'a/', '../a', 'tmp'])('refuses the prefix %j', (prefix) => {
    expect(() => new PrefixStorage(new MemoryStorage(), prefix)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  });
});

describe('CountStorage', () => {
  it('counts calls, bytes, names, pages and failures', async () => {
    const storage = new CountStorage(new MemoryStorage());
    await storage.create('a', text('12345'));
    await storage.create(
      'b',
      (async function* () {
        yield text('123');
        yield text('45678');
      })(),
    );
    await storage.overwrite('c', text('1'));
    await storage.get('a', { range: { offset: 1, length: 2 } });
    await storage.get('missing');
    await storage.head('a');
    await expect(storage.get('a', { maxBytes: 1 })).rejects.toThrow();
    for await (const _ of storage.list({ prefix: '' }));
    for await (const _ of storage.list({ prefix: 'none' }));
    await storage.delete(['a', 'b']);
    await storage.persist(['c']);
    const counts = storage.snapshot();
    expect(counts.create).toEqual({ calls: 2, failed: 0, bytes: 13, names: 2, pages: 0 });
    expect(counts.overwrite).toMatchObject({ calls: 1, bytes: 1 });
    expect(counts.get).toEqual({ calls: 3, failed: 1, bytes: 2, names: 3, pages: 0 });
    expect(counts.head.calls).toBe(1);
    expect(counts.list).toEqual({ calls: 2, failed: 0, bytes: 0, names: 3, pages: 1 });
    expect(counts.delete).toMatchObject({ calls: 1, names: 2 });
    expect(counts.persist).toMatchObject({ calls: 1, names: 1 });
    expect(counts.requests).toBe(2 + 1 + 3 + 1 + 2 + 1 + 1);
    storage.reset();
    expect(storage.snapshot().requests).toBe(0);
    expect(counts.create.calls).toBe(2);
  });
});

describe('FaultStorage', () => {
  it('fails before, or after the call took effect', async () => {
    const memory = new MemoryStorage();
    const mine = new Error('mine');
    const storage = new FaultStorage(memory, (operation, name, index) => {
      if (index === 0) return { kind: 'before' };
      if (index === 1) return { kind: 'after', error: mine };
      expect([operation, name, index]).toEqual(['head', 'a', 2]);
      return undefined;
    });
    await expect(storage.create('a', text('x'))).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    expect(await memory.head('a')).toBeUndefined();
    await expect(storage.create('a', text('x'))).rejects.toBe(mine);
    expect(await memory.head('a')).toBeDefined();
    expect(await storage.head('a')).toBeDefined();
  });

  it('reports deletes that failed, applied or not', async () => {
    const memory = new MemoryStorage();
    const storage = new FaultStorage(memory, (_, name) =>
      name === 'a' ? { kind: 'before' } : name === 'b' ? { kind: 'after' } : undefined,
    );
    for (const name of ['a', 'b', 'c']) await memory.create(name, text(name));
    const failures = await storage.delete(['a', 'b', 'c']);
    expect(failures.map((failure) => failure.name)).toEqual(['a', 'b']);
    expect(failures.every(({ error }) => error instanceof StowageError)).toBe(true);
    expect(await Promise.all(['a', 'b', 'c'].map(async (name) => !!(await memory.head(name))))).toEqual([
      true,
      false,
      false,
    ]);
  });

  test.prop([fc.uint8Array({ minLength: 1, maxLength: 20 }), fc.nat()])(
    'flips one bit, or cuts the end off',
    async (body, n) => {
      const memory = new MemoryStorage();
      await memory.create('a', body);
      const flipped = (await new FaultStorage(memory, () => ({ kind: 'flip', bit: n })).get('a'))
        ?.body as Uint8Array;
      const bits = body.reduce(
        (sum, byte, i) => sum + (byte ^ (flipped[i] as number)).toString(2).replaceAll('0', '').length,
        0,
      );
      expect(bits).toBe(1);
      const bytes = n % body.length;
      const cut = (await new FaultStorage(memory, () => ({ kind: 'truncate', bytes })).get('a'))?.body;
      expect(cut).toEqual(body.slice(0, bytes));
      expect((await memory.get('a'))?.body).toEqual(body);
    },
  );

  it('delays a call, which can be aborted meanwhile', async () => {
    const storage = new FaultStorage(new MemoryStorage(), () => ({ kind: 'delay', ms: 1e6 }));
    await expect(storage.get('a', { signal: AbortSignal.timeout(5) })).rejects.toMatchObject({
      code: 'ABORTED',
    });
    const short = new FaultStorage(new MemoryStorage(), () => ({ kind: 'delay', ms: 1 }));
    expect(await short.get('a')).toBeUndefined();
  });
});

describe('what is unfinished', () => {
  /** A storage of which two writers died. */
  class Left extends MemoryStorage {
    readonly writes = ['a/b', 'a/b/c', 'z'].map((name, i) => ({ name, id: String(i), startedAtMs: i }));
    readonly unfinished: UnfinishedWrites = {
      kind: 'listed',
      find: ({ olderThanMs }) => from(this.writes.filter(({ startedAtMs }) => startedAtMs >= olderThanMs)),
      remove: async ({ name, id }) => {
        const at = this.writes.findIndex((write) => write.name === name && write.id === id);
        this.writes.splice(at, 1);
      },
    };
  }
  async function* from<T>(values: readonly T[]): AsyncGenerator<T> {
    yield* values;
  }
  const listed = ({ unfinished }: DataStoreStorage): ListedWrites => {
    if (unfinished?.kind !== 'listed') throw new Error('They are listed.');
    return unfinished;
  };

  it('is passed on through every decorator', () => {
    const storage = new Left();
    for (const outer of [
      new CountStorage(storage),
      new LimitStorage(storage, 1),
      new RetryStorage(storage),
    ]) {
      expect(outer.unfinished).toBe(storage.unfinished);
    }
    expect(new RetryStorage(new MemoryStorage()).unfinished).toBeUndefined();
  });

  it('is only that below the prefix, and removed under its own name', async () => {
    const storage = new Left();
    const { find, remove } = listed(new PrefixStorage(storage, 'a'));
    const found: UnfinishedWrite[] = [];
    for await (const write of find({ olderThanMs: 0 })) found.push(write);
    expect(found.map(({ name }) => name)).toEqual(['b', 'b/c']);
    await remove(found[1] as UnfinishedWrite);
    expect(storage.writes.map(({ name }) => name)).toEqual(['a/b', 'z']);
  });
});
