import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { digestHex } from '../../../src/digest/blake3.ts';
import { copyStore } from '../../../src/maintenance/copy-store.ts';
import { continueErasures, eraseFromStore } from '../../../src/maintenance/erasure/erase-from-store.ts';
import type { ErasureResult } from '../../../src/maintenance/erasure/erasure-report.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { abandonedDone } from '../../content/storages.ts';
import { errorOf, noise, objectNames, openFlow, saveTask, scratchFolder } from '../../flow/fixtures.ts';
import { objectsWith } from './erased-store.ts';

const REASON = 'asked for by its owner';
const SECRET = noise(20_000, 7);
const KEY = digestHex(SECRET);
const AT = { runId: 'r1', stepName: 'fit', taskId: '0' };

function bucket(): MemoryStorage {
  return new MemoryStorage('', { localReads: false });
}

async function erase(storage: MemoryStorage, target: string = KEY): Promise<ErasureResult> {
  const result = await eraseFromStore({ store: storage, target, reason: REASON });
  expect(result).toMatchObject({ outcome: 'complete', undeleted: [], problems: [] });
  expect(await objectsWith(storage, SECRET)).toEqual([]);
  return result;
}

describe('an erasure takes', () => {
  it('what a task saved and then saved anew, and its neighbours stay', async () => {
    const storage = bucket();
    const flow = await openFlow({ storage });
    await flow.task(AT, async (task) => {
      await task.saveArtifacts({ x: SECRET, y: noise(20_000, 2), z: noise(30_000, 3) });
      await task.saveArtifacts({ x: noise(20_000, 4) });
    });
    expect(await erase(storage)).toMatchObject({ counts: { attempts: 1, artifacts: 0, values: 1 } });
    const task = await flow.getTaskDataStore('r1/fit/0');
    expect(await task.loadArtifacts()).toEqual({
      x: noise(20_000, 4),
      y: noise(20_000, 2),
      z: noise(30_000, 3),
    });
  });

  it('traces and checkpoints of attempts that failed', async () => {
    const storage = bucket();
    const flow = await openFlow({ storage });
    const failing = flow.task(AT, async (task) => {
      await task.trace('fetch', async () => SECRET)();
      await task.trace('other', async () => 'text')();
      await task.checkpoint.save({ state: 1 });
      await task.checkpoint.save(SECRET);
      throw new Error('diverged');
    });
    await expect(failing).rejects.toThrow('diverged');
    expect(await erase(storage)).toMatchObject({ counts: { attempts: 0, partial: 2 } });
    expect(await objectNames(storage, 'partial/')).toHaveLength(2);
  });

  it('results of cached tasks, whose entries go', async () => {
    const storage = bucket();
    const flow = await openFlow({ storage });
    let runs = 0;
    const task = flow.cachedTask({
      name: 'draw',
      version: '1',
      run: async ({ of }: { of: string }) => {
        runs += 1;
        return of === 'x' ? SECRET : of;
      },
    });
    await task({ of: 'x' });
    await task({ of: 'y' });
    expect(await erase(storage)).toMatchObject({ counts: { attempts: 1, cacheEntries: 1 } });
    await task({ of: 'y' });
    expect(runs).toBe(2);
    expect(await task({ of: 'x' })).toEqual(SECRET);
    expect(runs).toBe(3);
  });

  it('files that values refer to, and what refers to them', async () => {
    const storage = bucket();
    const flow = await openFlow({ storage });
    await flow.task(AT, async (task) => {
      const file = await task.files.fromData('faces.bin', SECRET);
      await task.saveArtifacts({ file, nested: { of: [file] }, other: 'text' });
    });
    const result = await erase(storage, 'Test/r1/fit/0/file');
    expect(result.contents.map(({ key }) => key)).toContain(KEY);
    expect(result.holders).toMatchObject([{ artifacts: ['file'], references: ['nested'] }]);
    const task = await flow.getTaskDataStore('r1/fit/0');
    await errorOf(task.get('nested'), 'CONTENT_ERASED');
    expect(await task.get('other')).toBe('text');
  });

  it('reports', async () => {
    const storage = bucket();
    const flow = await openFlow({ storage });
    await flow.task(AT, async (task) => {
      task.report('said').text('the secret of r1');
      task.report('other').text('something else');
      await task.saveArtifacts({ x: 1 });
    });
    const [plain = ''] = (await objectNames(storage, 'plain/')).filter((name) => name.endsWith('said.html'));
    const body = (await storage.get(plain))?.body as Uint8Array;
    const target = digestHex(body);
    const result = await eraseFromStore({ store: storage, target, reason: REASON });
    expect(result).toMatchObject({ outcome: 'complete', holders: [{ reports: ['said'] }] });
    expect(await objectsWith(storage, body.subarray(-40))).toEqual([]);
    const task = await flow.getTaskDataStore('r1/fit/0');
    expect((await task.reports()).map(({ name }) => name)).toEqual(['other']);
    await task.loadReport('other');
  });

  it('what was saved outside tasks, of which the rest stays, in copies as well', async () => {
    const storage = bucket();
    const flow = await openFlow({ storage });
    const [, other] = await flow.caStore.saveBlobs([SECRET, noise(20_000, 2)]);
    expect(await erase(storage)).toMatchObject({ counts: { sessions: 1, artifacts: 1 } });
    const copy = bucket();
    expect((await copyStore({ from: storage, to: copy })).problems).toEqual([]);
    for (const store of [storage, copy]) {
      const { caStore } = await openFlow({ storage: store });
      for await (const { blob } of caStore.loadBlobs([other?.key as string]))
        expect(blob).toEqual(noise(20_000, 2));
    }
  });

  it('code of runs', async () => {
    const folder = join(scratchFolder(), 'code');
    mkdirSync(folder);
    writeFileSync(join(folder, 'secret.bin'), noise(600_000, 7));
    writeFileSync(join(folder, 'main.js'), 'run();');
    const storage = bucket();
    const flow = await openFlow({ storage });
    const run = await flow.createRun({ runId: 'r1', code: folder });
    const target = digestHex(noise(600_000, 7));
    const result = await eraseFromStore({ store: storage, target, reason: REASON });
    expect(result).toMatchObject({ outcome: 'complete', holders: [{ codeOf: ['Test/r1'] }] });
    expect((await errorOf(run.code(), 'CONTENT_ERASED')).message).toContain(REASON);
  });

  it('what an attempt described that a collector gave up on before', async () => {
    const storage = bucket();
    const flow = await openFlow({ storage });
    await saveTask(flow, { small: noise(300, 8) });
    const base = 'flows/Test/r1/fit/0/0';
    const attempt = (await storage.get(`${base}.attempt.json`))?.body as Uint8Array;
    await storage.delete([`${base}.DONE`]);
    await storage.create(`${base}.DONE`, abandonedDone(attempt));
    const target = digestHex(noise(300, 8));
    const result = await eraseFromStore({ store: storage, target, reason: REASON });
    expect(result).toMatchObject({ outcome: 'complete' });
    expect(await objectsWith(storage, noise(300, 8))).toEqual([]);
  });

  it('values from the history of attempts whose content was given up', async () => {
    const storage = bucket();
    const flow = await openFlow({ storage });
    await saveTask(flow, { small: noise(300, 8), other: 'text', large: noise(20_000, 3), secret: SECRET });
    await storage.create('flows/Test/r1/fit/0/0.PURGED', new Uint8Array(0));
    await erase(storage);
    const target = digestHex(noise(300, 8));
    expect(await eraseFromStore({ store: storage, target, reason: REASON })).toMatchObject({
      outcome: 'complete',
    });
    expect(await objectsWith(storage, noise(300, 8))).toEqual([]);
    const task = await flow.getTaskDataStore('r1/fit/0');
    expect(await task.get('other')).toBe('text');
    await errorOf(task.get('large'), 'CONTENT_PURGED');
    await errorOf(task.get('small'), 'CONTENT_ERASED');
    expect(await objectNames(storage, 'flows/Test/r1/fit/0/0.ERASED')).toEqual([
      'flows/Test/r1/fit/0/0.ERASED.00000001.json',
    ]);
  });

  it('values out of tables that were moved into content', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    await flow.task(AT, async (task) => {
      const many = Array.from({ length: 25_000 }, (_, i) => [`a${i}`, i] as const);
      await task.saveArtifacts(Object.fromEntries(many));
      await task.saveArtifacts({ small: noise(300, 8), secret: SECRET });
    });
    const target = digestHex(noise(300, 8));
    expect(await eraseFromStore({ store: storage, target, reason: REASON })).toMatchObject({
      outcome: 'complete',
    });
    expect(await objectsWith(storage, noise(300, 8))).toEqual([]);
    const task = await flow.getTaskDataStore('r1/fit/0');
    expect(await task.get('a24999')).toBe(24_999);
    expect(await task.get('secret')).toEqual(SECRET);
    await errorOf(task.get('small'), 'CONTENT_ERASED');
  });

  it('content at another place of the store', async () => {
    const storage = bucket();
    const place = join(scratchFolder(), 'place');
    const flow = await openFlow({ storage, rawDataPath: place });
    await saveTask(flow, { secret: SECRET, other: noise(20_000, 2), shared: noise(100_000, 3) });
    await saveTask(flow, { secret: SECRET }, { taskId: '1' });
    const options = { store: storage, openPlace: undefined, target: KEY, reason: REASON };
    expect(await eraseFromStore(options)).toMatchObject({ outcome: 'complete', counts: { attempts: 2 } });
    const task = await flow.getTaskDataStore('r1/fit/0');
    expect(await task.loadArtifacts()).toEqual({ other: noise(20_000, 2), shared: noise(100_000, 3) });
  });
});

