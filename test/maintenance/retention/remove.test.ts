import { afterEach, describe, expect, it, vi } from 'vitest';
import { OUTPUT_ARTIFACT } from '../../../src/cached-tasks/record.ts';
import { isStowageError } from '../../../src/errors.ts';
import { entryName, taskIdOf } from '../../../src/format/cache-names.ts';
import { collectStore } from '../../../src/maintenance/collect-store.ts';
import { applyRetention } from '../../../src/maintenance/retention/apply-retention.ts';
import { removeFromStore } from '../../../src/maintenance/retention/remove.ts';
import type { CallOptions, DataStoreStorage, ObjectInfo } from '../../../src/storage/contract.ts';
import { StorageDecorator } from '../../../src/storage/decorator.ts';
import { FaultStorage } from '../../../src/storage/fault.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { abandonedDone, cloneOf } from '../../content/storages.ts';
import { errorOf, noise, objectNames, openFlow, saveTask } from '../../flow/fixtures.ts';
import { objectsWith } from '../erasure/erased-store.ts';
import { faultsOf } from '../fsck/repair/damaged-stores.ts';
import { DAY_MS, listedRuns } from './histories.ts';

const values = { small: 1, x: noise(100_000) };

/** The path of the artifact that a cached task returned for a key. */
async function pathOfCached(storage: DataStoreStorage, key: string): Promise<string> {
  const names = await objectNames(storage, 'flows/');
  const name = names.find((one) => one.includes(`/${taskIdOf(key)}/`)) as string;
  return [...name.split('/').slice(1, 5), OUTPUT_ARTIFACT].join('/');
}

/** A collector gives up on a session outside tasks that wrote values of an attempt anew, before somebody looks whether it did. */
class Fencing extends StorageDecorator {
  #hasValues = false;

  override async create(...args: Parameters<DataStoreStorage['create']>): Promise<boolean> {
    this.#hasValues ||= args[0].startsWith('values/');
    return this.inner.create(...args);
  }

  override async head(name: string, options?: CallOptions): Promise<ObjectInfo | undefined> {
    const [, base] = /^(loose\/.*)\.DONE$/.exec(name) ?? [];
    const attempt = this.#hasValues && base && (await this.inner.get(`${base}.attempt.json`));
    if (attempt) await this.inner.create(name, abandonedDone(attempt.body));
    return this.inner.head(name, options);
  }
}

afterEach(() => {
  vi.useRealTimers();
});

