import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { StowageError } from '../../src/errors.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { publishedRecordName, readPublishedRecord } from '../../src/format/published-names.ts';
import { removeFromStore } from '../../src/maintenance/retention/remove.ts';
import type { PublishedVersion } from '../../src/published/published-version.ts';
import type { FileRef } from '../../src/references/file-ref.ts';
import type { DataStoreStorage, GetOptions, StoredObject } from '../../src/storage/contract.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { StorageDecorator } from '../../src/storage/decorator.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { openStorage } from '../../src/storage/open.ts';
import { afterThisTest } from '../cleanups.ts';
import { errorOf, noise, objectNames, openFlow, saveTask, scratchFolder } from '../flow/fixtures.ts';
import { collect } from '../maintenance/collection/collect.ts';

const bucket = (): MemoryStorage => new MemoryStorage('', { localReads: false });
const STORAGES: [string, () => Promise<DataStoreStorage>][] = [
  ['in memory', async () => new MemoryStorage()],
  ['where looking costs requests', async () => bucket()],
  ['in a folder', async () => opened(join(scratchFolder(), 'store'))],
  ['in a file of SQLite', async () => opened(`sqlite:${join(scratchFolder(), 'runs.db')}`)],
];

async function opened(address: string): Promise<DataStoreStorage> {
  const storage = await openStorage(address);
  afterThisTest(() => storage.close());
  return storage;
}

const VALUES = {
  inline: { auc: 0.91, at: new Date(0), labels: new Set(['a']) },
  own: noise(20_000, 1),
  text: 'ä'.repeat(30_000),
  numbers: Float32Array.from({ length: 50_000 }, (_, index) => Math.sin(index)),
  large: noise(700_000, 2),
};

/** A flow whose one task has a value of each kind, a file within one among them. */
async function published(storage: DataStoreStorage): Promise<FlowDataStore> {
  const flow = await openFlow({ storage });
  await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, async (task) => {
    const files = [
      await task.files.fromData('w.bin', VALUES.large),
      await task.files.fromData('s', VALUES.own),
    ];
    await task.saveArtifacts({ ...VALUES, files });
  });
  for (const artifact of [...Object.keys(VALUES), 'files'])
    await flow.publish(artifact, { task: 'r1/fit/0', artifact });
  return flow;
}

async function expectAll(flow: FlowDataStore): Promise<void> {
  for (const [name, value] of Object.entries(VALUES))
    expect(await (await flow.getPublished(name)).load()).toEqual(value);
  const [large, small] = await (await flow.getPublished('files')).load<[FileRef, FileRef]>();
  expect(await large.bytes()).toEqual(VALUES.large);
  expect(await small.bytes()).toEqual(VALUES.own);
}

