import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeEach, describe, expect, it } from 'vitest';
import { AzureStorage } from '../../src/storage/azure.ts';
import type { RepeatStep } from '../../src/storage/contract.ts';
import { noise } from '../flow/fixtures.ts';
import { type AzurePlace, clientOf, uncommittedBlocks, useAzurite } from '../servers/azure-containers.ts';

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

  it('around the sizes where one request becomes many, come back whole, from bytes and streams', async () => {
    const content = noise(4 * PART + 1);
    for (const bytes of [PART - 1, PART, PART + 1, 2 * PART, 2 * PART + 1, 4 * PART, 4 * PART + 1]) {
      const body = content.subarray(0, bytes);
      expect(await storage.create(`bytes-${bytes}`, body)).toBe(true);
      expect(await storage.create(`stream-${bytes}`, streamOf(body))).toBe(true);
      for (const kind of ['bytes', 'stream']) {
        const read = await storage.get(`${kind}-${bytes}`);
        expect([read?.bytes, sha256(read?.body)], `${kind} ${bytes}`).toEqual([bytes, sha256(body)]);
      }
    }
    expect(await uncommittedBlocks(place)).toEqual({});
  });

  it('a large range is exactly the slice, and more than maxBytes is refused by its length', async () => {
    const content = noise(6 * PART + 17);
    await storage.create('a', content);
    for (const [offset, length] of [
      [0, PART],
      [1, 3 * PART],
      [PART, 2 * PART + 1],
      [7, 10 * PART],
    ] as const) {
      const read = await storage.get('a', { range: { offset, length } });
      expect(sha256(read?.body)).toBe(sha256(content.subarray(offset, offset + length)));
    }
    const tooLarge = { code: 'OBJECT_TOO_LARGE', details: { maxBytes: 2 * PART } };
    await expect(storage.get('a', { maxBytes: 2 * PART })).rejects.toMatchObject(tooLarge);
    const range = { offset: 1, length: 3 * PART };
    await expect(storage.get('a', { maxBytes: 2 * PART, range })).rejects.toMatchObject(tooLarge);
    expect((await storage.get('a', { range: { offset: 0, length: 1 } }))?.body).toHaveLength(1);
  });

  it('of 50 that create one at once, in blocks and not, exactly one wins', { timeout: 180_000 }, async () => {
    const others = [storage, await AzureStorage.open({ ...place, partBytes: PART })];
    for (const sizeOf of [() => PART + 1, (i: number) => (i % 2 === 0 ? PART + 1 : 2 * PART + i)]) {
      const name = `race-${sizeOf(1)}`;
      const racers = Array.from({ length: 50 }, (_, i) => {
        const body = noise(sizeOf(i), i + 1);
        const created = others[i % 2]?.create(name, i % 3 === 0 ? body : streamOf(body));
        return created?.then((won) => (won ? sha256(body) : undefined));
      });
      const winners = (await Promise.all(racers)).filter((digest) => digest !== undefined);
      expect(winners).toHaveLength(1);
      expect(sha256((await storage.get(name))?.body)).toBe(winners[0]);
    }
    await others[1]?.close();
  });

  it('a name that is taken is found out before the bytes go up', async () => {
    await storage.create('a', new Uint8Array(1));
    let taken = 0;
    async function* counted() {
      for await (const chunk of streamOf(noise(10 * PART), 100_000)) {
        taken += chunk.length;
        yield chunk;
      }
    }
    expect(await storage.create('a', counted())).toBe(false);
    expect(taken).toBeLessThan(2 * PART);
    expect((await storage.head('a'))?.bytes).toBe(1);
  });

  it('who wins is decided by the commit, though the look before found the name free', async () => {
    let steps = 0;
    const repeatStep: RepeatStep = async (step) => {
      // The first one looks; no block goes up before the second one.
      if (steps === 1) await storage.create('a', new Uint8Array(3));
      steps += 1;
      return step();
    };
    expect(await storage.create('a', noise(5 * PART), { repeatStep })).toBe(false);
    expect(steps).toBe(1 + 5 + 1);
    expect((await storage.get('a'))?.body).toEqual(new Uint8Array(3));
  });

  it('blocks whose name somebody else takes meanwhile are discarded, and lose', async () => {
    let isTaken = false;
    async function* stream() {
      yield* streamOf(noise(3 * PART));
      isTaken = await storage.create('a', noise(4 * PART + 1, 7));
      yield new Uint8Array(1);
    }
    expect(await storage.create('a', stream())).toBe(false);
    expect(isTaken).toBe(true);
    expect(sha256((await storage.get('a'))?.body)).toBe(sha256(noise(4 * PART + 1, 7)));
  });

  it('blocks of one name that was taken and is free again are gone, which is an error', async () => {
    async function* stream() {
      yield* streamOf(noise(3 * PART));
      await storage.create('a', noise(4 * PART + 1, 7));
      await storage.delete(['a']);
      yield new Uint8Array(1);
    }
    await expect(storage.create('a', stream())).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
      details: { azureCode: 'InvalidBlockList' },
    });
    expect(await storage.head('a')).toBeUndefined();
  });

  it('200 MiB go up and come down within bounded memory', { timeout: 180_000 }, async () => {
    const large = await AzureStorage.open({ ...place, partBytes: 4 * MIB, concurrency: 4 });
    const total = 200 * MIB;
    const before = liveBufferBytes();
    let peak = 0;
    const look = () => {
      peak = Math.max(peak, liveBufferBytes() - before);
    };
    const up = createHash('sha256');
    async function* stream() {
      const chunk = noise(MIB);
      for (let at = 0; at < total; at += MIB) {
        chunk.fill(at / MIB, 0, 1000);
        up.update(chunk);
        yield chunk;
        if (at % (20 * MIB) === 0) look();
      }
    }
    expect(await large.create('huge', stream())).toBe(true);
    const down = createHash('sha256');
    const window = 20 * MIB;
    for (let offset = 0; offset < total; offset += window) {
      const read = await large.get('huge', { range: { offset, length: window } });
      down.update(read?.body ?? '');
      look();
    }
    expect(down.digest('hex')).toBe(up.digest('hex'));
    // Four blocks under way, one that is filled and waits, one that fills; or a window.
    expect(peak).toBeGreaterThan(4 * MIB);
    expect(peak).toBeLessThan(48 * MIB);
    await large.close();
  });

  it('an abort, a failure, a close in the middle leave nothing to be seen', async () => {
    const aborted = new AbortController();
    async function* until(end: () => unknown) {
      yield* streamOf(noise(2 * PART + 1));
      await end();
      yield* streamOf(noise(PART));
    }
    const call = storage.create(
      'a',
      until(() => aborted.abort()),
      { signal: aborted.signal },
    );
    await expect(call).rejects.toMatchObject({ code: 'ABORTED' });
    const failure = new Error('the source broke');
    await expect(
      storage.create(
        'a',
        until(() => Promise.reject(failure)),
      ),
    ).rejects.toBe(failure);
    const other = await AzureStorage.open({ ...place, partBytes: PART });
    // What never says more must not keep the storage from closing.
    const silent = other.create(
      'a',
      until(() => Promise.race([other.close(), new Promise(() => {})])),
    );
    await expect(silent).rejects.toMatchObject({ code: 'STORAGE_CLOSED' });
    expect(await storage.head('a')).toBeUndefined();
    for await (const page of storage.list({ prefix: '' })) expect(page.objects).toEqual([]);
    const left = await uncommittedBlocks(place);
    expect(Object.keys(left)).toEqual(['a']);
    // They are in nobody's way, and gone with the next one.
    expect(await storage.create('a', streamOf(noise(2 * PART)))).toBe(true);
    expect(await uncommittedBlocks(place)).toEqual({});
    expect(sha256((await storage.get('a'))?.body)).toBe(sha256(noise(2 * PART)));
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

  it('a read that is aborted in the middle ends, and the storage reads on', async () => {
    await storage.create('a', noise(12 * PART));
    const abort = new AbortController();
    const reads = Array.from({ length: 12 }, () => storage.get('a', { signal: abort.signal }));
    await sleep(20);
    abort.abort();
    for (const read of await Promise.allSettled(reads)) {
      if (read.status === 'rejected') expect(read.reason).toMatchObject({ code: 'ABORTED' });
    }
    expect(sha256((await storage.get('a'))?.body)).toBe(sha256(noise(12 * PART)));
  });
});

async function* streamOf(bytes: Uint8Array, chunkBytes = 1_000_003): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

function sha256(bytes: Uint8Array | undefined): string {
  return createHash('sha256')
    .update(bytes ?? 'nothing')
    .digest('hex');
}

/** The memory of buffers that are in use, without what is only not yet collected. */
function liveBufferBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // The first one leaves the sweeping of buffers to another thread; the second one waits for it.
  collect();
  collect();
  return process.memoryUsage().arrayBuffers;
}
