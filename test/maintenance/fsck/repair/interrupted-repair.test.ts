import fc from 'fast-check';
import { afterAll, describe, expect } from 'vitest';
import { isStowageError } from '../../../../src/errors.ts';
import { copyStore } from '../../../../src/maintenance/copy-store.ts';
import type { DataStoreStorage } from '../../../../src/storage/contract.ts';
import type { StorageOperation } from '../../../../src/storage/decorator.ts';
import { type Fault, FaultStorage } from '../../../../src/storage/fault.ts';
import { MemoryStorage } from '../../../../src/storage/memory.ts';
import { bodyOf, cloneOf, namesOf, ObservedStorage, withFlippedBit } from '../../../content/storages.ts';
import { noise, openFlow } from '../../../flow/fixtures.ts';
import { propertyRuns, test } from '../../../property.ts';
import { faultsOf, readableIn, saidIn, stepsOf } from './damaged-stores.ts';

const WRITES: readonly StorageOperation[] = ['create', 'overwrite', 'delete'];

/** From one write on nothing works any more, as after a crash; that write had its effect where `kind` says so. */
function brokenFrom(storage: DataStoreStorage, write: number, kind: 'before' | 'after'): FaultStorage {
  let made = 0;
  let isBroken = false;
  return new FaultStorage(storage, (operation): Fault | undefined => {
    if (isBroken) return { kind: 'before' };
    if (!WRITES.includes(operation) || made++ !== write) return undefined;
    isBroken = true;
    return { kind };
  });
}

interface Damaged {
  store: MemoryStorage;
  copy: MemoryStorage;
  /** What the store said before. */
  all: unknown;
}

let damaged: Damaged | undefined;
afterAll(() => {
  damaged = undefined;
});

/** A store of which something of each kind is damaged, and a copy from before. */
async function damagedStore(): Promise<Damaged> {
  const store = new MemoryStorage('', { localReads: false });
  const flow = await openFlow({ storage: store });
  const run = await flow.createRun({ runId: 'r1', tags: ['x'] });
  for (const taskId of ['0', '1', '2', '3'])
    await flow.task({ runId: 'r1', stepName: 'fit', taskId }, async (task) => {
      const [small, own] = [noise(90_000, Number(taskId)), noise(20_000, Number(taskId) + 9)];
      await task.saveArtifacts({ a: 1, small, own, large: noise(300_000, Number(taskId)) });
      task.report('said').text(taskId);
    });
  await run.finish();
  await flow.saveData([{ name: 'a.txt', data: noise(3_000, 7) }]);
  const all = await saidIn(store);
  const copy = new MemoryStorage('', { localReads: false });
  await copyStore({ from: store, to: copy });
  const names = await namesOf(store);
  const flipped = [
    names.find((name) => name.endsWith('created.json')),
    names.find((name) => name.endsWith('fit/0/0.metadata.json')),
    names.find((name) => name.endsWith('fit/1/0.DONE')),
    names.find((name) => name.endsWith('fit/2/0.attempt.json')),
    names.find((name) => /^loose\/.*\.metadata\.json$/.test(name)),
    ...['values/', 'data/', 'packs/', 'plain/'].map((prefix) =>
      names.find((name) => name.startsWith(prefix)),
    ),
  ] as string[];
  for (const name of flipped) {
    const body = await bodyOf(store, name);
    await store.delete([name]);
    await store.create(name, withFlippedBit(body, 77));
  }
  return { store, copy, all };
}

/** Kills a repair at one of its writes, and finishes it by another one. Resolves to false where the repair has no such write. */
async function killAndFinish(
  { store: damaged, copy, all }: Damaged,
  write: number,
  kind: 'before' | 'after',
): Promise<boolean> {
  const readable = await readableIn(damaged);
  const store = await cloneOf(damaged);
  const broken = brokenFrom(new ObservedStorage(store, { localReads: false }), write, kind);
  const isKilled = await stepsOf({ store: broken, from: [copy] }).then(
    () => false,
    (error: unknown) => {
      if (!isStowageError(error, 'STORAGE_UNAVAILABLE')) throw error;
      return true;
    },
  );
  const now = await readableIn(store);
  for (const [name, digest] of readable) expect(now.get(name), name).toBe(digest);
  const steps = isKilled ? await stepsOf({ store, from: [copy] }) : [];
  expect(steps.filter(({ outcome }) => outcome !== 'mended')).toEqual([]);
  expect(await faultsOf(store)).toEqual([]);
  expect(await saidIn(store)).toEqual(all);
  return isKilled;
}

describe('a repair that is killed', () => {
  test.prop([fc.nat(60), fc.constantFrom('before', 'after')], { numRuns: Math.ceil(propertyRuns / 8) })(
    'at any of its writes makes nothing worse, and is finished by the next',
    async (write, kind) => {
      damaged ??= await damagedStore();
      await killAndFinish(damaged, write, kind);
    },
  );
});