/** Of what a publisher left, each session is closed as failed or given up, and describes nothing; its content goes with the next collection. */
async function expectNothingKept(storage: DataStoreStorage, left: readonly string[]): Promise<void> {
  expect(left.filter((name) => !/^(loose|pins|data)\//.test(name))).toEqual([]);
  for (const name of left) {
    const [, session, file] = /^loose\/([^.]+)\.(.+)$/.exec(name) ?? [];
    if (file !== 'attempt.json') continue;
    const read = async (other: string): Promise<Record<string, unknown> | undefined> => {
      const object = await storage.get(`loose/${session}.${other}`);
      return object && JSON.parse(Buffer.from(object.body).toString());
    };
    const isGivenUp = left.includes(`loose/${session}.DELETED`);
    // One that failed as it was closed, when its description may have been written, is closed as failed and given up.
    expect(isGivenUp ? ['done', 'failed'] : ['failed']).toContain((await read('DONE'))?.outcome);
    expect((await read('metadata.json'))?.artifacts ?? []).toEqual([]);
  }
}

describe.each(STORAGES)('a published version, %s', (_where, newStorage) => {
  it('is loaded as it was saved, of its exact type, whatever becomes of its run', async () => {
    const storage = await newStorage();
    const flow = await published(storage);
    await expectAll(flow);
    await flow.run('r1').finish();
    await removeFromStore({ store: storage, path: 'Test/r1' });
    await collect(storage);
    await collect(storage);
    await expectAll(await openFlow({ storage, flowName: 'Other' }));
    expect(await objectNames(storage, 'values/')).toEqual([]);
    expect(await objectNames(storage, 'runs/')).toEqual([]);
  });

  it('keeps nothing once it is withdrawn', async () => {
    const storage = await newStorage();
    const flow = await published(storage);
    await flow.run('r1').finish();
    await removeFromStore({ store: storage, path: 'Test/r1' });
    for (const { name, version } of await flow.listPublished()) await flow.withdrawPublished(name, version);
    await collect(storage);
    const content = (await objectNames(storage)).filter((name) =>
      /^(data|manifests|packs|values)\//.test(name),
    );
    expect(content).toEqual([]);
    expect(await flow.listPublished()).toEqual([]);
    expect(await flow.listPublished({ withdrawn: true })).toHaveLength(6);
  });

  it('streams, and opens, whole or a part', async () => {
    const flow = await published(await newStorage());
    for (const name of ['own', 'large'] as const) {
      const version = await flow.getPublished(name);
      const pieces: Uint8Array[] = [];
      for await (const piece of version.stream({ range: { offset: 5, length: 1_000 } })) pieces.push(piece);
      expect(Buffer.concat(pieces)).toEqual(Buffer.from(VALUES[name].subarray(5, 1_005)));
      expect(new Uint8Array(await new Response(version.open()).arrayBuffer())).toEqual(VALUES[name]);
    }
    await errorOf(async () => (await flow.getPublished('inline')).open(), 'ARTIFACT_NOT_BYTES');
  });
});

describe('publishing', () => {
  it('tells what it published', async () => {
    const flow = await openFlow();
    await saveTask(flow, { model: [1, 2] });
    const attributes = { auc: 0.91, tags: ['a'] };
    const made = await flow.publish('churn', {
      task: await flow.getTaskDataStore('r1/fit/0'),
      artifact: 'model',
      description: 'the first',
      attributes,
    });
    const read = await flow.getPublished('churn', 1);
    for (const version of [made, read]) {
      expect(version).toMatchObject({
        name: 'churn',
        version: 1,
        artifact: 'model',
        source: 'Test/r1/fit/0/0',
        description: 'the first',
        attributes,
        publishedBy: { pid: process.pid },
        erased: undefined,
      });
      expect(version.info).toMatchObject({ name: 'model', type: 'array', encoding: 'msgpack' });
      expect(await version.load()).toEqual([1, 2]);
    }
    expect(JSON.parse(JSON.stringify(read))).toEqual(JSON.parse(JSON.stringify(made)));
    expect(inspect(read)).toContain("name: 'churn'");
    read.attributes.auc = 0;
    expect(read.attributes).toEqual(attributes);
  });

  it('counts versions from 1 on, and takes no number but the next', async () => {
    const flow = await openFlow();
    await saveTask(flow, { model: 1 });
    const publish = (version?: number): Promise<number> =>
      flow.publish('m', { task: 'r1/fit/0', artifact: 'model', version }).then((made) => made.version);
    expect(await publish()).toBe(1);
    expect(await publish(2)).toBe(2);
    expect((await errorOf(publish(2), 'PUBLISHED_EXISTS')).details).toMatchObject({ newest: 2 });
    await errorOf(publish(1), 'PUBLISHED_EXISTS');
    const before = await objectNames(flow.storage);
    expect((await errorOf(publish(4), 'INVALID_ARGUMENT')).message).toContain('the next one is 3');
    expect(await objectNames(flow.storage)).toEqual(before);
    await flow.withdrawPublished('m', 2);
    await errorOf(publish(2), 'PUBLISHED_EXISTS');
    expect(await publish()).toBe(3);
  });

  it('of many at once gives each a number of its own, without gaps', async () => {
    const flow = await openFlow();
    const flows = [
      flow,
      await openFlow({ storage: flow.storage }),
      await openFlow({ storage: flow.storage }),
    ];
    await saveTask(flow, { model: noise(300_000) });
    const made = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        (flows[index % 3] as FlowDataStore).publish('m', {
          task: 'r1/fit/0',
          artifact: 'model',
          attributes: { index },
        }),
      ),
    );
    expect(made.map(({ version }) => version).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 12 }, (_, index) => index + 1),
    );
    for (const { version, attributes } of made)
      expect((await flow.getPublished('m', version)).attributes).toEqual(attributes);
  });

  it('of one number by two has one winner, and the loser keeps nothing', async () => {
    const flow = await openFlow();
    await saveTask(flow, { model: 1 });
    const made = await Promise.allSettled(
      [1, 2, 3].map(() => flow.publish('m', { task: 'r1/fit/0', artifact: 'model', version: 1 })),
    );
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const { reason } of made as PromiseRejectedResult[])
      if (reason) expect(reason).toMatchObject({ code: 'PUBLISHED_EXISTS' });
    const loose = await objectNames(flow.storage, 'loose/');
    expect(loose.filter((name) => name.endsWith('.metadata.json'))).toHaveLength(1);
  });

  it.each([
    ['a task that failed', 'ATTEMPT_NOT_DONE'],
    ['an artifact that is not there', 'ARTIFACT_NOT_FOUND'],
    ['a task that is not there', 'TASK_NOT_FOUND'],
    ['content that retention gave up', 'CONTENT_PURGED'],
    ['an attempt of another store', 'INVALID_ARGUMENT'],
  ] as const)('refuses %s, and leaves nothing', async (what, code) => {
    const flow = await openFlow();
    await saveTask(flow, { model: noise(300_000) });
    const fail = (): Promise<void> =>
      flow.task({ runId: 'r2', stepName: 'fit', taskId: '0' }, () => Promise.reject(new Error('no')));
    await expect(fail()).rejects.toThrow('no');
    const failed = await flow.getTaskDataStore('r2/fit/0', { allowNotDone: true });
    const other = await openFlow();
    await saveTask(other, { model: 1 });
    await flow.run('r1').finish();
    if (what.startsWith('content'))
      await removeFromStore({ store: flow.storage, path: 'Test/r1', contentOnly: true });
    const before = await objectNames(flow.storage);
    const task = {
      'a task that failed': failed,
      'an artifact that is not there': 'r1/fit/0',
      'a task that is not there': 'r1/fit/1',
      'content that retention gave up': 'r1/fit/0',
      'an attempt of another store': await other.getTaskDataStore('r1/fit/0'),
    }[what];
    const artifact = what.startsWith('an artifact') ? 'modle' : 'model';
    await errorOf(flow.publish('m', { task, artifact }), code);
    const left = (await objectNames(flow.storage)).filter((name) => !before.includes(name));
    await expectNothingKept(flow.storage, left);
    await errorOf(flow.getPublished('m'), 'PUBLISHED_NOT_FOUND');
  });

  it.each([20_000, 65_536, 700_000])(
    'refuses content of %d bytes that is lost where looking costs requests',
    async (bytes) => {
      const storage = bucket();
      const flow = await openFlow({ storage });
      await saveTask(flow, { model: noise(bytes) });
      const contents = (await objectNames(storage)).filter((name) =>
        /^(data|manifests|packs|values)\//.test(name),
      );
      expect(contents).not.toEqual([]);
      await storage.delete(contents);
      const other = await openFlow({ storage }); // what a process wrote itself it does not look at
      await errorOf(other.publish('m', { task: 'r1/fit/0', artifact: 'model' }), 'CONTENT_NOT_FOUND');
      await errorOf(other.getPublished('m'), 'PUBLISHED_NOT_FOUND');
    },
  );

  it.each([
    ['no options', undefined, /publish takes what is published/],
    ['no task', { artifact: 'model' }, /opened for reading/],
    ['a task that is open', { task: {}, artifact: 'model' }, /opened for reading/],
    [
      'an option that is none',
      { task: 'r1/fit/0', artifact: 'model', atributes: {} },
      /Did you mean attributes/,
    ],
    ['version 0', { task: 'r1/fit/0', artifact: 'model', version: 0 }, /from 1 on/],
    ['a version that is text', { task: 'r1/fit/0', artifact: 'model', version: '1' }, /not "1"/],
    [
      'attributes that JSON cannot hold',
      { task: 'r1/fit/0', artifact: 'model', attributes: { at: new Date() } },
      /attributes\.at/,
    ],
    [
      'a description that is no text',
      { task: 'r1/fit/0', artifact: 'model', description: 1 },
      /must be text/,
    ],
    [
      'too much to tell',
      { task: 'r1/fit/0', artifact: 'model', description: 'x'.repeat(300_000) },
      /may take/,
    ],
  ])('refuses %s', async (_what, options, message) => {
    const flow = await openFlow();
    await saveTask(flow, { model: 1 });
    const error = await errorOf(flow.publish('m', options as never), 'INVALID_ARGUMENT');
    expect(error.message).toMatch(message);
  });

  it.each(['', '..', 'a/b', 'a\nb', 'x'.repeat(200)])('refuses the name %j', async (name) => {
    const flow = await openFlow();
    await saveTask(flow, { model: 1 });
    await errorOf(flow.publish(name, { task: 'r1/fit/0', artifact: 'model' }), 'INVALID_NAME');
    await errorOf(flow.getPublished(name), 'INVALID_NAME');
    await errorOf(flow.listPublished({ name }), 'INVALID_NAME');
    await errorOf(flow.withdrawPublished(name, 1), 'INVALID_NAME');
  });

  it('ends wherever it is aborted, and keeps and publishes nothing', async () => {
    let aborted = 0;
    let atRecord = 0;
    for (let at = 0; ; at++) {
      const storage = bucket();
      const flow = await openFlow({ storage });
      await saveTask(flow, { own: noise(20_000) });
      const before = await objectNames(storage);
      const ending = new AbortController();
      let operations = 0;
      let isAtRecord = false;
      const watched = new FaultStorage(storage, (operation, name) => {
        if (operations++ !== at) return undefined;
        isAtRecord = operation === 'create' && name.startsWith('names/');
        ending.abort();
        return undefined;
      });
      const publisher = await openFlow({ storage: watched });
      const { signal } = ending;
      const outcome = await publisher.publish('m', { task: 'r1/fit/0', artifact: 'own', signal }).then(
        () => 'published',
        (error: { code?: string }) => error.code,
      );
      if (operations <= at) {
        expect(outcome).toBe('published');
        break;
      }
      // After the last look at the signal it is published, and whoever aborted is told so.
      expect(['ABORTED', 'published']).toContain(outcome);
      if (outcome === 'published') continue;
      aborted += 1;
      expect(await flow.listPublished()).toEqual([]);
      const left = (await objectNames(storage)).filter((name) => !before.includes(name));
      // Of a record whose creation was aborted nobody knows whether it comes yet: its session stays, as after a failure of the storage.
      if (isAtRecord) atRecord += 1;
      else await expectNothingKept(storage, left);
    }
    expect(aborted).toBeGreaterThan(5);
    expect(atRecord).toBe(1);
    const flow = await openFlow();
    await saveTask(flow, { model: 1 });
    await errorOf(flow.getPublished('m', 'latest', { signal: AbortSignal.abort() }), 'ABORTED');
  });

  it('that may not write names keeps nothing', async () => {
    const storage = bucket();
    const flow = await openFlow({ storage });
    await saveTask(flow, { own: noise(20_000) });
    const before = await objectNames(storage);
    const refusing = new FaultStorage(storage, (operation, name) =>
      operation === 'create' && name.startsWith('names/')
        ? { kind: 'before', error: new StowageError('STORAGE_NOT_PERMITTED', 'You may not write names.') }
        : undefined,
    );
    const publisher = await openFlow({ storage: refusing });
    await errorOf(publisher.publish('m', { task: 'r1/fit/0', artifact: 'own' }), 'STORAGE_NOT_PERMITTED');
    const left = (await objectNames(storage)).filter((name) => !before.includes(name));
    expect(left.filter((name) => name.endsWith('.DELETED'))).toHaveLength(1);
    expect(left.filter((name) => name.endsWith('.metadata.json'))).toEqual([]);
  });

  it('copies a value that a bucket keeps with its task, and nothing else', async () => {
    const storage = bucket();
    const flow = await openFlow({ storage });
    await saveTask(flow, { own: noise(20_000), large: noise(700_000) });
    const content = async (): Promise<number> =>
      (await objectNames(storage)).filter((name) => /^(data|packs|manifests)\//.test(name)).length;
    const before = await content();
    await flow.publish('large', { task: 'r1/fit/0', artifact: 'large' });
    expect(await content()).toBe(before);
    const { key } = await flow.publish('own', { task: 'r1/fit/0', artifact: 'own' });
    expect(await content()).toBe(before + 1);
    for await (const { blob } of flow.caStore.loadBlobs([key])) expect(blob).toEqual(noise(20_000));
  });

  it('keeps content at another place where it lies', async () => {
    const storage = bucket();
    const place = join(scratchFolder(), 'raw');
    const flow = await openFlow({ storage, rawDataPath: place });
    await saveTask(flow, { own: noise(20_000), large: noise(700_000) });
    for (const artifact of ['own', 'large']) {
      const made = await flow.publish(artifact, { task: 'r1/fit/0', artifact });
      expect(made.info.place).toBeDefined();
      expect(await (await flow.getPublished(artifact)).load()).toEqual(
        noise(artifact === 'own' ? 20_000 : 700_000),
      );
    }
    expect(await objectNames(storage, 'data/')).toEqual([]);
  });
});

