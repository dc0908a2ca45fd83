import { describe, expect, it } from 'vitest';
import { digestHex } from '../../../src/digest/blake3.ts';
import { encodeDone, standaloneFiles } from '../../../src/format/session-files.ts';
import { continueErasures, eraseFromStore } from '../../../src/maintenance/erasure/erase-from-store.ts';
import { checkStore } from '../../../src/maintenance/fsck/check-store.ts';
import { FaultStorage } from '../../../src/storage/fault.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { errorOf, noise, objectNames, openFlow, saveTask } from '../../flow/fixtures.ts';
import { objectsWith } from './erased-store.ts';

const REASON = 'asked for by its owner';
const SECRET = noise(20_000, 7);

describe.each([{ localReads: true }, { localReads: false }])('an erasure, $localReads', ({ localReads }) => {
  const memory = (): MemoryStorage => new MemoryStorage('', { localReads });

  it('describes nothing anew once a collector gave up on it', async () => {
    const storage = new MemoryStorage('', { localReads: false });
    const flow = await openFlow({ storage });
    const kept = { a: noise(20_000), c: noise(30_000, 2) };
    await saveTask(flow, { ...kept, secret: SECRET });
    let fenced = false;
    // Suspended for a day behind the first value that it wrote anew, while a collector closed its session.
    const suspended = new FaultStorage(storage, (operation, name) => {
      const [, session] = /^values\/.*\.([0-9a-v]{26})-/.exec(name) ?? [];
      if (operation !== 'create' || session === undefined || fenced) return undefined;
      fenced = true;
      const done = { session, outcome: 'abandoned', closedAt: new Date().toISOString() } as const;
      void storage.create(`loose/${session}.DONE`, encodeDone(done, standaloneFiles(session).subject));
      return undefined;
    });
    const call = eraseFromStore({ store: suspended, target: 'Test/r1/fit/0/secret', reason: REASON });
    await errorOf(call, 'ATTEMPT_FENCED');
    expect(fenced).toBe(true);
    expect(await (await flow.getTaskDataStore('r1/fit/0')).loadArtifacts()).toEqual({
      ...kept,
      secret: SECRET,
    });
    expect(await continueErasures({ store: storage })).toMatchObject([{ outcome: 'complete' }]);
    expect(await (await flow.getTaskDataStore('r1/fit/0')).loadArtifacts()).toEqual(kept);
    expect(await objectsWith(storage, SECRET)).toEqual([]);
  });

  it.each([
    ['inline', noise(300, 7)],
    ['small', SECRET],
    ['shared', noise(100_000, 7)],
    ['large', noise(600_000, 7)],
  ])('takes a value that is %s from every run, and leaves everything else', async (_, secret) => {
    const storage = memory();
    const flow = await openFlow({ storage });
    const kept = { a: noise(20_000), b: 'text', c: noise(600_000, 2), d: noise(310, 3) };
    await saveTask(flow, { ...kept, secret });
    await saveTask(flow, { ...kept, again: secret, secret }, { runId: 'r2' });
    await saveTask(flow, kept, { taskId: 'other' });
    const planned = await eraseFromStore({
      store: storage,
      target: 'Test/r1/fit/0/secret',
      reason: REASON,
      dryRun: true,
    });
    expect(planned).toMatchObject({ outcome: 'dry-run', counts: { attempts: 2, artifacts: 3 } });
    expect(planned.holders).toMatchObject([
      { path: 'Test/r1/fit/0/0', artifacts: ['secret'] },
      { path: 'Test/r2/fit/0/0', artifacts: ['again', 'secret'] },
    ]);
    const result = await eraseFromStore({ store: storage, target: 'Test/r1/fit/0/secret', reason: REASON });
    expect(result).toMatchObject({
      outcome: 'complete',
      counts: planned.counts,
      undeleted: [],
      problems: [],
    });
    expect(await objectsWith(storage, secret)).toEqual([]);
    for (const run of ['r1', 'r2']) {
      const task = await flow.getTaskDataStore(`${run}/fit/0`);
      expect(await task.loadArtifacts()).toEqual(kept);
      expect((await errorOf(task.get('secret'), 'CONTENT_ERASED')).message).toContain(REASON);
    }
    expect(await (await flow.getTaskDataStore('r1/fit/other')).loadArtifacts()).toEqual(kept);
    expect(await objectNames(storage, 'flows/Test/r2/fit/0/')).toEqual(
      ['DONE', 'ERASED.00000000.json', 'attempt.json'].map((file) => `flows/Test/r2/fit/0/0.${file}`),
    );
    expect(await continueErasures({ store: storage })).toEqual([]);
    const loading = flow.caStore.loadBlobs([digestHex(secret)]).next();
    expect((await errorOf(loading, 'CONTENT_ERASED')).message).toContain(REASON);
    await errorOf(flow.caStore.streamBlob(digestHex(secret)).next(), 'CONTENT_ERASED');
  });

  it('of what is nowhere leaves nothing', async () => {
    const storage = memory();
    const flow = await openFlow({ storage });
    await saveTask(flow, { a: 1 });
    const before = await objectNames(storage);
    const target = digestHex(SECRET);
    expect(await eraseFromStore({ store: storage, target, reason: REASON })).toMatchObject({
      outcome: 'nothing',
    });
    expect(await objectNames(storage)).toEqual(before);
  });

  it('waits for what is open, and goes on once that is closed', async () => {
    const storage = memory();
    const flow = await openFlow({ storage });
    await saveTask(flow, { secret: SECRET });
    const open = await flow.createTaskDataStore({ runId: 'r2', stepName: 'fit', taskId: '0' });
    await open.saveArtifacts({ mine: SECRET, other: 'text' });
    const target = digestHex(SECRET);
    const result = await eraseFromStore({ store: storage, target, reason: REASON });
    expect(result).toMatchObject({
      outcome: 'open',
      waitsFor: [{ path: 'Test/r2/fit/0/0', pinned: localReads }],
    });
    expect(await continueErasures({ store: storage })).toMatchObject([{ outcome: 'open', waiting: 1 }]);
    await open.done();
    expect(await (await flow.getTaskDataStore('r2/fit/0')).get('mine')).toEqual(SECRET);
    expect(await continueErasures({ store: storage })).toMatchObject([
      { outcome: 'complete', counts: { attempts: 1 } },
    ]);
    expect(await objectsWith(storage, SECRET)).toEqual([]);
    const task = await flow.getTaskDataStore('r2/fit/0');
    expect(await task.get('other')).toBe('text');
    await errorOf(task.get('mine'), 'CONTENT_ERASED');
    // What is saved from then on is content like any other.
    await saveTask(flow, { secret: SECRET }, { runId: 'r3' });
    expect(await continueErasures({ store: storage })).toEqual([]);
    expect(await (await flow.getTaskDataStore('r3/fit/0')).get('secret')).toEqual(SECRET);
  });
});

