import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { collectionVersionName, encodeCollectionVersion } from '../../src/format/collection-records.ts';
import { isPackName, isPlainName } from '../../src/format/content-names.ts';
import type { ContentRef } from '../../src/format/content-ref.ts';
import { decodeDescription } from '../../src/format/description.ts';
import { refsOf } from '../../src/format/refs.ts';
import { readSessionFile, SESSION_FILES } from '../../src/format/session-files.ts';
import { copyStore } from '../../src/maintenance/copy-store.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { StorageDecorator } from '../../src/storage/decorator.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { SerializerRegistry } from '../../src/values/registry.ts';
import { abandonedDone } from '../content/storages.ts';
import { errorOf, noise, objectNames, openFlow, scratchFolder } from './fixtures.ts';

const spec = { runId: 'r1', stepName: 'join', taskId: '0' };

/** Points at content, and is as long as is wished. */
class Film {
  readonly ref: ContentRef;
  readonly bytes: number;
  constructor(ref: Partial<ContentRef>, bytes = 20) {
    this.ref = { place: '', kind: 'key', name: '', ...ref };
    this.bytes = bytes;
  }
}

function serializers(): SerializerRegistry {
  const registry = new SerializerRegistry();
  registry.register({
    id: 'film',
    priority: 900,
    accepts: (value) => value instanceof Film,
    serialize: (value, context) => {
      const { ref, bytes } = value as Film;
      context.addRef(ref);
      return { type: 'Film', bytes: noise(bytes, 9) };
    },
    deserialize: (bytes) => new Film({}, bytes.length),
  });
  return registry;
}

/** Like a bucket: looking costs a request. */
class RemoteStorage extends StorageDecorator {
  override get capabilities(): DataStoreStorage['capabilities'] {
    return { ...super.capabilities, localReads: false };
  }
}

const STORAGES: [string, () => DataStoreStorage][] = [
  ['memory', () => new MemoryStorage()],
  ['a storage whose reads cost requests', () => new RemoteStorage(new MemoryStorage())],
];

const open = (storage: DataStoreStorage): Promise<FlowDataStore> =>
  openFlow({ storage, serializers: serializers() });

/** Content of each kind that a reference can name, saved by another process. */
const KINDS: [string, (storage: DataStoreStorage) => Promise<ContentRef>][] = [
  [
    'a small content',
    async (storage) => refTo((await (await open(storage)).caStore.saveBlobs([noise(1000)]))[0]?.key),
  ],
  [
    'a large content',
    async (storage) => refTo((await (await open(storage)).caStore.saveBlobs([noise(600_000)]))[0]?.key),
  ],
  [
    'the key of a plain object',
    async (storage) =>
      refTo((await (await open(storage)).saveData([{ name: 'x', data: noise(1000) }]))[0]?.key),
  ],
  [
    'a plain object',
    async (storage) => {
      const [saved] = await (await open(storage)).saveData([{ name: 'x', data: noise(1000) }]);
      return { place: '', kind: 'plain', name: saved?.plain as string };
    },
  ],
  [
    'a pack',
    async (storage) => {
      await (await open(storage)).caStore.saveBlobs([noise(600_000)]);
      return { place: '', kind: 'pack', name: (await objectNames(storage, 'packs/'))[0] as string };
    },
  ],
];

function refTo(key: string | undefined): ContentRef {
  return { place: '', kind: 'key', name: key as string };
}

const isContent = (name: string): boolean => /^(data|manifests|packs|plain)\//.test(name);
const contentIn = async (storage: DataStoreStorage) => (await objectNames(storage)).filter(isContent);

const HARMS: [string, (storage: DataStoreStorage) => Promise<unknown>][] = [
  ['gone', async (storage) => storage.delete(await contentIn(storage))],
  [
    'condemned',
    async (storage) => {
      const condemned = (await contentIn(storage)).map((name): ContentRef => {
        const kind = isPackName(name) ? 'pack' : isPlainName(name) ? 'plain' : 'copy';
        return { place: '', kind, name };
      });
      const version = {
        version: 1,
        state: 'proposed' as const,
        session: '0'.repeat(26),
        condemned,
        lists: [],
      };
      await storage.create(collectionVersionName(1), encodeCollectionVersion(version));
    },
  ],
  [
    'marked as damaged',
    async (storage) => {
      for (const name of await contentIn(storage)) await storage.create(`${name}.damaged`, new Uint8Array());
    },
  ],
];

