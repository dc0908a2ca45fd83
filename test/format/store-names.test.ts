import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isStoreName } from '../../src/format/store-names.ts';
import { saveRetentionPolicy } from '../../src/maintenance/stored-policy.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { noise, objectNames, openFlow } from '../flow/fixtures.ts';

describe('the name of an object', () => {
  it('that a store holds is one of a store', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage, rawDataPath: 'memory:store-names.test' });
    const { runId } = await flow.createRun({ runId: 'r 1' });
    await flow.task({ runId, stepName: 'fit', taskId: 'a:b' }, async (task) => {
      await task.saveArtifacts({ small: 1, large: noise(400_000) });
      await task.saveMetadata({ x: 1 });
      await task.saveLogs('task', { stdout: 'done' });
    });
    await flow.run(runId).finish('failed', new Error('x'));
    await flow.run(runId).finish('done');
    await flow.cachedTask({ name: 'double', version: '1', run: async (x: number) => 2 * x })(2);
    await flow.caStore.saveBlobs([noise(30_000)]);
    await saveRetentionPolicy({ store: storage, policy: { keepLast: 10 } });
    await flow.saveData([{ name: 'report.html', data: noise(30_000) }], { rawDataPath: flow.datastoreRoot });
    const names = await objectNames(storage);
    expect(names.length).toBeGreaterThan(15);
    expect(names.filter((name) => !isStoreName(name))).toEqual([]);
  });

  it('of the vectors is one of a store', () => {
    const path = new URL('../../docs/format-vectors/store.json', import.meta.url);
    const { objects } = JSON.parse(readFileSync(path, 'utf8'));
    const names = Object.keys(objects);
    expect(names.length).toBeGreaterThan(15);
    expect(names.filter((name) => !isStoreName(name.replace(/\.damaged$/, '')))).toEqual([]);
  });

  it.each([
    'film.mp4',
    'data/train.csv',
    'data/abc/film.mp4',
    'packs/film.mp4',
    'plain/left-behind',
    'flows/a/b/c/d/readme.md',
    'runs/2026/detect/weights.pt',
    'logs/2026/03/01/app/0.log',
    'cache/abc/film.mp4',
    'store/stowage.json',
    '',
  ])('of others is none: %s', (name) => {
    expect(isStoreName(name)).toBe(false);
  });
});
