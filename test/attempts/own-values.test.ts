import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestHex } from '../../src/digest/blake3.ts';
import type { OpenTaskDataStore } from '../../src/flow/open-task-data-store.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { DEFAULT_OWN_BYTES, MAX_OWN_OBJECT_BYTES } from '../../src/format/own-values.ts';
import { decodeVerifiedRecord } from '../../src/format/record.ts';
import { readSessionFile } from '../../src/format/session-files.ts';
import { copyStore } from '../../src/maintenance/copy-store.ts';
import type { DataStoreStorage, GetOptions, StoredObject } from '../../src/storage/contract.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { StorageDecorator } from '../../src/storage/decorator.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { abandonedDone, bodyOf, copiesIn } from '../content/storages.ts';
import { errorOf, noise, objectNames, openFlow, openLocalFlow, saveTask } from '../flow/fixtures.ts';
import { propertyRuns, test } from '../property.ts';

/** A storage in which a look costs a request, as in a bucket. */
function bucket(): MemoryStorage {
  return new MemoryStorage('', { localReads: false });
}

const twenty = (seed: number): Record<string, Uint8Array> =>
  Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`a${i}`, noise(20_480, seed + i)]));

const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };

/** metadata.json of attempt n of that task. */
async function description(storage: DataStoreStorage, attempt = 0): Promise<Record<string, unknown>> {
  const name = `flows/Test/r1/fit/0/${attempt}.metadata.json`;
  return decodeVerifiedRecord((await storage.get(name))?.body as Uint8Array, name);
}

describe('20 values of 20 KiB in a bucket', () => {
  it('take 4 requests to save, new or known, and 4 to load', async () => {
    const storage = new CountStorage(bucket());
    const flow = await openFlow({ storage });
    await saveTask(flow, { x: 1 }, { taskId: 'first', attempt: 0 });
    for (const taskId of ['new', 'known']) {
      storage.reset();
      await saveTask(flow, twenty(1), { taskId, attempt: 0 });
      expect(storage.snapshot()).toMatchObject({ requests: 4, create: { calls: 4 } });
    }
    storage.reset();
    const loaded = await (await flow.getTaskDataStore('r1/fit/new')).loadArtifacts();
    expect(storage.snapshot()).toMatchObject({ requests: 4, list: { calls: 1 }, get: { calls: 3 } });
    expect(loaded).toEqual(twenty(1));
  });

  it('leave no pins, and no content that others share', async () => {
    const storage = bucket();
    await saveTask(await openFlow({ storage }), twenty(1));
    expect(await objectNames(storage, 'pins/')).toEqual([]);
    expect(await copiesIn(storage)).toEqual([]);
    expect(await objectNames(storage, 'values/Test/r1/fit/0/0.')).toHaveLength(1);
  });

  it('are shared where ownBytes is 0, and in a folder', async () => {
    const storage = bucket();
    const shared = await openFlow({ storage, ownBytes: 0 });
    const { flow: local } = await openLocalFlow();
    for (const flow of [shared, local]) {
      await saveTask(flow, twenty(1));
      await saveTask(flow, twenty(1), { taskId: '1' });
      expect(await objectNames(flow.storage, 'values/')).toEqual([]);
      expect(await copiesIn(flow.storage)).toHaveLength(20);
    }
  });
});

describe('small values of more than 16 MiB', () => {
  it('lie in objects of no more than that, and come back', async () => {
    const storage = bucket();
    const flow = await openFlow({ storage });
    const values = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`a${i}`, noise(60_000, i + 1)]));
    await saveTask(flow, values);
    const sizes: number[] = [];
    for (const name of await objectNames(storage, 'values/'))
      sizes.push((await bodyOf(storage, name)).length);
    expect(sizes).toHaveLength(2);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(MAX_OWN_OBJECT_BYTES);
    expect(await (await flow.getTaskDataStore('r1/fit/0')).loadArtifacts()).toEqual(values);
  });
});

