import { beforeEach, describe, expect, it } from 'vitest';
import { AzureStorage } from '../../src/storage/azure.ts';
import type { RepeatStep } from '../../src/storage/contract.ts';
import { noise } from '../flow/fixtures.ts';
import { type AzurePlace, clientOf, uncommittedBlocks, useAzurite } from '../servers/azure-containers.ts';
import { sha256, streamOf, testLargeObjects } from './large-objects.ts';

const MIB = 1024 * 1024;
const PART = MIB;

describe('large objects', () => {
  const azurite = useAzurite();
  let place: AzurePlace;
  let storage: AzureStorage;
  beforeEach(async () => {
    place = await azurite.newPlace();
    storage = await AzureStorage.open({ ...place, partBytes: PART });
    return () => storage.close();
  });

  testLargeObjects({
    partBytes: PART,
    storage: () => storage,
    open: () => AzureStorage.open({ ...place, partBytes: PART }),
    races: [
      { from: 'streams', bytesOf: () => PART + 1 },
      { from: 'both', bytesOf: (racer) => (racer % 2 === 0 ? PART + 1 : 2 * PART + racer) },
    ],
    longBytes: 12 * PART,
    mostReadInVain: 2 * PART,
    // Four blocks under way, one that is filled and waits, one that fills; or a window.
    memory: {
      open: () => AzureStorage.open({ ...place, partBytes: 4 * MIB, concurrency: 4 }),
      totalBytes: 200 * MIB,
      partBytes: 4 * MIB,
      windowParts: 5,
      mostPartsUp: 12,
      mostParts: 12,
    },
    expectNothingLeft: async (by) => {
      // Blocks that came after the winner's stay for a week.
      if (by === 'ended') expect(await uncommittedBlocks(place)).toEqual({});
    },
  });

  it('who wins is decided by the commit, though the look before found the name free', async () => {
    let steps = 0;
    const repeatStep: RepeatStep = async (step) => {
      // The second one looks, and no block goes up before it.
      if (steps === 2) await storage.create('a', new Uint8Array(3));
      steps += 1;
      return step();
    };
    expect(await storage.create('a', noise(6 * PART), { repeatStep })).toBe(false);
    expect(steps).toBe(3 + 6 + 1);
    expect((await storage.get('a'))?.body).toEqual(new Uint8Array(3));
  });

  it('blocks whose name somebody else takes meanwhile are discarded, and lose', async () => {
    let isTaken = false;
    async function* stream() {
      yield* streamOf(noise(3 * PART));
      isTaken = await storage.create('a', noise(5 * PART + 1, 7));
      yield new Uint8Array(1);
    }
    expect(await storage.create('a', stream())).toBe(false);
    expect(isTaken).toBe(true);
    expect(sha256((await storage.get('a'))?.body)).toBe(sha256(noise(5 * PART + 1, 7)));
  });

  it('blocks of one name that was taken and is free again are gone, which is an error', async () => {
    async function* stream() {
      yield* streamOf(noise(3 * PART));
      await storage.create('a', noise(5 * PART + 1, 7));
      await storage.delete(['a']);
      yield new Uint8Array(1);
    }
    await expect(storage.create('a', stream())).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
      details: { azureCode: 'InvalidBlockList' },
    });
    expect(await storage.head('a')).toBeUndefined();
  });

  it('a delete that the end of the storage cuts off says so', async () => {
    const names = Array.from({ length: 200 }, (_, i) => `${i}`);
    for (const name of names.slice(0, 3)) await storage.create(name, new Uint8Array(1));
    const other = await AzureStorage.open({ ...place });
    const deleting = other.delete(names);
    await other.close();
    await expect(deleting).rejects.toMatchObject({ code: 'STORAGE_CLOSED' });
  });

  it('blocks that another program left under a name are told of', async () => {
    const foreign = Buffer.from('another length').toString('base64');
    await clientOf(place).getBlockBlobClient('a').stageBlock(foreign, 'x', 1);
    await expect(storage.create('a', streamOf(noise(2 * PART)))).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
      message: expect.stringMatching(/another upload/),
    });
  });
});
