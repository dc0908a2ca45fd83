import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type CollectStoreProgress,
  collectStore,
  LocalStorage,
  type StorageCapabilities,
} from '../../src/index.ts';
import { StorageDecorator } from '../../src/storage/decorator.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { errorOf, noise, objectNames, openFlow, saveTask, scratchFolder } from '../flow/fixtures.ts';
import { contentNames, markClosed } from './collection/histories.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** A storage on a network file system. */
class LateStorage extends StorageDecorator {
  override get capabilities(): StorageCapabilities {
    return { ...this.inner.capabilities, seenLate: true };
  }
}

/** A store in which something is dead, and a task that nothing may happen to. */
async function makeStore(): Promise<MemoryStorage> {
  const storage = new MemoryStorage('', { localReads: false });
  const flow = await openFlow({ storage });
  await saveTask(flow, { x: noise(70_000, 1) });
  await saveTask(flow, { x: noise(90_000, 2) }, { taskId: 'dead' });
  await markClosed(storage, 'dead', 'DELETED');
  return storage;
}

describe('collectStore', () => {
  it('of a dry run tells what would go, and changes nothing', async () => {
    const storage = await makeStore();
    const before = await objectNames(storage);
    const dry = await collectStore({ store: storage, dryRun: true });
    expect(dry).toMatchObject({ dryRun: true, collection: { outcome: 'dry-run', condemned: { copies: 1 } } });
    expect(dry.collection.condemnedBytes).toBeGreaterThan(90_000);
    expect(await objectNames(storage)).toEqual(before);
    const done = await collectStore({ store: storage });
    expect(done.collection).toMatchObject({
      outcome: 'collected',
      deletedBytes: dry.collection.condemnedBytes,
    });
    expect(await contentNames(storage)).toHaveLength(1);
  });

  it('tells one step after the other, and items that never fall', async () => {
    const storage = await makeStore();
    const told: CollectStoreProgress[] = [];
    await collectStore({ store: storage, onProgress: (at) => told.push(at) });
    expect(told.at(-1)).toMatchObject({ step: 'idle' });
    for (const [i, { itemsDone }] of told.entries())
      expect(itemsDone).toBeGreaterThanOrEqual(told[i - 1]?.itemsDone ?? 0);
  });

  it.each([
    [undefined, 'collectStore takes options'],
    [{ store: 7 }, 'collectStore takes { store }'],
    [{ store: 'x', dryrun: true }, 'has no option dryrun'],
    [{ store: 'x', exclusive: 'yes' }, 'exclusive must be true or false'],
    [{ store: 'x', adopt: 'place' }, 'adopt must be a list'],
  ])('refuses what it does not take: %j', async (options, message) => {
    const error = await errorOf(collectStore(options as never), 'INVALID_ARGUMENT');
    expect(error.message).toContain(message);
  });

  it('makes no store where there is none', async () => {
    const path = join(scratchFolder(), 'nothing');
    await errorOf(collectStore({ store: path }), 'NO_SUCH_STORE');
    expect(readdirSync(join(path, '..'))).not.toContain('nothing');
  });
});

describe('files of writers that died', () => {
  it('are removed once they are a day old, and others stay', async () => {
    const path = join(scratchFolder(), 'store');
    const storage = await LocalStorage.open(path);
    const flow = await openFlow({ storage });
    await saveTask(flow, { x: noise(70_000) });
    const tmp = join(path, '.stowage-tmp');
    mkdirSync(tmp, { recursive: true });
    const [old, young, foreign] = [`${'a'.repeat(24)}-0`, `${'b'.repeat(24)}-0`, 'notes.txt'];
    for (const file of [old, young, foreign]) writeFileSync(join(tmp, file), 'xyz');
    for (const file of [old, foreign])
      utimesSync(join(tmp, file), new Date(Date.now() - 2 * DAY_MS), new Date(Date.now() - 2 * DAY_MS));
    const dry = await collectStore({ store: path, dryRun: true });
    expect(dry.unfinished).toEqual({ found: 1, bytes: 3, removed: 0, problems: [] });
    expect(readdirSync(tmp)).toContain(old);
    const done = await collectStore({ store: path });
    expect(done.unfinished).toEqual({ found: 1, bytes: 3, removed: 1, problems: [] });
    expect(readdirSync(tmp).filter((file) => [old, young, foreign].includes(file))).toEqual([young, foreign]);
  });
});

describe('a store on a network file system', () => {
  it('is refused without exclusive, the store itself or a place of it, and nothing is deleted', async () => {
    const storage = await makeStore();
    const before = await objectNames(storage);
    const { message } = await errorOf(
      collectStore({ store: new LateStorage(storage) }),
      'STORAGE_UNSUPPORTED',
    );
    expect(message).toContain('NFS or SMB');
    expect(message).toContain('{ exclusive: true }');
    expect(await objectNames(storage)).toEqual(before);

    const elsewhere = new MemoryStorage(`late-${process.pid}`);
    const openPlace = (): LateStorage => new LateStorage(elsewhere);
    const flow = await openFlow({ storage, openPlace, rawDataPath: 'memory:late-place' });
    await saveTask(flow, { x: noise(300_000, 5) }, { taskId: 'elsewhere' });
    await flow.close();
    await errorOf(collectStore({ store: storage, openPlace }), 'STORAGE_UNSUPPORTED');
    expect(await contentNames(storage)).toHaveLength(2);
  });

  it('is collected with exclusive, unless somebody was heard within the hour', async () => {
    const storage = await makeStore();
    const flow = await openFlow({ storage });
    const open = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: 'open' });
    const busy = await errorOf(
      collectStore({ store: new LateStorage(storage), exclusive: true }),
      'STORE_BUSY',
    );
    expect(busy.message).toContain('Test/r1/fit/open/0');
    expect(busy.details).toMatchObject({ count: 1, open: ['Test/r1/fit/open/0'] });
    expect(await contentNames(storage)).toHaveLength(2);
    // To look does no harm.
    await collectStore({ store: new LateStorage(storage), exclusive: true, dryRun: true });
    await open.done();
    const { collection } = await collectStore({ store: new LateStorage(storage), exclusive: true });
    expect(collection).toMatchObject({ outcome: 'collected', deleted: { copies: 1 } });
  });

  it('is collected with exclusive though a process died in it, an hour ago', async () => {
    const storage = await makeStore();
    const flow = await openFlow({ storage });
    await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: 'open' });
    /** Tells the times of what says that its owner is alive. */
    class OldSigns extends LateStorage {
      override async head(...args: Parameters<StorageDecorator['head']>) {
        const info = await this.inner.head(...args);
        return info && { ...info, modifiedAtMs: info.modifiedAtMs - 61 * 60 * 1000 };
      }
    }
    const { collection } = await collectStore({ store: new OldSigns(storage), exclusive: true });
    expect(collection).toMatchObject({ outcome: 'collected', deleted: { copies: 1 } });
  });
});
