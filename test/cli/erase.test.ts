import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { digestHex } from '../../src/digest/blake3.ts';
import { FlowDataStore } from '../../src/index.ts';
import { json, noise, scratchFolder, stowage } from './fixture.ts';

const folder = scratchFolder();
const SECRET = noise(300_000, 7);
let stores = 0;
let store: string;

beforeEach(async () => {
  store = join(folder, `store-${stores++}`);
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
  for (const runId of ['r1', 'r2']) {
    await flow.task({ runId, stepName: 'fit', taskId: '0' }, async (task) => {
      await task.saveArtifacts({ faces: SECRET, score: 0.91 });
    });
  }
});

describe('stowage erase', () => {
  it('shows what refers to a content, and does nothing without --yes', async () => {
    const { code, stdout, stderr } = await stowage(store, ['erase', 'Train/r1/fit/0/faces']);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^HOLDS IT +ARTIFACTS\nTrain\/r1\/fit\/0\/0 +faces *\nTrain\/r2\/fit\/0\/0 +faces *\n/,
    );
    expect(stdout).toContain(`${digestHex(SECRET)}: 1 copy, chunks in 1 pack\n`);
    expect(stdout).toContain('would erase 2 artifacts of 2 attempts\n');
    expect(stderr).toBe('stowage: nothing was erased. To erase: --reason <why> --yes\n');
    expect(existsSync(join(store, 'erasures'))).toBe(false);
    expect(await json(store, ['show', 'Train/r1/fit/0'])).toMatchObject({
      attempts: [{ artifacts: [{ name: 'faces' }, { name: 'score' }] }],
    });
  });

  it('erases by a key that is begun, and everybody is told why', async () => {
    const args = ['erase', digestHex(SECRET).slice(0, 10), '--reason', 'consent withdrawn', '--yes'];
    const { code, stdout, stderr } = await stowage(store, args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('erased 2 artifacts of 2 attempts\n');
    const got = await stowage(store, ['get', 'Train/r2/fit/0', 'faces', '-o', join(folder, 'x')]);
    expect(got.code).toBe(1);
    expect(got.stderr).toContain('consent withdrawn');
    expect((await stowage(store, ['get', 'Train/r2/fit/0', 'score'])).stdout).toBe('0.91\n');
    expect((await stowage(store, ['show', 'Train/r1/fit/0'])).stdout).toContain('faces: consent withdrawn');
    expect(readdirSync(join(store, 'erasures'))).toHaveLength(4);
    expect((await stowage(store, ['erase', '--continue'])).stderr).toBe(
      'stowage: no erasure is to be gone on with.\n',
    );
    const again = await stowage(store, ['erase', 'Train/r1/fit/0/faces']);
    expect(again).toMatchObject({ code: 1 });
    expect(again.stderr).toContain('was erased: consent withdrawn');
  });

  it('waits for who is at work, with exit code 3, and goes on', async () => {
    await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
    const task = await flow.createTaskDataStore({ runId: 'r3', stepName: 'fit', taskId: '0' });
    await task.saveArtifacts({ faces: SECRET });
    const args = ['erase', 'Train/r1/fit/0/faces', '--reason', 'consent withdrawn', '--yes'];
    const first = await stowage(store, args);
    expect(first.code).toBe(3);
    expect(first.stderr).toContain('Train/r3/fit/0/0 is open, and relies on it.\n');
    expect(first.stderr).toContain('stowage erase --continue\n');
    await task.done();
    const second = await stowage(store, ['erase', '--continue', '--json']);
    expect(second.code).toBe(0);
    expect(JSON.parse(second.stdout)).toMatchObject([{ outcome: 'complete', counts: { attempts: 1 } }]);
  });

  it.each([
    [[], 'Name what to erase'],
    [['Train/r1/fit/0'], 'names nothing to erase'],
    [['Train/r1/fit/0/faces', '--yes'], '--yes needs --reason'],
    [['Train/r1/fit/0/faces', '--yes', '--reason', ' '], '--yes needs --reason'],
    [['--continue', '--yes'], '--continue goes on'],
  ])('refuses %j', async (args, said) => {
    const { code, stderr } = await stowage(store, ['erase', ...args]);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(said) });
  });
});