describe('which values are shared', () => {
  const sizes = fc.integer({ min: 0, max: 3 * DEFAULT_OWN_BYTES });
  const values = fc.array(fc.record({ bytes: sizes, seed: fc.integer({ min: 1, max: 3 }) }), {
    maxLength: 12,
  });

  test.prop([values, fc.constantFrom(0, 1000, DEFAULT_OWN_BYTES, 100_000)], { numRuns: propertyRuns })(
    'in a bucket each content from ownBytes on is stored once, and everything comes back',
    async (inputs, ownBytes) => {
      const storage = bucket();
      const flow = await openFlow({ storage, ownBytes, maxInlineBytes: 100 });
      const artifacts = Object.fromEntries(inputs.map(({ bytes, seed }, i) => [`v${i}`, noise(bytes, seed)]));
      for (const taskId of ['0', '1']) await saveTask(flow, artifacts, { taskId });
      const read = await flow.getTaskDataStore('r1/fit/1');
      expect(await read.loadArtifacts()).toEqual(artifacts);
      for (const [name, value] of Object.entries(artifacts)) expect(await read.get(name)).toEqual(value);
      const isShared = (bytes: number): boolean => bytes > 100 && bytes >= ownBytes;
      const expected = new Set(
        Object.keys(artifacts)
          .filter((name) => isShared((artifacts[name] as Uint8Array).length))
          .map((name) => read.info(name).key),
      );
      const keys = (await copiesIn(storage)).map((name) => (name.split('/')[2] as string).slice(0, 64));
      expect(keys.sort()).toEqual([...expected].sort());
    },
  );

  const sent = fc.record({
    bytes: fc.constantFrom(1, 1000, 20_000, DEFAULT_OWN_BYTES - 1, DEFAULT_OWN_BYTES, 300_000),
    seed: fc.integer({ min: 1, max: 2 }),
    isFile: fc.boolean(),
  });
  test.prop([fc.array(sent, { minLength: 2, maxLength: 8 })], { numRuns: propertyRuns })(
    'what is saved by saveBlobs, and files that values refer to, are stored once in a bucket, at any size',
    async (contents) => {
      const storage = bucket();
      for (const [i, { bytes, seed, isFile }] of contents.entries()) {
        await using flow = await openFlow({ storage });
        const content = noise(bytes, seed);
        if (isFile)
          await flow.task({ ...spec, taskId: String(i) }, async (task) =>
            task.saveArtifacts({ file: await task.files.fromData('x', content) }),
          );
        else await flow.caStore.saveBlobs([content]);
      }
      const keys = (await copiesIn(storage)).map((name) => (name.split('/')[2] as string).slice(0, 64));
      const expected = new Set(contents.map(({ bytes, seed }) => digestHex(noise(bytes, seed))));
      expect(keys.sort()).toEqual([...expected].sort());
      expect(await objectNames(storage, 'values/')).toEqual([]);
    },
  );
});

