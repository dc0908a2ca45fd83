import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ProgressMeter, type ProgressOptions } from '../../src/async/progress.ts';
import type { OpenTaskDataStore } from '../../src/flow/open-task-data-store.ts';
import type { TaskDataStore } from '../../src/flow/task-data-store.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import type { CopyProgress, Progress } from '../../src/index.ts';
import { copyStore } from '../../src/maintenance/copy-store.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { propertyRuns, test } from '../property.ts';
import { errorOf, noise, openFlow, openLocalFlow, saveTask } from './fixtures.ts';

// Each look at the clock finds it 100 ms on, so that every step is told.
beforeEach(() => {
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => {
    now += 100;
    return now;
  });
});
afterEach(() => void vi.restoreAllMocks());

/** What a listener is told, which never falls nor passes what there is. */
class Told<P extends Progress = Progress> {
  readonly all: P[] = [];
  readonly onProgress = (at: P): void => void this.all.push(at);

  get last(): P | undefined {
    this.all.forEach((at, index) => {
      const before = this.all[index - 1];
      expect(at.bytesDone).toBeGreaterThanOrEqual(before?.bytesDone ?? 0);
      expect(at.itemsDone).toBeGreaterThanOrEqual(before?.itemsDone ?? 0);
      expect(at.bytesDone).toBeLessThanOrEqual(at.bytesTotal ?? Number.POSITIVE_INFINITY);
      expect(at.itemsDone).toBeLessThanOrEqual(at.itemsTotal ?? Number.POSITIVE_INFINITY);
    });
    return this.all.at(-1);
  }
}

/** Of all sizes: inline, small, and with chunks of their own; of few seeds, so that some are equal. */
const artifacts = fc.dictionary(
  fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  fc
    .record({ bytes: fc.constantFrom(0, 10, 20_000, 60_000, 300_000), seed: fc.nat(2) })
    .map(({ bytes, seed }) => noise(bytes, seed)),
);

const stores = {
  'a folder': () => new MemoryStorage(),
  'a bucket': () => new MemoryStorage('', { localReads: false }),
};

describe.each(Object.entries(stores))('in %s', (_, storageOf) => {
  test.prop([artifacts, artifacts], { numRuns: Math.ceil(propertyRuns / 8) })(
    'every byte of a save, a load and a transfer is told, known or new',
    async (first, second) => {
      const flow = await openFlow({ storage: storageOf() });
      const other = await openFlow({ storage: storageOf() });
      await saveTask(other, first, { taskId: 'before' });
      await saveTask(flow, first, { taskId: 'first' });
      const saving = new Told();
      await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) =>
        task.saveArtifacts(second, { onProgress: saving.onProgress }),
      );
      const read = await flow.getTaskDataStore('r1/fit/0');
      const bytes = read.names().reduce((sum, name) => sum + read.info(name).bytes, 0);
      const items = read.names().length;
      const whole = { bytesDone: bytes, bytesTotal: bytes, itemsDone: items, itemsTotal: items };
      expect(saving.last).toMatchObject(whole);

      const loading = new Told();
      expect(await read.loadArtifacts(undefined, { onProgress: loading.onProgress })).toEqual(second);
      expect(loading.last).toMatchObject(whole);

      const transferring = new Told();
      await other.task({ runId: 'r1', stepName: 'fit', taskId: '1' }, (task) =>
        task.transferArtifacts(read, undefined, { onProgress: transferring.onProgress }),
      );
      expect(transferring.last).toMatchObject(whole);

      for (const name of read.names()) {
        const [got, streamed] = [new Told(), new Told()];
        await read.get(name, { onProgress: got.onProgress });
        for await (const _piece of read.streamArtifact(name, { onProgress: streamed.onProgress }));
        const one = read.info(name).bytes;
        for (const { last } of [got, streamed])
          expect(last).toMatchObject({ bytesDone: one, bytesTotal: one, itemsDone: 1, itemsTotal: 1 });
      }
    },
  );

  it('sequences, streams and contents outside tasks are told, of which nobody knows how long they are', async () => {
    const flow = await openFlow({ storage: storageOf() });
    const pieces = async function* (count: number): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < count; i++) yield noise(100_000, i);
    };
    const told: Record<string, Told> = {};
    const listener = (name: string): Told['onProgress'] => {
      const one = new Told();
      told[name] = one;
      return one.onProgress;
    };
    await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, async (task) => {
      const values = function* (): Generator<[string, unknown]> {
        yield ['small', noise(20_000)];
        yield ['inline', 1];
        yield ['large', noise(400_000)];
      };
      await task.saveArtifacts(values(), { onProgress: listener('sequence') });
      await task.saveArtifactStream('short', pieces(1), { onProgress: listener('short') });
      await task.saveArtifactStream('long', pieces(9), { onProgress: listener('long') });
      await task.saveArtifactStream('again', pieces(9), { onProgress: listener('again') });
    });
    const data = noise(500_000, 5);
    const blobs = [data, noise(1_000, 6), data];
    const saved = await flow.caStore.saveBlobs(blobs, { onProgress: listener('blobs') });
    const mixed = [data, pieces(4)];
    await flow.caStore.saveBlobs(mixed, { onProgress: listener('mixed') });
    for await (const _ of flow.caStore.loadBlobs(saved, { onProgress: listener('load') }));
    const files = [
      { name: 'a.bin', data },
      { name: 'b.bin', data: pieces(4) },
    ];
    await flow.caStore.saveData(files, { onProgress: listener('data') });
    await flow.caStore.saveData(files.slice(0, 1), { onProgress: listener('known data') });
    const range = { offset: 499_000, length: 10_000 };
    for await (const _ of flow.caStore.streamBlob(saved[0] as { key: string; bytes: number }, {
      range,
      onProgress: listener('range'),
    }));
    const last = Object.entries(told).map(([name, { last }]) => [
      name,
      [last?.bytesDone, last?.bytesTotal, last?.itemsDone, last?.itemsTotal],
    ]);
    expect(Object.fromEntries(last)).toEqual({
      sequence: [420_001, undefined, 3, undefined],
      short: [100_000, 100_000, 1, 1],
      long: [900_000, undefined, 1, 1],
      again: [900_000, undefined, 1, 1],
      blobs: [1_001_000, 1_001_000, 3, 3],
      mixed: [900_000, undefined, 2, 2],
      load: [1_001_000, 1_001_000, 3, 3],
      data: [900_000, undefined, 2, 2],
      'known data': [500_000, 500_000, 1, 1],
      range: [1_000, 1_000, 1, 1],
    });
  });
});

