import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { LINKS } from '../../src/store-index/lineage-rows.ts';
import { errorOf, openFlow } from '../flow/fixtures.ts';
import { propertyRuns, test } from '../property.ts';
import { allOf, arbitraryTasks, askedStore, pathspecOf } from './asked-store.ts';
import { openIndex, select } from './indexes.ts';

type ArtifactRow = Record<'flow' | 'run' | 'name' | 'lies' | 'place' | 'key', string> &
  Record<'bytes' | 'stored_bytes', number>;

const RUNS = { numRuns: propertyRuns };

const optional = <T>(...values: T[]): fc.Arbitrary<T | undefined> => fc.constantFrom(undefined, ...values);

const arbitraryQuestion = fc.record({
  flow: optional('A', 'B'),
  step: optional('fit', 'fit-2'),
  tag: optional('tag-r1', 'tag-r1-2'),
  artifact: optional('by-0', 'by-1', 'data'),
  type: optional('number', 'Float64Array'),
  gt: optional(0, 0.25, 0.5),
  limit: optional(1, 3),
});

describe('find', () => {
  test.prop([arbitraryTasks, arbitraryQuestion], RUNS)(
    'gives the attempts that going through all of them gives, the newest first, as many as the limit allows',
    async (tasks, { flow, step, tag, artifact, type, gt, limit }) => {
      const { index } = await askedStore(tasks);
      const expected = tasks.flatMap((task, at) => {
        const names = [`by-${task.fill}`, 'data'];
        const typeOf = (name: string): string => (name === 'data' ? 'Float64Array' : 'number');
        const isMet =
          (flow === undefined || task.flow === flow) &&
          (step === undefined || task.step === step) &&
          (tag === undefined || `tag-${task.run}` === tag) &&
          names.some(
            (name) =>
              (artifact === undefined || artifact === name) && (type === undefined || type === typeOf(name)),
          ) &&
          (gt === undefined || task.auc / 4 > gt);
        return isMet ? [pathspecOf(task, at)] : [];
      });
      const metadata = gt === undefined ? undefined : { 'scores.auc': { gt } };
      const found = await allOf(index.find({ flow, step, tag, artifact, type, metadata, limit }));
      const pathspecs = found.map(({ pathspec }) => pathspec);
      if (limit === undefined) expect(pathspecs.toSorted()).toEqual(expected.toSorted());
      else expect(pathspecs).toHaveLength(Math.min(limit, expected.length));
      expect(expected).toEqual(expect.arrayContaining(pathspecs));
      const times = found.map(({ startedAt }) => startedAt as string);
      expect(times).toEqual(times.toSorted().reverse());
    },
    60_000,
  );

  it.each([
    ['a run without its flow', { run: 'r1' }],
    ['a key that is none', { key: 'abc' }],
    ['a comparison that there is not', { metadata: { auc: { above: 1 } } }],
    ['no comparison', { metadata: { auc: {} } }],
    ['a status that there is not', { status: 'fine' }],
  ])('refuses %s, before anything is asked', async (_, options) => {
    const { index } = await askedStore([]);
    expect(() => index.find(options as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  it('ends where the index is made anew between two pages of an answer', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ flowName: 'Train', storage });
    for (let taskId = 0; taskId < 201; taskId += 1)
      await flow.task({ runId: 'r1', stepName: 'fit', taskId: `${taskId}` }, () => {});
    const { index } = await openIndex({ store: storage });
    await index.catchUp();
    const answer = index.find();
    expect((await answer.next()).done).toBe(false);
    await index.rebuild();
    await errorOf(() => allOf(answer), 'INDEX_NOT_READY');
  });

  it('finds metadata by a path that no database holds as it is', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ flowName: 'Train', storage });
    const half = String.fromCharCode(0xd800);
    await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) =>
      task.saveMetadata({ 'a\0b': 1, [half]: 'x' }),
    );
    const { index } = await openIndex({ store: storage });
    await index.catchUp();
    const [found] = await allOf(index.find({ metadata: { 'a\0b': { gte: 1 }, [half]: 'x' } }));
    expect(found?.metadata).toEqual({ 'a\ufffdb': 1, '\ufffd': 'x' });
  });

  it('tells an index that is not made from one that has nothing', async () => {
    const storage = new MemoryStorage();
    await (await openFlow({ storage })).createRun({ runId: 'r1' });
    const { index } = await openIndex({ store: storage });
    await errorOf(() => index.find().next(), 'INDEX_NOT_READY');
    await index.catchUp();
    expect(await allOf(index.find())).toEqual([]);
  });
});

