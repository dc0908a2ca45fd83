import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { json, noise, scratchFolder, stowage } from './fixture.ts';

const folder = scratchFolder();
let made = 0;
let store: string;

/** Two runs of two steps. */
beforeEach(async () => {
  made += 1;
  store = join(folder, `store-${made}`);
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
  for (const runId of ['r1', 'r2']) {
    const run = await flow.createRun({ runId });
    for (const stepName of ['load', 'fit'])
      await flow.task({ runId, stepName, taskId: '0' }, (task) =>
        task.saveArtifacts({ x: noise(70_000, made) }),
      );
    await run.finish();
  }
});

const attemptsOf = async (path: string): Promise<number> =>
  (await json(store, ['rm', path])).attempts.deleted;

describe('stowage rm', () => {
  it('is a dry run until --yes, and then deletes a run; gc frees what it held', async () => {
    expect(await stowage(store, ['rm', 'Train/r1'])).toMatchObject({
      code: 0,
      stdout: 'would delete 1 run: 2 attempts\n',
      stderr: 'stowage: nothing was deleted. To delete it: --yes\n',
    });
    expect(await json(store, ['rm', 'Train/r1'])).toMatchObject({ path: 'Train/r1', dryRun: true, runs: 1 });
    expect(await stowage(store, ['rm', 'Train/r1', '--yes'])).toMatchObject({
      code: 0,
      stdout: 'deleted 1 run: 2 attempts\n',
      stderr: 'stowage: what nothing else needs of it still takes space, until the next gc.\n',
    });
    const { runs } = await json(store, ['runs']);
    expect(runs).toMatchObject([{ run: 'r2' }]);
    expect((await stowage(store, ['rm', 'Train/r1', '--yes'])).code).toBe(1);
  });

  it('deletes a step or a task, and leaves the others', async () => {
    await stowage(store, ['rm', 'Train/r1/fit', '--yes']);
    await stowage(store, ['rm', 'Train/r2/load/0/', '--yes']);
    expect((await stowage(store, ['get', 'Train/r1/fit/0', 'x'])).code).toBe(1);
    expect((await stowage(store, ['get', 'Train/r1/load/0', 'x', '--bytes'])).bytes).toHaveLength(70_000);
    expect((await stowage(store, ['get', 'Train/r2/fit/0', 'x', '--bytes'])).bytes).toHaveLength(70_000);
    expect(await attemptsOf('Train/r2')).toBe(1);
  });

  it('deletes an attempt, or the content of an artifact, and leaves the rest', async () => {
    const artifact = ['rm', 'Train/r1/fit/0/x'];
    expect((await stowage(store, artifact)).stdout).toBe(
      'would delete parts of 1 run: the content of 1 artifact\n',
    );
    expect(await json(store, [...artifact, '--yes'])).toMatchObject({ path: artifact[1], artifacts: 1 });
    expect((await stowage(store, ['get', 'Train/r1/fit/0', 'x'])).stderr).toContain('it was removed');
    expect((await stowage(store, ['get', 'Train/r2/fit/0', 'x', '--bytes'])).bytes).toHaveLength(70_000);
    expect(await json(store, ['rm', 'Train/latest/fit/0/0', '--yes'])).toMatchObject({
      path: 'Train/r2/fit/0/0',
      attempts: { deleted: 1 },
    });
  });

  it('of content alone keeps the history', async () => {
    const { attempts } = await json(store, ['rm', 'Train/r1', '--content-only', '--yes']);
    expect(attempts).toEqual({ deleted: 0, purged: 2 });
    const { entries } = await json(store, ['ls', 'Train/r1/fit']);
    expect(entries).toMatchObject([{ task: '0', status: 'done', purged: true }]);
  });

  it('leaves a pinned run, unless it is told', async () => {
    await stowage(store, ['pin', 'Train/r1']);
    const { code, stderr } = await stowage(store, ['rm', 'Train/r1', '--yes']);
    expect([code, stderr]).toEqual([1, expect.stringContaining('give --even-pinned')]);
    expect(await attemptsOf('Train/r2')).toBe(2);
    expect(await stowage(store, ['rm', 'Train/r1', '--yes', '--even-pinned'])).toMatchObject({ code: 0 });
  });

  it('takes the words for a run, and says which it is', async () => {
    const { stdout, stderr } = await stowage(store, ['rm', 'Train/latest', '--yes']);
    expect(stdout).toBe('deleted 1 run: 2 attempts\n');
    expect(stderr).toContain('Train/latest is Train/r2.');
  });

  it.each([
    ['Train/r7', 1, 'Flow Train has no run r7. Did you mean'],
    ['Train', 2, 'Train is a flow; its runs: stowage runs Train'],
    ['Train/r1/fitt', 1, 'has no step fitt. Did you mean fit?'],
    ['Train/r1/fit/0/1', 1, 'has no attempt 1; it has 0.'],
    ['Train/r1/fit/0/y', 1, 'no artifact y'],
    ['Train/r1/fit/0/x/y', 2, 'What is removed is named by its path'],
  ])('refuses %s', async (path, code, message) => {
    const { stderr, ...ended } = await stowage(store, ['rm', path, '--yes']);
    expect(ended).toMatchObject({ code, stdout: '' });
    expect(stderr).toContain(message);
  });
});
