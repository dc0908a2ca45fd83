import { describe, expect, it } from 'vitest';
import { entryName } from '../../../src/format/cache-names.ts';
import type { CacheSigningKeys } from '../../../src/format/signing.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { bodyOf, cloneOf } from '../../content/storages.ts';
import { openFlow } from '../../flow/fixtures.ts';
import { stepsOf } from './repair/damaged-stores.ts';
import { check } from './whole-store.ts';

const secretOf = (text: string): string => text.padEnd(32, '.');
const OURS = [{ id: 'ours', secret: secretOf('ours') }];
const OTHERS = [{ id: 'others', secret: secretOf('others') }];
/** Somebody who writes a key's id and does not have the key. */
const FORGERS = [{ id: 'ours', secret: secretOf('forged') }];

/** Calls a task, whose result is stored under a ring. Resolves to the name of the entry. */
async function call(
  store: MemoryStorage,
  input: number,
  signingKeys: CacheSigningKeys | false,
): Promise<string> {
  const flow = await openFlow({ storage: store, cache: { signingKeys } });
  const task = flow.cachedTask({ name: 'double', version: '1', run: async (n: number) => 2 * n });
  const { key } = await task.detailed(input);
  await flow.close();
  return entryName(key);
}

describe('signatures of entries', () => {
  it('that a key of the ring did not make are damage, and told as no hit where it is another key or none', async () => {
    const store = new MemoryStorage();
    await call(store, 1, OURS);
    const unsigned = await call(store, 2, false);
    const unknown = await call(store, 3, OTHERS);
    const forged = await call(store, 4, FORGERS);

    const { findings, summary } = await check({ store, signingKeys: OURS });
    const told = findings.map(({ object, severity, remedy }) => [object, severity, remedy]);
    expect(told).toHaveLength(3);
    expect(told).toContainEqual([unsigned, 'notice', 'delete']);
    expect(told).toContainEqual([unknown, 'notice', 'delete']);
    expect(told).toContainEqual([forged, 'damaged', 'leave']);
    expect(summary.isSound).toBe(false);

    // A repair destroys no evidence, and no cache of a store whose secret it was not given.
    const copy = await cloneOf(store);
    const steps = await stepsOf({ store, signingKeys: OURS, from: [copy] });
    expect(steps).toMatchObject([{ outcome: 'left', layer: 'cache', problem: 'damaged', object: forged }]);
    expect(await bodyOf(store, forged)).toEqual(await bodyOf(copy, forged));
  });

  it('are not looked at without a ring', async () => {
    const store = new MemoryStorage();
    await call(store, 1, FORGERS);
    expect((await check({ store, signingKeys: false })).findings).toEqual([]);
  });
});