describe('getting a published version', () => {
  it('that is not there says what there is', async () => {
    const flow = await openFlow();
    await errorOf(flow.getPublished('m'), 'NO_SUCH_STORE');
    expect(await flow.listPublished()).toEqual([]);
    await saveTask(flow, { model: 1 });
    await flow.publish('churn-model', { task: 'r1/fit/0', artifact: 'model' });
    const missing = await errorOf(flow.getPublished('churn_model'), 'PUBLISHED_NOT_FOUND');
    expect(missing.message).toBe(
      'Nothing is published as churn_model in this store. Did you mean churn-model?',
    );
    const beyond = await errorOf(flow.getPublished('churn-model', 7), 'PUBLISHED_NOT_FOUND');
    expect(beyond.message).toBe('churn-model has no version 7; the newest is 1.');
    await errorOf(flow.withdrawPublished('churn-model', 7), 'PUBLISHED_NOT_FOUND');
    await errorOf(flow.getPublished('churn-model', 'newest' as never), 'INVALID_ARGUMENT');
    await errorOf(flow.getPublished('churn-model', '1' as never), 'INVALID_ARGUMENT');
  });

  it('by no number is the newest that was not withdrawn', async () => {
    const flow = await openFlow();
    await saveTask(flow, { model: 1 });
    for (let count = 0; count < 3; count++) await flow.publish('m', { task: 'r1/fit/0', artifact: 'model' });
    await flow.withdrawPublished('m', 3);
    await flow.withdrawPublished('m', 3); // as one that was interrupted is finished
    expect((await flow.getPublished('m')).version).toBe(2);
    expect((await errorOf(flow.getPublished('m', 3), 'PUBLISHED_WITHDRAWN')).message).toContain(
      'was withdrawn',
    );
    for (const version of [1, 2]) await flow.withdrawPublished('m', version);
    const none = await errorOf(flow.getPublished('m'), 'PUBLISHED_WITHDRAWN');
    expect(none.message).toContain('Publish version 4');
    expect((await flow.publish('m', { task: 'r1/fit/0', artifact: 'model' })).version).toBe(4);
  });

  it('whose session was released by itself says so, and can be withdrawn', async () => {
    const flow = await openFlow();
    await saveTask(flow, { model: 1 });
    for (let count = 0; count < 2; count++) await flow.publish('m', { task: 'r1/fit/0', artifact: 'model' });
    const record = await readPublishedRecord(flow.storage, { name: 'm', version: 2 }, {});
    await flow.caStore.release(record?.session as string);
    for (const version of [2, 'latest'] as const)
      expect((await errorOf(flow.getPublished('m', version), 'PUBLISHED_WITHDRAWN')).message).toContain(
        'was released',
      );
    await flow.withdrawPublished('m', 2);
    expect((await flow.getPublished('m')).version).toBe(1);
  });

  it('that is withdrawn while it is read goes on with the one before it', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    await saveTask(flow, { model: 1 });
    for (let count = 0; count < 2; count++) await flow.publish('m', { task: 'r1/fit/0', artifact: 'model' });
    let isBegun = false;
    const meanwhile = new (class extends StorageDecorator {
      override async get(name: string, options?: GetOptions): Promise<StoredObject | undefined> {
        if (name.startsWith('names/') && !isBegun) {
          isBegun = true;
          await flow.withdrawPublished('m', 2);
        }
        return super.get(name, options);
      }
    })(storage);
    expect((await (await openFlow({ storage: meanwhile })).getPublished('m')).version).toBe(1);
    expect(isBegun).toBe(true);
  });

  it('takes four requests, and one for its content', async () => {
    const storage = bucket();
    const flow = await openFlow({ storage });
    await saveTask(flow, { model: noise(20_000) });
    for (let count = 0; count < 3; count++) await flow.publish('m', { task: 'r1/fit/0', artifact: 'model' });
    const counted = new CountStorage(storage);
    const reader = await openFlow({ storage: counted });
    await reader.runs(); // has read stowage.json
    const before = counted.snapshot();
    const version = await reader.getPublished('m');
    const after = counted.snapshot();
    expect(after.get.calls - before.get.calls).toBe(3);
    expect(after.list.calls - before.list.calls).toBe(1);
    expect(after.head.calls - before.head.calls).toBe(0);
    await version.load();
    expect(counted.snapshot().get.calls - after.get.calls).toBe(1);
  });
});

