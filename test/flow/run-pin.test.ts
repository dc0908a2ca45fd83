import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { abandonRun } from '../../src/format/run-ends.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { errorOf, objectNames, openFlow } from '../flow/fixtures.ts';
import { test } from '../property.ts';

const REASONS = [undefined, 'for the paper', 'asked by Ada'];
const arbitraryWords = fc.array(
  fc.record({ pinned: fc.boolean(), reason: fc.constantFrom(...REASONS), by: fc.nat(2) }),
  { maxLength: 12 },
);

describe('a pin of a run', () => {
  test.prop([arbitraryWords])('is as the latest word of many processes says', async (words) => {
    const storage = new MemoryStorage();
    const flows = await Promise.all([0, 1, 2].map(() => openFlow({ storage })));
    await flows[0]?.createRun({ runId: 'r1' });
    let said: (typeof words)[number] | undefined;
    for (const word of words) {
      const run = (flows[word.by] as (typeof flows)[number]).run('r1');
      await (word.pinned ? run.pin({ reason: word.reason }) : run.unpin());
      said = word;
      const { pin } = await run.info();
      expect(pin?.pinned ?? false).toBe(said.pinned);
      if (said.pinned) expect(pin?.reason).toBe(said.reason);
    }
  });

  it('by several processes at once ends, and stands', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    await flow.createRun({ runId: 'r1' });
    await Promise.all([1, 2, 3, 4].map(() => flow.run('r1').pin({ reason: 'at once' })));
    expect((await flow.run('r1').info()).pin).toMatchObject({ pinned: true, reason: 'at once' });
  });

  it('that is there already costs no write, and so does taking off none', async () => {
    const storage = new CountStorage(new MemoryStorage());
    const flow = await openFlow({ storage });
    const run = await flow.createRun({ runId: 'r1' });
    await run.unpin();
    expect(await objectNames(storage, 'runs/Test/r1/pinned')).toEqual([]);
    await run.pin();
    await run.pin();
    expect(await objectNames(storage, 'runs/Test/r1/pinned')).toEqual(['runs/Test/r1/pinned.00000000.json']);
  });

  it('whose answer was lost is written once', async () => {
    const storage = new MemoryStorage();
    let lost = 1;
    const flaky = new FaultStorage(storage, (operation, name) =>
      operation === 'create' && name.includes('pinned') && lost-- > 0 ? { kind: 'after' } : undefined,
    );
    const flow = await openFlow({ storage: flaky });
    const run = await flow.createRun({ runId: 'r1' });
    await errorOf(run.pin(), 'STORAGE_UNAVAILABLE');
    await run.pin();
    expect(await objectNames(storage, 'runs/Test/r1/pinned')).toHaveLength(1);
  });

  it('of no run, or for a reason that is no line of text, is refused and leaves no trace', async () => {
    const flow = await openFlow();
    const run = await flow.createRun({ runId: 'r1' });
    const before = await objectNames(flow.storage);
    await errorOf(flow.run('r2').pin(), 'RUN_NOT_FOUND');
    await errorOf(run.pin({ reason: 'two\nlines' }), 'INVALID_ARGUMENT');
    await errorOf(run.pin({ why: 'x' } as never), 'INVALID_ARGUMENT');
    expect(await objectNames(flow.storage)).toEqual(before);
  });
});

describe('a run that was abandoned', () => {
  it('says so, is listed so, and may be finished by its owner all the same', async () => {
    const flow = await openFlow();
    const run = await flow.createRun({ runId: 'r1' });
    expect(await abandonRun(flow.storage, 'Test', 'r1', {})).toBe(true);
    expect(await abandonRun(flow.storage, 'Test', 'r1', {})).toBe(false);
    expect((await run.info()).status).toBe('abandoned');
    const abandoned = await flow.runs({ status: 'abandoned' });
    expect(abandoned.map(({ run: { runId } }) => runId)).toEqual(['r1']);
    expect(await flow.runs({ status: 'open' })).toEqual([]);
    await run.finish('done');
    expect((await run.info()).status).toBe('done');
    await errorOf(run.finish('failed'), 'RUN_EXISTS');
  });
});
