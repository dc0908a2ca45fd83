import { afterEach, expect, it, vi } from 'vitest';
import { LOOK_INTERVAL_MS } from '../../src/content/store-file.ts';
import { describeOnServices } from '../storage/far-services.ts';
import { errorOf, noise, objectNames, openFlow } from './fixtures.ts';

describeOnServices('a store whose prefix is emptied under an open flow', (findWay) => {
  afterEach(() => vi.restoreAllMocks());

  it('takes nothing new a minute later, and its attempt is not done', async () => {
    const { origin, openThrough } = await findWay();
    await using storage = await openThrough(origin);
    const flow = await openFlow({ storage });
    const task = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '0' });
    await task.saveArtifacts({ early: noise(300_000) });
    await using others = await openThrough(origin);
    expect(await others.delete(await objectNames(others))).toEqual([]);

    const realNow = performance.now.bind(performance);
    vi.spyOn(performance, 'now').mockImplementation(() => realNow() + LOOK_INTERVAL_MS);
    await errorOf(task.saveArtifacts({ late: noise(300_000, 2) }), 'STORE_GONE');
    await errorOf(task.fail(new Error('given up')), 'STORE_GONE');
    await errorOf(flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '1' }), 'STORE_GONE');
    await errorOf(flow.getTaskDataStore('r1/fit/0'), 'NO_SUCH_STORE');
    expect(await objectNames(others)).toEqual([]);
  });
});
