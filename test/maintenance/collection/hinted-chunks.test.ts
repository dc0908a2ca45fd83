import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ContentAddressedStore } from '../../../src/content-addressed-store.ts';
import { digestHex } from '../../../src/digest/blake3.ts';
import { collectGarbage } from '../../../src/maintenance/collection/collect-garbage.ts';
import type { CallOptions, DataStoreStorage, DeleteFailure } from '../../../src/storage/contract.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { ObservedStorage } from '../../content/storages.ts';
import { noise, objectNames, openFlow, saveTask } from '../../flow/fixtures.ts';
import { propertyRuns, test } from '../../property.ts';
import { markClosed } from './histories.ts';

/** Awaits `turn` before each call of a process, deletes among them. */
class Paced extends ObservedStorage {
  constructor(inner: DataStoreStorage, turn: (call: number) => unknown) {
    super(inner, { localReads: false });
    let calls = 0;
    this.before = () => turn(calls++);
  }

  override async delete(names: readonly string[], options?: CallOptions): Promise<DeleteFailure[]> {
    await this.before('delete', names[0] ?? '');
    return this.inner.delete(names, options);
  }
}

const CONTENT = noise(320_000);
const CHANGED = Buffer.concat([CONTENT.subarray(0, 160_000), noise(4_000, 7), CONTENT.subarray(160_000)]);

/** A store in which a process saved a content, whose hint leads others to it. */
async function hintedStore(): Promise<MemoryStorage> {
  const storage = new MemoryStorage('', { localReads: false });
  const flow = await openFlow({ storage });
  await saveTask(flow, { content: CONTENT }, { taskId: 'old' });
  await flow.close();
  return storage;
}

async function giveUpAndCollect(
  storage: DataStoreStorage,
  through: DataStoreStorage = storage,
): Promise<void> {
  await markClosed(storage, 'old', 'DELETED');
  const content = new ContentAddressedStore(through);
  await collectGarbage(content);
  await content.close();
}

/** Saves the changed content as another process, by way of `through`, and reads it by a third one, once all garbage is gone. */
async function saveChanged(storage: DataStoreStorage, through: DataStoreStorage): Promise<number> {
  const flow = await openFlow({ storage: through });
  await saveTask(flow, { content: CHANGED }, { taskId: 'new' });
  await flow.close();
  await giveUpAndCollect(storage);
  const reader = await openFlow({ storage });
  const { content } = await (await reader.getTaskDataStore('r1/fit/new')).loadArtifacts<{
    content: Uint8Array;
  }>();
  expect(digestHex(content)).toBe(digestHex(CHANGED));
  return (await objectNames(storage, 'packs/')).length;
}

describe('chunks that a hint leads to', () => {
  it('are kept for who reuses them, wherever a collection comes in between, or are not reused', async () => {
    const packs = new Set<number>();
    for (let at = 0, calls = Number.POSITIVE_INFINITY; at <= calls; at++) {
      const storage = await hintedStore();
      let made = 0;
      const paced = new Paced(storage, async (call) => {
        made = call + 1;
        if (call === at) await giveUpAndCollect(storage);
      });
      packs.add(await saveChanged(storage, paced));
      calls = made;
    }
    // Both came about: the old pack and a small one, and all anew.
    expect([...packs].sort()).toEqual([1, 2]);
  });

  test.prop([fc.nat(30), fc.nat(60), fc.nat(30)], { numRuns: Math.ceil(propertyRuns * 0.6) })(
    'are kept where a collection stands still in its middle',
    async (begins, pausesAt, length) => {
      const storage = await hintedStore();
      let resume = (): void => {};
      const resumed = new Promise<void>((resolve) => {
        resume = resolve;
      });
      let collection: Promise<void> | undefined;
      const paced = new Paced(storage, async (call) => {
        if (call === begins) {
          await new Promise<void>((paused) => {
            const collector = new Paced(storage, (made) => {
              if (made !== pausesAt) return undefined;
              paused();
              return resumed;
            });
            collection = giveUpAndCollect(storage, collector).finally(paused);
          });
        }
        if (call === begins + length) {
          resume();
          await collection;
        }
      });
      const flow = await openFlow({ storage: paced });
      await saveTask(flow, { content: CHANGED }, { taskId: 'new' });
      resume();
      await collection;
      await flow.close();
      await giveUpAndCollect(storage);
      const reader = await openFlow({ storage });
      const task = await reader.getTaskDataStore('r1/fit/new');
      const { content } = await task.loadArtifacts<{ content: Uint8Array }>();
      expect(digestHex(content)).toBe(digestHex(CHANGED));
    },
  );
});