it('a large content is told as it becomes part of the store, and not all at its end', async () => {
  const { flow } = await openLocalFlow();
  const value = noise(36_000_000);
  const [saving, again, loading] = [new Told(), new Told(), new Told()];
  const save = (taskId: string, { onProgress }: Told): Promise<unknown> =>
    flow.task({ runId: 'r1', stepName: 'fit', taskId }, (task) =>
      task.saveArtifacts({ value }, { onProgress }),
    );
  await save('0', saving);
  await save('1', again);
  await (await flow.getTaskDataStore('r1/fit/0')).loadArtifacts(['value'], {
    onProgress: loading.onProgress,
  });
  const between = ({ all }: Told): number =>
    new Set(all.map(({ bytesDone }) => bytesDone).filter((bytes) => bytes > 0 && bytes < 36_000_000)).size;
  expect(between(saving)).toBeGreaterThanOrEqual(2);
  expect(between(loading)).toBeGreaterThanOrEqual(2);
  // What is there already is done at once.
  expect(new Set(again.all.map(({ bytesDone }) => bytesDone))).toEqual(new Set([36_000_000]));
});

it('a copy of a store tells its attempts and the bytes of their content, also in a dry run', async () => {
  const from = new MemoryStorage();
  const flow = await openFlow({ storage: from });
  await saveTask(flow, { a: noise(300_000), b: 1 });
  await saveTask(flow, { a: noise(300_000), c: noise(20_000, 2) }, { taskId: '1' });
  await flow.caStore.saveBlobs([noise(1_000, 3)]);
  for (const dryRun of [true, false]) {
    const told = new Told<CopyProgress>();
    const { onProgress } = told;
    const { contentBytes } = await copyStore({ from, to: new MemoryStorage(), dryRun, onProgress });
    expect(contentBytes).toBe(621_000);
    expect(told.last).toMatchObject({
      ...{ bytesDone: 621_000, bytesTotal: undefined, itemsDone: 3, itemsTotal: undefined },
      ...{ runs: 1, runsDone: 1, attempts: 2, attemptsDone: 2 },
    });
  }
});

