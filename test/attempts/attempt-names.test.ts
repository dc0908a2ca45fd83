import { describe, expect, it, test } from 'vitest';
import { listRuns } from '../../src/attempts/run-listing.ts';
import { listAttempts, listTasks } from '../../src/format/attempt-files.ts';
import {
  encodeMetadataPart,
  metadataPartSubject,
  readMetadataParts,
} from '../../src/format/metadata-parts.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { bodyOf } from '../content/storages.ts';
import { errorOf, openFlow, saveTask } from '../flow/fixtures.ts';

const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };
const base = 'flows/Test/r1/fit/0/';
const path = { flow: 'Test', run: 'r1', step: 'fit', task: '0' };

describe('a name with a number that no attempt has', () => {
  test.each([`1${'0'.repeat(200)}`, '9007199254740992', '10000000000000000', '01', '-1', '1e3', '٣'])(
    '%s is none',
    async (number) => {
      const flow = await openFlow();
      await saveTask(flow, { a: 1 });
      await flow.storage.create(
        `${base}${number}.attempt.json`,
        await bodyOf(flow.storage, `${base}0.attempt.json`),
      );
      expect(await (await flow.getTaskDataStore('r1/fit/0')).get('a')).toBe(1);
      const next = await flow.createTaskDataStore(spec);
      expect(next.attempt).toBe(1);
      await next.done();
      expect((await flow.getTaskDataStore('r1/fit/0')).attempt).toBe(1);
    },
  );

  it('the highest number there is has no next one, which is told', async () => {
    const flow = await openFlow();
    await saveTask(flow, { a: 1 });
    const record = await bodyOf(flow.storage, `${base}0.attempt.json`);
    await flow.storage.create(`${base}${Number.MAX_SAFE_INTEGER}.attempt.json`, record);
    const { message } = await errorOf(flow.createTaskDataStore(spec), 'ATTEMPT_EXISTS');
    expect(message).toContain('No number is left');
  });
});

it('what no user can have named is no run, task or part of one', async () => {
  const storage = new MemoryStorage();
  const flow = await openFlow({ storage });
  await saveTask(flow, { a: 1 });
  const body = Buffer.from('x');
  const long = 'x'.repeat(200);
  const strange = [
    `runs/Test/${long}/created.json`,
    `runs/${long}/r1/created.json`,
    `flows/Test/r1/fit/${long}/0.DONE`,
  ];
  strange.push(`flows/Test/r1/${long}/0/0.DONE`, `flows/Test/r1/zzz/${long}/0.DONE`);
  strange.push('partial/Test/r1/fit/1.metadata.x.json', 'partial/Test/r1/fit/0/0.metadata.000000001.json');
  for (const name of strange) await storage.create(name, body);
  expect((await listRuns(storage, undefined, {})).map(({ run }) => run)).toEqual(['r1']);
  const tasks = [];
  for await (const task of listTasks(storage, { flow: 'Test', run: 'r1' }, {})) tasks.push(task.path);
  expect(tasks).toEqual([path]);
  expect(await readMetadataParts(storage, path, 0, {})).toEqual({});
  expect((await listAttempts(storage, path, {})).size).toBe(1);
});

it('a metadata part counts where its number says, and nowhere else', async () => {
  const storage = new MemoryStorage();
  const part = encodeMetadataPart({ a: 1 }, 0, metadataPartSubject(path, 0, 1));
  const name = 'partial/Test/r1/fit/0/0.metadata.0000000';
  await storage.create(`${name}1.json`, part);
  expect(await readMetadataParts(storage, path, 0, {})).toEqual({ a: 1 });
  await storage.create(`${name}2.json`, part);
  const { message } = await errorOf(readMetadataParts(storage, path, 0, {}), 'RECORD_DAMAGED');
  expect(message).toContain('its field `part` is 1, where 2 belongs');
});
