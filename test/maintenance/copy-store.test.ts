import { describe, expect, it } from 'vitest';
import { copyStore } from '../../src/maintenance/copy-store.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { noise, openFlow, objectNames } from '../flow/fixtures.ts';
import { readAll } from './copied-store.ts';

describe('copyStore', () => {
  it('copies', async () => {
    const from = new MemoryStorage();
    const flow = await openFlow({ storage: from });
    await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, async (task) => {
      await task.saveArtifacts({ a: 1, b: noise(50_000), c: noise(700_000, 3) });
      await task.saveLogs('task', { stdout: 'hello' });
    });
    await flow.task({ runId: 'r1', stepName: 'fit', taskId: '1' }, async () => { throw new Error('x'); }).catch(() => {});
    await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: '2' });
    const [plain] = await flow.saveData([{ name: 'x.html', data: Buffer.from('hello') }]);
    const to = new MemoryStorage();
    const counted = [new CountStorage(from), new CountStorage(to)] as const;
    const result = await copyStore({ from: counted[0], to: counted[1] });
    console.log(result, counted[0].snapshot().requests, counted[1].snapshot().requests);
    expect(await readAll(to)).toEqual(await readAll(from));
    counted.forEach((c) => c.reset());
    const before = await objectNames(to);
    console.log(before, plain);
    const again = await copyStore({ from: counted[0], to: counted[1] });
    console.log(again, counted[0].snapshot().requests, counted[1].snapshot().requests);
    expect(await objectNames(to)).toEqual(before);
  });
});
