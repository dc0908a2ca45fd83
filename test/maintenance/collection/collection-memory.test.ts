import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { collectStore } from '../../../src/maintenance/collect-store.ts';
import type { CollectionOptions } from '../../../src/maintenance/collection/collect-garbage.ts';
import type { DataStoreStorage } from '../../../src/storage/contract.ts';
import { CountStorage } from '../../../src/storage/count.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { errorOf, noise, objectNames, openFlow, saveTask, scratchFolder } from '../../flow/fixtures.ts';
import { propertyRuns, test } from '../../property.ts';
import { collect } from './collect.ts';
import { arbitraryDeeds, carryOut, markClosed, readEverything } from './histories.ts';

/** What a dry run without a memory says. */
async function condemned(storage: DataStoreStorage, options: CollectionOptions = {}): Promise<unknown> {
  const {
    remembered: _,
    memoryProblem: _problem,
    ...result
  } = await collect(storage, {
    ...options,
    dryRun: true,
  });
  return result;
}

const DAY_MS = 24 * 60 * 60 * 1000;

describe('the memory of collections', () => {
  test.prop([fc.array(arbitraryDeeds, { minLength: 1, maxLength: 4 }), fc.boolean(), fc.boolean()], {
    numRuns: Math.ceil(propertyRuns / 3),
  })(
    'has a collection delete exactly what one without it does, whatever came before',
    async (histories, localReads, doesAbandon) => {
      const memory = scratchFolder();
      const storage = new MemoryStorage('', { localReads });
      const flow = await openFlow({ storage });
      await saveTask(flow, { x: 1 }, { taskId: 'first' });
      const nowMs = doesAbandon ? Date.now() + 2 * DAY_MS : undefined;
      for (const deeds of histories) {
        await carryOut(flow, deeds);
        expect(await condemned(storage, { memory })).toEqual(await condemned(storage));
        const before = await readEverything(flow);
        const { memoryProblem } = await collect(storage, { memory, nowMs });
        expect(memoryProblem).toBeUndefined();
        if (!doesAbandon) expect(await readEverything(flow)).toEqual(before);
        expect(await condemned(storage, { memory })).toEqual(await condemned(storage));
      }
    },
    120_000,
  );

  it('has the second collection read only what is new', async () => {
    const memory = scratchFolder();
    const storage = new MemoryStorage('', { localReads: false });
    const flow = await openFlow({ storage });
    for (const taskId of ['1', '2', '3'])
      await saveTask(
        flow,
        { small: noise(70_000, Number(taskId)), large: noise(300_000, Number(taskId)) },
        { taskId },
      );
    await flow.caStore.saveBlobs([noise(70_000, 9)]);
    const counted = new CountStorage(storage);
    expect(await collect(counted, { memory })).toMatchObject({ remembered: { sessions: 0, copies: 0 } });
    const first = counted.snapshot().get.calls;
    counted.reset();
    expect(await collect(counted, { memory })).toMatchObject({ remembered: { sessions: 4, copies: 3 } });
    // stowage.json, and the collector's log
    expect(counted.snapshot().get.calls).toBe(2);
    await saveTask(flow, { small: noise(70_000, 4) }, { taskId: '4' });
    await markClosed(storage, '1', 'DELETED');
    counted.reset();
    const { deleted } = await collect(counted, { memory });
    expect(deleted).toMatchObject({ copies: 2, packs: 1 });
    expect(counted.snapshot().get.calls).toBeLessThan(first);
    await readEverything(flow);
  });

  it('is taken only for a description as it was then', async () => {
    const memory = scratchFolder();
    const storage = new MemoryStorage('', { localReads: false });
    const flow = await openFlow({ storage });
    await saveTask(flow, { value: noise(70_000, 1) }, { taskId: 'other' });
    const task = { taskId: '1', attempt: 0 };
    await saveTask(flow, { value: noise(70_000, 2) }, task);
    await collect(storage, { memory });
    // Put back to a time before the task, which ran again then and came to something else.
    await storage.delete(await objectNames(storage, 'flows/Test/r1/fit/1/'));
    const again = await openFlow({ storage });
    await saveTask(again, { value: noise(70_000, 3) }, task);
    const before = await readEverything(again);
    await collect(storage, { memory });
    expect(await readEverything(await openFlow({ storage }))).toEqual(before);
  });

  it('holds nothing where a bit of it was changed, or it is cut short, or another store’s', async () => {
    const memory = scratchFolder();
    const storage = new MemoryStorage('', { localReads: false });
    const flow = await openFlow({ storage });
    await saveTask(flow, { small: noise(70_000, 1), large: noise(300_000, 1) });
    await collect(storage, { memory });
    const files = readdirSync(memory).map((name) => join(memory, name));
    expect(files).toHaveLength(3);
    for (const file of files) {
      const whole = readFileSync(file);
      for (const change of [
        (bytes: Buffer) => bytes.subarray(0, bytes.length - 1),
        (bytes: Buffer) => bytes.subarray(0, 10),
        (bytes: Buffer) => Buffer.alloc(0).fill(bytes),
        (bytes: Buffer) => {
          bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
          return bytes;
        },
        (bytes: Buffer) => Buffer.from(bytes.toString('latin1').replace(/"id":"./, '"id":"z'), 'latin1'),
      ]) {
        writeFileSync(file, change(Buffer.from(whole)));
        const kind = file.endsWith('.copies') ? 'copies' : file.endsWith('.flows') ? 'sessions' : undefined;
        const { remembered, condemned: found } = await collect(storage, { memory, dryRun: true });
        if (kind) expect(remembered[kind]).toBe(0);
        expect(found).toEqual({ copies: 0, packs: 0, plain: 0, values: 0 });
      }
      writeFileSync(file, whole);
    }
  });

  it('that cannot be written is told, and ends nothing', async () => {
    const file = join(scratchFolder(), 'no-folder');
    writeFileSync(file, '');
    const storage = new MemoryStorage('', { localReads: false });
    const flow = await openFlow({ storage });
    const [saved] = await flow.caStore.saveBlobs([noise(70_000, 1)]);
    await flow.caStore.release(saved?.session as string);
    expect(await collect(storage, { memory: file })).toMatchObject({
      memoryProblem: expect.any(Error),
      deleted: { copies: 1 },
    });
  });

  it('lies where a caller says, or nowhere', async () => {
    const [store, memory] = [join(scratchFolder(), 'store'), join(scratchFolder(), 'memory')];
    const flow = await openFlow({ storage: store });
    await saveTask(flow, { small: noise(70_000, 1) });
    const remembered = async (where?: string | false): Promise<number> =>
      (await collectStore({ store, memory: where })).collection.remembered.sessions;
    expect(await remembered(memory)).toBe(0);
    expect(await remembered(memory)).toBe(1);
    expect(await remembered(false)).toBe(0);
    expect(readdirSync(memory)).toHaveLength(3);
    for (const wrong of ['', 7, true] as unknown[])
      expect((await errorOf(remembered(wrong as string))).code).toBe('INVALID_ARGUMENT');
  });

  it('is kept of the stores that were collected last', async () => {
    const memory = scratchFolder();
    for (let stores = 0; stores < 18; stores++) {
      const storage = new MemoryStorage(`store-${stores}`, { localReads: false });
      await saveTask(await openFlow({ storage }), { x: 1 });
      await collect(storage, { memory });
    }
    expect(readdirSync(memory)).toHaveLength(3 * 16);
  });
});
