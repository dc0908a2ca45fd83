import { renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { copyStore } from '../../src/maintenance/copy-store.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { openStorage } from '../../src/storage/open.ts';
import { namesOf } from '../content/storages.ts';
import { errorOf, expectSame, noise, openFlow, saveTask, scratchFolder } from '../flow/fixtures.ts';

const values = { small: noise(50_000), large: noise(700_000, 3), inline: { a: 1 } };

it('content at other places comes into the target itself, plain objects too, and back again is present', async () => {
  const folder = scratchFolder();
  const [from, to, raw] = [join(folder, 'from'), join(folder, 'to'), join(folder, 'raw')];
  const flow = await openFlow({ storage: from });
  await flow.createRun({ runId: 'r1', rawDataPath: raw });
  await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) => task.saveArtifacts(values));
  const [plain] = await flow.saveData([{ name: 'report.html', data: noise(300_000, 5) }], {
    rawDataPath: raw,
  });
  const result = await copyStore({ from, to });
  expect(result).toMatchObject({ problems: [], attempts: { copied: 1 }, sessions: { copied: 1 } });
  expect(result.bytesRead).toBeGreaterThan(1_050_000);

  const target = await openFlow({ storage: to });
  const task = await target.getTaskDataStore('r1/fit/0');
  expectSame(await task.loadArtifacts(), values);
  expect(task.info('large').place).toBeUndefined();
  expect((await target.run('r1').info()).rawDataPath).toBeUndefined();
  const names = await namesOf(target.storage);
  expect(names.filter((name) => name.startsWith('elsewhere/'))).toEqual([]);
  expect(names.filter((name) => /^plain\/.*\/report\.html$/.test(name))).toHaveLength(1);
  for await (const { blob } of target.loadData([plain?.key as string]))
    expect(blob).toEqual(noise(300_000, 5));

  const back = await copyStore({ from: to, to: from });
  expect(back).toMatchObject({ problems: [], attempts: { copied: 0, present: 1 } });
});

it('a place that is away fails its attempts, the others are copied, and a copy to come takes them along', async () => {
  const folder = scratchFolder();
  const [raw, moved] = [join(folder, 'raw'), join(folder, 'moved')];
  const from = new MemoryStorage();
  const flow = await openFlow({ storage: from });
  const save = (taskId: string, rawDataPath?: string) =>
    flow.task({ runId: 'r1', stepName: 'fit', taskId, rawDataPath }, (task) => task.saveArtifacts(values));
  await save('0', raw);
  await save('1');
  renameSync(raw, moved);
  const to = new MemoryStorage();
  const result = await copyStore({ from, to });
  expect(result.attempts).toMatchObject({ copied: 1, failed: 1 });
  expect(result.problems[0]?.error.code).toBe('PLACE_NOT_FOUND');
  const again = await copyStore({ from, to, openPlace: () => openStorage(moved) });
  expect(again).toMatchObject({ problems: [], attempts: { copied: 1, present: 1 } });
});

it.each<[string, unknown]>([
  ['nothing', undefined],
  ['an address', 's3://bucket/raw'],
  ['an object', {}],
])('an openPlace that gives %s fails what lies there, and is told', async (_, given) => {
  const from = new MemoryStorage();
  const flow = await openFlow({ storage: from });
  await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0', rawDataPath: 'memory:copy-nowhere' }, (task) =>
    task.saveArtifacts(values),
  );
  const openPlace = (() => given) as unknown as () => MemoryStorage;
  const { attempts, problems } = await copyStore({ from, to: new MemoryStorage(), openPlace });
  expect(attempts.failed).toBe(1);
  expect(problems[0]?.error).toMatchObject({
    code: 'PLACE_UNREACHABLE',
    message: expect.stringContaining('openPlace gave no storage for memory:copy-nowhere'),
  });
});

it('a store by another name for itself, and a store inside another, are refused', async () => {
  const folder = scratchFolder();
  const [store, link] = [join(folder, 'store'), join(folder, 'link')];
  await saveTask(await openFlow({ storage: store }), values);
  symlinkSync(store, link);
  expect((await errorOf(copyStore({ from: store, to: link }), 'INVALID_ARGUMENT')).message).toContain('both');
  const inside = await errorOf(copyStore({ from: store, to: join(store, 'deep') }), 'INVALID_ARGUMENT');
  expect(inside.message).toContain('lies inside');
});