describe('lineage', () => {
  test.prop([arbitraryTasks, fc.nat({ max: 11 })], RUNS)(
    'gives each link once that following what attempts read gives',
    async (tasks, chosen) => {
      const { index, stores } = await askedStore(tasks);
      const at = chosen % tasks.length;
      const start = pathspecOf(tasks[at] as (typeof tasks)[number], at);
      const reads = new Map(
        stores.map((store, place) => [pathspecOf(tasks[place] as never, place), store.readFrom]),
      );
      const sources = (pathspec: string): string[] => [...(reads.get(pathspec) ?? [])];
      const users = (pathspec: string): string[] =>
        [...reads].flatMap(([user, from]) => (from.includes(pathspec) ? [user] : []));
      const linksBy = (direction: string, next: (pathspec: string) => string[]): string[] => {
        const seen = new Set([start]);
        for (const one of seen) for (const other of next(one)) seen.add(other);
        return [...seen].flatMap((one) => next(one).map((other) => `${direction} ${one} ${other}`));
      };
      const links = await allOf(index.lineage(start));
      const told = links
        .filter(({ direction }) => direction !== 'start')
        .map(({ direction, from, pathspec }) => `${direction} ${from} ${pathspec}`);
      expect(told.toSorted()).toEqual([...linksBy('up', sources), ...linksBy('down', users)].toSorted());
      const cut = await allOf(index.lineage(start, { limit: 1 }));
      expect(cut).toEqual([links.length > 1 ? { ...links[0], isCut: true } : links[0]]);
    },
    60_000,
  );

  it('goes through results of cached tasks, called within tasks and recorded', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ flowName: 'A', storage });
    const twice = flow.cachedTask({ name: 'twice', version: '1', run: async (n: number) => 2 * n });
    await twice(1, { runId: 'first' });
    await twice(1, { runId: 'second', recordHit: true });
    await flow.task({ runId: 'third', stepName: 'use', taskId: '0' }, async (task) => {
      await task.saveArtifacts({ n: await twice(1) });
    });
    const { index } = await openIndex({ store: storage });
    await index.catchUp();
    const [source] = await allOf(index.find({ flow: 'A', run: 'first' }));
    const users = await allOf(index.lineage(source?.pathspec as string, { down: true }));
    const uses = users.slice(1).map(({ pathspec, use }) => [pathspec.split('/')[1], use]);
    expect(uses).toEqual([
      ['second', 'recorded hit'],
      ['third', 'cached call'],
    ]);
  });

  it('goes through names with quotation marks and what looks like a list', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ flowName: 'Train', storage });
    const names = { runId: 'r"1', stepName: 'x","y', taskId: '"' };
    await flow.task(names, (task) => task.saveArtifacts({ rows: 1 }));
    const source = await flow.getTaskDataStore('r"1/x","y/"');
    await flow.task({ ...names, taskId: 'b' }, (task) => task.recordRead(source));
    const { index } = await openIndex({ store: storage });
    await index.catchUp();
    const links = await allOf(index.lineage('Train/r"1/x","y/"'));
    expect(links.map(({ direction, pathspec }) => [direction, pathspec])).toEqual([
      ['start', 'Train/r"1/x","y/"/0'],
      ['down', 'Train/r"1/x","y/b/0'],
    ]);
  });

  it('ends where two attempts name each other', async () => {
    const { index, path } = await askedStore([
      { flow: 'A', run: 'r1', step: 'fit', auc: 1, fill: 0, length: 1, from: [] },
    ]);
    const { loadSqlite } = await import('../../src/storage/sql/sqlite/library.ts');
    const connection = (await loadSqlite()).open(path, { readOnly: false });
    connection.exec('insert into reads select id, flow, run, step, task, attempt from attempts');
    connection.close();
    const links = await allOf(index.lineage('A/r1/fit/0'));
    expect(links.map(({ direction, isRepeated }) => [direction, isRepeated])).toEqual([
      ['start', undefined],
      ['up', true],
      ['down', true],
    ]);
  });

  it('says what it does not have', async () => {
    const { index } = await askedStore([]);
    await errorOf(() => index.lineage('A/r1/fit/0').next(), 'TASK_NOT_FOUND');
    await errorOf(() => index.lineage('A/r1/fit/0/3').next(), 'ATTEMPT_NOT_FOUND');
    await errorOf(() => index.lineage('0'.repeat(64)).next(), 'CONTENT_NOT_FOUND');
  });

  it.each(['up', 'down'] as const)('looks nothing up by going through a table: %s', async (direction) => {
    const { path } = await askedStore([]);
    const statement = LINKS.sqlite[direction].replaceAll('$1', '\'["A/r1/fit/0/0"]\'');
    const plan = (await select(path, `explain query plan ${statement}`)).map(({ detail }) => String(detail));
    expect(plan.filter((step) => /^SCAN (?!json_each|split|n\b)/.test(step))).toEqual([]);
    expect(plan.filter((step) => /^SEARCH .* USING/.test(step)).length).toBeGreaterThanOrEqual(3);
  });
});

