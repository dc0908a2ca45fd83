import { expect, it } from 'vitest';
import { StoreIndex } from '../../src/store-index/store-index.ts';
import { afterThisTest } from '../cleanups.ts';
import { openFlow, scratchFolder } from '../flow/fixtures.ts';
import { describeOnPostgres } from '../servers/postgres.ts';
import { allOf } from './asked-store.ts';

describeOnPostgres('questions to an index in PostgreSQL', ({ address }) => {
  it('are answered as those to a file', async () => {
    const flow = await openFlow({
      flowName: 'A',
      storage: address(),
      rawDataPath: `${scratchFolder()}/content`,
    });
    await flow.createRun({ runId: 'r1', tags: ['daily'] });
    const names = { runId: 'r1', stepName: 'fit' };
    await flow.task({ ...names, taskId: '0' }, (task) =>
      task.saveArtifacts({ data: new Float64Array(40_000), n: 1 }),
    );
    const first = await flow.getTaskDataStore('r1/fit/0');
    await flow.task({ ...names, taskId: '1' }, async (task) => {
      await task.passdownPartial(first, ['data']);
      await task.saveMetadata({ scores: { auc: 0.9 }, word: 'good', ok: true });
    });
    const index = await StoreIndex.open({ store: address() });
    afterThisTest(() => index.close());
    await index.catchUp();
    const pathspecs = async (options: Parameters<StoreIndex['find']>[0]): Promise<string[]> =>
      (await allOf(index.find(options))).map(({ pathspec }) => pathspec);
    const [shared] = await allOf(
      index.find({ flow: 'A', run: 'r1', step: 'fit', task: '1', artifact: 'data' }),
    );
    const key = shared?.artifacts[0]?.key as string;
    expect(await pathspecs({})).toEqual(['A/r1/fit/1/0', 'A/r1/fit/0/0']);
    expect(await pathspecs({ limit: 1, allAttempts: true })).toEqual(['A/r1/fit/1/0']);
    expect(await pathspecs({ key: key.slice(0, 8), type: 'Float64Array', tag: ['daily'] })).toHaveLength(2);
    expect(await pathspecs({ since: new Date(0), status: 'done', artifact: 'n' })).toEqual(['A/r1/fit/0/0']);
    const metadata = { 'scores.auc': { gt: 0.8, lte: 0.9 }, word: { gte: 'go' }, ok: true };
    expect(await allOf(index.find({ metadata }))).toMatchObject([
      { pathspec: 'A/r1/fit/1/0', metadata: { 'scores.auc': 0.9, word: 'good', ok: 'true' } },
    ]);
    expect(await allOf(index.lineage('A/r1/fit/0'))).toMatchObject([
      { direction: 'start', pathspec: 'A/r1/fit/0/0' },
      { direction: 'down', pathspec: 'A/r1/fit/1/0', from: 'A/r1/fit/0/0', use: 'read' },
    ]);
    expect(await allOf(index.lineage(key, { up: 1 }))).toHaveLength(3);
    for (const by of ['flow', 'run', 'all', 'artifact'] as const)
      expect(await allOf(index.usage({ by, flow: 'A', run: 'r1' }))).toHaveLength(by === 'artifact' ? 2 : 1);
    expect(await allOf(index.usage())).toMatchObject([
      { name: 'A', attempts: 2, artifacts: 3, sharedBytes: 0 },
    ]);
    const twice = flow.cachedTask({ name: 'twice', version: '1', run: async (n: number) => 2 * n });
    await twice(1, { runId: 'r1' });
    await twice(1, { runId: 'r2', recordHit: true });
    await flow.task({ runId: 'r2', stepName: 'fit', taskId: '0' }, (task) => task.clone(first));
    await index.catchUp();
    const runs = ['r1', 'r2', 'none'].map((run) => ({ flow: 'A', run }));
    const figures = (await allOf(index.figures(runs))).sort((a, b) => (a.run < b.run ? -1 : 1));
    const [{ value: all }, ...usage] = [
      await index.usage({ by: 'all' }).next(),
      ...(await allOf(index.usage({ by: 'run' }))),
    ];
    expect(figures).toMatchObject([
      { run: 'r1', newBytes: all?.ownBytes, cachedResults: 1, cacheHits: 0 },
      { run: 'r2', newBytes: 0, cachedResults: 1, cacheHits: 1 },
    ]);
    expect(await allOf(index.cacheFigures())).toMatchObject([{ task: 'twice', misses: 1, hits: 1 }]);
    for (const { run, artifacts, bytes } of figures)
      expect(usage).toContainEqual(expect.objectContaining({ name: `A/${run}`, artifacts, bytes }));
  });
});
