import { describe, expect, it } from 'vitest';
import { ContentAddressedStore } from '../../src/content-addressed-store.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { collectionVersionName, encodeCollectionVersion } from '../../src/format/collection-records.ts';
import { encodeRecord } from '../../src/format/record.ts';
import { SESSION_FILES } from '../../src/format/session-files.ts';
import { newSessionId } from '../../src/format/session-id.ts';
import { type CopyOptions, copyStore } from '../../src/maintenance/copy-store.ts';
import type { DataStoreStorage, ListOptions, ListPage } from '../../src/storage/contract.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { StorageDecorator } from '../../src/storage/decorator.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { abandonedDone, bodyOf, namesOf, ObservedStorage, withFlippedBit } from '../content/storages.ts';
import { errorOf, noise, openFlow, saveTask, scratchFolder } from '../flow/fixtures.ts';
import { readAll } from './copied-store.ts';
import { expectCopied } from './stores.ts';

const BASE = 'flows/Test/r1/fit/0/0';

/** A flow in a new store, and that store. */
async function newStore(): Promise<{ flow: FlowDataStore; from: MemoryStorage }> {
  const from = new MemoryStorage();
  return { flow: await openFlow({ storage: from }), from };
}

/** Puts an object in the place of another one. */
async function replace(storage: DataStoreStorage, name: string, body: Uint8Array): Promise<void> {
  await storage.delete([name]);
  expect(await storage.create(name, body)).toBe(true);
}

/** Lists in short pages, so that something can happen between two of them. */
class PagedStorage extends StorageDecorator {
  /** Awaited after each page. */
  afterPage: (prefix: string) => unknown = () => {};
  readonly #names: number;

  constructor(inner: DataStoreStorage, names: number) {
    super(inner);
    this.#names = names;
  }

  override async *list(options: ListOptions): AsyncGenerator<ListPage, void> {
    const limit = this.#names;
    for (let { startAfter } = options, seen = limit; seen === limit; ) {
      seen = 0;
      for await (const page of this.inner.list({ ...options, startAfter, limit })) {
        yield page;
        seen += page.objects.length;
        startAfter = page.objects.at(-1)?.name;
      }
      await this.afterPage(options.prefix);
    }
  }
}

