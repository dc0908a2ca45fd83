import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isStowageError } from '../../src/errors.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { copyStore } from '../../src/maintenance/copy-store.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { CountStorage } from '../../src/storage/count.ts';
import type { StorageOperation } from '../../src/storage/decorator.ts';
import { type Fault, FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { ObservedStorage } from '../content/storages.ts';
import { noise, openFlow, saveTask } from '../flow/fixtures.ts';
import { propertyRuns, test } from '../property.ts';
import { readAll } from './copied-store.ts';
import { arbitraryPlans, carryOut, expectCopied } from './stores.ts';

const numRuns = Math.ceil(propertyRuns / 8);

async function newStore(): Promise<{ flow: FlowDataStore; from: MemoryStorage }> {
  const from = new MemoryStorage();
  return { flow: await openFlow({ storage: from }), from };
}

const WRITES: readonly StorageOperation[] = ['create', 'overwrite', 'delete'];

/** From one call on nothing works any more, as after a crash. That call itself had its effect where `kind` says so: it is a write then. */
function brokenFrom(storage: DataStoreStorage, call: number, kind: 'before' | 'after'): FaultStorage {
  let made = 0;
  return new FaultStorage(storage, (operation): Fault | undefined => {
    if (made > call) return { kind: 'before' };
    if (kind === 'after' && !WRITES.includes(operation)) return undefined;
    return made++ === call ? { kind } : undefined;
  });
}

/** Whatever the target shows is as it is in the source. */
async function expectNothingElse(all: Record<string, unknown>, to: DataStoreStorage): Promise<void> {
  for (const [path, said] of Object.entries(await readAll(to))) {
    if (path.startsWith('flows/')) expect(said, path).toEqual(all[path]);
  }
}

/** xorshift32: numbers from 0 to 1. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

async function smallStore(): Promise<MemoryStorage> {
  const { flow, from } = await newStore();
  const run = await flow.createRun({ runId: 'r1', tags: ['x'] });
  await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, async (task) => {
    await task.saveArtifacts({ a: 1, small: noise(20_000), large: noise(270_000, 2) });
    await task.saveLogs('task', { stdout: 'hello' });
  });
  await saveTask(flow, { small: noise(20_000) }, { taskId: '1' });
  await flow.saveData([{ name: 'a.txt', data: noise(3_000, 7) }]);
  await run.finish();
  return from;
}

describe('a copy', () => {
  test.prop([arbitraryPlans], { numRuns })(
    'of any store reads back equal, and a second one writes nothing',
    async (plans) => {
      const { flow, from } = await newStore();
      await carryOut(flow, plans);
      if (plans.length === 0) await flow.createRun({ runId: 'r1' });
      const to = new MemoryStorage();
      await expectCopied(from, to);
      const counted = new CountStorage(to);
      expect((await copyStore({ from, to: counted })).attempts.copied).toBe(0);
      expect(counted.snapshot().create.calls).toBe(0);
    },
  );

  test.prop([arbitraryPlans, fc.nat(150), fc.constantFrom('before', 'after'), fc.boolean()], { numRuns })(
    'that is interrupted anywhere is gone on with by the next',
    async (plans, call, kind, isSource) => {
      const { flow, from } = await newStore();
      await carryOut(flow, plans);
      await flow.caStore.saveBlobs([noise(20_000)]);
      const to = new MemoryStorage();
      const broken = isSource
        ? { from: brokenFrom(from, call, 'before'), to }
        : { from, to: brokenFrom(to, call, kind) };
      await copyStore(broken).catch((error: unknown) => {
        if (!isStowageError(error, 'STORAGE_UNAVAILABLE', 'ABORTED')) throw error;
      });
      const all = await readAll(from);
      await expectNothingElse(all, to);
      await expectCopied(from, to, all);
    },
  );

  it.each(['before', 'after'] as const)(
    'of a small store, interrupted at each call in turn, is gone on with by the next: %s it',
    async (kind) => {
      const from = await smallStore();
      const all = await readAll(from);
      let calls = 0;
      for (let isWhole = false; !isWhole; calls++) {
        const to = new MemoryStorage();
        const broken = brokenFrom(new ObservedStorage(to, { localReads: false }), calls, kind);
        isWhole = await copyStore({ from, to: broken }).then(
          () => true,
          () => false,
        );
        await expectNothingElse(all, to);
        await expectCopied(from, to, all);
      }
      expect(calls).toBeGreaterThan(kind === 'before' ? 40 : 10);
    },
  );

  it('of a small store, aborted at each call in turn, ends as ABORTED and is gone on with by the next', async () => {
    const from = await smallStore();
    const all = await readAll(from);
    let calls = 0;
    for (let isWhole = false; !isWhole; calls++) {
      const to = new MemoryStorage();
      const observed = new ObservedStorage(to, { localReads: false });
      const ending = new AbortController();
      let made = 0;
      observed.before = () => {
        if (made++ === calls) ending.abort();
      };
      isWhole = await copyStore({ from, to: observed, signal: ending.signal }).then(
        () => true,
        (error: unknown) => {
          if (!isStowageError(error, 'ABORTED')) throw error;
          return false;
        },
      );
      await expectCopied(from, to, all);
    }
    expect(calls).toBeGreaterThan(40);
  });

  it('survives faults that pass, with no attempt twice', async () => {
    const from = await smallStore();
    const all = await readAll(from);
    for (let seed = 0; seed < 10; seed++) {
      const to = new MemoryStorage();
      const random = randomNumbers(seed + 1);
      const flaky = (storage: DataStoreStorage) =>
        new RetryStorage(
          new FaultStorage(storage, (operation) => {
            if (random() > 0.3) return undefined;
            return { kind: operation === 'create' && random() < 0.5 ? 'after' : 'before' };
          }),
          { baseDelayMs: 0, maxDelayMs: 0, maxAttempts: 50 },
        );
      const result = await copyStore({ from: flaky(from), to: flaky(to) });
      expect(result.problems).toEqual([]);
      expect(result.attempts.copied).toBe(2);
      expect(await readAll(to)).toEqual(all);
    }
  });
});

describe('copies at once', () => {
  const delayed = (storage: DataStoreStorage, seed: number) =>
    new FaultStorage(storage, (_operation, _name, index) => ({
      kind: 'delay',
      ms: ((index + seed) * 2654435761) % 3,
    }));

  test.prop([arbitraryPlans, fc.nat(1000)], { numRuns: Math.ceil(numRuns / 5) })(
    'of one store to another do no harm, and leave nothing open',
    async (plans, seed) => {
      const { flow, from } = await newStore();
      await carryOut(flow, plans);
      await flow.caStore.saveBlobs([noise(20_000)]);
      const to = new MemoryStorage();
      const copies = await Promise.all(
        [1, 2, 3].map((copier) => copyStore({ from, to: delayed(to, seed * copier) })),
      );
      for (const { problems } of copies) expect(problems).toEqual([]);
      expect(await readAll(to)).toEqual(await readAll(from));
      expect((await copyStore({ from, to })).attempts.copied).toBe(0);
    },
  );
});

describe('a source that is written meanwhile', () => {
  it('shows in the target nothing that it did not say, and all of it in the end', async () => {
    const { flow, from } = await newStore();
    await flow.createRun({ runId: 'r1' });
    const to = new MemoryStorage();
    let isWriting = true;
    const write = async (writer: number) => {
      for (let i = 0; i < 20; i++) {
        const spec = { runId: 'r1', stepName: 'fit', taskId: `${writer}-${i % 6}` };
        await flow.task(spec, async (task) => {
          await task.saveLogs('task', { stdout: `attempt ${task.attempt}` });
          await task.saveArtifacts({
            i,
            shared: noise(20_000),
            own: noise(30_000, i + 1),
            large: noise(270_000, 1 + (i % 3)),
          });
        });
        await nextTurn();
      }
    };
    const writing = Promise.all([1, 2, 3].map(write)).finally(() => {
      isWriting = false;
    });
    let copies = 0;
    for (; isWriting; copies++) {
      expect((await copyStore({ from, to })).problems).toEqual([]);
      await expectNothingElse(await readAll(from), to);
      await nextTurn(); // in memory nothing else would make way for the writers
    }
    await writing;
    expect(copies).toBeGreaterThan(1);
    await expectCopied(from, to);
  });
});
