import { describe, expect, it } from 'vitest';
import { ContentAddressedStore } from '../../../src/content-addressed-store.ts';
import type { FlowDataStore } from '../../../src/flow-data-store.ts';
import { damagedMarkOf } from '../../../src/format/content-names.ts';
import type { CallOptions, DataStoreStorage, DeleteFailure } from '../../../src/storage/contract.ts';
import { FaultStorage } from '../../../src/storage/fault.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { ObservedStorage } from '../../content/storages.ts';
import { noise, objectNames, openFlow, saveTask } from '../../flow/fixtures.ts';
import { collect } from './collect.ts';
import { contentNames, readEverything } from './histories.ts';

/** Objects whose names begin with a prefix cannot be deleted, as under an object lock. */
class LockedStorage extends ObservedStorage {
  readonly #prefix: string;

  constructor(inner: DataStoreStorage, prefix: string) {
    super(inner);
    this.#prefix = prefix;
  }

  override async delete(names: readonly string[], options?: CallOptions): Promise<DeleteFailure[]> {
    const locked = names.filter((name) => name.startsWith(this.#prefix));
    const failures = await this.inner.delete(
      names.filter((name) => !locked.includes(name)),
      options,
    );
    return [...failures, ...locked.map((name) => ({ name, error: new Error('the object is locked') }))];
  }
}

const LARGE = noise(300_000);
const SMALL = noise(70_000, 2);

/** Two writers that see nothing of each other until both have written: each content has two copies. */
async function twice(artifacts: Record<string, unknown> = { small: SMALL, large: LARGE }): Promise<{
  storage: MemoryStorage;
  flow: FlowDataStore;
}> {
  const storage = new MemoryStorage('', { localReads: false });
  const flow = await openFlow({ storage });
  let waiting: (() => void)[] = [];
  const meeting = new ObservedStorage(storage);
  // Whoever is about to write content waits for the other one.
  meeting.before = async (operation, name) => {
    if (operation !== 'create' || !/^(data|packs)\//.test(name)) return;
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
      if (waiting.length < 2) return;
      for (const go of waiting) go();
      waiting = [];
    });
  };
  const [one, other] = [await openFlow({ storage: meeting }), await openFlow({ storage: meeting })];
  await Promise.all([saveTask(one, artifacts, { taskId: '1' }), saveTask(other, artifacts, { taskId: '2' })]);
  return { storage, flow };
}

/** Changes what is stored in the middle of an object. */
async function damage(storage: DataStoreStorage, name: string): Promise<void> {
  const body = (await storage.get(name))?.body as Uint8Array;
  const at = Math.floor(body.length / 2);
  body[at] = (body[at] as number) ^ 1;
  await storage.overwrite(name, body);
}

describe('several copies of one content', () => {
  it('become one, and its packs go with the next collection; everything reads as before', async () => {
    const { storage, flow } = await twice();
    const before = await readEverything(flow);
    expect(await objectNames(storage, 'data/')).toHaveLength(2);
    expect(await objectNames(storage, 'manifests/')).toHaveLength(2);
    expect(await collect(storage)).toMatchObject({ superseded: 2, deleted: { copies: 2, packs: 0 } });
    expect(await collect(storage)).toMatchObject({ superseded: 0, deleted: { copies: 0, packs: 1 } });
    expect(await collect(storage)).toMatchObject({ outcome: 'nothing' });
    expect(await contentNames(storage)).toHaveLength(3);
    expect(await readEverything(await openFlow({ storage }))).toEqual(before);
  });

  it('stay where it is not wanted, and in a dry run', async () => {
    const { storage } = await twice();
    const before = await contentNames(storage);
    expect(await collect(storage, { superseded: false })).toMatchObject({ superseded: 0 });
    expect(await collect(storage, { dryRun: true })).toMatchObject({ superseded: 0 });
    expect(await contentNames(storage)).toEqual(before);
  });

  it('leave the whole one where the other is damaged, marked or not, inside or in its packs', async () => {
    for (const [kind, isMarked] of [
      ['data/', false],
      ['data/', true],
      ['packs/', false],
    ] as const) {
      for (const which of [0, 1]) {
        const { storage, flow } = await twice();
        const before = await readEverything(flow);
        const bad = (await objectNames(storage, kind))[which] as string;
        await damage(storage, bad);
        if (isMarked) await storage.create(damagedMarkOf(bad), new Uint8Array(0));
        for (let times = 0; times < 3; times++) await collect(storage);
        expect(await readEverything(await openFlow({ storage }))).toEqual(before);
      }
    }
  });

  it('all stay where none of them is whole', async () => {
    const { storage } = await twice({ small: SMALL });
    const copies = await objectNames(storage, 'data/');
    for (const name of copies) await damage(storage, name);
    for (let times = 0; times < 3; times++) await collect(storage);
    expect((await objectNames(storage, 'data/')).filter((name) => !name.endsWith('.damaged'))).toEqual(
      copies,
    );
  });

  it('stay where the one that would be left is damaged after the proposal', async () => {
    const { storage, flow } = await twice();
    const before = await readEverything(flow);
    const [stays = ''] = await objectNames(storage, 'data/');
    const observed = new ObservedStorage(storage);
    observed.before = async (operation, name) => {
      if (operation !== 'create' || !/^gc\/\d+$/.test(name)) return;
      observed.before = () => {};
      await damage(storage, stays);
    };
    expect(await collect(observed)).toMatchObject({ superseded: 2, spared: 1, deleted: { copies: 1 } });
    expect(await readEverything(await openFlow({ storage }))).toEqual(before);
  });

  it('stay while names of an earlier collection are not confirmed gone', async () => {
    const { storage, flow } = await twice();
    const before = await readEverything(flow);
    const locked = new FaultStorage(storage, (operation) =>
      operation === 'delete' ? { kind: 'before' } : undefined,
    );
    expect((await collect(locked)).unconfirmed).toHaveLength(2);
    expect(await collect(locked)).toMatchObject({ superseded: 0 });
    await collect(storage);
    expect(await objectNames(storage, 'data/')).toHaveLength(1);
    expect(await readEverything(await openFlow({ storage }))).toEqual(before);
  });

  it('become one also while other names cannot be deleted', async () => {
    const { storage, flow } = await twice();
    const [saved] = await flow.caStore.saveBlobs([noise(70_000, 3)]);
    await flow.caStore.release(saved?.session as string);
    const locked = new LockedStorage(storage, `data/${saved?.key.slice(0, 3)}/${saved?.key}`);
    expect(await collect(locked, { superseded: false })).toMatchObject({ unconfirmed: [{}] });
    const before = await readEverything(flow);
    expect(await collect(locked)).toMatchObject({ unconfirmed: [{}], superseded: 2, deleted: { copies: 2 } });
    expect(await collect(locked)).toMatchObject({ unconfirmed: [{}], deleted: { copies: 0, packs: 1 } });
    expect(await readEverything(await openFlow({ storage }))).toEqual(before);
  });

  it('are found by a reader whose listing showed only the one that went', async () => {
    const { storage } = await twice({ small: SMALL });
    const [first = '', second = ''] = await objectNames(storage, 'data/');
    const body = (await storage.get(second))?.body as Uint8Array;
    await storage.delete([second]);
    const observed = new ObservedStorage(storage);
    observed.before = async (operation, name) => {
      if (operation !== 'get' || name !== first) return;
      observed.before = () => {};
      await storage.create(second, body);
      await storage.delete([first]);
    };
    const reader = new ContentAddressedStore(observed);
    const key = /[0-9a-f]{64}/.exec(first)?.[0] as string;
    for await (const { blob } of reader.loadBlobs([key])) expect(Buffer.compare(blob, SMALL)).toBe(0);
    await reader.close();
  });

  it('that people know by their URIs stay', async () => {
    const storage = new MemoryStorage('', { localReads: false });
    const flow = await openFlow({ storage });
    await flow.caStore.saveBlobs([LARGE]);
    await flow.caStore.saveData([{ name: 'a.bin', data: LARGE }]);
    const [manifest = ''] = (await objectNames(storage, 'manifests/')).slice(1);
    await collect(storage);
    expect(await objectNames(storage, 'plain/')).toHaveLength(1);
    expect(await objectNames(storage, 'manifests/')).toContain(manifest);
  });
});