describe('usage', () => {
  test.prop(
    [arbitraryTasks, fc.constantFrom('flow', 'run', 'artifact') as fc.Arbitrary<'flow' | 'run'>],
    RUNS,
  )(
    'counts each content of a row once, as own where no other row has it',
    async (tasks, by) => {
      const { index, path } = await askedStore(tasks);
      const rows = (await select(
        path,
        'select a.flow, a.run, x.name, x.lies, x.place, x.key, x.bytes, x.stored_bytes from artifacts x join attempts a on a.id = x.attempt_id',
      )) as unknown as ArtifactRow[];
      const nameOf = ({ flow, run, name }: Record<'flow' | 'run' | 'name', string>): string =>
        (({ flow, run: `${flow}/${run}`, artifact: name }) as Record<string, string>)[by] as string;
      const holders = new Map<string, Set<string>>();
      for (const row of rows) {
        if (row.lies !== 'shared') continue;
        const held = holders.get(`${row.place} ${row.key}`) ?? new Set();
        holders.set(`${row.place} ${row.key}`, held.add(nameOf(row)));
      }
      const expected = new Map<string, { bytes: number; own: number; shared: number; seen: Set<string> }>();
      for (const row of rows) {
        const name = nameOf(row);
        const sums = expected.get(name) ?? { bytes: 0, own: 0, shared: 0, seen: new Set() };
        expected.set(name, sums);
        sums.bytes += row.bytes;
        if (row.lies === 'own') sums.own += row.stored_bytes;
        if (row.lies !== 'shared') continue;
        const id = `${row.place} ${row.key}`;
        if (sums.seen.has(id)) continue;
        sums.seen.add(id);
        sums[holders.get(id)?.size === 1 ? 'own' : 'shared'] += row.stored_bytes;
      }
      const told = await allOf(index.usage({ by }));
      expect(
        told.map(({ name, bytes, ownBytes, sharedBytes }) => [name, bytes, ownBytes, sharedBytes]).toSorted(),
      ).toEqual([...expected].map(([name, { bytes, own, shared }]) => [name, bytes, own, shared]).toSorted());
    },
    60_000,
  );
});

