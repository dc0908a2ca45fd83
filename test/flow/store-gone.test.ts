import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { LOOK_INTERVAL_MS } from '../../src/content/store-file.ts';
import { isStowageError } from '../../src/errors.ts';
import type { OpenTaskDataStore } from '../../src/flow/open-task-data-store.ts';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import { copyStore } from '../../src/maintenance/copy-store.ts';
import type { GetOptions, StorageCapabilities, StoredObject } from '../../src/storage/contract.ts';
import { StorageDecorator } from '../../src/storage/decorator.ts';
import { LocalStorage } from '../../src/storage/local.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { propertyRuns, test } from '../property.ts';
import { errorOf, noise, objectNames, openFlow, scratchFolder } from './fixtures.ts';

const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };

/** How a folder goes away, and what brings it back, if anything does. */
const WAYS: Readonly<Record<string, (store: string) => (() => void) | undefined>> = {
  removed: (store) => {
    rmSync(store, { recursive: true });
    return undefined;
  },
  renamed: (store) => {
    renameSync(store, `${store}-away`);
    return () => renameSync(`${store}-away`, store);
  },
  emptied: (store) => {
    for (const name of readdirSync(store)) rmSync(join(store, name), { recursive: true });
    return undefined;
  },
  // A mount point is there, and empty, while nothing is mounted.
  unmounted: (store) => {
    renameSync(store, `${store}-away`);
    mkdirSync(store);
    return () => {
      rmSync(store, { recursive: true });
      renameSync(`${store}-away`, store);
    };
  },
};

/** What a task does, and what it holds by then. */
const STEPS: Readonly<Record<string, (task: OpenTaskDataStore, n: number) => Promise<unknown>>> = {
  inline: (task, n) => task.saveArtifacts({ [`inline${n}`]: n }),
  content: (task, n) => task.saveArtifacts({ [`content${n}`]: noise(20_000, n + 1) }),
  large: (task, n) => task.saveArtifacts({ [`large${n}`]: noise(300_000, n + 1) }),
  metadata: (task, n) => task.saveMetadata({ [`key${n}`]: n }),
  logs: (task, n) => task.saveLogs('task', { stdout: `line ${n}\n` }),
};

const treeOf = (path: string): string[] =>
  existsSync(path) ? (readdirSync(path, { recursive: true }) as string[]).sort() : ['(nothing)'];

