import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { StorageDatabase } from '../../src/storage/contract.ts';
import { SqliteStorage } from '../../src/storage/sqlite.ts';
import type { FindOptions } from '../../src/store-index/find.ts';
import { WITHOUT_ROW } from '../../src/store-index/listed-changes.ts';
import { StoreIndex } from '../../src/store-index/store-index.ts';
import type { UsageOptions } from '../../src/store-index/usage.ts';
import { afterThisTest } from '../cleanups.ts';
import { openFlow, scratchFolder } from '../flow/fixtures.ts';
import { allOf } from './asked-store.ts';
import { planOf, recordStatements } from './indexes.ts';

const MANY = 2100;
const KEY = 'a'.repeat(64);

/** An index of one attempt that meets all conditions, or of so many that none of them leaves few. */
async function openAsked(attempts: number): Promise<{ database: StorageDatabase; index: StoreIndex }> {
  const storage = await SqliteStorage.open(`sqlite:${join(scratchFolder(), 'runs.db')}`);
  afterThisTest(() => storage.close());
  const flow = await openFlow({ flowName: 'Train', storage });
  await flow.createRun({ runId: 'r1', tags: ['daily'] });
  const index = await StoreIndex.open({ store: storage });
  afterThisTest(() => index.close());
  await index.catchUp();
  const database = storage.database as StorageDatabase;
  await database.write(function* () {
    for (const text of [
      `with recursive n(at) as (select 1 union all select at + 1 from n where at < ${attempts})
        insert into attempts (flow, run, step, task, attempt, status, started_at, seen) select 'Train', 'r1', 'fit', cast(at as text), 0, 'done', at, 'attempt done' from n`,
      `insert into artifacts (attempt_id, name, type, key, bytes, stored_bytes, place, lies) select id, 'model', 'object', '${KEY}', 1, 1, '', 'shared' from attempts`,
      "insert into metadata (attempt_id, path, number, text) select id, 'auc', 0.9, '0.9' from attempts",
      "insert into metadata (attempt_id, path, text) select id, 'word', 'good' from attempts",
    ])
      yield { text };
  });
  return { database, index };
}

