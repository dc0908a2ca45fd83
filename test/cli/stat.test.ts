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

  it('is a table with a last row for all', async () => {
    const { stdout } = await stowage(store, ['stat']);
    expect(stdout).toMatch(/^FLOW +RUNS +TASKS +ATTEMPTS +ARTIFACTS +SIZE +STORED +%$/m);
    expect(stdout).toMatch(/^Other +3 +3 +3 +3 +60\.0 kB +20\.\d kB +33\.\d %$/m);
    expect(stdout).toMatch(/^all +4 +9 +10 +12 .*%$/m);
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
  });
});