describe('a store in a folder that goes away under an open flow', () => {
  const way = fc.constantFrom(...Object.keys(WAYS));
  const steps = fc.array(fc.constantFrom(...Object.keys(STEPS)), { maxLength: 4 });
  test.prop([way, steps, steps], { numRuns: Math.ceil(propertyRuns / 2) })(
    'makes no attempt done, takes nothing new, and goes on when it is back',
    async (how, before, after) => {
      const store = join(scratchFolder(), 'store');
      const flow = await FlowDataStore.open({ flowName: 'Test', storage: store });
      const task = await flow.createTaskDataStore(spec);
      for (const [n, step] of before.entries()) await STEPS[step]?.(task, n);
      const bringBack = WAYS[how]?.(store);
      const left = treeOf(store);
      let failed = 0;
      for (const [n, step] of after.entries()) {
        await STEPS[step]?.(task, before.length + n).catch((error: unknown) => {
          if (!isStowageError(error, 'STORE_GONE')) throw error;
          failed += 1;
        });
      }
      await errorOf(task.done(), failed > 0 ? 'SAVE_FAILED' : 'STORE_GONE');
      await errorOf(flow.createTaskDataStore({ ...spec, taskId: '1' }), 'STORE_GONE');
      await errorOf(flow.createRun({ runId: 'r2' }), 'STORE_GONE');
      await errorOf(flow.caStore.saveBlobs([noise(20_000)]), 'STORE_GONE');
      await errorOf(flow.getTaskDataStore('r1/fit/0'), 'NO_SUCH_STORE');
      expect(treeOf(store)).toEqual(left);
      bringBack?.();
      if (bringBack && failed === 0) {
        await task.done();
        const read = await flow.getTaskDataStore('r1/fit/0');
        for (const name of read.names()) await read.get(name);
      }
      await flow.close();
    },
  );

  it.each(Object.keys(WAYS))('%s, fails the task, and its work is told why', async (how) => {
    const store = join(scratchFolder(), 'store');
    const flow = await openFlow({ storage: store });
    const work = () =>
      flow.task(spec, async (task) => {
        await task.saveArtifacts({ early: noise(20_000) });
        WAYS[how]?.(store);
        return 'worked';
      });
    expect((await errorOf(work, 'STORE_GONE')).message).toContain(store);
  });

  it('is not taken for another one that lies there since', async () => {
    const store = join(scratchFolder(), 'store');
    const flow = await openFlow({ storage: store });
    const task = await flow.createTaskDataStore(spec);
    rmSync(store, { recursive: true });
    const other = await openFlow({ storage: store });
    await other.task({ ...spec, runId: 'other' }, (one) => one.saveArtifacts({ a: 1 }));
    const nothingNew = async (): Promise<void> => {
      await errorOf(flow.createTaskDataStore({ ...spec, taskId: '1' }), 'STORE_GONE');
      await errorOf(flow.caStore.saveBlobs([noise(20_000)]), 'STORE_GONE');
    };
    const left = treeOf(store);
    await nothingNew();
    await errorOf(task.done(), 'STORE_GONE');
    await errorOf(flow.getTaskDataStore('other/fit/0'), 'STORE_GONE');
    await nothingNew(); // that one's record was read meanwhile
    expect(treeOf(store)).toEqual(left);
  });

  it('is looked for once in each attempt, before it is done', async () => {
    const steps: string[] = [];
    class Looked extends StorageDecorator {
      override head(...args: Parameters<StorageDecorator['head']>): ReturnType<StorageDecorator['head']> {
        if (args[0] === 'stowage.json') steps.push('look');
        return super.head(...args);
      }

      override create(
        ...args: Parameters<StorageDecorator['create']>
      ): ReturnType<StorageDecorator['create']> {
        if (args[0].includes('/fit/')) steps.push(args[0].split('/').at(-1) as string);
        return super.create(...args);
      }
    }
    const flow = await openFlow({ storage: new Looked(await LocalStorage.open(scratchFolder())) });
    await flow.task(spec, (task) => task.saveArtifacts({ a: 1 }));
    steps.length = 0;
    await flow.task({ ...spec, taskId: '1' }, (task) => task.saveArtifacts({ a: 1, b: noise(20_000) }));
    expect(steps).toEqual(['0.attempt.json', '0.metadata.json', 'look', '0.DONE']);
  });

  it('is the same where its record was written again by its id', async () => {
    const store = join(scratchFolder(), 'store');
    const flow = await openFlow({ storage: store });
    const task = await flow.createTaskDataStore(spec);
    const lostIdentity = await flow.caStore.storeId();
    rmSync(join(store, 'stowage.json'));
    await errorOf(task.saveArtifacts({ lost: noise(20_000) }), 'STORE_GONE');
    const other = await openFlow({ storage: store, lostIdentity });
    await other.task({ ...spec, taskId: '1' }, (one) => one.saveArtifacts({ a: 1 }));
    await task.saveArtifacts({ lost: noise(20_000) });
    await task.done();
  });

  it('is not looked for by its record alone: the same one, written again, is the store', async () => {
    const store = join(scratchFolder(), 'store');
    const flow = await openFlow({ storage: store });
    const task = await flow.createTaskDataStore(spec);
    const record = (await flow.storage.get('stowage.json'))?.body as Uint8Array;
    rmSync(join(store, 'stowage.json'));
    await errorOf(task.done(), 'STORE_GONE');
    await flow.storage.create('stowage.json', record);
    await task.done();
  });

  it('ends a copy that goes there', async () => {
    const [from, to] = [scratchFolder(), join(scratchFolder(), 'to')];
    const source = await openFlow({ storage: from });
    for (const taskId of ['0', '1', '2'])
      await source.task({ ...spec, taskId }, (task) => task.saveArtifacts({ x: noise(20_000) }));
    const atSecond = new (class extends StorageDecorator {
      override get(name: string, options?: GetOptions): Promise<StoredObject | undefined> {
        if (name === 'flows/Test/r1/fit/1/0.DONE') rmSync(to, { recursive: true });
        return super.get(name, options);
      }
    })(source.storage);
    await errorOf(copyStore({ from: atSecond, to, concurrency: 1 }), 'STORE_GONE');
    expect(existsSync(to)).toBe(false);
  });

  it('elsewhere, makes no attempt done', async () => {
    const folder = scratchFolder();
    const rawDataPath = join(folder, 'raw');
    const flow = await openFlow({ storage: join(folder, 'store') });
    const task = await flow.createTaskDataStore({ ...spec, rawDataPath });
    await task.saveArtifacts({ x: noise(20_000) });
    renameSync(rawDataPath, `${rawDataPath}-away`);
    await errorOf(task.done(), 'PLACE_NOT_FOUND');
    renameSync(`${rawDataPath}-away`, rawDataPath);
    await task.done();
  });
});

/** As a bucket is seen: a look costs a request, and others see what is written. */
class Far extends StorageDecorator {
  looks = 0;

  override get capabilities(): StorageCapabilities {
    return { ...this.inner.capabilities, localReads: false, sharedByProcesses: true };
  }

  override head(...args: Parameters<StorageDecorator['head']>): ReturnType<StorageDecorator['head']> {
    if (args[0] === 'stowage.json') this.looks += 1;
    return super.head(...args);
  }
}

describe('a store in a bucket whose prefix is emptied under an open flow', () => {
  afterEach(() => vi.useRealTimers());

  it('is looked at once a minute, and takes nothing new after that', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const bucket = new Far(new MemoryStorage());
    const flow = await openFlow({ storage: bucket });
    const task = await flow.createTaskDataStore(spec);
    await task.saveArtifacts({ early: noise(20_000) });
    vi.advanceTimersByTime(LOOK_INTERVAL_MS - 1);
    await task.saveArtifacts({ still: noise(20_000, 2) });
    expect(bucket.looks).toBe(0);
    vi.advanceTimersByTime(1);
    const saves = [3, 4, 5].map((n) => task.saveArtifacts({ [`n${n}`]: noise(20_000, n) }));
    await Promise.all(saves);
    expect(bucket.looks).toBe(1);

    await bucket.delete(await objectNames(bucket));
    vi.advanceTimersByTime(LOOK_INTERVAL_MS);
    await errorOf(task.saveArtifacts({ late: noise(20_000, 6) }), 'STORE_GONE');
    await errorOf(task.saveMetadata({ late: true }), 'STORE_GONE');
    await errorOf(task.done(), 'SAVE_FAILED');
    await errorOf(task.fail(new Error('given up')), 'STORE_GONE');
    await errorOf(flow.createTaskDataStore({ ...spec, taskId: '1' }), 'STORE_GONE');
    await errorOf(flow.getTaskDataStore('r1/fit/0'), 'NO_SUCH_STORE');
    expect(await objectNames(bucket)).toEqual([]);
  });
});