describe('a copy of a store', () => {
  it('says all that the source says of what is closed, and leaves what is open', async () => {
    const { flow, from } = await newStore();
    const run = await flow.createRun({ runId: 'r1', tags: ['x'], parameters: { epochs: 3 } });
    await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, async (task) => {
      await task.saveArtifacts({ tiny: { a: [1, null] }, small: noise(50_000), large: noise(700_000, 3) });
      await task.saveArtifacts({ floats: Float64Array.from({ length: 40_000 }, (_, i) => i / 8) });
      await task.saveMetadata({ seconds: 120.5 });
      await task.saveLogs('task', { stdout: 'hello\n', stderr: '' });
      await task.saveLogs('task', { stdout: 'world\n' });
    });
    const failing = flow.task({ runId: 'r1', stepName: 'fit', taskId: '1' }, async (task) => {
      await task.saveArtifacts({ so: 'far' });
      throw new RangeError('diverged', { cause: new TypeError('NaN') });
    });
    await failing.catch(() => {});
    await saveTask(flow, { second: 'try' }, { taskId: '1' });
    await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '2' });
    await run.finish();
    const to = new MemoryStorage();
    const result = await expectCopied(from, to);
    expect(result.attempts).toEqual({ copied: 3, present: 0, refused: 0, failed: 0, open: 1 });
    expect(result).toMatchObject({ runs: 1, contentBytes: 1_070_000, bytesDeduplicated: 0, outlived: 0 });
    expect(result.bytesWritten).toBeGreaterThan(750_000);
    // Nothing that was opened for it is left open.
    const open = (await namesOf(to)).filter((name) => name.endsWith('.attempt.json'));
    for (const name of open) expect(await to.head(name.replace('.attempt.json', '.DONE'))).toBeDefined();
  });

  it('is complete: a second one writes nothing', async () => {
    const { flow, from } = await newStore();
    for (const taskId of ['0', '1', '2']) await saveTask(flow, { a: noise(30_000), b: 1 }, { taskId });
    const to = new MemoryStorage();
    const first = await copyStore({ from, to, concurrency: 1 });
    expect(first).toMatchObject({ contentBytes: 90_000, bytesDeduplicated: 60_000 });
    const counted = new CountStorage(to);
    const second = await copyStore({ from, to: counted });
    expect(second.attempts).toEqual({ copied: 0, present: 3, refused: 0, failed: 0, open: 0 });
    const { create, overwrite, delete: deleted } = counted.snapshot();
    expect([create.calls, overwrite.calls, deleted.calls]).toEqual([0, 0, 0]);
  });

  it('copies only what came since, and content that the target has from elsewhere only once', async () => {
    const { flow, from } = await newStore();
    const to = new MemoryStorage();
    const other = await openFlow({ storage: to, flowName: 'Other' });
    const [shared, own] = [noise(400_000, 5), noise(300_000, 6)];
    await saveTask(other, { shared });
    await saveTask(flow, { shared });
    expect(await copyStore({ from, to })).toMatchObject({
      contentBytes: 400_000,
      bytesDeduplicated: 400_000,
    });
    await saveTask(flow, { shared, own }, { taskId: '1' });
    const result = await copyStore({ from, to });
    expect(result.attempts).toMatchObject({ copied: 1, present: 1 });
    expect(result).toMatchObject({ contentBytes: 700_000, bytesDeduplicated: 400_000 });
    expect(result.bytesRead).toBeLessThan(310_000);
  });

  it('can be one of a flow, or of a run', async () => {
    const { flow, from } = await newStore();
    const other = await openFlow({ storage: from, flowName: 'Other' });
    for (const runId of ['r1', 'r2']) await saveTask(flow, { runId }, { runId });
    await saveTask(other, { x: 1 });
    await flow.caStore.saveBlobs([noise(1000)]);
    const runsIn = async (options: Partial<CopyOptions>) => {
      const to = new MemoryStorage();
      await copyStore({ from, to, ...options });
      expect((await namesOf(to, 'loose/')).length > 0).toBe(options.flowName === undefined);
      return [...new Set((await namesOf(to, 'runs/')).map((name) => name.split('/').slice(1, 3).join('/')))];
    };
    expect(await runsIn({})).toEqual(['Other/r1', 'Test/r1', 'Test/r2']);
    expect(await runsIn({ flowName: 'Test' })).toEqual(['Test/r1', 'Test/r2']);
    expect(await runsIn({ flowName: 'Test', runId: 'r2' })).toEqual(['Test/r2']);
  });

  it('keeps what was saved outside tasks, under its session, and plain objects plain', async () => {
    const { flow, from } = await newStore();
    const [blob] = await flow.caStore.saveBlobs([noise(1000)]);
    const saved = await flow.saveData([
      { name: 'report.html', data: Buffer.from('<h1>hello</h1>') },
      { name: 'large.bin', data: noise(600_000, 9) },
    ]);
    const [released] = await flow.caStore.saveBlobs([noise(1000, 2)]);
    await flow.caStore.release(released?.session ?? '');
    const to = new MemoryStorage();
    const result = await copyStore({ from, to });
    expect(result.sessions).toEqual({ copied: 2, present: 0, refused: 0, failed: 0, open: 0 });
    const plain = await namesOf(to, 'plain/');
    expect(plain.map((name) => name.split('/')[2])).toEqual(['report.html', 'large.bin']);
    expect(Buffer.from(await bodyOf(to, plain[1] as string)).equals(noise(600_000, 9))).toBe(true);
    const copied = new ContentAddressedStore(to);
    for (const { key, bytes } of [blob as NonNullable<typeof blob>, ...saved]) {
      for await (const loaded of copied.loadBlobs([key])) expect(loaded.blob.length).toBe(bytes);
    }
    expect((await copyStore({ from, to })).sessions).toMatchObject({ copied: 0, present: 2 });
    await copied.release(saved[0]?.session ?? '');
    // What was released there does not come back.
    expect((await copyStore({ from, to })).sessions).toMatchObject({ copied: 0, present: 2 });
    expect(await to.head(`loose/${saved[0]?.session}.metadata.json`)).toBeUndefined();
  });

  it('of a copy, and back to where it came from, is the same', async () => {
    const { flow, from } = await newStore();
    await saveTask(flow, { a: noise(20_000), b: 2 });
    await flow.caStore.saveBlobs([noise(1000)]);
    const [second, third] = [new MemoryStorage(), new MemoryStorage()];
    await expectCopied(from, second);
    await expectCopied(second, third);
    expect((await copyStore({ from: third, to: from })).attempts).toMatchObject({
      copied: 0,
      present: 1,
      refused: 0,
    });
    expect((await copyStore({ from, to: third })).attempts).toMatchObject({
      copied: 0,
      present: 1,
      refused: 0,
    });
  });

  it('of a run with more artifacts than a record holds has them all', async () => {
    const { flow, from } = await newStore();
    const shared = noise(20_000);
    const nameOf = (i: number) => `artifact-${i}`.padEnd(128, '-');
    const many = Object.fromEntries(Array.from({ length: 11_500 }, (_, i) => [nameOf(i), shared]));
    await saveTask(flow, many);
    const to = new MemoryStorage();
    expect((await copyStore({ from, to })).problems).toEqual([]);
    const copied = await openFlow({ storage: to });
    const task = await copied.getTaskDataStore('r1/fit/0');
    expect(task.names()).toHaveLength(11_500);
    expect(await task.get(nameOf(11_499))).toEqual(shared);
  });

  it('pins more contents than fit into one record', async () => {
    const { flow, from } = await newStore();
    const many = Object.fromEntries(Array.from({ length: 1_050 }, (_, i) => [`a${i}`, noise(16_400, i + 1)]));
    await saveTask(flow, many);
    await expectCopied(from, new MemoryStorage());
  });
});

