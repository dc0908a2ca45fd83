import { describe, expect, it } from 'vitest';
import { ContentAddressedStore } from '../../src/content-addressed-store.ts';
import type { StowageError } from '../../src/errors.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { type AttemptDetail, readTask } from '../../src/views/attempts.ts';
import { artifactsInFull } from '../../src/views/codecs.ts';
import { tasksAt } from '../../src/views/listing.ts';
import type { StoreView } from '../../src/views/store-view.ts';
import { noise, openFlow, saveTask, scratchFolder } from '../flow/fixtures.ts';

const PATH = { flow: 'Test', run: 'r1', step: 'fit', task: '0' };

const values = {
  floats: Float64Array.from({ length: 100_000 }, (_, i) => i),
  text: 'row '.repeat(100_000),
  small: 'row '.repeat(10_000),
  noise: noise(100_000),
  n: 3,
};

/** What is told of the artifacts of the task, the faults on the way, and the requests that it took. */
async function told(
  storage: MemoryStorage,
): Promise<{ codecs: Record<string, unknown>; faults: StowageError[]; requests: number }> {
  const counted = new CountStorage(storage);
  const faults: StowageError[] = [];
  const view: StoreView = {
    storage: counted,
    content: new ContentAddressedStore(counted),
    signal: new AbortController().signal,
    unreadable: (error) => faults.push(error),
    progress: () => {},
  };
  const [listed] = await tasksAt(view, PATH);
  const detail = (await readTask(view, listed as NonNullable<typeof listed>)).attempts[0] as AttemptDetail;
  counted.reset();
  const artifacts = await artifactsInFull(view, PATH, detail);
  const codecs = Object.fromEntries(artifacts.map(({ name, codecs }) => [name, codecs]));
  return { codecs, faults, requests: counted.snapshot().requests };
}

describe('the artifacts of an attempt, with their codecs', () => {
  it.each([true, false])('are told where looking is free: %s', async (localReads) => {
    const storage = new MemoryStorage('', { localReads });
    await saveTask(await openFlow({ storage }), values);
    const { codecs, faults } = await told(storage);
    expect(faults).toEqual([]);
    expect(codecs).toEqual({
      floats: ['grouped-zstd'],
      text: ['zstd'],
      small: ['zstd'],
      noise: ['raw'],
      n: undefined,
    });
  });

  it('take one request for all small values of one object', async () => {
    const storage = new MemoryStorage('', { localReads: false });
    const twenty = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`a${i}`, noise(20_480, i)]));
    await saveTask(await openFlow({ storage }), twenty);
    const { codecs, requests } = await told(storage);
    expect(Object.values(codecs)).toEqual(Array.from({ length: 20 }, () => ['raw']));
    expect(requests).toBe(1);
  });

  it('are shown without them where something is gone or damaged, which is told', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    await saveTask(flow, values);
    const read = await flow.getTaskDataStore('r1/fit/0');
    const copyOf = async (name: string): Promise<string> => {
      for await (const { objects } of storage.list({ prefix: `data/${read.info(name).key.slice(0, 3)}/` }))
        for (const object of objects) if (object.name.includes(read.info(name).key)) return object.name;
      throw new Error(`${name} has no copy`);
    };
    await storage.delete([await copyOf('small')]);
    const damaged = await copyOf('noise');
    const { body } = (await storage.get(damaged)) ?? {};
    await storage.delete([damaged]);
    await storage.create(
      damaged,
      (body as Uint8Array).map((byte) => byte ^ 1),
    );
    const { codecs, faults } = await told(storage);
    expect(codecs).toMatchObject({ floats: ['grouped-zstd'], small: undefined, noise: undefined });
    expect(faults.map(({ code }) => code)).toEqual(['CONTENT_DAMAGED']);
    expect(faults[0]?.message).toContain(damaged);
  });

  it('are not asked of another place, which may not answer', async () => {
    const storage = new MemoryStorage();
    await saveTask(await openFlow({ storage, rawDataPath: scratchFolder() }), values);
    const { codecs, requests } = await told(storage);
    expect([codecs.floats, codecs.small, requests]).toEqual([undefined, undefined, 0]);
  });
});