describe('a list of published versions', () => {
  it('has the latest of each name, or all of one, newest first', async () => {
    const flow = await openFlow();
    await saveTask(flow, { a: 1, b: 2 });
    for (const name of ['m', 'm', 'm', 'k', 'k', 'gone'])
      await flow.publish(name, { task: 'r1/fit/0', artifact: name === 'k' ? 'b' : 'a' });
    await flow.withdrawPublished('m', 3);
    await flow.withdrawPublished('gone', 1);
    const ids = async (filter: object): Promise<string[]> =>
      (await flow.listPublished(filter)).map(
        ({ name, version, withdrawn }) => `${name}/${version}${withdrawn ? ' -' : ''}`,
      );
    expect(await ids({})).toEqual(['k/2', 'm/2']);
    expect(await ids({ withdrawn: true })).toEqual(['gone/1 -', 'k/2', 'm/3 -']);
    expect(await ids({ name: 'm' })).toEqual(['m/2', 'm/1']);
    expect(await ids({ name: 'm', withdrawn: true })).toEqual(['m/3 -', 'm/2', 'm/1']);
    expect(await ids({ name: 'm', limit: 1 })).toEqual(['m/2']);
    expect(await ids({ limit: 0 })).toEqual([]);
    expect(await ids({ name: 'n' })).toEqual([]);
    const [latest] = await flow.listPublished({ name: 'm' });
    expect(await latest?.published?.load()).toBe(1);
    const [withdrawn] = await flow.listPublished({ name: 'm', withdrawn: true });
    expect(withdrawn?.published).toBeUndefined();
    expect(withdrawn?.publishedBy?.pid).toBe(process.pid);
  });

  it('is filled to its limit, whatever turns out to be withdrawn as it is read', async () => {
    const flow = await openFlow();
    await saveTask(flow, { model: 1 });
    for (const name of ['k', 'm', 'm', 'm', 'n'])
      await flow.publish(name, { task: 'r1/fit/0', artifact: 'model' });
    for (const id of [
      { name: 'k', version: 1 },
      { name: 'm', version: 3 },
    ]) {
      const record = await readPublishedRecord(flow.storage, id, {});
      await flow.caStore.release(record?.session as string);
    }
    const ids = async (filter: object): Promise<string[]> =>
      (await flow.listPublished(filter)).map(({ name, version }) => `${name}/${version}`);
    expect(await ids({ name: 'm', limit: 1 })).toEqual(['m/2']);
    expect(await ids({ name: 'm', limit: 2 })).toEqual(['m/2', 'm/1']);
    expect(await ids({ name: 'm', limit: 3 })).toEqual(['m/2', 'm/1']);
    expect(await ids({ limit: 1 })).toEqual(['n/1']);
    expect(await ids({ name: 'm', limit: 1, withdrawn: true })).toEqual(['m/3']);
  });

  it('goes on where a record cannot be read', async () => {
    const flow = await openFlow();
    await saveTask(flow, { model: 1 });
    for (let count = 0; count < 2; count++) await flow.publish('m', { task: 'r1/fit/0', artifact: 'model' });
    const name = publishedRecordName({ name: 'm', version: 2 });
    await flow.storage.delete([name]);
    await flow.storage.create(name, Buffer.from('{"damaged":1}'));
    const [damaged, whole] = await flow.listPublished({ name: 'm' });
    expect(damaged?.problem?.code).toBe('RECORD_DAMAGED');
    expect(whole?.published?.version).toBe(1);
    await errorOf(flow.getPublished('m'), 'RECORD_DAMAGED');
    await errorOf(flow.withdrawPublished('m', 2), 'RECORD_DAMAGED');
    expect((await flow.getPublished('m')).version).toBe(1);
  });

  it.each([[{ nmae: 'm' }], [{ limit: -1 }], [{ name: 1 }], [null]])('refuses %j', async (filter) => {
    const flow = await openFlow();
    await errorOf(flow.listPublished(filter as never), 'INVALID_ARGUMENT');
  });
});

