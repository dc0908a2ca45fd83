import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { markDamaged } from '../../src/content/damage.ts';
import { ContentAddressedStore } from '../../src/content-addressed-store.ts';
import type { StowageError } from '../../src/errors.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { collectGarbage } from '../../src/maintenance/collection/collect-garbage.ts';
import { removeFromStore } from '../../src/maintenance/retention/remove.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { type CountedUse, countUse, type UseLevel } from '../../src/views/storage-use.ts';
import type { StoreView } from '../../src/views/store-view.ts';
import { noise, objectNames, openFlow, saveTask, scratchFolder } from '../flow/fixtures.ts';

const faults: StowageError[] = [];

function viewOf(storage: DataStoreStorage): StoreView {
  return {
    storage,
    content: new ContentAddressedStore(storage),
    signal: new AbortController().signal,
    unreadable: (error) => faults.push(error),
    progress: () => {},
  };
}

function count(storage: DataStoreStorage, path = {}, by?: UseLevel): Promise<CountedUse> {
  faults.length = 0;
  return countUse(viewOf(storage), path, by);
}

/** `kind: count, bytes` of all kinds that there are. */
function kindsOf({ kinds }: CountedUse): Record<string, [number, number]> {
  return Object.fromEntries(kinds.map(({ kind, count, bytes }) => [kind, [count, bytes]]));
}

async function stored(storage: DataStoreStorage, ...folders: string[]): Promise<number> {
  let bytes = 0;
  for (const folder of folders)
    for (const name of await objectNames(storage, folder)) bytes += (await storage.head(name))?.bytes ?? 0;
  return bytes;
}

const at = { runId: 'r1', stepName: 'fit', taskId: '0' };

async function opened(): Promise<{ flow: FlowDataStore; storage: MemoryStorage }> {
  const storage = new MemoryStorage();
  return { flow: await openFlow({ storage, ownBytes: 0 }), storage };
}

