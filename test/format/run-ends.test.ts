import { describe, expect, it } from 'vitest';
import { decodeRecord, encodeRecord } from '../../src/format/record.ts';
import { copyStore } from '../../src/maintenance/copy-store.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { bodyOf } from '../content/storages.ts';
import { errorOf, objectNames, openFlow } from '../flow/fixtures.ts';

describe('the ends of a run', () => {
  it('tell the latest end of a run that failed and was taken up again', async () => {
    const storage = new CountStorage(new MemoryStorage());
    const flow = await openFlow({ storage });
    const run = await flow.createRun({ runId: 'x' });
    await run.finish('failed', new Error('first'));
    expect(await flow.latestRun()).toBeUndefined();
    const failed = await Promise.allSettled(
      Array.from({ length: 3 }, (_, i) => run.finish('failed', new Error(`${i}`))),
    );
    expect(failed.some(({ status }) => status === 'fulfilled')).toBe(true);
    expect(await run.info()).toMatchObject({ status: 'failed', finished: { error: { message: /^\d$/ } } });
    await run.finish('done');
    expect(await run.info()).toMatchObject({ status: 'done' });
    for (const status of ['failed', 'done'] as const) await errorOf(run.finish(status), 'RUN_EXISTS');
    storage.reset();
    expect((await flow.runs({ status: 'done' })).map((each) => each.run.runId)).toEqual(['x']);
    expect(storage.snapshot()).toMatchObject({ list: { calls: 1 }, get: { calls: 1 } });
    expect(await flow.runs({ status: 'failed' })).toEqual([]);
    expect((await flow.latestRun())?.runId).toBe('x');
    const to = new MemoryStorage();
    expect((await copyStore({ from: storage, to })).problems).toEqual([]);
    expect(await objectNames(to, 'runs/')).toEqual(await objectNames(storage, 'runs/'));
    expect(await (await openFlow({ storage: to })).run('x').info()).toEqual(await run.info());
  });

  it('are finished once where each process thinks that it is the first, whatever answers are lost', async () => {
    const inner = new MemoryStorage();
    await (await openFlow({ storage: inner })).createRun({ runId: 'x' });
    for (const status of ['failed', 'done'] as const) {
      let isLost = false;
      const losing = new FaultStorage(inner, (operation, name) => {
        if (operation !== 'create' || !name.includes('/finished.') || isLost) return undefined;
        isLost = true;
        return { kind: 'after' };
      });
      const flow = await openFlow({ storage: new RetryStorage(losing, { baseDelayMs: 1 }) });
      await flow.run('x').finish(status);
    }
    const ends = (await objectNames(inner, 'runs/')).filter((name) => name.includes('finished'));
    expect(ends).toEqual(['runs/Test/x/finished.00000001.json', 'runs/Test/x/finished.json']);
  });

  it('are bounded by the names that there are, and by no number in them', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const run = await flow.createRun({ runId: 'x' });
    const put = (file: string): Promise<boolean> => storage.create(`runs/Test/x/${file}`, new Uint8Array(0));
    for (const file of [
      'finished.00000000.json',
      'finished.1.json',
      'finished.000000002.json',
      'finished.x.json',
    ])
      await put(file);
    await put('finished.00000003.json');
    expect(await run.info()).toMatchObject({ status: 'open' });
    expect(await flow.runs({ status: 'open' })).toHaveLength(1);
    await storage.delete(['runs/Test/x/finished.00000003.json']);
    await run.finish('failed');
    const last = decodeRecord(await bodyOf(storage, 'runs/Test/x/finished.json'), 'the end');
    const name = 'runs/Test/x/finished.99999999.json';
    await storage.create(name, encodeRecord({ ...last, end: 99_999_999 }));
    await errorOf(run.finish('done'), 'RUN_EXISTS');
    expect(await run.info()).toMatchObject({ status: 'failed' });
    const to = new MemoryStorage();
    expect((await copyStore({ from: storage, to })).problems).toEqual([]);
    expect((await objectNames(to, 'runs/')).filter((name) => name.includes('finished'))).toHaveLength(2);
  });
});