describe('a publisher that is interrupted', () => {
  const OUTCOMES = ['before', 'after'] as const;

  it.each(OUTCOMES)('%s any of its writes leaves a version that is whole, or none', async (when) => {
    for (let at = 0; ; at++) {
      const storage = bucket();
      const flow = await openFlow({ storage });
      await saveTask(flow, { own: noise(20_000, 1) });
      let creates = 0;
      const faulty = new FaultStorage(storage, (operation) =>
        operation === 'create' && creates++ === at ? { kind: when } : undefined,
      );
      const dying = await openFlow({ storage: faulty });
      const outcome = await dying.publish('m', { task: 'r1/fit/0', artifact: 'own' }).then(
        () => 'published',
        () => 'failed',
      );
      await collect(storage);
      const versions = await flow.listPublished({ name: 'm' });
      for (const { published } of versions) expect(await published?.load()).toEqual(noise(20_000, 1));
      if (outcome === 'published') expect(versions).toHaveLength(1);
      const next = await flow.publish('m', { task: 'r1/fit/0', artifact: 'own' });
      expect(next.version).toBe(versions.length + 1);
      if (creates <= at) break;
    }
  });
});

describe('a published version as the input of a cached task', () => {
  it('counts by its value, whatever its name and number', async () => {
    const flow = await openFlow();
    await saveTask(flow, { a: 'x', same: 'x', b: 'y', bytes: Buffer.from('x') });
    const publish = (name: string, artifact: string) => flow.publish(name, { task: 'r1/fit/0', artifact });
    const [a, same, b, bytes] = await Promise.all([
      publish('m', 'a'),
      publish('n', 'same'),
      publish('o', 'b'),
      publish('p', 'bytes'),
    ]);
    let runs = 0;
    const score = flow.cachedTask({
      name: 'score',
      version: '1',
      run: async ({ model }: { model: PublishedVersion }) => {
        runs += 1;
        return `${model.name} ${await model.load()}`;
      },
    });
    expect(await score({ model: a })).toBe('m x');
    expect(await score({ model: await flow.getPublished('m') })).toBe('m x');
    expect(await score({ model: same })).toBe('m x');
    expect(runs).toBe(1);
    expect(await score({ model: b })).toBe('o y');
    expect(await score({ model: bytes })).not.toBe('m x'); // the same bytes, and another value
    expect(runs).toBe(3);
  });
});