describe('what is counted beside artifacts', () => {
  it('is what they refer to, in the rows of the artifacts, and once where several do', async () => {
    const { flow, storage } = await opened();
    const [small, large] = [noise(20_000), noise(1_000_000, 2)];
    for (const taskId of ['0', '1'])
      await flow.task({ ...at, taskId }, async (task) => {
        const files = [await task.files.fromData('a', small), await task.files.fromData('b', large)];
        await task.saveArtifacts({
          files,
          plain: await task.files.fromData('c', large, { plain: true }),
          x: 1,
        });
      });
    const use = await count(storage);
    expect(kindsOf(use).references).toEqual([4, 4_040_000]);
    const all = await stored(storage, 'data/', 'manifests/', 'packs/', 'plain/');
    const references = use.kinds.find(({ kind }) => kind === 'references');
    // The large one is stored twice: in chunks, and as the plain file.
    expect(references?.uniqueBytes).toBe(1_020_000);
    expect(references?.storedBytes).toBeGreaterThan(2_020_000);
    expect(references?.storedBytes).toBeLessThanOrEqual(all);
    expect(use.total.storedBytes - use.total.inlineBytes).toBe(references?.storedBytes);
    const byArtifact = await count(storage, { flow: 'Test', run: 'r1', step: 'fit' });
    const sizes = byArtifact.entries.map(({ name, bytes }) => [name, bytes > 1_000_000]);
    expect(Object.fromEntries(sizes)).toEqual({ files: true, plain: true, x: false });
    expect(byArtifact.total.bytes).toBe(use.total.bytes);
  });

  it('are directories and data frames, of which all contents are found', async () => {
    const { flow, storage } = await opened();
    const root = join(scratchFolder(), 'tree');
    mkdirSync(root);
    for (let file = 0; file < 20; file++) writeFileSync(join(root, `${file}`), noise(5_000, file));
    writeFileSync(join(root, 'large'), noise(400_000, 77));
    await flow.task(at, async (task) => {
      await task.saveArtifacts({
        folder: await task.directories.fromLocal(root),
        frame: await task.frames.fromColumns({ x: new Float64Array(5_000) }),
      });
    });
    const use = await count(storage);
    const [references, bytes] = kindsOf(use).references ?? [];
    expect(references).toBe(2);
    expect(bytes).toBeGreaterThan(500_000 + 40_000); // and the listing
    expect(use.total.contents).toBe(
      (await objectNames(storage)).filter((n) => /^(data|manifests)\//.test(n)).length,
    );
    expect(use.unseen).toEqual([]);
  });

  it('are reports, of attempts that are done and of those that run', async () => {
    const { flow, storage } = await opened();
    await flow.task(at, async (task) => void task.report('main').text('done'));
    const use = await count(storage);
    const plain = await stored(storage, 'plain/');
    expect(kindsOf(use)).toEqual({ reports: [1, plain] });
    expect(use.total).toMatchObject({ artifacts: 0, contents: 1, bytes: plain, uniqueBytes: plain });
    const byStep = await count(storage, { flow: 'Test', run: 'r1' });
    expect(byStep.entries).toMatchObject([{ name: 'fit', tasks: 1, artifacts: 0, bytes: plain }]);
  });

  it('are traces and checkpoints: records as long as they are there, contents as long as they are kept', async () => {
    const { flow, storage } = await opened();
    const failing = flow.task(at, async (task) => {
      const call = task.trace('call', (seed: number) => noise(seed === 0 ? 100 : 200_000, seed));
      for (const seed of [0, 1, 2]) await call(seed);
      for (const seed of [3, 4]) await task.checkpoint.save({ state: noise(300_000, seed) });
      throw new RangeError('later');
    });
    await failing.catch(() => {});
    const records = await stored(storage, 'partial/');
    const use = await count(storage);
    const { traces = [0, 0], checkpoints = [0, 0] } = kindsOf(use);
    expect([traces[0], checkpoints[0]]).toEqual([3, 2]);
    expect(traces[1]).toBeGreaterThan(400_000);
    expect(checkpoints[1]).toBeGreaterThan(300_000);
    expect(checkpoints[1]).toBeLessThan(600_000); // only the last one counts
    expect(use.total.inlineBytes).toBe(records);
    await flow.task(at, async () => {});
    const after = await count(storage, { flow: 'Test', run: 'r1', step: 'fit', task: '0' });
    expect(after.total).toMatchObject({ attempts: 2, contents: 0, storedBytes: records });
  });

  it('are those that a collector keeps, also where the attempt that was done is deleted', async () => {
    const { flow, storage } = await opened();
    const failing = (seed: number): Promise<unknown> =>
      flow
        .task(at, async (task) => {
          await task.checkpoint.save({ state: noise(300_000, seed) });
          throw new RangeError('later');
        })
        .catch(() => {});
    const kept = async (): Promise<number> => {
      const counted = (await count(storage)).total.contents;
      await collectGarbage(new ContentAddressedStore(storage));
      expect(await objectNames(storage, 'manifests/')).toHaveLength(counted);
      return counted;
    };
    await failing(1);
    await failing(2);
    await removeFromStore({ store: storage, path: 'Test/r1/fit/0/1' });
    expect(await kept()).toBe(1);
    await flow.task(at, async () => {});
    await removeFromStore({ store: storage, path: 'Test/r1/fit/0/2' });
    expect(await kept()).toBe(0);
    await failing(3);
    expect(await kept()).toBe(1);
  });

  it('counts what is marked as damaged and can be read all the same', async () => {
    const { flow, storage } = await opened();
    await flow.task(at, async (task) => {
      const files = [
        await task.files.fromData('a', noise(20_000)),
        await task.files.fromData('b', noise(500_000, 2)),
      ];
      await task.saveArtifacts({ files });
    });
    for (const folder of ['data/', 'manifests/'])
      for (const name of await objectNames(storage, folder)) await markDamaged(storage, name, 'for once');
    const use = await count(storage);
    expect(kindsOf(use).references).toEqual([1, 520_000]);
    expect([use.total.unseenContents, use.unseen]).toEqual([0, []]);
    expect(use.total.storedBytes).toBeGreaterThan(520_000);
  });

  it('counts a content twice as stored that is a value, and a plain file', async () => {
    const { flow, storage } = await opened();
    const bytes = noise(100_000);
    await flow.task(at, async (task) => {
      const plain = await task.files.fromData('c', bytes, { plain: true });
      const chunks = await task.files.fromData('c', bytes);
      expect(chunks.digest).toBe(plain.digest);
      await task.saveArtifacts({ plain, chunks });
    });
    await flow.task({ ...at, taskId: '1' }, (task) => task.saveArtifacts({ bytes }));
    const all = await stored(storage, 'data/', 'manifests/', 'plain/');
    const { total } = await count(storage);
    expect(total.storedBytes - total.inlineBytes).toBe(all);
    expect(total.uniqueBytes - total.inlineBytes).toBe(
      (await objectNames(storage, 'data/')).length * 100_000,
    );
  });

  it('is the code of runs, once where it is equal, and not what keeps it', async () => {
    const { flow, storage } = await opened();
    const root = join(scratchFolder(), 'project');
    mkdirSync(root);
    writeFileSync(join(root, 'main.ts'), noise(50_000, 5));
    for (const runId of ['r1', 'r2']) await flow.createRun({ runId, code: root });
    const use = await count(storage);
    expect(Object.keys(kindsOf(use))).toEqual(['code']);
    expect(kindsOf(use).code?.[0]).toBe(2);
    expect(use.total.dedupRatio).toBe(2);
    const byRun = await count(storage, { flow: 'Test' });
    expect(byRun.entries.map(({ name, bytes }) => [name, bytes > 50_000])).toEqual([
      ['r2', true],
      ['r1', true],
    ]);
    await flow.caStore.release((await flow.run('r1').info()).code?.session as string);
    expect(kindsOf(await count(storage)).code?.[0]).toBe(1);
  });

  it('is what was saved outside tasks, in the whole store alone, until it is released', async () => {
    const { flow, storage } = await opened();
    await saveTask(flow, { x: 1 }, at);
    const [saved] = await flow.caStore.saveBlobs([noise(70_000)]);
    const file = await flow.files.fromData('a', noise(10_000, 3));
    const use = await count(storage);
    expect(kindsOf(use).standalone).toEqual([2, 80_000]);
    expect(use.entries).toMatchObject([{ name: 'Test', contents: 0 }]);
    expect(use.total.contents).toBe(2);
    expect(kindsOf(await count(storage, { flow: 'Test' }))).not.toHaveProperty('standalone');
    for (const session of [saved?.session, file.session]) await flow.caStore.release(session as string);
    expect(kindsOf(await count(storage))).toEqual({ artifacts: [1, 1] });
  });

  it('is what was published, though its run is counted no more', async () => {
    const { flow, storage } = await opened();
    const pathspec = await saveTask(flow, { model: noise(90_000, 4) }, at);
    await flow.publish('model', { task: pathspec, artifact: 'model' });
    const use = await count(storage);
    expect(kindsOf(use)).toMatchObject({ artifacts: [1, 90_000], published: [1, 90_000] });
    expect(use.total).toMatchObject({ contents: 1, bytes: 180_000, uniqueBytes: 90_000 });
    await removeFromStore({ store: storage, path: 'Test/r1' });
    expect(kindsOf(await count(storage))).toEqual({ published: [1, 90_000] });
  });

  it('that cannot be read is told, and the rest is counted', async () => {
    const { flow, storage } = await opened();
    await flow.task(at, async (task) => {
      await task.saveArtifacts({ gone: await task.files.fromData('a', noise(20_000)), x: 1 });
    });
    await flow
      .task({ ...at, taskId: '1' }, async (task) => {
        await task.trace('call', () => 1)();
        throw new RangeError('later');
      })
      .catch(() => {});
    await storage.delete(await objectNames(storage, 'data/'));
    const [trace = ''] = await objectNames(storage, 'partial/');
    await storage.delete([trace]);
    await storage.create(trace, Buffer.from('{}'));
    const use = await count(storage);
    expect(use.total).toMatchObject({ artifacts: 2, unseenContents: 1 });
    expect(use.unseen).toMatchObject([{ contents: 1, failure: { code: 'CONTENT_NOT_FOUND' } }]);
    expect(faults.map(({ code }) => code)).toEqual(['RECORD_DAMAGED']);
  });
});