describe('an attempt’s own values', () => {
  it('go with a clone, a passdown and a join, by one GET and one PUT, and outlive their source', async () => {
    const storage = new CountStorage(bucket());
    const flow = await openFlow({ storage });
    await saveTask(flow, twenty(1), { taskId: 'source', attempt: 0 });
    const source = await flow.getTaskDataStore('r1/fit/source');
    const ways: Record<string, (task: OpenTaskDataStore) => Promise<unknown>> = {
      cloned: (task) => task.clone(source),
      passed: (task) => task.passdownPartial(source, source.names()),
      joined: (task) => task.mergeArtifacts([source]),
    };
    for (const [taskId, way] of Object.entries(ways)) {
      storage.reset();
      await flow.task({ ...spec, taskId, attempt: 0 }, way);
      // LIST that the source stands is not needed: nothing of it is relied on.
      expect(storage.snapshot(), taskId).toMatchObject({
        ...{ list: { calls: 0 }, get: { calls: 1 }, create: { calls: 4 } },
      });
    }
    const gone = await objectNames(storage, 'values/Test/r1/fit/source/');
    await storage.delete([...gone, ...(await objectNames(storage, 'flows/Test/r1/fit/source/'))]);
    for (const taskId of Object.keys(ways))
      expect(await (await flow.getTaskDataStore(`r1/fit/${taskId}`)).loadArtifacts()).toEqual(twenty(1));
  });

  it('are copied from store to store, and shared in a folder', async () => {
    const from = bucket();
    await saveTask(await openFlow({ storage: from }), { ...twenty(1), large: noise(300_000) });
    const to = bucket();
    const { flow: local } = await openLocalFlow();
    for (const storage of [to, local.storage]) {
      await copyStore({ from, to: storage });
      const again = await copyStore({ from, to: storage });
      expect(again.attempts).toMatchObject({ present: 1, copied: 0 });
      const flow = await openFlow({ storage });
      const loaded = await (await flow.getTaskDataStore('r1/fit/0')).loadArtifacts();
      expect(loaded).toEqual({ ...twenty(1), large: noise(300_000) });
    }
    expect(await objectNames(to, 'values/')).toHaveLength(1);
    expect(await copiesIn(local.storage)).toHaveLength(21);
    const { values } = (await description(to)) as { values: { object: string }[] };
    expect(await objectNames(to, 'values/')).toEqual(
      values.map(({ object }) => `values/Test/r1/fit/0/0.${object}`),
    );
  });

  it('are transferred into a task of another store', async () => {
    const there = await openFlow({ storage: bucket() });
    await saveTask(there, twenty(1));
    const source = await there.getTaskDataStore('r1/fit/0');
    const { flow: local } = await openLocalFlow();
    for (const flow of [await openFlow({ storage: bucket() }), local]) {
      await flow.task(spec, (task) => task.transferArtifacts(source));
      expect(await (await flow.getTaskDataStore('r1/fit/0')).loadArtifacts()).toEqual(twenty(1));
    }
  });

  it('are moved to the next attempt by an owner that was fenced', async () => {
    const storage = bucket();
    const flow = await openFlow({ storage });
    const task = await flow.createTaskDataStore(spec);
    await task.saveArtifacts(twenty(1));
    const record = await readSessionFile(storage, 'flows/Test/r1/fit/0/0.attempt.json', {});
    await storage.create('flows/Test/r1/fit/0/0.DONE', abandonedDone(record as Uint8Array));
    await task.done();
    await storage.delete(await objectNames(storage, 'values/Test/r1/fit/0/0.'));
    const read = await flow.getTaskDataStore('r1/fit/0');
    expect([read.attempt, await read.loadArtifacts()]).toEqual([1, twenty(1)]);
  });

  it('are CONTENT_LOST where a fenced owner finds them gone', async () => {
    const storage = bucket();
    const flow = await openFlow({ storage });
    const task = await flow.createTaskDataStore(spec);
    await task.saveArtifacts({ small: noise(20_000), inline: 1 });
    const record = await readSessionFile(storage, 'flows/Test/r1/fit/0/0.attempt.json', {});
    await storage.create('flows/Test/r1/fit/0/0.DONE', abandonedDone(record as Uint8Array));
    await storage.delete(await objectNames(storage, 'values/'));
    expect((await errorOf(task.done(), 'CONTENT_LOST')).details).toMatchObject({ artifacts: ['small'] });
  });

  it('go on from where they are after a fence whose copying failed', async () => {
    let broken = true;
    const storage = new FaultStorage(bucket(), (operation, name) =>
      broken && operation === 'create' && name.startsWith('values/Test/r1/fit/0/1.')
        ? { kind: 'before' }
        : undefined,
    );
    const flow = await openFlow({ storage });
    const task = await flow.createTaskDataStore(spec);
    await task.saveArtifacts(twenty(1));
    const record = await readSessionFile(storage, 'flows/Test/r1/fit/0/0.attempt.json', {});
    await storage.create('flows/Test/r1/fit/0/0.DONE', abandonedDone(record as Uint8Array));
    await errorOf(task.done(), 'STORAGE_UNAVAILABLE');
    broken = false;
    await task.done();
    expect(await (await flow.getTaskDataStore('r1/fit/0/1')).loadArtifacts()).toEqual(twenty(1));
  });

  it('that a later save replaced are listed as dropped, and objects of which nothing is left not at all', async () => {
    const storage = bucket();
    const flow = await openFlow({ storage });
    const task = await flow.createTaskDataStore(spec);
    await task.saveArtifacts({ gone: noise(20_000, 9) });
    await task.saveArtifacts({ gone: noise(20_000, 8), kept: noise(20_000, 7) });
    await task.saveArtifacts({ gone: 1 });
    await task.done();
    const { values } = (await description(storage)) as { values: { keys?: string[] }[] };
    expect(values).toHaveLength(1);
    expect(values[0]?.keys).toHaveLength(1);
    expect(await objectNames(storage, 'values/')).toHaveLength(2);
  });

  it('lie at the place that rawDataPath names', async () => {
    const storage = bucket();
    const elsewhere = new MemoryStorage('values-elsewhere', { localReads: false });
    const openPlace = (): MemoryStorage => elsewhere;
    const flow = await openFlow({ storage, rawDataPath: 'memory:values-elsewhere', openPlace });
    await saveTask(flow, twenty(1));
    expect(await objectNames(storage, 'values/')).toEqual([]);
    expect(
      (await objectNames(elsewhere)).filter((name) => name.includes('values/Test/r1/fit/0/0.')),
    ).toHaveLength(1);
    expect(await (await flow.getTaskDataStore('r1/fit/0')).loadArtifacts()).toEqual(twenty(1));
  });
});