describe('packs that hold chunks of other contents', () => {
  it.each([true, false])(
    'are written anew without what goes; chunks that others share stay (%s)',
    async (localReads) => {
      const storage = new MemoryStorage('', { localReads });
      const flow = await openFlow({ storage });
      const shared = noise(500_000, 1);
      const secret = new Uint8Array([...shared, ...noise(700_000, 7)]);
      const kept = new Uint8Array([...shared, ...noise(300_000, 2)]);
      await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, async (task) => {
        await task.saveArtifacts({ secret });
        await task.saveArtifacts({ kept });
      });
      const packs = await objectNames(storage, 'packs/');
      const target = digestHex(secret);
      const planned = await eraseFromStore({ store: storage, target, dryRun: true });
      expect(planned).toMatchObject({ sharing: [digestHex(kept)], sharingCount: 1 });
      const result = await eraseFromStore({ store: storage, target, reason: REASON });
      expect(result).toMatchObject({ outcome: 'complete', sharing: [digestHex(kept)] });
      expect(await objectsWith(storage, secret, [shared])).toEqual([]);
      expect(await objectsWith(storage, shared)).not.toEqual([]);
      expect(await objectNames(storage, 'packs/')).not.toContain(packs[0]);
      const task = await flow.getTaskDataStore('r1/fit/0');
      expect(await task.loadArtifacts()).toEqual({ kept });
    },
  );

  it('stay as they are where others share all of it', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const secret = noise(700_000, 7);
    const kept = new Uint8Array([...secret, ...noise(300_000, 2)]);
    await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, async (task) => {
      await task.saveArtifacts({ kept });
      await task.saveArtifacts({ secret });
    });
    const result = await eraseFromStore({ store: storage, target: digestHex(secret), reason: REASON });
    expect(result).toMatchObject({ outcome: 'complete', sharingCount: 1 });
    expect(await (await flow.getTaskDataStore('r1/fit/0')).get('kept')).toEqual(kept);
  });
});

it.each([true, false])('a check of the store finds it sound afterwards (%s)', async (localReads) => {
  const storage = new MemoryStorage('', { localReads });
  const flow = await openFlow({ storage });
  await saveTask(flow, { secret: SECRET, small: noise(20_000, 2), large: noise(600_000, 3) });
  await flow.caStore.saveBlobs([SECRET, noise(70_000, 4)]);
  for (const secret of [SECRET, noise(600_000, 3)]) {
    const result = await eraseFromStore({ store: storage, target: digestHex(secret), reason: REASON });
    expect(result.outcome).toBe('complete');
  }
  const findings = [];
  for await (const finding of checkStore({ store: storage })) findings.push(finding);
  expect(findings).toEqual([]);
});