describe('what cannot be deleted', () => {
  it('is told, and deleted by whoever goes on', async () => {
    const storage = bucket();
    const flow = await openFlow({ storage });
    await saveTask(flow, { secret: SECRET, shared: noise(100_000, 9), other: noise(20_000, 2) });
    const held = /metadata\.json$|^values\/|^data\//;
    const original = storage.delete.bind(storage);
    storage.delete = async (names, options) => {
      const free = names.filter((name) => !held.test(name));
      await original(free, options);
      return names
        .filter((name) => held.test(name))
        .map((name) => ({ name, error: new Error('under an object lock') as never }));
    };
    const first = await eraseFromStore({ store: storage, target: KEY, reason: REASON });
    expect(first.outcome).toBe('open');
    expect(first.undeleted.map(({ name }) => name)).toEqual([
      expect.stringMatching(/^values\//),
      'flows/Test/r1/fit/0/0.metadata.json',
      expect.stringMatching(/^loose\//),
    ]);
    const shared = await eraseFromStore({
      store: storage,
      target: digestHex(noise(100_000, 9)),
      reason: REASON,
    });
    expect(shared.outcome).toBe('open');
    expect(shared.undeleted.map(({ name }) => name)).toContainEqual(expect.stringMatching(/^data\//));
    const task = await flow.getTaskDataStore('r1/fit/0');
    expect(await task.loadArtifacts()).toEqual({ other: noise(20_000, 2) });
    expect((await continueErasures({ store: storage })).map(({ outcome }) => outcome)).toEqual([
      'open',
      'open',
    ]);
    storage.delete = original;
    const results = await continueErasures({ store: storage });
    expect(results.map(({ outcome }) => outcome)).toEqual(['complete', 'complete']);
    expect(await objectsWith(storage, SECRET)).toEqual([]);
    expect(await objectsWith(storage, noise(100_000, 9))).toEqual([]);
  });
});

describe('packs that cannot be written anew', () => {
  it('are told, since a content beside is damaged', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const shared = noise(500_000, 1);
    const secret = new Uint8Array([...shared, ...noise(700_000, 7)]);
    const kept = new Uint8Array([...shared, ...noise(300_000, 2)]);
    await flow.task(AT, async (task) => {
      await task.saveArtifacts({ secret });
      await task.saveArtifacts({ kept });
    });
    const own = (await objectNames(storage, 'packs/'))[1] as string;
    await storage.delete([own]);
    await storage.create(own, noise(300_000, 9));
    const result = await eraseFromStore({ store: storage, target: digestHex(secret), reason: REASON });
    expect(result.outcome).toBe('open');
    expect(result.undeleted).toMatchObject([{ name: expect.stringMatching(/^packs\//) }]);
    await errorOf((await flow.getTaskDataStore('r1/fit/0')).get('secret'), 'CONTENT_ERASED');
  });
});