describe('an object of values that is damaged', () => {
  const damage = async (storage: MemoryStorage): Promise<void> => {
    const [name] = (await objectNames(storage, 'values/')) as [string];
    const { body } = (await storage.get(name)) as { body: Uint8Array };
    body[100] = (body[100] as number) ^ 1;
    await storage.delete([name]);
    await storage.create(name, body);
  };

  it('costs the values it hit, and no others', async () => {
    const storage = bucket();
    const flow = await openFlow({ storage });
    await saveTask(flow, twenty(1));
    await damage(storage);
    const read = await flow.getTaskDataStore('r1/fit/0');
    const error = await errorOf(read.loadArtifacts(), 'CONTENT_DAMAGED');
    expect(error.message).toContain('Artifact a0 of r1/fit/0/0');
    expect(await read.get('a1')).toEqual(twenty(1).a1);
    await storage.delete(await objectNames(storage, 'values/'));
    await errorOf(read.get('a1'), 'CONTENT_NOT_FOUND');
  });

  it('is read once more where its bytes were changed on their way', async () => {
    const storage = bucket();
    await saveTask(await openFlow({ storage }), twenty(1));
    let changed = 0;
    class BadWay extends StorageDecorator {
      override async get(name: string, options?: GetOptions): Promise<StoredObject | undefined> {
        const object = await super.get(name, options);
        if (!object || !name.startsWith('values/') || changed > 0) return object;
        changed += 1;
        const body = object.body.slice();
        body[100] = (body[100] as number) ^ 1;
        return { ...object, body };
      }
    }
    const flow = await openFlow({ storage: new BadWay(storage) });
    expect(await (await flow.getTaskDataStore('r1/fit/0')).loadArtifacts()).toEqual(twenty(1));
    expect(changed).toBe(1);
  });

  it('is made good by a copy under its key', async () => {
    const storage = bucket();
    const flow = await openFlow({ storage });
    await saveTask(flow, twenty(1));
    await damage(storage);
    await flow.caStore.saveBlobs([twenty(1).a0 as Uint8Array]);
    expect(await (await flow.getTaskDataStore('r1/fit/0')).loadArtifacts()).toEqual(twenty(1));
  });
});

describe('a cached result of 20 KiB in a bucket', () => {
  const result = { text: Buffer.from(noise(30_000)).toString('base64') };

  it('is a hit of two GETs, and a miss where its value is gone', async () => {
    const storage = new CountStorage(bucket());
    let runs = 0;
    const open = async (): Promise<{ call: () => Promise<unknown>; flow: FlowDataStore }> => {
      const flow = await openFlow({ storage });
      const task = flow.cachedTask({
        name: 'embed',
        version: '1',
        run: async (_: number) => {
          runs += 1;
          return result;
        },
      });
      return { flow, call: () => task(1) };
    };
    expect(await (await open()).call()).toEqual(result);
    const { call } = await open();
    storage.reset();
    expect(await call()).toEqual(result);
    expect(storage.snapshot()).toMatchObject({ requests: 2, get: { calls: 2 } });
    expect(runs).toBe(1);
    await storage.delete(await objectNames(storage, 'values/'));
    expect(await (await open()).call()).toEqual(result);
    expect(runs).toBe(2);
    expect(await (await open()).call()).toEqual(result);
    expect(runs).toBe(2);
  });
});