describe('figures', () => {
  const RUN_NAMES = ['A', 'B'].flatMap((flow) => ['r1', 'r2', 'r1-2'].map((run) => ({ flow, run })));

  test.prop([arbitraryTasks], RUNS)(
    'count each content as new in the run that had it first, so that all runs together have it once',
    async (tasks) => {
      const { index, path } = await askedStore(tasks);
      const rows = (await select(
        path,
        `select a.flow, a.run, x.name, x.lies, x.place, x.key, x.bytes, x.stored_bytes from artifacts x join attempts a on a.id = x.attempt_id
          order by a.started_at, a.flow, a.run`,
      )) as unknown as ArtifactRow[];
      const expected = new Map(RUN_NAMES.map(({ flow, run }) => [`${flow}/${run}`, [0, 0, 0]]));
      const stored = new Set<string>();
      for (const { flow, run, lies, place, key, bytes, stored_bytes } of rows) {
        const sums = expected.get(`${flow}/${run}`) as [number, number, number];
        sums[0] += 1;
        sums[1] += bytes;
        const id = lies === 'shared' ? `${place} ${key}` : `${stored.size}`;
        if (lies !== 'inline' && !stored.has(id)) sums[2] += stored_bytes;
        stored.add(id);
      }
      const told = await allOf(index.figures([...RUN_NAMES, { flow: 'A', run: 'none' }]));
      expect(
        told
          .map(({ flow, run, artifacts, bytes, newBytes }) => [
            `${flow}/${run}`,
            [artifacts, bytes, newBytes],
          ])
          .toSorted(),
      ).toEqual([...expected].toSorted());
      const usage = await allOf(index.usage({ by: 'run' }));
      for (const { name, bytes, artifacts } of usage)
        expect(expected.get(name)?.slice(0, 2)).toEqual([artifacts, bytes]);
      const [all] = await allOf(index.usage({ by: 'all' }));
      expect(told.reduce((sum, { newBytes }) => sum + newBytes, 0)).toBe(all?.ownBytes);
    },
    60_000,
  );

  it('tell results of cached tasks that other runs made, each once, whether a task called or a hit was recorded', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ flowName: 'A', storage });
    const twice = flow.cachedTask({ name: 'twice', version: '1', run: async (n: number) => 2 * n });
    await twice(1, { runId: 'first' });
    await twice(2, { runId: 'first' });
    await flow.task({ runId: 'second', stepName: 'use', taskId: '0' }, async (task) => {
      const used = [await twice(1, { recordHit: true }), await twice(1), await twice(2), await twice(3)];
      await task.saveArtifacts({ used });
    });
    await flow.task({ runId: 'third', stepName: 'use', taskId: '0' }, (task) => task.saveArtifacts({ n: 1 }));
    const { index } = await openIndex({ store: storage });
    await index.catchUp();
    const runs = ['first', 'second', 'third'].map((run) => ({ flow: 'A', run }));
    const told = await allOf(index.figures(runs));
    expect(
      told.map(({ run, cachedResults, cacheHits }) => [run, cachedResults, cacheHits]).toSorted(),
    ).toEqual([
      ['first', 2, 0],
      ['second', 3, 2],
      ['third', 0, 0],
    ]);
    const thrice = flow.cachedTask({ name: 'thrice', version: '1', run: async (n: number) => 3 * n });
    await thrice(1, { runId: 'third' });
    await index.catchUp();
    const ofTasks = await allOf(index.cacheFigures());
    expect(ofTasks.map(({ task, misses, hits }) => [task, misses, hits])).toEqual([
      ['thrice', 1, 0],
      ['twice', 3, 2],
    ]);
    // Each hit saves what its result took: those of the calls with 1 and 2, by the attempts that made them.
    const made = await allOf(index.find({ flow: 'A', run: 'first', step: 'twice' }));
    expect(ofTasks.map(({ savedMs }) => savedMs)).toEqual([
      0,
      made.reduce((sum, { durationMs = 0 }) => sum + durationMs, 0),
    ]);
  });

  it('count a content as new in the next run, once that of the first was given up', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ flowName: 'A', storage });
    for (const runId of ['first', 'second'])
      await flow.task({ runId, stepName: 'fit', taskId: '0' }, (task) =>
        task.saveArtifacts({ data: new Float64Array(40_000).fill(7) }),
      );
    const { index, path } = await openIndex({ store: storage });
    await index.catchUp();
    const news = async (): Promise<number[]> => {
      const told = await allOf(index.figures(['first', 'second'].map((run) => ({ flow: 'A', run }))));
      return told.sort((a, b) => (a.run < b.run ? -1 : 1)).map(({ newBytes }) => newBytes);
    };
    const [stored] = (await news()) as [number];
    expect(await news()).toEqual([stored, 0]);
    const { loadSqlite } = await import('../../src/storage/sql/sqlite/library.ts');
    const connection = (await loadSqlite()).open(path, { readOnly: false });
    connection.exec("update attempts set mark = 'purged' where run = 'first'");
    connection.close();
    expect(await news()).toEqual([0, stored]);
  });

  it('refuse what is no list of runs, before anything is asked', async () => {
    const { index } = await askedStore([]);
    for (const runs of [undefined, [{ flow: 'A' }], 'A/r1'])
      expect(() => index.figures(runs as never)).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      );
  });
});
