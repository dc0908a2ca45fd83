import { existsSync, mkdirSync, readdirSync, renameSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StowageError } from '../../src/errors.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { collectionVersionName, encodeCollectionVersion } from '../../src/format/collection-records.ts';
import { decodeRecord, encodeRecord } from '../../src/format/record.ts';
import { newSessionId } from '../../src/format/session-id.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { openStorage } from '../../src/storage/open.ts';
import { abandonedDone, ObservedStorage } from '../content/storages.ts';
import { propertyRuns, test } from '../property.ts';
import {
  errorOf,
  expectSame,
  noise,
  objectNames,
  openFlow,
  readIncomplete,
  saveTask,
  scratchFolder,
} from './fixtures.ts';

const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };
const isContent = (name: string): boolean => /^(data|manifests|packs|plain)\//.test(name);
let count = 0;

/** A store and an empty place beside it, in memory, both seen by flows that share nothing else. */
function newPlace(): { storage: MemoryStorage; raw: MemoryStorage; rawDataPath: string } {
  count += 1;
  const name = `raw-data-path-${count}`;
  return { storage: new MemoryStorage(), raw: new MemoryStorage(name), rawDataPath: `memory:${name}` };
}

/** What lies at a place, by its name there. */
async function contentAt(raw: DataStoreStorage): Promise<string[]> {
  const names = (await objectNames(raw)).map((name) => name.split('/').slice(2).join('/'));
  return names.filter(isContent);
}

async function contentAtHome(flow: FlowDataStore): Promise<string[]> {
  return (await objectNames(flow.storage)).filter(isContent);
}

const large = (): Record<string, unknown> => ({
  small: noise(20_000),
  large: noise(700_000, 2),
  tiny: 'kept in the description',
});

