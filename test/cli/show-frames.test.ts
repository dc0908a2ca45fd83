import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import { DataFrameRef } from '../../src/references/data-frame-ref.ts';
import { json, scratchFolder, stowage } from './fixture.ts';

let store: string;
beforeAll(async () => {
  store = join(scratchFolder(), 'store');
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
  await flow.task({ runId: 'r1', stepName: 'score', taskId: '0' }, async (task) => {
    const rows = Array.from({ length: 3 }, (_, id) => ({ id: BigInt(id), tags: ['a\u001b[31m'] }));
    const text = await task.files.fromData('x.parquet', 'no Parquet');
    const scores = await task.frames.fromRows(rows);
    const broken = new DataFrameRef(text);
    const outside = await task.frames.remote('https://user.example/x.parquet?signature=1');
    await task.saveArtifacts({ scores, broken, outside, text });
  });
});

it('shows rows and columns of data frames, why one cannot be read, and where one lies outside of the store', async () => {
  const { stdout } = await stowage(store, ['show', 'Train/r1/score/0']);
  expect(stdout).toMatch(/^Data frames$/m);
  expect(stdout).toMatch(/^broken: The file x\.parquet cannot be read as Parquet/m);
  expect(stdout).toMatch(/^outside: at https:\/\/user\.example\/x\.parquet, which is not read here$/m);
  expect(stdout).toMatch(/^scores: 3 rows of id int64, tags list<string>$/m);
});

it('tells the same as JSON', async () => {
  const { frames } = await json(store, ['show', 'Train/r1/score/0']);
  expect(frames).toMatchObject([
    {
      artifact: 'scores',
      file: 'data.parquet',
      rows: 3,
      columns: [{ name: 'id' }, { name: 'tags', type: 'list' }],
    },
    { artifact: 'broken', file: 'x.parquet', failure: { code: 'INVALID_PARQUET' } },
    { artifact: 'outside', uri: 'https://user.example/x.parquet' },
  ]);
});

it('shows the rest of a task of which one data frame is gone itself', async () => {
  const store = join(scratchFolder(), 'store');
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store, maxInlineBytes: 0 });
  await flow.task({ runId: 'r1', stepName: 'score', taskId: '0' }, async (task) => {
    await task.saveArtifacts({ scores: await task.frames.fromRows([{ id: 1n }]), more: 'text' });
  });
  const [key = ''] = (await flow.getTaskDataStore('r1/score/0')).keysForArtifacts(['scores']);
  rmSync(join(store, 'data', key.slice(0, 3)), { recursive: true });
  const { stdout } = await stowage(store, ['show', 'Train/r1/score/0']);
  expect(stdout).toMatch(/^scores: Artifact scores of .*: No copy of content/m);
  expect(stdout).toContain('more');
});
