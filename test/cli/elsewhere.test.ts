import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { json, noise, scratchFolder, stowage } from './fixture.ts';

const folder = scratchFolder();
const store = join(folder, 'store');
const raw = join(folder, 'raw');

beforeAll(async () => {
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
  await flow.createRun({ runId: 'r1', rawDataPath: raw });
  await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, async (task) => {
    await task.saveArtifacts({ large: noise(600_000), small: noise(20_000), note: 'hello' });
    await task.saveArtifacts({ same: noise(20_000) }, { rawDataPath: store });
  });
});

describe('a run whose content lies elsewhere', () => {
  it('is shown with where that is', async () => {
    const { stdout } = await stowage(store, ['show', 'Train/r1']);
    expect(stdout).toContain(`content at: ${pathToFileURL(raw).href}`);
    const shown = await json(store, ['show', 'Train/r1/fit/0']);
    const artifacts: { name: string; place?: string }[] = shown.attempts.at(-1).artifacts;
    const elsewhere = artifacts.filter(({ place }) => place !== undefined).map(({ name }) => name);
    expect(elsewhere).toEqual(['large', 'small']);
  });

  it('is counted, what lies at two places twice', async () => {
    const { total } = await json(store, ['stat']);
    expect(total).toMatchObject({ artifacts: 4, contents: 3, bytes: 640_005 });
    expect(total.storedBytes).toBeGreaterThan(640_000);
    expect(total.storedBytes).toBeLessThan(642_000);
  });

  it('gives its values, and takes more of them to the same place', async () => {
    const file = join(folder, 'large.bin');
    expect((await stowage(store, ['get', 'Train/r1/fit/0', 'large', '-o', file])).code).toBe(0);
    expect(Buffer.compare(readFileSync(file), noise(600_000))).toBe(0);
    const input = join(folder, 'input.bin');
    writeFileSync(input, noise(400_000, 7));
    const put = await json(store, ['put', 'Train/r1/put/0', `data=${input}`]);
    expect(put.artifacts[0]).toMatchObject({ name: 'data', place: expect.stringMatching(/^[0-9a-f]{32}$/) });
    expect(put.artifacts[0].newBytes).toBeGreaterThan(400_000);
  });

  it('is told apart from one whose place is gone', async () => {
    renameSync(raw, `${raw}-moved`);
    const { code, stderr } = await stowage(store, [
      'get',
      'Train/r1/fit/0',
      'large',
      '-o',
      join(folder, 'x'),
    ]);
    expect([code, stderr]).toEqual([expect.any(Number), expect.stringContaining(pathToFileURL(raw).href)]);
    expect(code).not.toBe(0);
    const { stdout } = await stowage(store, ['get', 'Train/r1/fit/0', 'note']);
    expect(stdout).toContain('hello');
    renameSync(`${raw}-moved`, raw);
  });
});
