import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { ContentAddressedStore } from '../../../src/content-addressed-store.ts';
import { digestHex } from '../../../src/digest/blake3.ts';
import { StowageError } from '../../../src/errors.ts';
import type { FlowDataStore } from '../../../src/flow-data-store.ts';
import { collectGarbage } from '../../../src/maintenance/collection/collect-garbage.ts';
import { continueErasures, eraseFromStore } from '../../../src/maintenance/erasure/erase-from-store.ts';
import type { DataStoreStorage } from '../../../src/storage/contract.ts';
import { FaultStorage } from '../../../src/storage/fault.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { errorOf, noise, openFlow, saveTask } from '../../flow/fixtures.ts';
import { propertyRuns, test } from '../../property.ts';
import {
  arbitraryDeeds,
  carryOut,
  contentNames,
  keptNames,
  readEverything,
} from '../collection/histories.ts';
import { objectsWith } from './erased-store.ts';

const RUNS = Math.ceil(propertyRuns / 4);
const REASON = 'asked for by its owner';

/** Contents that the deeds save: seeds of one length begin alike. */
const arbitrarySecret = fc.record({
  bytes: fc.constantFrom(20_000, 70_000, 300_000),
  seed: fc.integer({ min: 1, max: 4 }),
});
type Secret = { bytes: number; seed: number };

/** What everybody reads, but for one content. */
function without(all: Record<string, unknown>, secret: Uint8Array): Record<string, unknown> {
  const key = digestHex(secret);
  const left: Record<string, unknown> = {};
  for (const [where, value] of Object.entries(all)) {
    if (where.endsWith(`/${key}`)) continue;
    const isTable = typeof value === 'object' && value !== null && !(value instanceof Uint8Array);
    left[where] = isTable
      ? Object.fromEntries(Object.entries(value).filter(([, each]) => !isSame(each, secret)))
      : value;
  }
  return left;
}

function isSame(value: unknown, secret: Uint8Array): boolean {
  return value instanceof Uint8Array && Buffer.compare(value, secret) === 0;
}

/** Each artifact that an attempt had can be read, or says that it was erased. */
async function expectTold(
  flow: FlowDataStore,
  before: Record<string, unknown>,
  secret: Uint8Array,
): Promise<void> {
  for (const [pathspec, values] of Object.entries(before)) {
    if (!/^r1\/fit\/[^/ ]+\/\d+$/.test(pathspec) || typeof values !== 'object') continue;
    const task = await flow.getTaskDataStore(pathspec, { allowNotDone: true });
    for (const [name, value] of Object.entries(values as object)) {
      if (task.has(name) || !isSame(value, secret)) expect(await task.get(name)).toEqual(value);
      else expect((await errorOf(task.get(name), 'CONTENT_ERASED')).message).toContain(REASON);
    }
  }
}

async function makeStore(localReads: boolean): Promise<{ storage: DataStoreStorage; flow: FlowDataStore }> {
  const storage = new MemoryStorage('', { localReads });
  const flow = await openFlow({ storage });
  await saveTask(flow, { x: 1 }, { taskId: 'first' });
  return { storage, flow };
}

/** Erases, and goes on until nothing is left to do. */
async function eraseWhole(storage: DataStoreStorage, { bytes, seed }: Secret): Promise<void> {
  const target = digestHex(noise(bytes, seed));
  await continueErasures({ store: storage });
  const { outcome } = await eraseFromStore({ store: storage, target, reason: REASON });
  expect(['complete', 'nothing']).toContain(outcome);
  expect(await continueErasures({ store: storage })).toEqual([]);
}

async function expectGone(storage: DataStoreStorage, { bytes, seed }: Secret): Promise<void> {
  const others = [20_000, 70_000, 300_000]
    .filter((length) => length !== bytes)
    .map((length) => noise(length, seed));
  // Of those that begin alike, the longest has bytes of its own.
  const apart = bytes === 300_000 ? others : [];
  const whole = noise(bytes, seed);
  const found = await objectsWith(storage, whole, bytes === 300_000 ? apart : others);
  expect(found).toEqual([]);
  const key = digestHex(whole);
  expect((await contentNames(storage)).filter((name) => name.includes(key))).toEqual([]);
}

async function collect(storage: DataStoreStorage): Promise<void> {
  const content = new ContentAddressedStore(storage);
  await collectGarbage(content);
  await content.close();
}

describe('an erasure', () => {
  test.prop([arbitraryDeeds, arbitrarySecret, fc.boolean()], { numRuns: RUNS })(
    'leaves no byte of the content in any object, and everything else as it was',
    async (deeds, secret, localReads) => {
      const { storage, flow } = await makeStore(localReads);
      const open = await carryOut(flow, deeds);
      const target = digestHex(noise(secret.bytes, secret.seed));
      const first = await readEverything(flow);
      await eraseFromStore({ store: storage, target, reason: REASON });
      for (const task of open) await task.done();
      const whole = noise(secret.bytes, secret.seed);
      const expected = without({ ...(await readEverything(flow)), ...first }, whole);
      await eraseWhole(storage, secret);
      expect(without(await readEverything(flow), whole)).toEqual(expected);
      await expectGone(storage, secret);
      await expectTold(flow, first, whole);
      await collect(storage);
      expect(await contentNames(storage)).toEqual(await keptNames(storage));
      expect(await readEverything(flow)).toEqual(expected);
    },
    120_000,
  );

  test.prop([arbitraryDeeds, arbitrarySecret, fc.nat(300), fc.constantFrom('before', 'after')], {
    numRuns: RUNS,
  })(
    'that dies anywhere leaves attempts that can be read or say so, and the next one ends it',
    async (deeds, secret, diesAt, kind) => {
      const { storage, flow } = await makeStore(false);
      for (const task of await carryOut(flow, deeds)) await task.done();
      const whole = noise(secret.bytes, secret.seed);
      const before = await readEverything(flow);
      let calls = 0;
      const dying = new FaultStorage(storage, () => {
        calls += 1;
        if (calls < diesAt) return undefined;
        return calls === diesAt && kind === 'after' ? { kind: 'after' } : { kind: 'before' };
      });
      const target = digestHex(whole);
      try {
        await eraseFromStore({ store: dying, target, reason: REASON });
      } catch (error) {
        expect(error).toBeInstanceOf(StowageError);
      }
      await expectTold(flow, before, whole);
      const expected = without(before, whole);
      expect(without(await readEverything(flow), whole)).toEqual(expected);
      await eraseWhole(storage, secret);
      expect(await readEverything(flow)).toEqual(expected);
      await expectGone(storage, secret);
    },
    120_000,
  );
});