describe('content elsewhere', () => {
  it('of a task lies at the place, its metadata in the store, and is read by whoever reads the record', async () => {
    const { storage, raw, rawDataPath } = newPlace();
    const flow = await openFlow({ storage });
    await flow.task({ ...spec, rawDataPath }, (task) => task.saveArtifacts(large()));
    expect(await contentAtHome(flow)).toEqual([]);
    expect((await contentAt(raw)).map((name) => name.split('/')[0])).toEqual(['data', 'manifests', 'packs']);
    const reader = await openFlow({ storage });
    const task = await reader.getTaskDataStore('r1/fit/0');
    expectSame(await task.loadArtifacts(), large());
    expect(task.info('tiny').place).toBeUndefined();
    expect(task.info('small').place).toMatch(/^[0-9a-f]{32}$/);
    expect(await task.format()).toContain('small');
    const range = [];
    for await (const piece of task.streamArtifact('large')) range.push(piece);
    expect(Buffer.compare(Buffer.concat(range), noise(700_000, 2))).toBe(0);
  });

  it('goes where the call says, else the task, else the run, else the store', async () => {
    const places = { call: newPlace(), task: newPlace(), run: newPlace(), store: newPlace() };
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage, rawDataPath: places.store.rawDataPath });
    await flow.createRun({ runId: 'r2', rawDataPath: places.run.rawDataPath });
    const ofRun = { ...spec, runId: 'r2' };
    const save = (seed: number, task: typeof spec & { rawDataPath?: string }, rawDataPath?: string) =>
      flow.task(task, (open) => open.saveArtifacts({ value: noise(20_000, seed) }, { rawDataPath }));
    await save(1, spec);
    await save(2, ofRun);
    await save(3, { ...ofRun, taskId: '1', rawDataPath: places.task.rawDataPath });
    await save(4, { ...ofRun, taskId: '2', rawDataPath: places.task.rawDataPath }, places.call.rawDataPath);
    for (const { raw } of Object.values(places)) expect(await contentAt(raw)).toHaveLength(1);
    expect(await contentAtHome(flow)).toEqual([]);
    await flow.task({ ...ofRun, taskId: '3' }, (task) =>
      task.saveArtifacts(
        { here: noise(20_000, 5), there: noise(20_000, 6) },
        {
          rawDataPath: places.call.rawDataPath,
          artifacts: { here: { rawDataPath: places.task.rawDataPath } },
        },
      ),
    );
    expect(
      [await contentAt(places.call.raw), await contentAt(places.task.raw)].map((names) => names.length),
    ).toEqual([2, 2]);
  });

  it('of a run is followed by every process, which reads created.json once', async () => {
    const { storage, raw, rawDataPath } = newPlace();
    const maker = await openFlow({ storage });
    const run = await maker.createRun({ runId: 'r1', rawDataPath });
    expect(await run.info()).toMatchObject({ rawDataPath });
    const counted = new CountStorage(storage);
    const worker = await openFlow({ storage: counted });
    await saveTask(worker, { value: noise(20_000) }, { attempt: 0 });
    expect(await contentAt(raw)).toHaveLength(1);
    counted.reset();
    const small = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`a${i}`, { i }]));
    await saveTask(worker, small, { taskId: '1', attempt: 0 });
    expect(counted.snapshot()).toMatchObject({ requests: 3, create: { calls: 3 } });
  });

  it('takes four requests to register, two to find registered, and none to name again, but a look where that costs none', async () => {
    const { storage, rawDataPath } = newPlace();
    const counts: number[] = [];
    const open = async () => {
      const home = new CountStorage(storage);
      const place = new CountStorage(await openStorage(rawDataPath));
      const flow = await openFlow({ storage: home, openPlace: () => place });
      await saveTask(flow, {}, { taskId: String(count++) });
      return { flow, home, place };
    };
    const first = await open();
    for (const { flow, home, place } of [first, first, await open()]) {
      home.reset();
      place.reset();
      await flow.createRun({ runId: String(count++), rawDataPath }); // two requests of its own
      counts.push(home.snapshot().requests - 2 + place.snapshot().requests);
    }
    // Whatever the backend, what was found is made durable once more, which sends nothing to a bucket.
    expect(counts).toEqual([4, 1, 2 + 2]);
  });

  it('is marked and registered before anything refers to it', async () => {
    const { storage, raw, rawDataPath } = newPlace();
    const home = new ObservedStorage(storage);
    const place = new ObservedStorage(raw);
    const order: string[] = [];
    home.before = (operation, name) => operation === 'create' && order.push(name);
    place.before = (operation, name) => operation === 'create' && order.push(`raw/${name}`);
    const flow = await openFlow({ storage: home, openPlace: () => place });
    await flow.task({ ...spec, rawDataPath }, (task) => task.saveArtifacts({ value: noise(20_000) }));
    const first = (pattern: RegExp): number => order.findIndex((name) => pattern.test(name));
    expect(first(/^elsewhere\//)).toBeGreaterThan(-1);
    expect(first(/^raw\/.*\/owner\.json$/)).toBeGreaterThan(-1);
    expect(first(/^raw\/.*\/owner\.json$/)).toBeLessThan(first(/^elsewhere\//));
    expect(first(/^elsewhere\//)).toBeLessThan(first(/^raw\/.*\/data\//));
    expect(first(/^pins\//)).toBeLessThan(first(/^raw\/.*\/data\//));
    expect(first(/^raw\/.*\/data\//)).toBeLessThan(first(/\.DONE$/));
    const [elsewhere] = await objectNames(storage, 'elsewhere/');
    const record = decodeRecord((await storage.get(elsewhere as string))?.body as Uint8Array, 'place');
    const id = elsewhere?.slice('elsewhere/'.length, -'.json'.length);
    expect(record).toMatchObject({ format: 1, kind: 'place', place: id, uri: rawDataPath, names: 'exact' });
    expect(await flow.caStore.places()).toEqual([{ id, uri: rawDataPath }]);
    const storeId = await flow.caStore.storeId();
    const owner = await raw.get(`${storeId}/${id}/owner.json`);
    expect(decodeRecord(owner?.body as Uint8Array, 'owner')).toMatchObject({
      format: 1,
      kind: 'place-owner',
      place: id,
      storeId,
      storeUri: flow.datastoreRoot,
    });
  });

  it('leaves records byte for byte as they were where nothing lies elsewhere', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    await saveTask(flow, large());
    for (const name of await objectNames(storage)) {
      if (!/json$|pins/.test(name)) continue;
      const text = Buffer.from((await storage.get(name))?.body as Uint8Array).toString();
      expect(text.replaceAll('"place":""', '')).not.toMatch(/"place"|rawDataPath/);
    }
    expect(await objectNames(storage, 'elsewhere/')).toEqual([]);
  });

  it('is deduplicated at its place alone, and pinned under it', async () => {
    const { storage, raw, rawDataPath } = newPlace();
    const flow = await openFlow({ storage });
    await saveTask(flow, large());
    const home = await contentAtHome(flow);
    for (const taskId of ['1', '2']) {
      await flow.task({ ...spec, taskId, rawDataPath }, (task) => task.saveArtifacts(large()));
    }
    expect(await contentAtHome(flow)).toEqual(home);
    expect(await contentAt(raw)).toHaveLength(home.length);
    const other = await openFlow({ storage });
    await other.task({ ...spec, taskId: '3', rawDataPath }, (task) => task.saveArtifacts(large()));
    expect(await contentAt(raw)).toHaveLength(home.length);
    const place = (await flow.getTaskDataStore('r1/fit/3')).info('small').place;
    const entries = await Promise.all(
      (await objectNames(storage, 'pins/')).map(async (name) => {
        const record = decodeRecord((await storage.get(name))?.body as Uint8Array, name);
        return record.entries as { place: string; kind: string }[];
      }),
    );
    const kinds = entries.flat().filter((entry) => entry.place === place);
    expect(new Set(kinds.map(({ kind }) => kind))).toEqual(new Set(['key', 'pack']));
  });

  it('that a collector condemned there is no hit, though the same name is free in the store', async () => {
    const { storage, raw, rawDataPath } = newPlace();
    const flow = await openFlow({ storage });
    await flow.task({ ...spec, rawDataPath }, (task) => task.saveArtifacts({ value: noise(20_000) }));
    const { place } = (await flow.getTaskDataStore('r1/fit/0')).info('value');
    const [name] = await contentAt(raw);
    const condemn = async (version: number, at: string) => {
      const condemned = [{ place: at, kind: 'copy' as const, name: name as string }];
      const body = { version, state: 'proposed' as const, session: newSessionId(), condemned, lists: [] };
      await storage.create(collectionVersionName(version), encodeCollectionVersion(body));
    };
    await condemn(1, '');
    await flow.task({ ...spec, taskId: '1', rawDataPath }, (task) =>
      task.saveArtifacts({ value: noise(20_000) }),
    );
    expect(await contentAt(raw)).toHaveLength(1);
    await condemn(2, place as string);
    await flow.task({ ...spec, taskId: '2', rawDataPath }, (task) =>
      task.saveArtifacts({ value: noise(20_000) }),
    );
    expect(await contentAt(raw)).toHaveLength(2);
  });

  it('is taken over where it lies by clone and passdown, and copied from there by transfer', async () => {
    const { storage, raw, rawDataPath } = newPlace();
    const flow = await openFlow({ storage });
    await flow.task({ ...spec, rawDataPath }, (task) => task.saveArtifacts(large()));
    await saveTask(flow, { home: noise(30_000, 9) }, { taskId: 'home' });
    const before = await contentAt(raw);
    const other = await openFlow({ storage });
    const origin = await other.getTaskDataStore('r1/fit/0');
    await other.task({ ...spec, taskId: '1' }, async (task) => {
      await task.clone(origin);
      await task.passdownPartial(await other.getTaskDataStore('r1/fit/home'), ['home']);
    });
    expect(await contentAt(raw)).toEqual(before);
    const cloned = await other.getTaskDataStore('r1/fit/1');
    expectSame(await cloned.loadArtifacts(), { ...large(), home: noise(30_000, 9) });
    expect(cloned.info('small').place).toBe(origin.info('small').place);
    expect(cloned.info('home').place).toBeUndefined();
    const target = await openFlow();
    await target.task(spec, (task) => task.transferArtifacts(cloned));
    const copied = await target.getTaskDataStore('r1/fit/0');
    expectSame(await copied.loadArtifacts(), { ...large(), home: noise(30_000, 9) });
    expect(await objectNames(target.storage, 'elsewhere/')).toEqual([]);
    const second = newPlace();
    await target.task({ ...spec, taskId: '1', rawDataPath: second.rawDataPath }, (task) =>
      task.transferArtifacts(cloned),
    );
    expect(await contentAt(second.raw)).toHaveLength(4);
  });

  it('is found again by an owner that a collector gave up on', async () => {
    const { storage, raw, rawDataPath } = newPlace();
    const flow = await openFlow({ storage });
    const task = await flow.createTaskDataStore({ ...spec, rawDataPath });
    await task.saveArtifacts(large());
    const attempt = await storage.get('flows/Test/r1/fit/0/0.attempt.json');
    await storage.create('flows/Test/r1/fit/0/0.DONE', abandonedDone(attempt?.body as Uint8Array));
    await task.done();
    expectSame(await (await flow.getTaskDataStore('r1/fit/0/1')).loadArtifacts(), large());
    expect(await contentAt(raw)).toHaveLength(3);
  });

  it('of streams, blobs and files goes there too, and is loaded by what saving returned', async () => {
    const { storage, raw, rawDataPath } = newPlace();
    const flow = await openFlow({ storage });
    const pieces = async function* () {
      for (let i = 0; i < 8; i++) yield noise(100_000, i + 1);
    };
    await flow.task(spec, async (task) => {
      await task.saveArtifactStream('stream', pieces(), { rawDataPath });
    });
    const [blob] = await flow.caStore.saveBlobs([noise(20_000, 40)], { rawDataPath });
    const [file] = await flow.saveData([{ name: 'report.html', data: Buffer.from('<p>hello') }], {
      rawDataPath,
    });
    expect(await contentAtHome(flow)).toEqual([]);
    expect((await contentAt(raw)).filter((name) => name.startsWith('plain/'))).toHaveLength(1);
    expect(file?.uri).toMatch(new RegExp(`^${rawDataPath}/.*/report\\.html$`));
    const reader = await openFlow({ storage });
    for (const saved of [blob, file]) {
      if (!saved) throw new Error('nothing was saved');
      for await (const { key } of reader.caStore.loadBlobs([saved])) expect(key).toBe(saved.key);
      for await (const piece of reader.caStore.streamBlob(saved)) expect(piece.length).toBe(saved.bytes);
      const alone = async () => reader.caStore.loadBlobs([saved.key]).next();
      await errorOf(alone, 'CONTENT_NOT_FOUND');
    }
    const stream = await (await reader.getTaskDataStore('r1/fit/0')).get<Uint8Array>('stream');
    expect(stream.length).toBe(800_000);
  });

  it('is fetched ahead like any other', async () => {
    const { storage, rawDataPath } = newPlace();
    const flow = await openFlow({ storage });
    await flow.task({ ...spec, rawDataPath }, (task) => task.saveArtifacts(large()));
    const set = await flow.getTaskDataStoreSet({ runId: 'r1', prefetch: ['small', 'large'] });
    expect(set.prefetchedBytes).toBe(720_000);
  });

  it('leaves a table that was moved in the store', async () => {
    const { storage, raw, rawDataPath } = newPlace();
    const flow = await openFlow({ storage, maxInlineBytes: 0 });
    const many = Object.fromEntries(
      Array.from({ length: 10_500 }, (_, i) => [`artifact ${i}`.padEnd(128, '-'), i % 3]),
    );
    await flow.task({ ...spec, rawDataPath }, (task) => task.saveArtifacts(many));
    expect((await contentAtHome(flow)).length).toBeGreaterThan(0);
    expect(await contentAt(raw)).toHaveLength(3);
    expect(await (await flow.getTaskDataStore('r1/fit/0')).loadArtifacts()).toEqual(many);
  });
});

describe('splits over places', () => {
  const where = fc.constantFrom('store', 'a', 'b');
  const saves = fc.array(
    fc.record({
      name: fc.constantFrom('x', 'y', 'z'),
      bytes: fc.constantFrom(10, 17_000, 300_000),
      seed: fc.integer({ min: 1, max: 3 }),
      where,
    }),
    { maxLength: 8 },
  );
  test.prop([fc.array(fc.record({ where, saves }), { minLength: 1, maxLength: 4 })], {
    numRuns: Math.ceil(propertyRuns / 4),
  })('of any kind read back equal, by a process that knows nothing of them', async (tasks) => {
    const places = { a: newPlace(), b: newPlace() };
    const storage = new MemoryStorage();
    const addressOf = (at: string) => (at === 'store' ? undefined : places[at as 'a'].rawDataPath);
    const flow = await openFlow({ storage });
    const expected: Record<string, unknown>[] = [];
    for (const [index, task] of tasks.entries()) {
      const values: Record<string, unknown> = {};
      await flow.task(
        { ...spec, taskId: String(index), rawDataPath: addressOf(task.where) },
        async (open) => {
          for (const save of task.saves) {
            values[save.name] = noise(save.bytes, save.seed);
            await open.saveArtifacts(
              { [save.name]: values[save.name] },
              { rawDataPath: addressOf(save.where) },
            );
          }
        },
      );
      expected.push(values);
    }
    const reader = await openFlow({ storage });
    for (const [index, values] of expected.entries()) {
      expectSame(await (await reader.getTaskDataStore(`r1/fit/${index}`)).loadArtifacts(), values);
    }
    // Equal content lies once at each place that was asked for.
    const copies = (await contentAt(places.a.raw)).filter((name) => !name.startsWith('packs/'));
    expect(new Set(copies.map((name) => name.split('.')[0])).size).toBe(copies.length);
  });

  const spellings = (folder: string): string[] => [
    join(folder, 'raw'),
    `${join(folder, 'raw')}/`,
    relative(process.cwd(), join(folder, 'raw')),
    pathToFileURL(join(folder, 'raw')).href,
    join(folder, 'link'),
    join(folder, 'raw/../link/.'),
  ];
  test.prop([fc.array(fc.nat(5), { minLength: 1, maxLength: 5 })], { numRuns: Math.ceil(propertyRuns / 10) })(
    'by spellings of one address are one place',
    async (chosen) => {
      const folder = scratchFolder();
      mkdirSync(join(folder, 'raw'));
      symlinkSync(join(folder, 'raw'), join(folder, 'link'));
      const storage = new MemoryStorage();
      const flow = await openFlow({ storage });
      for (const [index, choice] of chosen.entries()) {
        const rawDataPath = spellings(folder)[choice];
        await flow.task({ ...spec, taskId: String(index), rawDataPath }, (task) =>
          task.saveArtifacts({ value: noise(20_000) }),
        );
      }
      expect(await objectNames(storage, 'elsewhere/')).toHaveLength(1);
      const raw = await openStorage(join(folder, 'raw'));
      expect(await contentAt(raw)).toHaveLength(1);
      await raw.close();
    },
  );
});

describe('a place', () => {
  it('is registered once by many that ask at once, in this process and others', async () => {
    const folder = scratchFolder();
    const storage = new MemoryStorage();
    const flows = await Promise.all(Array.from({ length: 6 }, () => openFlow({ storage })));
    await Promise.all(
      flows.flatMap((flow, a) =>
        [0, 1, 2].map((b) => {
          const rawDataPath = join(folder, 'raw') + '/'.repeat(b);
          return flow.task({ ...spec, taskId: `${a}-${b}`, rawDataPath }, (task) =>
            task.saveArtifacts({ value: noise(20_000, b + 1) }),
          );
        }),
      ),
    );
    expect(await objectNames(storage, 'elsewhere/')).toHaveLength(1);
    const owners = readdirSync(folder, { recursive: true }).filter((name) =>
      name.toString().endsWith('owner.json'),
    );
    expect(owners).toHaveLength(1);
    for (const task of await (flows[1] as FlowDataStore).getTaskDataStores({ runId: 'r1' })) {
      expect(Buffer.compare(await task.get('value'), noise(20_000, Number(task.taskId.slice(-1)) + 1))).toBe(
        0,
      );
    }
  });

  it('that is the store itself is the store itself, and one within it is refused', async () => {
    const folder = scratchFolder();
    const home = join(folder, 'store');
    mkdirSync(home);
    symlinkSync(home, join(folder, 'link'));
    const flow = await openFlow({ storage: home, rawDataPath: join(folder, 'raw') });
    for (const [index, rawDataPath] of [
      home,
      flow.datastoreRoot,
      `${flow.datastoreRoot}/`,
      join(folder, 'link'),
    ].entries()) {
      await flow.task({ ...spec, taskId: String(index), rawDataPath }, (task) =>
        task.saveArtifacts({ value: noise(20_000, index + 1) }),
      );
    }
    expect(await contentAtHome(flow)).toHaveLength(4);
    await flow.createRun({ runId: 'r2', rawDataPath: home });
    await saveTask(
      await openFlow({ storage: home, rawDataPath: join(folder, 'raw') }),
      { value: noise(20_000, 9) },
      { runId: 'r2' },
    );
    expect(await contentAtHome(flow)).toHaveLength(5);
    expect(await objectNames(flow.storage, 'elsewhere/')).toEqual([]);
    expect(existsSync(join(folder, 'raw'))).toBe(false);
    const within = flow.task({ ...spec, runId: 'r3', rawDataPath: join(home, 'data') }, (task) =>
      task.saveArtifacts({ value: noise(20_000) }),
    );
    expect((await errorOf(within, 'INVALID_ARGUMENT')).message).toContain('within the store');
  });

  it.each(['', 5, null, 'a\0b'])('cannot be %j', async (rawDataPath) => {
    const flow = await openFlow();
    const bad = rawDataPath as string;
    await errorOf(openFlow({ rawDataPath: bad }), 'INVALID_ARGUMENT');
    await errorOf(flow.createRun({ rawDataPath: bad }), 'INVALID_ARGUMENT');
    await errorOf(flow.createTaskDataStore({ ...spec, rawDataPath: bad }), 'INVALID_ARGUMENT');
    await errorOf(flow.caStore.saveBlobs([], { rawDataPath: bad }), 'INVALID_ARGUMENT');
    const task = await flow.createTaskDataStore(spec);
    await errorOf(task.saveArtifacts({}, { rawDataPath: bad }), 'INVALID_ARGUMENT');
    await readIncomplete(flow, task);
  });

  it('whose scheme is unknown is refused before a run is made for it, and before content is written', async () => {
    const flow = await openFlow();
    await errorOf(flow.createRun({ runId: 'r1', rawDataPath: 'nowhere://x' }), 'UNKNOWN_STORAGE_SCHEME');
    await errorOf(flow.run('r1').info(), 'NO_SUCH_STORE').catch(() =>
      errorOf(flow.run('r1').info(), 'RUN_NOT_FOUND'),
    );
    const task = await flow.createTaskDataStore(spec);
    const values = { fine: noise(20_000), bad: noise(20_000, 2) };
    const artifacts = { bad: { rawDataPath: 'nowhere://x' } };
    await errorOf(task.saveArtifacts(values, { artifacts }), 'UNKNOWN_STORAGE_SCHEME');
    expect(await contentAtHome(flow)).toEqual([]);
    await readIncomplete(flow, task);
  });

  it('that is marked as another store’s is refused', async () => {
    const { storage, raw, rawDataPath } = newPlace();
    const flow = await openFlow({ storage });
    await flow.task({ ...spec, rawDataPath }, (task) => task.saveArtifacts({ value: noise(20_000) }));
    const [name] = (await objectNames(raw)).filter((candidate) => candidate.endsWith('owner.json'));
    const { body } = (await raw.get(name as string)) ?? {};
    const owner = decodeRecord(body as Uint8Array, 'owner');
    await raw.delete([name as string]);
    await raw.create(
      name as string,
      encodeRecord({ ...owner, storeId: newSessionId(), storeUri: 's3://other/store' }),
    );
    const late = await openFlow({ storage });
    const saving = late.task({ ...spec, taskId: '1', rawDataPath }, (task) =>
      task.saveArtifacts({ value: noise(20_000) }),
    );
    expect((await errorOf(saving, 'PLACE_NOT_OURS')).message).toContain('s3://other/store');
  });

  it('of another store at the same prefix is no conflict', async () => {
    const { raw, rawDataPath } = newPlace();
    const flows = [await openFlow(), await openFlow()];
    for (const flow of flows) {
      await flow.task({ ...spec, rawDataPath }, (task) => task.saveArtifacts({ value: noise(20_000) }));
    }
    expect(await contentAt(raw)).toHaveLength(2);
    for (const flow of flows) await (await flow.getTaskDataStore('r1/fit/0')).loadArtifacts();
  });

  it('that is not there names its address and the artifact, and comes back with the place', async () => {
    const folder = scratchFolder();
    const home = join(folder, 'store');
    const writer = await openFlow({ storage: home });
    await writer.task({ ...spec, rawDataPath: join(folder, 'raw') }, (task) => task.saveArtifacts(large()));
    renameSync(join(folder, 'raw'), join(folder, 'moved'));
    const reader = await openFlow({ storage: home });
    const task = await reader.getTaskDataStore('r1/fit/0');
    expect(await task.get('tiny')).toBe('kept in the description');
    const error = await errorOf(task.get('large'), 'PLACE_NOT_FOUND');
    expect(error.message).toContain(pathToFileURL(join(folder, 'raw')).href);
    expect(error.message).toContain('Artifact large of r1/fit/0/0');
    const moved = await openFlow({ storage: home, openPlace: () => openStorage(join(folder, 'moved')) });
    expectSame(await (await moved.getTaskDataStore('r1/fit/0')).loadArtifacts(), large());
    renameSync(join(folder, 'moved'), join(folder, 'raw'));
    expectSame(await task.loadArtifacts(), large());
  });

  it('that is not there takes no new content, which would be hidden when it comes back', async () => {
    const folder = scratchFolder();
    const home = join(folder, 'store');
    const rawDataPath = join(folder, 'raw');
    const save = async (taskId: string) =>
      (await openFlow({ storage: home })).task({ ...spec, taskId, rawDataPath }, (task) =>
        task.saveArtifacts({ value: noise(20_000, Number(taskId) + 1) }),
      );
    await save('0');
    renameSync(rawDataPath, join(folder, 'moved'));
    const error = await errorOf(save('1'), 'PLACE_NOT_FOUND');
    expect(error.message).toContain(pathToFileURL(rawDataPath).href);
    expect(readdirSync(folder).sort()).toEqual(['moved', 'store']);
    renameSync(join(folder, 'moved'), rawDataPath);
    await save('2');
    const reader = await openFlow({ storage: home });
    expectSame(await (await reader.getTaskDataStore('r1/fit/2')).loadArtifacts(), {
      value: noise(20_000, 3),
    });
  });

  it('that goes away under a process that wrote there takes no new content from it, either, until it is back', async () => {
    const folder = scratchFolder();
    const [home, rawDataPath, moved] = [join(folder, 'store'), join(folder, 'raw'), join(folder, 'moved')];
    const flow = await openFlow({ storage: home, rawDataPath });
    const value = (n: number) => ({ value: noise(20_000, n + 1) });
    const save = (taskId: number) =>
      flow.task({ ...spec, taskId: String(taskId) }, (task) => task.saveArtifacts(value(taskId)));
    await save(0);
    renameSync(rawDataPath, moved);
    const open = await flow.createTaskDataStore({ ...spec, taskId: '1' });
    await errorOf(open.saveArtifacts(value(1)), 'PLACE_NOT_FOUND');
    await errorOf(flow.caStore.saveBlobs([noise(20_000, 9)]), 'PLACE_NOT_FOUND');
    await errorOf(save(2), 'PLACE_NOT_FOUND');
    expect(readdirSync(folder).sort()).toEqual(['moved', 'store']);
    renameSync(moved, rawDataPath);
    await open.saveArtifacts(value(1));
    await open.done();
    await save(3);
    const reader = await openFlow({ storage: home });
    for (const taskId of [0, 1, 3])
      expectSame(await (await reader.getTaskDataStore(`r1/fit/${taskId}`)).loadArtifacts(), value(taskId));
  });

  it('that is not there is told by who passes its content on, rather than that the content is lost', async () => {
    const folder = scratchFolder();
    const [rawDataPath, moved] = [join(folder, 'raw'), join(folder, 'moved')];
    const flow = await openFlow({ storage: join(folder, 'store') });
    await flow.task({ ...spec, rawDataPath }, (task) => task.saveArtifacts(large()));
    renameSync(rawDataPath, moved);
    const reader = await openFlow({ storage: join(folder, 'store') });
    const source = await reader.getTaskDataStore('r1/fit/0');
    const task = await reader.createTaskDataStore({ ...spec, stepName: 'join' });
    const error = await errorOf(task.clone(source), 'PLACE_NOT_FOUND');
    expect(error.message).toContain(pathToFileURL(rawDataPath).href);
    renameSync(moved, rawDataPath);
    await task.clone(source);
    await task.done();
    expectSame(await (await reader.getTaskDataStore('r1/join/0')).loadArtifacts(), large());
  });

  it('that cannot be opened or reached, or is not registered, is a typed error', async () => {
    const { storage, raw, rawDataPath } = newPlace();
    const flow = await openFlow({ storage });
    await flow.task({ ...spec, rawDataPath }, (task) => task.saveArtifacts({ value: noise(20_000) }));
    const read = async (openPlace?: (uri: string) => DataStoreStorage) =>
      (await (await openFlow({ storage, openPlace })).getTaskDataStore('r1/fit/0')).get('value');
    const refused = await errorOf(
      read(() => {
        throw new Error('no credentials today');
      }),
      'PLACE_UNREACHABLE',
    );
    expect(refused.message).toContain(`${rawDataPath}, where content of the store lies`);
    expect(refused.message).toContain('no credentials today');
    const down = await errorOf(
      read(() => new FaultStorage(raw, () => ({ kind: 'before' }))),
      'STORAGE_UNAVAILABLE',
    );
    expect(down.details).toMatchObject({ placeUri: rawDataPath });
    expect(down.message).toContain(rawDataPath);
    await storage.delete(await objectNames(storage, 'elsewhere/'));
    expect((await errorOf(read(), 'PLACE_NOT_FOUND')).message).toContain('elsewhere/');
  });

  it('of a newer format is told apart from a damaged one', async () => {
    const { storage, rawDataPath } = newPlace();
    const flow = await openFlow({ storage });
    await flow.task({ ...spec, rawDataPath }, (task) => task.saveArtifacts({ value: noise(20_000) }));
    const [name] = await objectNames(storage, 'elsewhere/');
    const record = decodeRecord((await storage.get(name as string))?.body as Uint8Array, 'place');
    const read = async () => (await (await openFlow({ storage })).getTaskDataStore('r1/fit/0')).get('value');
    for (const [change, code] of [
      [{ format: 2 }, 'UNSUPPORTED_FORMAT'],
      [{ place: 'f'.repeat(32) }, 'RECORD_DAMAGED'],
      [{ uri: 5 }, 'RECORD_DAMAGED'],
    ] as const) {
      await storage.delete([name as string]);
      await storage.create(name as string, encodeRecord({ ...record, ...change }));
      await errorOf(read(), code);
    }
  });

  it('is read without permission to write, there and in the store, though a copy is damaged', async () => {
    const { storage, raw, rawDataPath } = newPlace();
    const flow = await openFlow({ storage });
    await flow.task({ ...spec, rawDataPath }, (task) => task.saveArtifacts(large()));
    const [copy] = (await objectNames(raw)).filter((name) => name.includes('/data/'));
    const { body } = (await raw.get(copy as string)) ?? {};
    await raw.delete([copy as string]);
    await raw.create(copy as string, Uint8Array.from(body as Uint8Array).fill(0, 60));
    await raw.create((copy as string).replace(/-\d{8}\./, '-99999999.'), body as Uint8Array);
    const readOnly = (inner: DataStoreStorage): DataStoreStorage => {
      const observed = new ObservedStorage(inner);
      observed.before = (operation) => {
        if (operation === 'create')
          throw new StowageError('STORAGE_NOT_PERMITTED', 'Nothing may be written.');
      };
      return observed;
    };
    const reader = await openFlow({ storage: readOnly(storage), openPlace: () => readOnly(raw) });
    expectSame(await (await reader.getTaskDataStore('r1/fit/0')).loadArtifacts(), large());
    const writing = reader.task({ ...spec, taskId: '1' }, () => undefined);
    await errorOf(writing, 'STORAGE_NOT_PERMITTED');
  });
});

describe('damage at a place', () => {
  it('is marked there, passed over for another copy, and mended by saving again', async () => {
    const { storage, raw, rawDataPath } = newPlace();
    const flow = await openFlow({ storage });
    const save = async (saver: FlowDataStore, taskId: string) =>
      saver.task({ ...spec, taskId, rawDataPath }, (task) => task.saveArtifacts({ value: noise(20_000) }));
    await save(flow, '0');
    const [copy] = (await objectNames(raw)).filter((name) => name.includes('/data/'));
    const { body } = (await raw.get(copy as string)) ?? {};
    const bad = Uint8Array.from(body as Uint8Array);
    bad[100] = (bad[100] as number) ^ 1;
    await raw.delete([copy as string]);
    await raw.create(copy as string, bad);
    const reader = await openFlow({ storage });
    const task = await reader.getTaskDataStore('r1/fit/0');
    await errorOf(task.get('value'), 'CONTENT_DAMAGED');
    expect((await objectNames(raw)).filter((name) => name.endsWith('.damaged'))).toEqual([`${copy}.damaged`]);
    await save(await openFlow({ storage }), '1');
    expect(Buffer.compare(await task.get('value'), noise(20_000))).toBe(0);
    expect(await contentAtHome(flow)).toEqual([]);
  });
});

describe('an attempt that is cut short', () => {
  it('at any request leaves no DONE without its content, wherever that lies', async () => {
    for (let at = 0, isOver = false; !isOver; at++) {
      const { storage, raw, rawDataPath } = newPlace();
      let calls = 0;
      const cut = () => (calls++ === at ? ({ kind: 'before' } as const) : undefined);
      const flow = await openFlow({
        storage: new FaultStorage(storage, cut),
        openPlace: () => new FaultStorage(raw, cut),
      });
      await flow.task({ ...spec, rawDataPath }, (task) => task.saveArtifacts(large())).catch(() => undefined);
      isOver = calls <= at;
      const reader = await openFlow({ storage });
      const task = await reader.getTaskDataStore('r1/fit/0').catch(() => undefined);
      if (task) expectSame(await task.loadArtifacts(), large());
      // And whoever comes next is not in the way of what was left.
      await reader.task({ ...spec, taskId: 'next', rawDataPath }, (next) => next.saveArtifacts(large()));
      expectSame(await (await reader.getTaskDataStore('r1/fit/next')).loadArtifacts(), large());
    }
  });
});
