import { expect, it } from 'vitest';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { errorOf, openFlow, saveTask } from '../flow/fixtures.ts';

const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };
const base = 'flows/Test/r1/fit/0/';

it('a task with 150,000 attempts is read, opened, and told', async () => {
  const storage = new MemoryStorage();
  const flow = await openFlow({ storage });
  await saveTask(flow, { a: 1 });
  const opened = Buffer.from('{}');
  for (let attempt = 1; attempt < 150_000; attempt++)
    await storage.create(`${base}${attempt}.attempt.json`, opened);
  expect(await (await flow.getTaskDataStore('r1/fit/0/0')).get('a')).toBe(1);
  expect(await (await flow.getTaskDataStore('r1/fit/0', { attempt: 'latestDone' })).get('a')).toBe(1);
  for (const reading of [flow.getTaskDataStore('r1/fit/0'), flow.getTaskDataStore('r1/fit/0/150001')]) {
    const { details, message } = await errorOf(reading);
    expect(message.length).toBeLessThan(1_000);
    expect((details.existing as number[]).length).toBeLessThanOrEqual(1_000);
  }
  expect((await flow.createTaskDataStore(spec)).attempt).toBe(150_000);
});
