import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { json, scratchFolder, stowage } from './fixture.ts';

const store = join(scratchFolder(), 'store');
const task = 'Train/r1/fit/0';
beforeAll(async () => {
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
  await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (open) =>
    open.saveArtifacts({ model: 'weights', metrics: { auc: 0.91 } }),
  );
});

describe('stowage publish and published', () => {
  it('publish, list, show, write and withdraw versions', async () => {
    expect(await stowage(store, ['published'])).toMatchObject({ code: 0, stdout: '' });
    expect(await stowage(store, ['publish', task, 'model', 'churn'])).toMatchObject({
      code: 0,
      stdout: 'churn/1: model of Train/r1/fit/0/0\n',
      stderr: '',
    });
    const second = ['publish', task, 'metrics', 'churn', '--number', '2', '--description', 'better'];
    expect(await json(store, [...second, '--attribute', 'auc=0.91', '--attribute', 'by=me'])).toMatchObject({
      name: 'churn',
      version: 2,
      source: 'Train/r1/fit/0/0',
      attributes: { auc: 0.91, by: 'me' },
    });
    expect((await stowage(store, second)).stderr).toContain('has a version 2 already');
    const { stdout } = await stowage(store, ['published']);
    expect(stdout).toMatch(/churn +2 +object .*better/);
    expect(stdout).not.toMatch(/churn +1 /);
    expect((await json(store, ['published', 'churn'])).published).toMatchObject([
      { version: 2, info: { type: 'object' } },
      { version: 1, withdrawn: false },
    ]);
    expect((await stowage(store, ['published', 'churn/2'])).stdout).toMatch(/better\nauc: 0.91\nby: "me"\n$/);
    expect((await stowage(store, ['published', 'churn/1', '-o', '-'])).stdout).toBe('weights');
    const file = join(scratchFolder(), 'metrics.json');
    expect((await stowage(store, ['published', 'churn', '-o', file])).code).toBe(0);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ auc: 0.91 });

    const withdraw = ['published', 'churn/2', '--withdraw'];
    expect(await stowage(store, withdraw)).toMatchObject({
      code: 0,
      stdout: 'would withdraw churn/2: metrics of Train/r1/fit/0/0\n',
    });
    expect((await json(store, ['published', 'churn/2'])).withdrawn).toBe(false);
    expect(await stowage(store, [...withdraw, '--yes'])).toMatchObject({ stdout: 'churn/2 is withdrawn\n' });
    expect((await stowage(store, ['published', 'churn'])).stdout).toMatch(/churn +2 +withdrawn/);
    expect((await json(store, ['published'])).published).toMatchObject([{ version: 1 }]);
    const { kinds } = await json(store, ['stat']);
    expect(kinds.find(({ kind }: { kind: string }) => kind === 'published')).toMatchObject({ count: 1 });
  });

  it.each([
    [['publish', task, 'modle', 'm'], 1, 'Did you mean model?'],
    [['publish', 'Train/r1/fit/9', 'model', 'm'], 1, 'no task 9'],
    [['publish', task, 'model', 'm', '--number', '0'], 2, 'numbers from 1 on'],
    [['publish', task, 'model', 'm', '--number', '9'], 2, 'the next one is 1'],
    [['publish', task, 'model', 'a/b'], 2, 'separates names'],
    [['published', 'nothing'], 1, 'Nothing is published as nothing'],
    [['published', 'churn/x'], 2, 'is no version'],
    [['published', 'churn/1/2'], 2, '<name>[/<version>]'],
    [['published', '--withdraw'], 2, 'takes one version'],
    [['published', '-o', 'x'], 2, 'name it'],
  ])('refuse %j', async (args, code, message) => {
    const ended = await stowage(store, args);
    expect(ended.stderr.replaceAll(/\s+/g, ' ')).toContain(message);
    expect(ended.code).toBe(code);
  });
});