describe('a removal', () => {
  it('of a run is seen by a flow that stays open, which makes the run anew: what it saves is listed', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const flow = await openFlow();
    await saveTask(flow, values, { runId: 'r1' });
    await removeFromStore({ store: flow.storage, path: 'Test/r1' });
    vi.advanceTimersByTime(10_000);
    await saveTask(flow, values, { runId: 'r1', stepName: 'again' });
    expect(await listedRuns(flow.storage)).toEqual(['Test/r1']);
    expect(await faultsOf(flow.storage)).toEqual([]);
  });

  it('of a run takes it, and leaves the others', async () => {
    const flow = await openFlow();
    for (const runId of ['r1', 'r2']) await saveTask(flow, values, { runId });
    await flow.run('r1').finish();
    const before = await objectNames(flow.storage);
    const dry = await removeFromStore({ store: flow.storage, path: 'Test/r1', dryRun: true });
    expect(dry).toMatchObject({ dryRun: true, runs: 1, attempts: { deleted: 1 } });
    expect(await objectNames(flow.storage)).toEqual(before);
    expect(await removeFromStore({ store: flow.storage, path: 'Test/r1' })).toMatchObject({
      runs: 1,
      attempts: { deleted: 1, purged: 0 },
      problemCount: 0,
    });
    expect(await listedRuns(flow.storage)).toEqual(['Test/r2']);
    await errorOf(flow.getTaskDataStore('r1/fit/0'), 'ATTEMPT_DELETED');
    expect(await (await flow.getTaskDataStore('r2/fit/0')).loadArtifacts()).toEqual(values);
  });

  it('of a task or a step leaves the rest of the run', async () => {
    const flow = await openFlow();
    await saveTask(flow, values, { taskId: '0' });
    await saveTask(flow, values, { taskId: '1' });
    await saveTask(flow, values, { stepName: 'score' });
    await removeFromStore({ store: flow.storage, path: 'Test/r1/fit/0' });
    await errorOf(flow.getTaskDataStore('r1/fit/0'), 'ATTEMPT_DELETED');
    expect(await (await flow.getTaskDataStore('r1/fit/1')).loadArtifacts()).toEqual(values);
    await removeFromStore({ store: flow.storage, path: 'Test/r1/fit' });
    await errorOf(flow.getTaskDataStore('r1/fit/1'), 'ATTEMPT_DELETED');
    expect(await (await flow.getTaskDataStore('r1/score/0')).loadArtifacts()).toEqual(values);
    expect(await listedRuns(flow.storage)).toEqual(['Test/r1']);
  });

  it('of the content alone leaves history and what is inline', async () => {
    const flow = await openFlow();
    await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, async (task) => {
      await task.saveArtifacts(values);
      await task.saveMetadata({ epochs: 3 });
      await task.saveLogs('task', { stdout: 'a line\n' });
    });
    const options = { store: flow.storage, path: 'Test/r1', contentOnly: true };
    expect(await removeFromStore(options)).toMatchObject({ runs: 0, runsInPart: 1, attempts: { purged: 1 } });
    const task = await flow.getTaskDataStore('r1/fit/0');
    await errorOf(task.loadArtifacts(), 'CONTENT_PURGED');
    expect(await task.loadArtifacts(['small'])).toEqual({ small: 1 });
    expect(await objectNames(flow.storage, 'logs/')).toHaveLength(1);
    expect(await removeFromStore(options)).toMatchObject({ attempts: { purged: 0 } });
    await removeFromStore({ store: flow.storage, path: 'Test/r1' });
    await errorOf(flow.getTaskDataStore('r1/fit/0'), 'ATTEMPT_DELETED');
  });

  it('takes the entries of the cache that name it, and a call runs again', async () => {
    const flow = await openFlow();
    let calls = 0;
    const judge = flow.cachedTask({
      name: 'judge',
      version: '1',
      run: async (input: number) => `${input} ${calls++}`,
    });
    expect(await judge(1)).toBe('1 0');
    expect(await judge(1)).toBe('1 0');
    const [run] = await listedRuns(flow.storage);
    await errorOf(removeFromStore({ store: flow.storage, path: 'Test/no-run' }), 'RUN_NOT_FOUND');
    const result = await removeFromStore({ store: flow.storage, path: run as string });
    expect(result).toMatchObject({ cacheEntries: 1 });
    expect(await judge(1)).toBe('1 1');
  });

  it('of what runs is refused until it is silent, and of what is pinned unless it is meant', async () => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
    await task.saveArtifacts(values);
    const before = await objectNames(flow.storage, 'flows/');
    await errorOf(removeFromStore({ store: flow.storage, path: 'Test/r1' }), 'RUN_RUNNING');
    expect(await objectNames(flow.storage, 'flows/')).toEqual(before);
    await flow.run('r1').pin({ reason: 'the paper' });
    const nowMs = Date.now() + 2 * DAY_MS;
    const error = await errorOf(
      removeFromStore({ store: flow.storage, path: 'Test/r1', nowMs }),
      'RUN_PINNED',
    );
    expect(error.message).toContain('(the paper)');
    const removed = await removeFromStore({ store: flow.storage, path: 'Test/r1', nowMs, evenPinned: true });
    expect(removed).toMatchObject({ runs: 1, abandoned: { attempts: 1 } });
    // Its owner wakes up, and closes its work as the next attempt.
    await task.done();
    const next = await flow.getTaskDataStore('r1/fit/0');
    expect([next.attempt, await next.loadArtifacts()]).toEqual([1, values]);
  });

  it('of an attempt leaves the others of its task', async () => {
    const flow = await openFlow();
    await saveTask(flow, values);
    await saveTask(flow, { ...values, small: 2 });
    await removeFromStore({ store: flow.storage, path: 'Test/r1/fit/0/0' });
    await errorOf(flow.getTaskDataStore('r1/fit/0', { attempt: 0 }), 'ATTEMPT_DELETED');
    expect(await (await flow.getTaskDataStore('r1/fit/0')).get('small')).toBe(2);
  });

  it.each([true, false])(
    'of an artifact takes its content from the task, and nothing else, where local reads are %s',
    async (localReads) => {
      const storage = new MemoryStorage('', { localReads });
      const flow = await openFlow({ storage });
      const saved = { ...values, own: noise(20_000, 2), other: noise(20_000, 3) };
      await saveTask(flow, saved);
      await saveTask(flow, saved, { taskId: '1' });
      for (const name of ['x', 'own', 'small']) {
        const path = `Test/r1/fit/0/${name}`;
        const before = await objectNames(storage);
        expect(await removeFromStore({ store: storage, path, dryRun: true })).toMatchObject({ artifacts: 1 });
        expect(await objectNames(storage)).toEqual(before);
        const result = await removeFromStore({ store: storage, path });
        expect(result).toMatchObject({ artifacts: 1, runsInPart: 1, attempts: { deleted: 0 }, problems: [] });
        const task = await flow.getTaskDataStore('r1/fit/0');
        expect((await errorOf(task.get(name), 'CONTENT_ERASED')).message).toContain('it was removed');
        await errorOf(removeFromStore({ store: storage, path }), 'CONTENT_ERASED');
      }
      expect(await (await flow.getTaskDataStore('r1/fit/0')).loadArtifacts()).toEqual({ other: saved.other });
      expect(await (await flow.getTaskDataStore('r1/fit/1')).loadArtifacts()).toEqual(saved);
      await collectStore({ store: storage });
      expect(await faultsOf(storage)).toEqual([]);
      expect(await (await flow.getTaskDataStore('r1/fit/1')).loadArtifacts()).toEqual(saved);
      await removeFromStore({ store: storage, path: 'Test/r1/fit/1/0/x' });
      expect((await collectStore({ store: storage })).collection.deleted.copies).toBeGreaterThan(0);
    },
  );

  it('of an artifact has a cached call that returned it run again', async () => {
    const flow = await openFlow();
    let calls = 0;
    const judge = flow.cachedTask({
      name: 'judge',
      version: '1',
      run: async (n: number) => `${n} ${calls++}`,
    });
    const { key } = await judge.detailed(1);
    await judge(2);
    const path = await pathOfCached(flow.storage, key);
    expect(await removeFromStore({ store: flow.storage, path })).toMatchObject({ cacheEntries: 1 });
    expect([await judge(2), await judge(1)]).toEqual(['2 1', '1 2']);
  });

  it.each([
    ['inline', Buffer.from('the address of somebody, as a task of a cache returned it once').toString()],
    ['of its own', noise(20_000, 5)],
  ])(
    'of an artifact (%s) that was killed anywhere is finished when it is made again, and no cached call returns it',
    async (_what, value) => {
      const original = new MemoryStorage('', { localReads: false });
      const judgeIn = async (storage: MemoryStorage, run: () => typeof value) =>
        (await openFlow({ storage })).cachedTask({
          name: 'judge',
          version: '1',
          run: async (_of: number) => run(),
        });
      const { key } = await (await judgeIn(original, () => value)).detailed(1);
      const path = await pathOfCached(original, key);
      const bytes = Buffer.from(value);
      for (let diesAt = 1, hasDied = true; hasDied; diesAt++) {
        const storage = await cloneOf(original);
        let calls = 0;
        hasDied = false;
        const dying = new FaultStorage(storage, () => {
          calls += 1;
          hasDied ||= calls >= diesAt;
          return hasDied ? { kind: 'before' } : undefined;
        });
        await removeFromStore({ store: dying, path }).catch(() => {});
        await removeFromStore({ store: storage, path }).catch((error) => {
          if (!isStowageError(error, 'CONTENT_ERASED')) throw error;
        });
        await errorOf(removeFromStore({ store: storage, path }), 'CONTENT_ERASED');
        expect(await storage.head(entryName(key))).toBeUndefined();
        await collectStore({ store: storage });
        expect(await objectsWith(storage, bytes)).toEqual([]);
        const again = await judgeIn(storage, () => 'ran again');
        expect(await again(1)).toBe('ran again');
      }
    },
  );

  it('of an artifact is refused while an attempt of the task is open, unless another one is meant', async () => {
    const flow = await openFlow();
    await saveTask(flow, values);
    const open = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
    await open.saveArtifacts(values);
    const before = await objectNames(flow.storage);
    const remove = (path: string, nowMs?: number) => removeFromStore({ store: flow.storage, path, nowMs });
    expect((await errorOf(remove('Test/r1/fit/0/x'), 'RUN_RUNNING')).message).toContain('open attempt');
    expect((await objectNames(flow.storage)).filter((name) => !name.startsWith('beats/'))).toEqual(
      before.filter((name) => !name.startsWith('beats/')),
    );
    expect(await remove('Test/r1/fit/0/0/x')).toMatchObject({ artifacts: 1 });
    const removed = await remove('Test/r1/fit/0/small', Date.now() + 2 * DAY_MS);
    expect(removed).toMatchObject({ artifacts: 1, abandoned: { attempts: 1 } });
    await errorOf((await flow.getTaskDataStore('r1/fit/0', { attempt: 0 })).get('small'), 'CONTENT_ERASED');
  });

  it('of an artifact that a collector gave up on says to remove again', async () => {
    const storage = new MemoryStorage('', { localReads: false });
    const flow = await openFlow({ storage });
    await saveTask(flow, { own: noise(20_000, 2), other: noise(20_000, 3) });
    const path = 'Test/r1/fit/0/own';
    const error = await errorOf(removeFromStore({ store: new Fencing(storage), path }), 'ATTEMPT_FENCED');
    expect(error.message).toContain('stowage rm');
    expect(error.message).not.toContain('erase --continue');
    expect(await removeFromStore({ store: storage, path })).toMatchObject({ artifacts: 1 });
  });

  it('of an artifact whose entry cannot be deleted tells so, and is finished when it is made again', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const judge = flow.cachedTask({ name: 'judge', version: '1', run: async (of: number) => `${of}` });
    const { key } = await judge.detailed(1);
    const path = await pathOfCached(storage, key);
    const failing = new FaultStorage(storage, (operation, name) =>
      operation === 'delete' && name === entryName(key) ? { kind: 'before' } : undefined,
    );
    const remove = (store: DataStoreStorage) => removeFromStore({ store, path });
    const told = { cacheEntries: 0, problemCount: 1, problems: [{ name: entryName(key) }] };
    expect(await remove(failing)).toMatchObject({ ...told, artifacts: 1 });
    expect(await remove(failing)).toMatchObject({ ...told, artifacts: 0 });
    const dry = await removeFromStore({ store: storage, path, dryRun: true });
    expect(dry).toMatchObject({ cacheEntries: 1, artifacts: 0, problemCount: 0 });
    expect(await remove(storage)).toMatchObject({ cacheEntries: 1, artifacts: 0, problemCount: 0 });
    await errorOf(remove(storage), 'CONTENT_ERASED');
  });

  it('that was killed anywhere is finished when it is made again, or by retention', async () => {
    const original = new MemoryStorage('', { localReads: false });
    const flow = await openFlow({ storage: original });
    await saveTask(flow, { x: noise(70_000), own: noise(20_000, 2) });
    await saveTask(flow, { x: 1 }, { taskId: '1' });
    for (let diesAt = 1, hasDied = true; hasDied; diesAt++) {
      const storage = await cloneOf(original);
      let calls = 0;
      hasDied = false;
      const dying = new FaultStorage(storage, () => {
        calls += 1;
        hasDied ||= calls >= diesAt;
        return hasDied ? { kind: 'before' } : undefined;
      });
      await removeFromStore({ store: dying, path: 'Test/r1/fit/0' }).catch(() => {});
      const isMarked = (await storage.head('flows/Test/r1/fit/0/0.DELETED')) !== undefined;
      if (isMarked) await applyRetention({ store: storage, policy: {} });
      else await removeFromStore({ store: storage, path: 'Test/r1/fit/0' });
      expect(await objectNames(storage, 'values/Test/r1/fit/0/')).toEqual([]);
      expect(await objectNames(storage, 'flows/Test/r1/fit/0/')).toEqual(
        ['attempt.json', 'DELETED', 'DONE'].map((file) => `flows/Test/r1/fit/0/0.${file}`).sort(),
      );
    }
  });

  it.each(['Test', '', 'Test/r1/fit/0/0/x/y', 'Test/r1/fit/0/x/0', 'Test//fit', '/r1', 5, undefined])(
    'of %j is refused',
    async (path) => {
      const flow = await openFlow();
      await saveTask(flow, values);
      const error = await errorOf(removeFromStore({ store: flow.storage, path: path as string }));
      expect(['INVALID_ARGUMENT', 'INVALID_NAME']).toContain(error.code);
    },
  );

  it('of what is not there tells what is', async () => {
    const flow = await openFlow();
    await saveTask(flow, values);
    const remove = (path: string) => removeFromStore({ store: flow.storage, path });
    expect((await errorOf(remove('Test/r2'), 'RUN_NOT_FOUND')).message).toContain('r1');
    await errorOf(remove('Test/r1/fiz'), 'STEP_NOT_FOUND');
    await errorOf(remove('Test/r1/fit/7'), 'TASK_NOT_FOUND');
    await errorOf(remove('Test/r1/fit/0/7'), 'ATTEMPT_NOT_FOUND');
    expect((await errorOf(remove('Test/r1/fit/0/y'), 'ARTIFACT_NOT_FOUND')).message).toContain('small');
  });
});