describe.each(STORAGES)('a reference to content, in %s', (_, newStorage) => {
  it.each(KINDS)('%s: is pinned and found, whatever form the save has', async (_kind, saved) => {
    const storage = newStorage();
    const ref = await saved(storage);
    const flow = await open(storage);
    const before = await contentIn(storage);
    const task = await flow.createTaskDataStore(spec);
    await task.saveArtifacts({ inline: new Film(ref) });
    await task.saveArtifacts([['listed', new Film(ref)]].values() as Iterable<[string, unknown]>);
    await task.saveArtifacts({ stored: new Film(ref, 70_000) });
    await task.done();
    const pins = await Promise.all((await objectNames(storage, 'pins/')).map((name) => storage.get(name)));
    expect(pins.some((pin) => Buffer.from(pin?.body ?? []).includes(ref.name))).toBe(true);
    expect((await contentIn(storage)).length).toBe(before.length + 1); // the stored film
  });

  const cases = KINDS.flatMap(([kind, saved]) => HARMS.map(([harm, work]) => ({ kind, saved, harm, work })));
  it.each(cases)(
    '$kind that is $harm: is not saved, and the attempt is not done',
    async ({ saved, work }) => {
      const storage = newStorage();
      const ref = await saved(storage);
      await work(storage);
      const flow = await open(storage);
      const before = await contentIn(storage);
      for (const value of [new Film(ref), new Film(ref, 70_000)]) {
        const saving = flow.task(spec, (task) => task.saveArtifacts({ film: value, other: noise(20_000) }));
        const error = await errorOf(saving, 'CONTENT_NOT_FOUND');
        expect(error.details).toMatchObject({ artifact: 'film', kind: ref.kind, name: ref.name });
      }
      expect(await contentIn(storage)).toEqual(before);
      expect((await flow.getTaskDataStore('r1/join/0', { allowNotDone: true })).status).toBe('failed');
    },
  );

  it('is looked for once a session, and together with others', async () => {
    const storage = newStorage();
    const films = await (await open(storage)).caStore.saveBlobs(
      [1, 2, 3, 4].map((seed) => noise(1000, seed)),
    );
    const count = new CountStorage(storage);
    const flow = await open(count);
    const task = await flow.createTaskDataStore(spec);
    const values = Object.fromEntries(films.map(({ key }, i) => [`film${i}`, new Film(refTo(key))]));
    count.reset();
    await task.saveArtifacts(values);
    const first = count.snapshot();
    await task.saveArtifacts(values);
    expect(count.snapshot()).toEqual(first);
    // One record of pins, the log, and for each a LIST, the head of its envelope, and what makes it durable in a folder.
    expect(first.requests).toBe(2 + 3 * films.length);
    await task.done();
  });

  const passing: [string, (flow: FlowDataStore) => Promise<unknown>][] = [
    ['clone', async (flow) => passOn(flow, (task, origin) => task.clone(origin))],
    [
      'passdownPartial',
      async (flow) => passOn(flow, (task, origin) => task.passdownPartial(origin, ['film'])),
    ],
    ['mergeArtifacts', async (flow) => passOn(flow, (task, origin) => task.mergeArtifacts([origin]))],
  ];
  type Passing = (
    task: Awaited<ReturnType<FlowDataStore['createTaskDataStore']>>,
    origin: Awaited<ReturnType<FlowDataStore['getTaskDataStore']>>,
  ) => Promise<void>;
  /** Passes on what another task saved, of which retention has given up what is told since it was read. */
  async function passOn(flow: FlowDataStore, pass: Passing): Promise<unknown> {
    const origin = await flow.getTaskDataStore('r1/from/0');
    return flow.task({ ...spec, taskId: 'to' }, async (task) => {
      await given.get(flow)?.();
      await pass(task, origin);
    });
  }
  const given = new WeakMap<FlowDataStore, () => Promise<unknown>>();

  it.each(passing)('%s relies on it again, and passes on nothing that leads nowhere', async (_name, pass) => {
    const storage = newStorage();
    const [film] = await (await open(storage)).caStore.saveBlobs([noise(1000)]);
    const writer = await open(storage);
    const from = { runId: 'r1', stepName: 'from', taskId: '0' };
    await writer.task(from, (task) => task.saveArtifacts({ film: new Film(refTo(film?.key)) }));
    await pass(await open(storage));
    const flow = await open(storage);
    given.set(flow, async () => {
      await storage.create(`flows/Test/r1/from/0/0${SESSION_FILES.deleted}`, new Uint8Array());
      await storage.delete([`flows/Test/r1/from/0/0${SESSION_FILES.metadata}`, film?.copy as string]);
    });
    await errorOf(pass(flow) as Promise<unknown>, 'CONTENT_NOT_FOUND');
    expect((await flow.getTaskDataStore('r1/join/to', { allowNotDone: true })).status).toBe('failed');
  });

  it('comes along to another store, where it is not there yet', async () => {
    const storage = newStorage();
    const [film] = await (await open(storage)).caStore.saveBlobs([noise(600_000)]);
    const source = await open(storage);
    await source.task(spec, (task) => task.saveArtifacts({ film: new Film(refTo(film?.key)) }));
    const origin = await source.getTaskDataStore('r1/join/0');
    const target = newStorage();
    for (const taskId of ['1', '2']) {
      const flow = await open(target);
      await flow.task({ ...spec, taskId }, (task) => task.transferArtifacts(origin));
    }
    expect(await objectNames(target, 'packs/')).toHaveLength(1);
    await target.delete(await contentIn(target));
    await (await open(target)).task({ ...spec, taskId: '3' }, (task) => task.transferArtifacts(origin));
    expect(await objectNames(target, 'packs/')).toHaveLength(1);
  });

  it('is found again after a fence, or its artifact is lost', async () => {
    for (const isGone of [false, true]) {
      const storage = newStorage();
      const [film] = await (await open(storage)).caStore.saveBlobs([noise(1000)]);
      const flow = await open(storage);
      const task = await flow.createTaskDataStore(spec);
      await task.saveArtifacts({ film: new Film(refTo(film?.key)), other: 1 });
      const base = 'flows/Test/r1/join/0/0';
      const record = await readSessionFile(storage, `${base}.attempt.json`, {});
      await storage.create(`${base}.DONE`, abandonedDone(record as Uint8Array));
      if (isGone) {
        const idle = {
          version: 1,
          state: 'idle' as const,
          session: '0'.repeat(26),
          condemned: [],
          lists: [],
        };
        await storage.create(collectionVersionName(1), encodeCollectionVersion(idle));
        await storage.delete([film?.copy as string]);
      }
      if (!isGone) await task.done();
      else
        expect((await errorOf(task.done(), 'CONTENT_LOST')).details).toMatchObject({ artifacts: ['film'] });
      const read = await flow.getTaskDataStore('r1/join/0', { allowNotDone: true });
      expect([read.attempt, read.names()]).toEqual([1, isGone ? ['other'] : ['film', 'other']]);
    }
  });
});

