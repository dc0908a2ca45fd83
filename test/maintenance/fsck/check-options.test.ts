import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { StowageError } from '../../../src/errors.ts';
import { type CheckProgress, checkStore } from '../../../src/maintenance/fsck/check-store.ts';
import { Reading } from '../../../src/maintenance/fsck/reading.ts';
import { FaultStorage } from '../../../src/storage/fault.ts';
import { ObservedStorage } from '../../content/storages.ts';
import { errorOf, noise, objectNames, openFlow, saveTask } from '../../flow/fixtures.ts';
import { test } from '../../property.ts';
import { check, DAY_MS, makeWholeStore, type Objects, storeOf } from './whole-store.ts';

let objects: Objects;
beforeAll(async () => {
  objects = await makeWholeStore({ localReads: false });
}, 60_000);

const key = fc.stringMatching(/^[0-9a-f]{64}$/);

describe('a sample', () => {
  test.prop([fc.integer({ min: 1, max: 30 }), key, fc.nat(1000)])(
    'has each key in exactly one of the parts that follow each other',
    (parts, content, first) => {
      const chosen = Array.from({ length: parts }, (_, index) =>
        new Reading({ sample: 1 / parts, seed: first * parts + index, resume: undefined }).isChosen(content),
      );
      expect(chosen.filter(Boolean)).toHaveLength(1);
    },
  );

  it('of nothing reads no content whole, and still misses what is gone', async () => {
    const { store, openPlace } = await storeOf(objects, { localReads: false });
    const whole = await check({ store, openPlace });
    const none = await check({ store, openPlace, sample: 0 });
    expect(none.summary.isSound).toBe(true);
    expect(none.summary.bytesRead).toBeLessThan(whole.summary.bytesRead / 5);
    const pack = (await objectNames(store, 'packs/'))[0] as string;
    await store.delete([pack]);
    const { findings } = await check({ store, openPlace, sample: 0 });
    expect(findings.filter(({ severity }) => severity === 'lost').map(({ object }) => object)).toContain(
      pack,
    );
  });
});