describe('a dry run', () => {
  it('tells what would be copied, and makes nothing', async () => {
    const { flow, from } = await newStore();
    await saveTask(flow, { a: noise(30_000) });
    const to = new MemoryStorage();
    const result = await copyStore({ from, to, dryRun: true });
    expect(result).toMatchObject({ dryRun: true, contentBytes: 30_000, bytesWritten: 0 });
    expect(result.attempts.copied).toBe(1);
    expect(await namesOf(to)).toEqual([]);
    await copyStore({ from, to });
    await saveTask(flow, { a: 1 }, { taskId: '1' });
    const before = await namesOf(to);
    expect((await copyStore({ from, to, dryRun: true })).attempts).toMatchObject({ copied: 1, present: 1 });
    expect(await namesOf(to)).toEqual(before);
  });
});

describe('what was given up', () => {
  it('an attempt whose content was purged keeps its history, and its inline values', async () => {
    const { flow, from } = await newStore();
    await saveTask(flow, { a: noise(30_000), b: 2 });
    await from.create(`${BASE}.PURGED`, new Uint8Array(0));
    await from.delete(await namesOf(from, 'data/'));
    const to = new MemoryStorage();
    await expectCopied(from, to);
    const task = await (await openFlow({ storage: to })).getTaskDataStore('r1/fit/0');
    expect(await task.get('b')).toBe(2);
    await errorOf(task.get('a'), 'CONTENT_PURGED');
  });

  it('a deleted attempt stays a number that is never used again', async () => {
    const { flow, from } = await newStore();
    await saveTask(flow, { a: noise(30_000) });
    await from.create(`${BASE}.DELETED`, new Uint8Array(0));
    await from.delete([`${BASE}.metadata.json`]);
    const to = new MemoryStorage();
    await expectCopied(from, to);
    const copied = await openFlow({ storage: to });
    await errorOf(copied.getTaskDataStore('r1/fit/0'), 'ATTEMPT_DELETED');
    expect((await copied.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' })).attempt).toBe(1);
  });

  it('an attempt that is deleted while it is copied is copied as deleted', async () => {
    const { flow, from } = await newStore();
    await saveTask(flow, { a: noise(30_000) });
    const observed = new ObservedStorage(from);
    observed.before = async (operation, name) => {
      if (operation !== 'get' || name !== `${BASE}.DONE`) return;
      await from.create(`${BASE}.DELETED`, new Uint8Array(0));
      await from.delete([`${BASE}.metadata.json`]);
    };
    const to = new MemoryStorage();
    expect(await copyStore({ from: observed, to })).toMatchObject({ attempts: { copied: 1 }, problems: [] });
    await errorOf((await openFlow({ storage: to })).getTaskDataStore('r1/fit/0'), 'ATTEMPT_DELETED');
  });

  it('an attempt of which something was erased comes without it', async () => {
    const { flow, from } = await newStore();
    await saveTask(flow, { a: noise(30_000), name: 'Ada' });
    const { digest: _, ...described } = JSON.parse(
      Buffer.from(await bodyOf(from, `${BASE}.metadata.json`)).toString(),
    );
    const artifacts = described.artifacts.filter(({ name }: { name: string }) => name !== 'name');
    const erased = { ...described, artifacts, reason: 'asked for', erased: ['name'] };
    await from.create(`${BASE}.ERASED.00000000.json`, encodeRecord(erased));
    await from.delete([`${BASE}.metadata.json`]);
    const to = new MemoryStorage();
    await expectCopied(from, to);
    for (const name of await namesOf(to))
      expect(Buffer.from(await bodyOf(to, name)).includes('Ada')).toBe(false);
  });

  it('an abandoned attempt keeps what was said of it', async () => {
    const { flow, from } = await newStore();
    const attempt = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
    await attempt.saveMetadata({ step: 1 });
    await from.create(`${BASE}.DONE`, abandonedDone(await bodyOf(from, `${BASE}.attempt.json`)));
    await expectCopied(from, new MemoryStorage());
  });

  it('what the source gave up after it was copied is told, and stays in the target', async () => {
    const { flow, from } = await newStore();
    await saveTask(flow, { a: 1 });
    const to = new MemoryStorage();
    await copyStore({ from, to });
    await from.create(`${BASE}.DELETED`, new Uint8Array(0));
    await from.delete([`${BASE}.metadata.json`]);
    const result = await copyStore({ from, to });
    expect(result).toMatchObject({ outlived: 1, problems: [] });
    expect(await (await (await openFlow({ storage: to })).getTaskDataStore('r1/fit/0')).get('a')).toBe(1);
  });

  it('what the target gave up does not come back', async () => {
    const { flow, from } = await newStore();
    await saveTask(flow, { a: 1 });
    const to = new MemoryStorage();
    await copyStore({ from, to });
    await to.create(`${BASE}.DELETED`, new Uint8Array(0));
    await to.delete([`${BASE}.metadata.json`]);
    expect((await copyStore({ from, to })).attempts).toMatchObject({ present: 1 });
    expect(await to.head(`${BASE}.metadata.json`)).toBeUndefined();
  });
});

describe('logs', () => {
  const logOf = async (storage: DataStoreStorage): Promise<string[]> => {
    const names = await namesOf(storage, 'logs/');
    return Promise.all(names.map(async (name) => Buffer.from(await bodyOf(storage, name)).toString()));
  };
  const logged = async () => {
    const { flow, from } = await newStore();
    await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, async (task) => {
      await task.saveLogs('task', { stdout: 'secret 1' });
      await task.saveLogs('task', { stdout: 'secret 2' });
    });
    return { flow, from, to: new MemoryStorage() };
  };

  it('that were scrubbed come as the note that is left of them', async () => {
    const { flow, from, to } = await logged();
    await flow.scrubLogs('r1/fit/0', {});
    await expectCopied(from, to);
    expect(await logOf(to)).toEqual([expect.stringMatching(/^\[scrubbed /)]);
  });

  it('that were scrubbed while the task went on come as the note and all that was logged later', async () => {
    const { flow, from } = await newStore();
    await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, async (task) => {
      await task.saveLogs('task', { stdout: 'secret\n' });
      await task.scrubLogs();
      await task.saveLogs('task', { stdout: 'one\n' });
      await task.saveLogs('task', { stdout: 'two\n' });
    });
    const to = new MemoryStorage();
    await expectCopied(from, to);
    const task = await (await openFlow({ storage: to })).getTaskDataStore('r1/fit/0');
    expect(await task.loadLogs('task', 'stdout')).toMatch(/^\[scrubbed .*\]\none\ntwo\n$/);
  });

  it('that were scrubbed after they were copied are scrubbed in the target', async () => {
    const { flow, from, to } = await logged();
    await expectCopied(from, to);
    expect(await logOf(to)).toEqual(['secret 1', 'secret 2']);
    await flow.scrubLogs('r1/fit/0', {});
    await expectCopied(from, to);
    expect(await logOf(to)).toEqual([expect.stringMatching(/^\[scrubbed /)]);
  });

  it('whose scrubbing broke off come as the note alone', async () => {
    const { from, to } = await logged();
    const note = Buffer.from(`[scrubbed ${new Date().toISOString()}]\n`);
    await from.create('logs/Test/r1/fit/0/0.task.stdout.00000002', note);
    await copyStore({ from, to });
    expect(await logOf(to)).toEqual([note.toString()]);
  });

  it('that were scrubbed in the target stay so', async () => {
    const { from, to } = await logged();
    await expectCopied(from, to);
    await (await openFlow({ storage: to })).scrubLogs('r1/fit/0', {});
    await copyStore({ from, to });
    expect(await logOf(to)).toEqual([expect.stringMatching(/^\[scrubbed /)]);
  });

  it('that are written while the run is listed come with the DONE that closes them', async () => {
    const { flow, from } = await newStore();
    for (const taskId of ['0', '1']) await saveTask(flow, { a: 1 }, { taskId });
    const task = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '2' });
    await task.saveLogs('task', { stdout: 'one\n' });
    const paged = new PagedStorage(from, 4);
    let isOpen = true;
    paged.afterPage = async (prefix) => {
      if (!prefix.startsWith('flows/') || !isOpen) return;
      isOpen = false;
      await task.saveLogs('task', { stdout: 'two\n' });
      await task.done();
    };
    await expectCopied(paged, new MemoryStorage());
  });

  it('that go while they are copied are looked at again', async () => {
    const { flow, from, to } = await logged();
    const observed = new ObservedStorage(from);
    observed.before = async (operation, name) => {
      if (operation === 'get' && name.endsWith('stdout.00000001')) await flow.scrubLogs('r1/fit/0', {});
    };
    await expectCopied(observed, to);
    expect(await logOf(to)).toEqual([expect.stringMatching(/^\[scrubbed /)]);
  });
});

/** Another store, which has the run of the first one and nothing of its tasks. */
async function storeOfSameRun(from: DataStoreStorage): Promise<MemoryStorage> {
  const to = new MemoryStorage();
  await (await openFlow({ storage: to })).caStore.prepareToWrite();
  const name = 'runs/Test/r1/created.json';
  await to.create(name, await bodyOf(from, name));
  return to;
}

describe('what the target holds already', () => {
  it('an attempt with another result is refused, and kept; the rest is copied', async () => {
    const { flow, from } = await newStore();
    await saveTask(flow, { a: 1 });
    await saveTask(flow, { b: 1 }, { taskId: '1' });
    const to = await storeOfSameRun(from);
    const other = await openFlow({ storage: to });
    await saveTask(other, { a: 2 });
    const result = await copyStore({ from, to });
    expect(result.attempts).toMatchObject({ copied: 1, refused: 1 });
    expect(result.problems).toMatchObject([
      { path: 'Test/r1/fit/0/0', kind: 'refused', error: { code: 'ATTEMPT_EXISTS' } },
    ]);
    expect(await (await other.getTaskDataStore('r1/fit/0')).get('a')).toBe(2);
    expect(await (await other.getTaskDataStore('r1/fit/1')).get('b')).toBe(1);
  });

  it('an attempt with the same result is there already, whoever made it', async () => {
    const { flow, from } = await newStore();
    const to = new MemoryStorage();
    const other = await openFlow({ storage: to });
    for (const one of [flow, other]) await saveTask(one, { a: noise(30_000), b: 2 });
    await replace(to, 'runs/Test/r1/created.json', await bodyOf(from, 'runs/Test/r1/created.json'));
    expect((await copyStore({ from, to })).attempts).toMatchObject({ present: 1, refused: 0 });
  });

  it('an attempt that somebody works on is left to him', async () => {
    const { flow, from } = await newStore();
    await saveTask(flow, { a: 1 });
    const to = await storeOfSameRun(from);
    const other = await openFlow({ storage: to });
    const working = await other.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
    expect((await copyStore({ from, to })).problems).toMatchObject([{ error: { code: 'ATTEMPT_EXISTS' } }]);
    await working.saveArtifacts({ mine: true });
    await working.done();
  });

  it('an attempt that is opened there meanwhile is left to him who opened it', async () => {
    const { flow, from } = await newStore();
    await saveTask(flow, { a: noise(30_000) });
    const to = new MemoryStorage();
    const other = await openFlow({ storage: to });
    const observed = new ObservedStorage(to);
    let working: Awaited<ReturnType<FlowDataStore['createTaskDataStore']>> | undefined;
    observed.before = async (operation, name) => {
      if (operation !== 'create' || name !== `${BASE}.attempt.json`) return;
      working = await other.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0', attempt: 0 });
    };
    const { problems } = await copyStore({ from, to: observed });
    expect(problems).toMatchObject([{ error: { code: 'ATTEMPT_EXISTS' } }]);
    await working?.saveArtifacts({ mine: true });
    await working?.done();
    expect(await (await other.getTaskDataStore('r1/fit/0')).get('mine')).toBe(true);
  });

  it('another run of the same name is refused as a whole', async () => {
    const { flow, from } = await newStore();
    await saveTask(flow, { a: 1 });
    const to = new MemoryStorage();
    const other = await openFlow({ storage: to });
    await other.createRun({ runId: 'r1', tags: ['other'] });
    const result = await copyStore({ from, to });
    expect(result.problems).toMatchObject([
      { path: 'Test/r1', kind: 'refused', error: { code: 'RUN_EXISTS' } },
    ]);
    expect(await namesOf(to, 'flows/')).toEqual([]);
  });

  it('a run of which something was refused is not finished', async () => {
    const { flow, from } = await newStore();
    const run = await flow.createRun({ runId: 'r1' });
    await saveTask(flow, { a: 1 });
    await run.finish();
    const to = await storeOfSameRun(from);
    const other = await openFlow({ storage: to });
    await saveTask(other, { a: 2 });
    await copyStore({ from, to });
    expect(await to.head('runs/Test/r1/finished.json')).toBeUndefined();
  });

  it('a copy that a collector gave up on is told as what it is', async () => {
    const { flow, from } = await newStore();
    await saveTask(flow, { a: 1 });
    const to = new MemoryStorage();
    const observed = new ObservedStorage(to);
    observed.before = async (operation, name) => {
      if (operation !== 'create' || name !== BASE + SESSION_FILES.done) return;
      await to.create(name, abandonedDone(await bodyOf(to, `${BASE}.attempt.json`)));
    };
    for (const target of [observed, to]) {
      const { problems } = await copyStore({ from, to: target });
      expect(problems).toMatchObject([{ kind: 'refused', error: { code: 'ATTEMPT_FENCED' } }]);
    }
  });
});

describe('content saved outside tasks', () => {
  it('whose copy a collector gave up on is told as what it is, and not as present', async () => {
    const { flow, from } = await newStore();
    const [blob] = await flow.caStore.saveBlobs([noise(30_000)]);
    const session = blob?.session as string;
    const to = new MemoryStorage();
    const observed = new ObservedStorage(to);
    observed.before = async (operation, name) => {
      if (operation !== 'create' || name !== `loose/${session}.DONE`) return;
      await to.create(name, abandonedDone(await bodyOf(to, `loose/${session}.attempt.json`)));
    };
    for (const target of [observed, to]) {
      const { sessions, problems } = await copyStore({ from, to: target });
      expect(sessions).toMatchObject({ present: 0, refused: 1 });
      expect(problems).toMatchObject([{ kind: 'refused', error: { code: 'ATTEMPT_FENCED' } }]);
    }
  });
});

describe('a source that is damaged', () => {
  it('is copied from whole copies, plain objects as such', async () => {
    const { flow, from } = await newStore();
    const data = noise(3_000);
    await flow.caStore.saveData([{ name: 'a.txt', data }]);
    const [locator = ''] = await namesOf(from, 'manifests/');
    await replace(from, locator, withFlippedBit(await bodyOf(from, locator), 300));
    await flow.caStore.saveData([{ name: 'a.txt', data }]);
    const to = new MemoryStorage();
    expect(await copyStore({ from, to })).toMatchObject({ sessions: { copied: 2, failed: 0 }, problems: [] });
    const plain = await namesOf(to, 'plain/');
    expect(plain.map((name) => name.split('/')[2])).toEqual(['a.txt']);
  });

  it('costs the attempts that it concerns, and no other', async () => {
    const { flow, from } = await newStore();
    for (const taskId of ['0', '1', '2'])
      await saveTask(flow, { a: noise(30_000, Number(taskId) + 1) }, { taskId });
    const [copy] = await namesOf(from, 'data/');
    await from.delete([copy as string]);
    await replace(from, 'flows/Test/r1/fit/1/0.metadata.json', Buffer.from('{}'));
    const to = new MemoryStorage();
    const { attempts, problems } = await copyStore({ from, to });
    expect(attempts.copied + attempts.failed).toBe(3);
    expect(attempts.failed).toBeGreaterThanOrEqual(1);
    expect(problems.every(({ kind }) => kind === 'failed')).toBe(true);
    expect(problems.map(({ error }) => error.code)).toEqual(expect.arrayContaining(['RECORD_DAMAGED']));
    for (const { path } of problems) expect(await to.head(`flows/${path}.DONE`)).toBeUndefined();
  });
});

describe('the collector of the target', () => {
  /** Pretends to be a network, where nothing is looked at twice without need. */
  const remote = (storage: DataStoreStorage) => new ObservedStorage(storage, { localReads: false });

  it('sees what a copy relies on pinned, under a session that is open, before it is looked for', async () => {
    const { flow, from } = await newStore();
    await saveTask(flow, { a: noise(30_000) });
    const to = remote(new MemoryStorage());
    await copyStore({ from, to });
    const opened = to.indexOf(/^create loose\/.*attempt\.json/);
    const pinned = to.indexOf(/^create pins\//, opened);
    const read = to.indexOf(/^get gc\//, pinned);
    const looked = to.indexOf(/^list data\//, read);
    const written = to.indexOf(/^create data\//, looked);
    const attempt = to.indexOf(/^create flows\/.*attempt\.json/, written);
    const again = to.indexOf(/^get gc\//, attempt);
    const done = to.indexOf(/^create flows\/.*DONE/, again);
    const released = to.indexOf(/^create loose\/.*DONE/, done);
    expect([opened, pinned, read, looked, written, attempt, again, done, released].includes(-1)).toBe(false);
    const { pins } = JSON.parse(Buffer.from(await bodyOf(to, `${BASE}.attempt.json`)).toString());
    expect(pins).toMatchObject([{ kind: 'key' }]);
  });

  it.each(['proposed', 'final'] as const)(
    'condemned (%s) what the copy had found: it is written anew',
    async (state) => {
      const { flow, from } = await newStore();
      await saveTask(flow, { a: noise(30_000), large: noise(300_000, 2) });
      const inner = new MemoryStorage();
      const other = await openFlow({ storage: inner, flowName: 'Other' });
      await saveTask(other, { a: noise(30_000), large: noise(300_000, 2) });
      const old = [...(await namesOf(inner, 'data/')), ...(await namesOf(inner, 'manifests/'))];
      const packs = await namesOf(inner, 'packs/');
      const to = remote(inner);
      // Between the look and the attempt that pins it.
      to.before = async (operation, name) => {
        if (operation !== 'create' || name !== `${BASE}.attempt.json`) return;
        const condemned = [
          ...old.map((one) => ({ place: '', kind: 'copy' as const, name: one })),
          ...packs.map((one) => ({ place: '', kind: 'pack' as const, name: one })),
        ];
        const version = { version: 1, state, session: newSessionId(), condemned, lists: [] };
        await inner.create(collectionVersionName(1), encodeCollectionVersion(version));
      };
      expect((await copyStore({ from, to })).problems).toEqual([]);
      await inner.delete([...old, ...packs]);
      const copied = await openFlow({ storage: inner });
      const task = await copied.getTaskDataStore('r1/fit/0');
      expect(Buffer.from((await task.get('large')) as Uint8Array).equals(noise(300_000, 2))).toBe(true);
      expect(await readAll(inner)).toMatchObject({ 'Test/r1': {} });
    },
  );
});

describe('what copyStore is called with', () => {
  const source = async () => {
    const { flow, from } = await newStore();
    await saveTask(flow, { a: 1 });
    return from;
  };

  it('a store and itself is refused', async () => {
    const from = await source();
    expect((await errorOf(copyStore({ from, to: from }), 'INVALID_ARGUMENT')).message).toContain(
      'both the source and the target',
    );
  });

  it('a source that is none makes no target', async () => {
    const to = new MemoryStorage();
    await errorOf(copyStore({ from: new MemoryStorage(), to }), 'NO_SUCH_STORE');
    await errorOf(copyStore({ from: await source(), to, flowName: 'Nobody' }), 'RUN_NOT_FOUND');
    await errorOf(copyStore({ from: await source(), to, flowName: 'Test', runId: 'r9' }), 'RUN_NOT_FOUND');
    expect(await namesOf(to)).toEqual([]);
  });

  it.each<[string, object]>([
    ['an option that it does not have', { flow: 'Test' }],
    ['a run without its flow', { runId: 'r1' }],
    ['no concurrency', { concurrency: 0 }],
    ['no target', { to: undefined }],
    ['something else as progress', { onProgress: 3 }],
  ])('%s is refused', async (_, options) => {
    await errorOf(
      copyStore({ from: await source(), to: new MemoryStorage(), ...options } as CopyOptions),
      'INVALID_ARGUMENT',
    );
  });

  it('paths are opened and closed', async () => {
    const folder = scratchFolder();
    const flow = await openFlow({ storage: `${folder}/a` });
    await saveTask(flow, { a: noise(300_000) });
    const progress: number[] = [];
    const result = await copyStore({
      from: `${folder}/a`,
      to: `${folder}/b`,
      onProgress: ({ attemptsDone, attempts }) => progress.push(attemptsDone / attempts),
    });
    expect(result.attempts.copied).toBe(1);
    expect(progress.at(-1)).toBe(1);
    const copied = await openFlow({ storage: `${folder}/b` });
    expect(await (await copied.getTaskDataStore('r1/fit/0')).get('a')).toEqual(noise(300_000));
  });
});

describe('the requests of a copy', () => {
  it('an attempt of inline values costs 2 of the source and 3 of the target, once more 1 and 1', async () => {
    const { flow, from } = await newStore();
    for (let i = 0; i < 20; i++) await saveTask(flow, { a: i, b: 'x' }, { taskId: String(i) });
    const to = new MemoryStorage();
    const counted = [
      new CountStorage(from),
      new CountStorage(new ObservedStorage(to, { localReads: false })),
    ] as const;
    const copy = () => copyStore({ from: counted[0], to: counted[1] });
    await copy();
    const [read, written] = counted.map((one) => one.snapshot().requests) as [number, number];
    expect([Math.floor(read / 20), Math.floor(written / 20)]).toEqual([2, 3]);
    for (const one of counted) one.reset();
    await copy();
    expect(counted.map((one) => Math.floor(one.snapshot().requests / 20))).toEqual([1, 1]);
  });

  it('one of 20 contents of 20 KiB costs 22 of the source, and 49 of the target', async () => {
    const { flow, from } = await newStore();
    const artifacts = (task: number) =>
      Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`a${i}`, noise(20_480, 1 + task * 20 + i)]));
    for (let i = 0; i < 10; i++) await saveTask(flow, artifacts(i), { taskId: String(i) });
    const to = new MemoryStorage();
    const counted = [
      new CountStorage(from),
      new CountStorage(new ObservedStorage(to, { localReads: false })),
    ] as const;
    await copyStore({ from: counted[0], to: counted[1] });
    const requests = counted.map((one) => one.snapshot().requests / 10);
    expect(requests.map(Math.floor)).toEqual([22, 49]);
  });
});

describe('a report of an attempt', () => {
  it('is a file of its name in the target as well, opened at a URI of its own', async () => {
    const { flow, from } = await newStore();
    await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) => {
      task.report('loss', { title: 'Loss' }).text('it fell');
    });
    const to = new MemoryStorage('other');
    await expectCopied(from, to);
    const copy = await openFlow({ storage: to });
    const task = await copy.getTaskDataStore('r1/fit/0');
    const [report] = await task.reports();
    expect(report).toMatchObject({ name: 'loss', title: 'Loss', isFinal: true });
    expect(report?.uri).toMatch(/^memory:\/*other\/plain\/.*\/loss\.html$/);
    expect(Buffer.from(await task.loadReport('loss')).toString()).toContain('it fell');
  });
});