describe('a reference', () => {
  it.each([1000, 600_000])(
    'to %i bytes that the target of a copy has is no reason to read them',
    async (bytes) => {
      const [from, to] = [new MemoryStorage(), new MemoryStorage()];
      const [film] = await (await open(from)).caStore.saveBlobs([noise(bytes)]);
      const source = await open(from);
      await source.task(spec, (task) => task.saveArtifacts({ film: new Film(refTo(film?.key)) }));
      await (await open(to)).caStore.saveBlobs([noise(bytes)]);
      const before = await contentIn(to);
      const result = await copyStore({ from, to, flowName: 'Test', runId: 'r1' });
      expect(result).toMatchObject({ contentBytes: bytes, bytesDeduplicated: bytes });
      expect(await contentIn(to)).toEqual(before);
      const read = await (await open(to)).getTaskDataStore('r1/join/0');
      expect(await read.get('film')).toBeInstanceOf(Film);
    },
  );

  it('to another place is looked for there, and to a place that is not known is an error', async () => {
    const folder = scratchFolder();
    mkdirSync(join(folder, 'elsewhere'));
    const flow = await openFlow({ storage: join(folder, 'store'), serializers: serializers() });
    const rawDataPath = join(folder, 'elsewhere');
    const [film] = await flow.caStore.saveBlobs([noise(1000)], { rawDataPath });
    const ref = { place: film?.place as string, name: film?.key as string };
    await flow.task(spec, (task) => task.saveArtifacts({ film: new Film(ref) }));
    const here = flow.task(spec, (task) => task.saveArtifacts({ film: new Film({ ...ref, place: '' }) }));
    await errorOf(here, 'CONTENT_NOT_FOUND');
    const unknown = flow.task(spec, (task) =>
      task.saveArtifacts({ film: new Film({ ...ref, place: 'nowhere' }) }),
    );
    await errorOf(unknown, 'PLACE_NOT_FOUND');
  });

  it.each<[string, Partial<ContentRef>]>([
    ['no key', { name: 'film' }],
    ['a kind that values do not have', { kind: 'copy', name: 'data/000/x' }],
    ['no kind', { kind: 'film' as 'key', name: 'a'.repeat(64) }],
    ['no place', { place: undefined as unknown as string, name: 'a'.repeat(64) }],
    ['a pack by another name', { kind: 'pack', name: 'stowage.json' }],
    ['a plain object by another name', { kind: 'plain', name: '../x' }],
  ])('that is %s is refused', async (_, ref) => {
    const flow = await openFlow({ serializers: serializers() });
    await errorOf(
      flow.task(spec, (task) => task.saveArtifacts({ film: new Film(ref) })),
      'INVALID_ARGUMENT',
    );
  });

  /** The keys that the description of an attempt keeps, as a collector asks for them. */
  async function keptBy(storage: DataStoreStorage, base: string): Promise<string[]> {
    const bytes = (await storage.get(base + SESSION_FILES.metadata))?.body as Uint8Array;
    const { table } = decodeDescription(bytes, base, {});
    if (typeof table !== 'function') throw new Error('The table stands in the record.');
    return refsOf({ kind: 'metadata', table: table() }).map(({ name }) => name);
  }
  type Task = Awaited<ReturnType<FlowDataStore['createTaskDataStore']>>;
  type Origin = Awaited<ReturnType<FlowDataStore['getTaskDataStore']>>;
  const partly: [string, (task: Task, origin: Origin) => Promise<void>][] = [
    ['passdownPartial', (task, origin) => task.passdownPartial(origin, ['kept'])],
    ['mergeArtifacts', (task, origin) => task.mergeArtifacts([origin], { include: ['kept'] })],
    ['transferArtifacts', (task, origin) => task.transferArtifacts(origin, ['kept'])],
    ['a value saved after a clone', (task, origin) => cloneAndReplace(task, origin)],
  ];
  async function cloneAndReplace(task: Task, origin: Origin): Promise<void> {
    await task.clone(origin);
    await task.saveArtifacts({ left: 1, large: 2 });
  }

  it.each(partly)('of an artifact that %s leaves behind are not kept', async (_, take) => {
    for (const storage of STORAGES.map(([, newStorage]) => newStorage())) {
      const flow = await open(storage);
      const saved = await flow.caStore.saveBlobs([1, 2, 3].map((seed) => noise(1000, seed)));
      const [first = '', second = '', third = ''] = saved.map(({ key }) => key);
      const films = {
        kept: new Film(refTo(first)),
        left: new Film(refTo(second)),
        large: new Film(refTo(third), 70_000),
      };
      await flow.task(spec, (task) => task.saveArtifacts(films));
      const origin = await flow.getTaskDataStore('r1/join/0');
      expect(await keptBy(storage, 'flows/Test/r1/join/0/0')).toEqual(
        expect.arrayContaining([first, second, third]),
      );
      await flow.task({ ...spec, taskId: 'to' }, (task) => take(task, origin));
      expect(await keptBy(storage, 'flows/Test/r1/join/to/0')).toEqual([first]);
    }
  });

  it('that an artifact left behind holds may lead nowhere, and one that is taken over names its artifact', async () => {
    const storage = new MemoryStorage();
    const flow = await open(storage);
    const saved = await flow.caStore.saveBlobs([1, 2].map((seed) => noise(1000, seed)));
    const [kept, gone] = saved.map(({ key }) => new Film(refTo(key)));
    await flow.task(spec, (task) => task.saveArtifacts({ kept, gone }));
    await storage.delete([saved[1]?.copy as string]);
    const later = await open(storage);
    const origin = await later.getTaskDataStore('r1/join/0');
    await later.task({ ...spec, taskId: '1' }, (task) => task.passdownPartial(origin, ['kept']));
    const cloning = later.task({ ...spec, taskId: '2' }, (task) => task.clone(origin));
    const { details, message } = await errorOf(cloning, 'CONTENT_NOT_FOUND');
    expect(details).toMatchObject({ artifact: 'gone', name: saved[1]?.key });
    expect(message).toContain('Artifact gone of r1/join/0/0');
  });

  it('in a clone costs no request of its own, where looking costs one', async () => {
    const count = new CountStorage(new RemoteStorage(new MemoryStorage()));
    const films = await (await open(count)).caStore.saveBlobs([1, 2, 3].map((seed) => noise(1000, seed)));
    const flow = await open(count);
    const values = Object.fromEntries(films.map(({ key }, i) => [`film${i}`, new Film(refTo(key))]));
    await flow.task(spec, (task) => task.saveArtifacts(values));
    const origin = await flow.getTaskDataStore('r1/join/0');
    const task = await flow.createTaskDataStore({ ...spec, taskId: '1' });
    count.reset();
    await task.clone(origin);
    expect(count.snapshot().requests).toBe(4);
    await task.done();
  });

  it('of many artifacts take a clone no time that grows by the square', async () => {
    const flow = await open(new MemoryStorage());
    const films = await flow.caStore.saveBlobs(
      Array.from({ length: 1_000 }, (_, i) => Buffer.from([i >> 8, i])),
    );
    const values = Object.fromEntries(films.map(({ key }, i) => [`film${i}`, new Film(refTo(key))]));
    await flow.task(spec, (task) => task.saveArtifacts(values));
    const origin = await flow.getTaskDataStore('r1/join/0');
    const before = process.cpuUsage();
    await flow.task({ ...spec, taskId: '1' }, (task) => task.clone(origin));
    // Half a second; with the references of all held against those of each it was a quarter of a minute.
    expect(process.cpuUsage(before).user / 1e6).toBeLessThan(5);
  });
});
