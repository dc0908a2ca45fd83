import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { json, makeStore, noise, RUN, scratchFolder, stowage } from './fixture.ts';

const folder = scratchFolder();
let store: string;
beforeAll(async () => {
  store = await makeStore(folder);
});

describe('stowage stat', () => {
  it('counts each content once', async () => {
    const { by, entries, total } = await json(store, ['stat']);
    expect(by).toBe('flow');
    expect(entries.map(({ name }: { name: string }) => name)).toEqual(['Other', 'Train']);
    const [other, train] = entries;
    expect(other).toMatchObject({
      runs: 3,
      tasks: 3,
      attempts: 3,
      artifacts: 3,
      contents: 1,
      bytes: 60_000,
      inlineBytes: 0,
    });
    expect(other.storedBytes).toBeGreaterThan(20_000);
    expect(other.storedBytes).toBeLessThan(20_200);
    expect(other.storedRatio).toBeCloseTo(1 / 3, 2);
    expect([other.savedByDedup, other.savedByCompression]).toEqual([40_000, 0]);
    expect(train).toMatchObject({ runs: 1, tasks: 6, attempts: 7, artifacts: 9, contents: 1 });
    expect(total.storedBytes).toBe(other.storedBytes + train.storedBytes);
    expect(total).toMatchObject({ runs: 4, tasks: 9, attempts: 10, artifacts: 12 });
  });

  it('goes by run and by step below a path', async () => {
    const flow = await json(store, ['stat', 'Other']);
    expect(flow).toMatchObject({ path: 'Other', by: 'run', total: { contents: 1, runs: 3 } });
    expect(flow.entries).toHaveLength(3);
    const run = await json(store, ['stat', RUN]);
    expect(run.by).toBe('step');
    expect(run.entries.map(({ name }: { name: string }) => name).sort()).toEqual(['fit', 'load', 'report']);
    expect((await stowage(store, ['stat', 'Othr'])).stderr).toContain('Did you mean Other?');
  });

  it('has at most so many rows as are wanted, those that store most, and counts all', async () => {
    const whole = await json(store, ['stat', 'Train', '--by', 'artifact']);
    const { entries, more, total } = await json(store, ['stat', 'Train', '--by', 'artifact', '-n', '2']);
    expect(entries).toEqual(whole.entries.slice(0, 2));
    expect([more, total]).toEqual([whole.entries.length - 2, whole.total]);
    const { stderr } = await stowage(store, ['stat', RUN, '-n', '2']);
    expect(stderr).toContain('1 row more, each of which stores no more than these.');
    expect(whole).not.toHaveProperty('more');
  });

  it('goes by artifact below a step, and by whatever is asked for', async () => {
    const namesBy = async (...args: string[]): Promise<[string, string[]]> => {
      const { by, entries } = await json(store, ['stat', ...args]);
      return [by, entries.map(({ name }: { name: string }) => name)];
    };
    expect(await namesBy(`${RUN}/fit`)).toEqual(['artifact', ['metrics', 'weights']]);
    expect(await namesBy(`${RUN}/fit/2`)).toEqual(['artifact', ['weights', 'metrics']]);
    expect(await namesBy('--by', 'artifact')).toEqual([
      'artifact',
      expect.arrayContaining(['raw', 'x', 'metrics']),
    ]);
    expect((await namesBy('--by', 'step'))[1].sort()).toEqual([
      'Other/only',
      'Train/fit',
      'Train/load',
      'Train/report',
    ]);
    expect((await namesBy('--by', 'run'))[1]).toEqual(['Other/r3', 'Other/r2', 'Other/r1', RUN]);
    expect(await namesBy('Train', '--by', 'flow')).toEqual(['flow', ['Train']]);
    const { entries } = await json(store, ['stat', RUN, '--by', 'artifact']);
    const metrics = entries.find(({ name }: { name: string }) => name === 'metrics');
    expect(metrics).toMatchObject({ runs: 1, tasks: 3, attempts: 3, artifacts: 3, contents: 0 });
    expect((await stowage(store, ['stat', '--by', 'task'])).code).toBe(2);
  });

  it('counts runs without tasks, and each run once', async () => {
    const folderOfOther = join(folder, 'few');
    await using flow = await FlowDataStore.open({ flowName: 'Few', storage: folderOfOther });
    for (const runId of ['r1', 'r2', 'r3']) await flow.createRun({ runId });
    for (const taskId of ['0', '1']) {
      await flow.task({ runId: 'r2', stepName: 's', taskId }, (task) => task.saveArtifacts({ a: 1 }));
    }
    const { entries, total } = await json(folderOfOther, ['stat']);
    expect(entries[0]).toMatchObject({ name: 'Few', runs: 3, tasks: 2, attempts: 2, artifacts: 2 });
    expect(total).toMatchObject({ runs: 3, tasks: 2 });
    const byStep = await json(folderOfOther, ['stat', '--by', 'step']);
    expect(byStep.entries).toMatchObject([{ name: 'Few/s', runs: 1, tasks: 2 }]);
    expect((await json(folderOfOther, ['stat', 'Few'])).entries).toHaveLength(3);
  });

  it('tells what deduplication saved from what compression saved', async () => {
    const mixed = join(folder, 'mixed');
    await using flow = await FlowDataStore.open({ flowName: 'Mixed', storage: mixed });
    const save = (taskId: string, artifacts: Record<string, unknown>): Promise<void> =>
      flow.task({ runId: 'r', stepName: 's', taskId }, (task) => task.saveArtifacts(artifacts));
    const zeros = new Uint8Array(100_000);
    for (const taskId of ['0', '1', '2', '3']) await save(taskId, { zeros, raw: noise(50_000, 9) });
    const { entries } = await json(mixed, ['stat', 'Mixed/r/s']);
    const [raw, zero] = entries;
    expect(raw).toMatchObject({ name: 'raw', bytes: 200_000, uniqueBytes: 50_000, dedupRatio: 4 });
    expect(raw.compressionRatio).toBeCloseTo(1, 1);
    expect(zero).toMatchObject({ name: 'zeros', bytes: 400_000, uniqueBytes: 100_000, dedupRatio: 4 });
    expect(zero.compressionRatio).toBeGreaterThan(100);
    for (const { bytes, storedBytes, dedupRatio, compressionRatio } of entries) {
      expect(dedupRatio * compressionRatio).toBeCloseTo(bytes / storedBytes, 6);
    }
    const empty = await json(mixed, ['stat', 'Mixed']);
    expect(empty.total.dedupRatio).toBe(4);
  });

  it('is a table with a last row for all', async () => {
    const { stdout } = await stowage(store, ['stat']);
    expect(stdout).toMatch(
      /^FLOW +RUNS +TASKS +ATTEMPTS +ARTIFACTS +SIZE +UNIQUE +STORED +DEDUP +COMPRESSION$/m,
    );
    expect(stdout).toMatch(/^Other +3 +3 +3 +3 +60\.0 kB +20\.0 kB +20\.\d kB +3\.0x +1\.0x$/m);
    expect(stdout).toMatch(/^all +4 +9 +10 +12 .*x$/m);
  });

  it('counts what large contents share once', async () => {
    const shared = join(folder, 'shared');
    await using flow = await FlowDataStore.open({ flowName: 'Big', storage: shared });
    const bytes = noise(4_000_000, 3);
    await flow.task({ runId: 'r', stepName: 's', taskId: '0' }, (task) =>
      task.saveArtifacts({ data: bytes }),
    );
    const edited = bytes.slice();
    edited.set([1, 2, 3, 4], 2_000_000);
    await flow.task({ runId: 'r', stepName: 's', taskId: '1' }, (task) =>
      task.saveArtifacts({ data: edited }),
    );
    const { total } = await json(shared, ['stat']);
    expect(total).toMatchObject({ contents: 2, bytes: 8_000_000 });
    expect(total.storedBytes).toBeGreaterThan(4_000_000);
    expect(total.storedBytes).toBeLessThan(4_600_000);
    expect(total.dedupRatio).toBeGreaterThan(1.7);
    expect(total.compressionRatio).toBeCloseTo(1, 1);
  });

  it('counts of a pack only what is meant', async () => {
    const packed = join(folder, 'packed');
    await using flow = await FlowDataStore.open({ flowName: 'Packed', storage: packed });
    const whole = noise(3_000_000, 6);
    const parts: [string, Uint8Array][] = [
      ['whole', whole],
      ['part', whole.slice(0, 1_000_000)], // of the same chunks, in the same pack
    ];
    for (const [name, bytes] of parts) {
      await flow.task({ runId: 'r', stepName: 's', taskId: name }, (task) =>
        task.saveArtifacts({ [name]: bytes }),
      );
    }
    const { entries, total } = await json(packed, ['stat', 'Packed/r/s']);
    expect(entries.map(({ name }: { name: string }) => name)).toEqual(['whole', 'part']);
    expect(entries[1].storedBytes).toBeLessThan(1_100_000);
    expect(total.storedBytes).toBeLessThan(3_200_000);
  });
});
