import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { publishedRecordName, readPublishedRecord } from '../../src/format/published-names.ts';
import { createdName } from '../../src/format/run-records.ts';
import { SESSION_FILES, standaloneFiles } from '../../src/format/session-files.ts';
import { copyStore } from '../../src/maintenance/copy-store.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { StorageDecorator } from '../../src/storage/decorator.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { errorOf, noise, objectNames, openFlow, saveTask, scratchFolder } from '../flow/fixtures.ts';
import { collect } from './collection/collect.ts';

const VALUES = { small: { a: 1 }, own: noise(20_000, 1), large: noise(700_000, 2) };

/** A store with three versions of a name, the second of which was withdrawn, and one of another. */
async function publishedStore(localReads = true): Promise<{ storage: MemoryStorage; flow: FlowDataStore }> {
  const storage = new MemoryStorage('', { localReads });
  const flow = await openFlow({ storage });
  await saveTask(flow, VALUES);
  for (const artifact of ['small', 'large', 'own'])
    await flow.publish('m', { task: 'r1/fit/0', artifact, attributes: { artifact } });
  await flow.publish('n', { task: 'r1/fit/0', artifact: 'large' });
  await flow.withdrawPublished('m', 2);
  return { storage, flow };
}

async function expectCopied(to: DataStoreStorage): Promise<void> {
  const flow = await openFlow({ storage: to });
  const latest = await flow.getPublished('m');
  expect(latest).toMatchObject({ version: 3, attributes: { artifact: 'own' }, source: 'Test/r1/fit/0/0' });
  expect(await latest.load()).toEqual(VALUES.own);
  await errorOf(flow.getPublished('m', 2), 'PUBLISHED_WITHDRAWN');
  expect(await (await flow.getPublished('m', 1)).load()).toEqual(VALUES.small);
  expect(await (await flow.getPublished('n')).load()).toEqual(VALUES.large);
}

describe.each([
  ['folders', true],
  ['buckets', false],
])('a copy of published versions between %s', (_what, localReads) => {
  it('has them under their numbers, and loads them without their run', async () => {
    const { storage } = await publishedStore(localReads);
    const to = new MemoryStorage('', { localReads });
    const copied = await copyStore({ from: storage, to });
    expect(copied).toMatchObject({ published: { copied: 4, failed: 0, refused: 0 }, problems: [] });
    await collect(to);
    await expectCopied(to);
    for (const name of await objectNames(storage, 'names/'))
      expect((await to.get(name))?.body).toEqual((await storage.get(name))?.body);
    expect(await copyStore({ from: storage, to })).toMatchObject({ published: { copied: 0, present: 4 } });
    const next = await (await openFlow({ storage: to })).publish('m', {
      task: 'r1/fit/0',
      artifact: 'small',
    });
    expect(next.version).toBe(4);
  });

  it('that was interrupted anywhere goes on when it is made again', async () => {
    const { storage } = await publishedStore(localReads);
    for (let at = 0; ; at += 3) {
      const to = new MemoryStorage('', { localReads });
      let creates = 0;
      const failing = new FaultStorage(to, (operation) =>
        operation === 'create' && ++creates > at ? { kind: 'before' } : undefined,
      );
      const isWhole = await copyStore({ from: storage, to: failing }).then(
        ({ problems }) => problems.length === 0,
        () => false,
      );
      await collect(to).catch(() => undefined); // there may be no store yet
      await copyStore({ from: storage, to });
      await expectCopied(to);
      if (isWhole) break;
    }
  });
});

