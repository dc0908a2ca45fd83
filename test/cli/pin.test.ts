import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { json, scratchFolder, stowage } from './fixture.ts';

const store = join(scratchFolder(), 'store');
beforeAll(async () => {
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
  await flow.createRun({ runId: 'r1' });
  await flow.createRun({ runId: 'r2' });
});

describe('stowage pin and unpin', () => {
  it('keep a run and let it go again, and tell when there is nothing to do', async () => {
    const pin = ['pin', 'Train/r1', '--reason', 'the model of the paper'];
    expect(await stowage(store, pin)).toMatchObject({
      code: 0,
      stdout: 'Train/r1 is pinned: retention leaves it\n',
      stderr: '',
    });
    expect(await stowage(store, pin)).toMatchObject({
      code: 0,
      stdout: 'Train/r1 is pinned already; nothing was changed.\n',
    });
    const { runs } = await json(store, ['runs']);
    expect(runs.find(({ run }: { run: string }) => run === 'r1').pinned).toMatchObject({
      reason: 'the model of the paper',
    });
    expect(await json(store, ['unpin', 'Train/r1'])).toEqual({
      flow: 'Train',
      run: 'r1',
      pinned: false,
      changed: true,
    });
    expect(await stowage(store, ['unpin', 'Train/r1'])).toMatchObject({
      stdout: 'Train/r1 is not pinned already; nothing was changed.\n',
    });
  });

  it('take the words for a run, and say which it is', async () => {
    const { stdout, stderr } = await stowage(store, ['pin', 'Train/latest']);
    expect(stdout).toBe('Train/r2 is pinned: retention leaves it\n');
    expect(stderr).toBe('stowage: Train/latest is Train/r2.\n');
  });

  it.each([
    [['pin', 'Train/r7'], 1, 'Flow Train has no run r7. Did you mean'],
    [['unpin', 'Train'], 2, 'Train is a flow; its runs: stowage runs Train'],
    [['pin', 'Train/r1', '--reason', ' '], 2, '--reason is empty'],
  ])('refuse %j', async (args, code, message) => {
    expect(await stowage(store, args)).toMatchObject({
      code,
      stdout: '',
      stderr: expect.stringContaining(message),
    });
  });
});
