import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CountStorage } from '../../src/storage/count.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { test } from '../property.ts';
import { errorOf, openFlow } from './fixtures.ts';

const status = fc.constantFrom<'open' | 'done' | 'failed'>('open', 'done', 'failed');
const tags = fc.uniqueArray(fc.constantFrom('nightly', 'demo', 'big'));

describe('runs', () => {
  test.prop(
    [
      fc.array(fc.record({ status, tags }), { minLength: 1, maxLength: 12 }),
      fc.record(
        { status, tags, limit: fc.nat(6), after: fc.nat(12), before: fc.nat(12) },
        { requiredKeys: [] },
      ),
    ],
    { numRuns: 100 },
  )(
    'that a filter lets through are those it describes, newest first',
    async (made, { after, before, ...filter }) => {
      const storage = new MemoryStorage();
      const flow = await openFlow({ storage });
      for (const [i, { status, tags }] of made.entries()) {
        const run = await flow.createRun({ runId: `r${String(i).padStart(2, '0')}`, tags });
        if (status !== 'open') await run.finish(status);
      }
      const all = await flow.runs();
      const timeOf = (index: number | undefined): Date | undefined => all[index ?? -1]?.createdAt;
      const times = { createdAfter: timeOf(after), createdBefore: timeOf(before) };
      const expected = all
        .filter(({ run, createdAt }) => {
          const { status, tags } = made[Number(run.runId.slice(1))] as (typeof made)[number];
          return (
            (filter.status === undefined || status === filter.status) &&
            (filter.tags ?? []).every((tag) => tags.includes(tag)) &&
            (times.createdAfter === undefined || createdAt > times.createdAfter) &&
            (times.createdBefore === undefined || createdAt < times.createdBefore)
          );
        })
        .slice(0, filter.limit);
      const found = await flow.runs({ ...filter, ...times });
      expect(found.map(({ run }) => run.runId)).toEqual(expected.map(({ run }) => run.runId));
    },
  );

  it('no more are looked at than the limit takes', async () => {
    const storage = new CountStorage(new MemoryStorage());
    const flow = await openFlow({ storage });
    for (let i = 0; i < 40; i++) await (await flow.createRun({ runId: `r${i}`, tags: ['all'] })).finish();
    storage.reset();
    await flow.runs({ status: 'done', tags: ['all'], limit: 1 });
    expect(storage.snapshot()).toMatchObject({ list: { calls: 1 }, get: { calls: 2 } });
    storage.reset();
    await flow.runs({ status: 'open' });
    expect(storage.snapshot()).toMatchObject({ list: { calls: 1 }, get: { calls: 0 } });
  });

  it.each(['created.json', 'finished.json'])(
    'of which one has a damaged %s are listed all the same, it with its problem',
    async (file) => {
      const storage = new MemoryStorage();
      const flow = await openFlow({ storage });
      for (const runId of ['r1', 'r2', 'r3']) {
        await (await flow.createRun({ runId, tags: ['all'] })).finish();
      }
      await storage.delete([`runs/Test/r2/${file}`]);
      await storage.create(`runs/Test/r2/${file}`, new TextEncoder().encode('[['));
      const seen = (await flow.runs({ status: 'done', tags: ['all'] })).map(({ run, problem }) => [
        run.runId,
        problem?.code,
      ]);
      expect(seen).toEqual([
        ['r3', undefined],
        ['r2', 'RECORD_DAMAGED'],
        ['r1', undefined],
      ]);
      expect((await flow.runs()).map(({ run }) => run.runId)).toEqual(['r3', 'r2', 'r1']);
      expect((await flow.latestRun())?.runId).toBe('r3');
      await storage.delete(['r3', 'r1'].flatMap((run) => [`runs/Test/${run}/finished.json`]));
      await errorOf(flow.latestRun({ tags: ['all'] }), 'RECORD_DAMAGED');
    },
  );

  it('latestRun takes tags', async () => {
    const flow = await openFlow();
    for (const [runId, tags] of [
      ['r1', ['nightly']],
      ['r2', []],
      ['r3', ['nightly']],
    ] as const) {
      const run = await flow.createRun({ runId, tags });
      if (runId !== 'r3') await run.finish();
    }
    expect((await flow.latestRun({ tags: ['nightly'] }))?.runId).toBe('r1');
    expect((await flow.latestRun({ tags: ['nightly'], status: 'any' }))?.runId).toBe('r3');
    expect(await flow.latestRun({ tags: ['weekly'] })).toBeUndefined();
  });

  it.each([
    [{ tags: 'nightly' }],
    [{ status: 'running' }],
    [{ createdAfter: '2026-01-01' }],
    [{ createdBefore: new Date(Number.NaN) }],
    [{ limit: -1 }],
    [{ limit: 1.5 }],
  ])('%j is refused', async (filter) => {
    const flow = await openFlow();
    await flow.createRun();
    // biome-ignore lint/suspicious/noExplicitAny: what the types leave out
    await errorOf(flow.runs(filter as any), 'INVALID_ARGUMENT');
  });
});