describe('a check', () => {
  it('writes nothing, whatever it finds', async () => {
    const { store, openPlace } = await storeOf(objects, { localReads: false });
    const [content] = await objectNames(store, 'data/');
    await store.overwrite(content as string, noise(100));
    const before = await objectNames(store);
    const observed = new ObservedStorage(store, { localReads: false });
    const { findings } = await check({ store: observed, openPlace });
    expect(findings).not.toEqual([]);
    expect(await objectNames(store)).toEqual(before);
  });

  it('tells the artifacts of all attempts that a content is lost to', async () => {
    const { store, openPlace } = await storeOf(objects, { localReads: false });
    for (const name of await objectNames(store, 'packs/')) await store.overwrite(name, noise(200_000));
    const { findings } = await check({ store, openPlace });
    const told = findings.filter(({ severity }) => severity === 'lost').flatMap(({ concerns }) => concerns);
    const artifact = { flow: 'Train', run: 'r1', step: 'fit', attempt: 0, kind: 'artifact' };
    expect(told).toContainEqual({ ...artifact, task: 'values', name: 'large' });
    expect(told).toContainEqual({ ...artifact, task: 'shared', name: 'again' });
    expect(told).toContainEqual({ ...artifact, task: 'references', name: 'file', kind: 'reference' });
  });

  it.each([
    'anything.txt',
    'other/folder/x',
    'data/abc/x',
    'manifests/000/notes.txt',
    'packs/x',
    'plain/mine/x',
    'values/Train/x',
    'flows/Train/r1/fit/values/notes.txt',
    'flows/Train/r1/fit/values/01.DONE',
    'loose/x.DONE',
    'partial/Train/r1/fit/values/0.else.00000000.json',
    'logs/Train/r1/fit/values/0.stdout',
    'runs/Train/r1/notes.txt',
    'pins/mine',
    'beats/mine',
    'hints/x',
    'cache/abc/x.json',
    'elsewhere/x.json',
    'gc/lists/x',
  ])('names %s as foreign, and the store is sound', async (name) => {
    const { store, openPlace } = await storeOf(objects, { localReads: false });
    await store.create(name, noise(10));
    const { findings, summary } = await check({ store, openPlace, sample: 0 });
    const told = findings.filter(({ problem }) => problem === 'foreign');
    expect(told.map(({ object }) => object)).toEqual([name.startsWith('other/') ? 'other/' : name]);
    expect(summary.isSound).toBe(true);
  });

  it('goes on from the cursor of one that was ended, and reads no content again that is behind', async () => {
    const { store, openPlace } = await storeOf(objects, { localReads: false });
    const names = (await objectNames(store, 'data/')).filter((name) => !name.endsWith('.damaged'));
    const damaged = names[5] as string;
    await store.overwrite(damaged, noise(Number(damaged.split('.').at(-1))));
    const first = checkStore({ store, openPlace });
    for await (const { object } of first) if (object === damaged) break;
    const { cursor: resume, isComplete } = first.summary;
    expect(isComplete).toBe(false);
    expect(resume).toMatch(/^content:/);

    const observed = new ObservedStorage(store, { localReads: false });
    const read: string[] = [];
    observed.before = (operation, name) => {
      const [, content] = /^(?:data|manifests)\/[0-9a-f]{3}\/([0-9a-f]{64})/.exec(name) ?? [];
      if (operation === 'get' && content !== undefined) read.push(content);
    };
    const { findings } = await check({ store: observed, openPlace, resume });
    expect(findings.map(({ object }) => object)).toContain(damaged);
    expect(read.length).toBeGreaterThan(5);
    expect(read.filter((content) => `content:${content}` <= (resume as string))).toEqual([]);
  });

  it('of what was written since sees new damage, and none of before', async () => {
    const { store, openPlace } = await storeOf(objects, { localReads: false });
    const [old] = (await objectNames(store, 'data/')).slice(-1);
    await store.overwrite(old as string, noise(100));
    const since = new Date(Date.now() + DAY_MS);
    const { findings } = await check({ store, openPlace, since });
    expect(findings.filter(({ layer }) => layer === 'content' || layer === 'attempts')).toEqual([]);
    const all = await check({ store, openPlace, since: new Date(0) });
    expect(all.findings.map(({ object }) => object)).toContain(old);
  });

  it('of a run needs what the run needs, wherever it lies', async () => {
    const { store, openPlace } = await storeOf(objects, { localReads: false });
    expect((await check({ store, openPlace, flowName: 'Train', runId: 'r1' })).summary.isSound).toBe(true);
    const lost = (await objectNames(store, 'loose/')).filter((name) => name.endsWith('.metadata.json'));
    await store.delete(lost);
    const { findings } = await check({ store, openPlace, flowName: 'Train', runId: 'r1' });
    // The code of the run.
    expect(findings.filter(({ severity }) => severity === 'lost').map(({ layer }) => layer)).toEqual([
      'loose',
    ]);
    await errorOf(check({ store, openPlace, flowName: 'Train', runId: 'r9' }), 'RUN_NOT_FOUND');
  });

  it('tells what it could not read, and checks the rest', async () => {
    const { store, openPlace } = await storeOf(objects, { localReads: false });
    const name = (await objectNames(store, 'data/')).at(-1);
    const failing = new FaultStorage(store, (operation, of) =>
      operation === 'get' && of === name
        ? { kind: 'before', error: new StowageError('STORAGE_NOT_PERMITTED', 'No.') }
        : undefined,
    );
    const { findings, summary } = await check({ store: failing, openPlace });
    const told = findings.filter(({ severity }) => severity !== 'notice');
    expect(told).toMatchObject([{ problem: 'unreadable', severity: 'unknown', object: name }]);
    expect(summary).toMatchObject({ isSound: false, isComplete: true });
  });

  it('tells how far it is', async () => {
    const { store, openPlace } = await storeOf(objects, { localReads: false });
    const told: CheckProgress[] = [];
    await check({ store, openPlace, onProgress: (at) => told.push(at) });
    expect(told.at(-1)).toMatchObject({ layer: 'content', findings: 1 });
    expect(told.at(-1)?.itemsDone).toBeGreaterThan(100);
    expect(told.at(-1)?.bytesDone).toBeGreaterThan(1_000_000);
  });

  it('ends when it is aborted', async () => {
    const { store, openPlace } = await storeOf(objects, { localReads: false });
    const ending = new AbortController();
    const observed = new ObservedStorage(store, { localReads: false });
    observed.before = (_, name) => name.startsWith('manifests/') && ending.abort();
    await errorOf(check({ store: observed, openPlace, signal: ending.signal }), 'ABORTED');
    await errorOf(check({ store, openPlace, signal: AbortSignal.abort() }), 'ABORTED');
  });

  it('gives its findings once, and refuses what is no option', async () => {
    const flow = await openFlow();
    await saveTask(flow, { x: 1 });
    const running = checkStore({ store: flow.storage });
    for await (const _finding of running);
    await errorOf(async () => {
      for await (const _finding of running);
    }, 'INVALID_ARGUMENT');
    for (const wrong of [
      { sample: 2 },
      { seed: -1 },
      { resume: 'x' },
      { runId: 'r1' },
      { other: 1 },
      { since: 1 },
    ])
      await errorOf(
        async () => checkStore({ store: flow.storage, ...(wrong as object) }),
        'INVALID_ARGUMENT',
      );
    await errorOf(check({ store: (await openFlow()).storage }), 'NO_SUCH_STORE');
  });
});