/** The steps of the plans of a question's statements that go through all rows of a table, or, of one that asks for a page, sort what is met. */
async function wholeSteps(
  database: StorageDatabase,
  statements: readonly { text: string }[],
  sorts: boolean,
): Promise<string[]> {
  const whole: string[] = [];
  for (const text of new Set(statements.map((statement) => statement.text))) {
    if (text.includes('stowage_index')) continue;
    for (const step of await planOf(database, text)) {
      const isScan = /^SCAN (?!json_each|few|numbered|\(subquery)/.test(step);
      const isSort = !sorts && /^select a\.\*/.test(text) && step.includes('TEMP B-TREE');
      if (isScan || isSort) whole.push(`${step}: ${text}`);
    }
  }
  return whole;
}

const QUESTIONS: [string, FindOptions][] = [
  ['nothing', {}],
  ['flow', { flow: 'Train' }],
  ['flow, step', { flow: 'Train', step: 'fit' }],
  ['step', { step: 'fit' }],
  ['status', { status: 'done' }],
  ['status, flow, step', { status: 'done', flow: 'Train', step: 'fit' }],
  ['since', { since: new Date(1) }],
  ['tag', { tag: 'daily' }],
  ['artifact', { artifact: 'model' }],
  ['type', { type: 'object' }],
  ['key', { key: KEY }],
  ['the beginning of a key', { key: KEY.slice(0, 8) }],
  ['a number', { metadata: { auc: { gt: 0.5 } } }],
  ['a text', { metadata: { word: 'good' } }],
  ['a leaf', { metadata: { word: { exists: true } } }],
];

it('finds runs that an index has only attempts of by the names of runs, and not by going through attempts', async () => {
  const { database } = await openAsked(1);
  const plan = await planOf(database, WITHOUT_ROW);
  const [first, ...others] = plan.filter((step) => /^SCAN (?!d$)/.test(step));
  expect([first, others]).toEqual([
    expect.stringMatching(/^SCAN attempts USING COVERING INDEX/),
    ['SCAN first'],
  ]); // one row
  for (const terms of ['flow=? AND run>?', 'flow>?'])
    expect(plan).toContainEqual(
      expect.stringMatching(`SEARCH b USING COVERING INDEX .* \\(${terms.replaceAll('?', '\\?')}\\)`),
    );
});

describe('the plans of questions to an index in SQLite', () => {
  it('go by indexes for every condition that few meet', async () => {
    const { database, index } = await openAsked(1);
    for (const [what, options] of [
      ...QUESTIONS,
      ['run', { flow: 'Train', run: 'r1' }] as const,
      ['task', { flow: 'Train', run: 'r1', step: 'fit', task: '1' }] as const,
    ]) {
      const statements = recordStatements(database);
      expect([what, await allOf(index.find(options))]).toMatchObject([what, [{ step: 'fit' }]]);
      expect(await wholeSteps(database, statements, true)).toEqual([]);
    }
  });

  it('go by the time of attempts, and sort none, for every condition that many meet', async () => {
    const { database, index } = await openAsked(MANY);
    for (const [what, options] of QUESTIONS) {
      const statements = recordStatements(database);
      expect([what, await allOf(index.find({ ...options, limit: 2 }))]).toMatchObject([
        what,
        [{ task: `${MANY}` }, { task: `${MANY - 1}` }],
      ]);
      expect(await wholeSteps(database, statements, false)).toEqual([]);
    }
  });

  it.each<[string, FindOptions]>([
    ['a tag', { tag: 'daily' }],
    ['a key', { key: KEY }],
    ['a number', { metadata: { auc: { gt: 0.5 } } }],
  ])('begin with the few that have %s, and not with all of a step', async (_, options) => {
    const { database, index } = await openAsked(1);
    const statements = recordStatements(database);
    const all = { flow: 'Train', step: 'fit', status: 'done', since: new Date(0), ...options } as const;
    expect(await allOf(index.find(all))).toHaveLength(1);
    const pages = statements.filter(({ text }) => text.startsWith('select a.*'));
    expect(pages.length).toBeGreaterThan(0);
    for (const { text } of pages)
      expect(await planOf(database, text)).toContain('SEARCH a USING INTEGER PRIMARY KEY (rowid=?)');
  });

  it('find the tasks of a run by its names, and not by time', async () => {
    const { database, index } = await openAsked(1);
    const statements = recordStatements(database);
    await allOf(index.find({ flow: 'Train', run: 'r1' }));
    const pages = statements.filter(({ text }) => text.startsWith('select a.*'));
    for (const { text } of pages)
      expect(await planOf(database, text)).toContainEqual(
        expect.stringMatching(/SEARCH a .*\(flow=\? AND run=\?/),
      );
    expect(pages.length).toBeGreaterThan(0);
  });

  it.each<[string, UsageOptions]>([
    ['a flow', { flow: 'Train' }],
    ['a run', { flow: 'Train', run: 'r1' }],
  ])('count the bytes of %s by its attempts, and who else has them by their keys', async (_, options) => {
    const { database, index } = await openAsked(1);
    const statements = recordStatements(database);
    expect(await allOf(index.usage(options))).toHaveLength(1);
    const [text] = statements.map((each) => each.text).filter((each) => each.startsWith('with used'));
    const plan = await planOf(database, text as string);
    expect(plan.filter((step) => /^SCAN [ax]\b/.test(step))).toEqual([]);
    expect(plan).toContainEqual(expect.stringMatching(/SEARCH a USING .*\(flow=\?/));
    expect(plan).toContainEqual(expect.stringMatching(/SEARCH x USING .*artifacts_by_key \(key=\?/));
  });

  it('tell the figures of runs by their attempts, and by the keys of what these have', async () => {
    const { database, index } = await openAsked(1);
    const statements = recordStatements(database);
    expect(await allOf(index.figures([{ flow: 'Train', run: 'r1' }]))).toHaveLength(1);
    const [text] = statements.map((each) => each.text).filter((each) => each.startsWith('with asked'));
    const plan = await planOf(database, text as string);
    expect(plan.filter((step) => /^SCAN (?!json_each|candidates|c\b)/.test(step))).toEqual([]);
    for (const step of [
      /^SEARCH a USING .*\(flow=\? AND run=\?\)/,
      /^SEARCH x USING PRIMARY KEY \(attempt_id=\?\)/,
      /^SEARCH x USING INDEX artifacts_by_key \(key=\?\)/,
      /^SEARCH u USING .*\(flow=\? AND run=\? AND step=\? AND task=\? AND attempt=\?\)/,
    ])
      expect(plan).toContainEqual(expect.stringMatching(step));
    expect(plan.filter((step) => step.includes('ORDER BY'))).toEqual([]);
  });

  it('tell how often results were found by the attempts that made one, and those that read them', async () => {
    const { database, index } = await openAsked(1);
    const statements = recordStatements(database);
    await allOf(index.cacheFigures());
    const [text] = statements.map((each) => each.text).filter((each) => each.startsWith('with made'));
    const plan = await planOf(database, text as string);
    expect(plan.filter((step) => /^SCAN (?:attempts|[rm])\b/.test(step))).toEqual([]);
    for (const step of [
      /^SEARCH attempts USING INDEX attempts_by_cache_key \(cache_key>\?\)/,
      /^SEARCH r USING .*reads_by_source \(flow=\? AND run=\? AND step=\? AND task=\? AND attempt=\?\)/,
      /^SEARCH m USING INTEGER PRIMARY KEY/,
    ])
      expect(plan).toContainEqual(expect.stringMatching(step));
  });
});