describe('a copy', () => {
  it('in a dry run writes nothing, and tells the versions', async () => {
    const { storage } = await publishedStore();
    const to = new MemoryStorage();
    expect(await copyStore({ from: storage, to, dryRun: true })).toMatchObject({ published: { copied: 4 } });
    expect(await objectNames(to)).toEqual([]);
  });

  it('of a flow leaves the versions of the store', async () => {
    const { storage } = await publishedStore();
    const to = new MemoryStorage();
    expect(await copyStore({ from: storage, to, flowName: 'Test' })).toMatchObject({
      published: { copied: 0 },
    });
    expect(await objectNames(to, 'names/')).toEqual([]);
  });

  it('refuses a name from the first version on that the target has as another one, and copies the rest', async () => {
    const { storage } = await publishedStore();
    const to = new MemoryStorage();
    const other = await openFlow({ storage: to });
    await saveTask(other, { mine: 'mine' }, { runId: 'other' });
    await other.publish('m', { task: 'other/fit/0', artifact: 'mine' });
    const copied = await copyStore({ from: storage, to });
    expect(copied.published).toMatchObject({ copied: 1, refused: 3 });
    expect(copied.problems.map(({ path, kind }) => [path, kind])).toEqual([
      ['names/m/1', 'refused'],
      ['names/m/2', 'refused'],
      ['names/m/3', 'refused'],
    ]);
    expect(await (await other.getPublished('m')).load()).toBe('mine');
    expect(await (await other.getPublished('n')).load()).toEqual(VALUES.large);
    // What no name of the target points at is not kept there.
    const record = await readPublishedRecord(storage, { name: 'm', version: 3 }, {});
    expect(await objectNames(to, `loose/${record?.session}`)).toEqual([]);
  });

  it('keeps nothing of a version whose number somebody takes in the target meanwhile', async () => {
    const { storage } = await publishedStore();
    const to = new MemoryStorage();
    const there = await openFlow({ storage: to });
    await saveTask(there, { theirs: 'theirs' }, { runId: 'there' });
    const record = publishedRecordName({ name: 'm', version: 1 });
    let isTaken = false;
    const meanwhile = new (class extends StorageDecorator {
      override async create(...args: Parameters<DataStoreStorage['create']>): Promise<boolean> {
        if (args[0] === record && !isTaken) {
          isTaken = true;
          await there.publish('m', { task: 'there/fit/0', artifact: 'theirs' });
        }
        return super.create(...args);
      }
    })(to);
    const copied = await copyStore({ from: storage, to: meanwhile });
    expect(copied.published).toMatchObject({ copied: 1, refused: 3 });
    expect(await (await there.getPublished('m')).load()).toBe('theirs');
    const source = await readPublishedRecord(storage, { name: 'm', version: 1 }, {});
    const { base } = standaloneFiles(source?.session as never);
    const left = await objectNames(to, base);
    expect(left).toContain(base + SESSION_FILES.deleted);
    expect(left).not.toContain(base + SESSION_FILES.metadata);
    await collect(to);
    expect(await (await there.getPublished('n')).load()).toEqual(VALUES.large);
  });

  it('leaves what the source withdrew since, and says so', async () => {
    const { storage, flow } = await publishedStore();
    const to = new MemoryStorage();
    await copyStore({ from: storage, to });
    await flow.withdrawPublished('m', 3);
    expect(await copyStore({ from: storage, to })).toMatchObject({ outlived: 1, published: { present: 4 } });
    expect((await (await openFlow({ storage: to })).getPublished('m')).version).toBe(3);
  });

  it('of a version whose session was released by itself has it withdrawn', async () => {
    const { storage, flow } = await publishedStore();
    const record = await readPublishedRecord(storage, { name: 'm', version: 3 }, {});
    await flow.caStore.release(record?.session as string);
    const to = new MemoryStorage();
    expect(await copyStore({ from: storage, to })).toMatchObject({ published: { copied: 4 }, problems: [] });
    expect((await (await openFlow({ storage: to })).getPublished('m')).version).toBe(1);
  });

  it('of a version whose records are damaged says which, and copies the others', async () => {
    const { storage } = await publishedStore();
    const record = await readPublishedRecord(storage, { name: 'm', version: 3 }, {});
    const { base } = standaloneFiles(record?.session as string);
    await storage.delete(Object.values(SESSION_FILES).map((file) => base + file));
    const name = publishedRecordName({ name: 'n', version: 1 });
    await storage.delete([name]);
    await storage.create(name, Buffer.from('{}'));
    const to = new MemoryStorage();
    const copied = await copyStore({ from: storage, to });
    expect(copied.published).toMatchObject({ copied: 2, failed: 2 });
    expect(copied.problems.map(({ path, error }) => [path, error.code]).sort()).toEqual([
      ['names/m/3', 'RECORD_DAMAGED'],
      ['names/n/1', 'RECORD_DAMAGED'],
    ]);
    const target = await openFlow({ storage: to });
    expect((await target.getPublished('m')).version).toBe(1);
  });

  it.each([
    ['a version', false],
    ['the code of a run', true],
  ])(
    'of %s that has lost the end of its session says so, and makes no record that names it',
    async (_what, isCode) => {
      const { storage, flow } = await publishedStore();
      const code = scratchFolder();
      writeFileSync(join(code, 'main.ts'), 'run();');
      const run = await flow.createRun({ runId: 'coded', code });
      const named = isCode
        ? (await run.info()).code?.session
        : (await readPublishedRecord(storage, { name: 'm', version: 3 }, {}))?.session;
      const done = standaloneFiles(named as string).base + SESSION_FILES.done;
      const end = (await storage.get(done))?.body as Uint8Array;
      await storage.delete([done]);
      const to = new MemoryStorage();
      const record = isCode ? createdName('Test', 'coded') : publishedRecordName({ name: 'm', version: 3 });
      const told = ['RECORD_DAMAGED', expect.stringContaining(done)];
      for (const dryRun of [true, false]) {
        const { problems } = await copyStore({ from: storage, to, dryRun });
        expect(problems.map(({ path, error }) => [path, error.code, error.message]).sort()).toEqual(
          [
            [`loose/${named}`, ...told],
            [isCode ? 'Test/coded' : 'names/m/3', ...told],
          ].sort(),
        );
        expect(await to.head(record)).toBeUndefined();
      }
      await storage.create(done, end);
      expect((await copyStore({ from: storage, to })).problems).toEqual([]);
      await expectCopied(to);
      expect(await to.head(record)).toBeDefined();
      expect(await to.head(done)).toBeDefined();
    },
  );
});