describe('a call that nobody listens to', () => {
  /** Each call that tells how far it is, with what a user adds to its options. */
  const CALLS: Record<string, (stage: Stage, options: ProgressOptions) => Promise<unknown>> = {
    saveArtifacts: ({ task }, options) => task.saveArtifacts({ a: 1, b: noise(300_000) }, options),
    saveArtifactStream: ({ task }, options) => task.saveArtifactStream('s', pieces(), options),
    transferArtifacts: ({ task, elsewhere }, options) =>
      task.transferArtifacts(elsewhere, undefined, options),
    loadArtifacts: ({ read }, options) => read.loadArtifacts(undefined, options),
    get: ({ read }, options) => read.get('large', options),
    loadTyped: ({ read }, options) => read.loadTyped({}, options),
    streamArtifact: ({ read }, options) => drain(read.streamArtifact('large', options)),
    open: ({ read }, options) => drain(read.open('large', options)),
    saveBlobs: ({ flow }, options) => flow.caStore.saveBlobs([noise(300_000, 3)], options),
    saveData: ({ flow }, options) => flow.caStore.saveData([{ name: 'x', data: noise(1_000) }], options),
    loadBlobs: ({ flow, key }, options) => drain(flow.caStore.loadBlobs([key], options)),
    streamBlob: ({ flow, key }, options) => drain(flow.caStore.streamBlob(key, options)),
    'caStore.open': ({ flow, key }, options) => drain(flow.caStore.open(key, options)),
    copyStore: ({ flow }, options) => copyStore({ from: flow.storage, to: new MemoryStorage(), ...options }),
  };
  type Stage = {
    flow: FlowDataStore;
    task: OpenTaskDataStore;
    read: TaskDataStore;
    elsewhere: TaskDataStore;
    key: string;
  };
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield noise(300_000, 2);
  }
  async function drain(items: AsyncIterable<unknown>): Promise<void> {
    for await (const _ of items);
  }

  it.each(Object.keys(CALLS))('counts nothing: %s', async (name) => {
    const flow = await openFlow();
    const values = { large: noise(300_000), small: 1 };
    const read = await flow.getTaskDataStore(await saveTask(flow, values));
    const other = await openFlow();
    const elsewhere = await other.getTaskDataStore(await saveTask(other, values));
    const key = read.info('large').key;
    const METHODS = ['expect', 'add', 'itemDone', 'touch', 'succeed', 'stop'] as const;
    const counted = METHODS.map((method) => vi.spyOn(ProgressMeter.prototype, method));
    const callsWith = async (options: ProgressOptions): Promise<number> => {
      for (const spy of counted) spy.mockClear();
      const task = await flow.createTaskDataStore({ runId: 'r1', stepName: 'next', taskId: '0' });
      await (CALLS[name] as (typeof CALLS)[string])({ flow, task, read, elsewhere, key }, options);
      await task.done();
      return counted.reduce((sum, spy) => sum + spy.mock.calls.length, 0);
    };
    expect(await callsWith({})).toBe(0);
    expect(await callsWith({ onProgress: () => {} })).toBeGreaterThan(0);
  });
});

describe('a save whose listener throws', () => {
  it('is whole, and so are the ones after it', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error): void => void warnings.push(warning);
    process.on('warning', note);
    const flow = await openFlow();
    const onProgress = (): never => {
      throw new Error('no terminal');
    };
    await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, async (task) => {
      await task.saveArtifacts({ a: noise(2_000_000), b: noise(20_000, 2) }, { onProgress });
      await task.saveArtifacts({ c: 1 });
    });
    const read = await flow.getTaskDataStore('r1/fit/0');
    const loaded = await read.loadArtifacts(undefined, { onProgress });
    expect(loaded).toEqual({ a: noise(2_000_000), b: noise(20_000, 2), c: 1 });
    await new Promise(setImmediate);
    process.off('warning', note);
    expect(warnings).toMatchObject([{}, {}].map(() => ({ code: 'STOWAGE_PROGRESS_FAILED' })));
  });

  it('can be ended by its listener, through a signal', async () => {
    const flow = await openFlow();
    const abort = new AbortController();
    const task = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
    const told = new Told();
    const onProgress = (at: Progress): void => {
      told.onProgress(at);
      abort.abort();
    };
    const value = noise(40_000_000);
    await errorOf(task.saveArtifacts({ value }, { signal: abort.signal, onProgress }), 'ABORTED');
    const { length } = told.all;
    expect(told.last?.bytesDone).toBeLessThan(value.length);
    await task.fail(new Error('aborted'));
    expect(told.all).toHaveLength(length);
  });
});

it('onProgress that is no function is refused before anything is done', async () => {
  const flow = await openFlow();
  const onProgress = 3 as unknown as () => void;
  const task = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
  for (const call of [
    () => task.saveArtifacts({ a: 1 }, { onProgress }),
    () => task.saveArtifactStream('a', (async function* () {})(), { onProgress }),
    () => flow.caStore.saveBlobs([], { onProgress }),
    () => flow.caStore.saveData([], { onProgress }),
    () => flow.caStore.loadBlobs([], { onProgress }).next(),
  ]) {
    const { message } = await errorOf(call(), 'INVALID_ARGUMENT');
    expect(message).toBe('onProgress must be a function, not 3.');
  }
  await task.fail(new Error('refused'));
});
