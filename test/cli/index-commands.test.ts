import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { loadSqlite } from '../../src/storage/sql/sqlite/library.ts';
import type { FiguredRun } from '../../src/store-index/run-figures.ts';
import { select } from '../store-index/indexes.ts';
import { json, noise, scratchFolder, stowage } from './fixture.ts';

const folder = scratchFolder();
const store = join(folder, 'store');
const AT = ['--index', join(folder, 'index.db')];

beforeAll(async () => {
  for (const flowName of ['Train', 'Other']) {
    await using flow = await FlowDataStore.open({ flowName, storage: store });
    await flow.createRun({ runId: 'run-1', tags: ['nightly'] });
    await flow.task({ runId: 'run-1', stepName: 'load', taskId: '0' }, (task) =>
      task.saveArtifacts({ rows: noise(50_000) }),
    );
  }
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
  const load = await flow.getTaskDataStore('run-1/load/0');
  for (const [taskId, auc] of Object.entries({ 0: 0.91, 1: 0.5 }))
    await flow.task({ runId: 'run-1', stepName: 'fit', taskId }, async (task) => {
      await task.passdownPartial(load, ['rows']);
      await task.saveArtifacts({ model: { auc } });
      await task.saveMetadata({ scores: { auc }, lang: 'en' });
    });
});

describe('stowage index', () => {
  it('makes the index, reads only what is new, and makes it anew', async () => {
    const at = ['--index', join(folder, 'made.db')];
    const first = await stowage(store, ['index', ...at]);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout).toBe(`${at[1]}: read 2 runs, 4 attempts, 0 entries of the cache\n`);
    const second = await json(store, ['index', ...at]);
    expect(second).toMatchObject({ path: at[1], isWhole: true, full: false, unreadable: 0 });
    expect(await json(store, ['index', '--rebuild', ...at])).toMatchObject({
      runs: 2,
      attempts: 4,
      full: true,
    });
    expect((await json(store, ['index', '--full', ...at])).full).toBe(true);
  });
});

describe('stowage find', () => {
  it('finds by metadata, whole and as JSON', async () => {
    const found = await stowage(store, ['find', 'Train', '--metadata', 'scores.auc>0.9', ...AT]);
    expect(found).toMatchObject({ code: 0, stderr: '' });
    expect(found.stdout).toMatch(
      /^ATTEMPT +STATUS +scores\.auc .*\nTrain\/run-1\/fit\/0\/0 +done +0\.91 .*model/,
    );
    expect(found.stdout.trimEnd().split('\n')).toHaveLength(2);
    const { attempts, caughtUpAt, isCut } = await json(store, ['find', '--metadata', 'lang=en', ...AT]);
    expect(attempts.map(({ pathspec }: { pathspec: string }) => pathspec).sort()).toEqual([
      'Train/run-1/fit/0/0',
      'Train/run-1/fit/1/0',
    ]);
    expect(Date.parse(caughtUpAt)).toBeGreaterThan(0);
    expect(isCut).toBe(false);
  });

  it.each([
    [['Train/run'], 3],
    [['Train/latest', '--step', 'fit'], 2],
    [['Train/run-1/fit/1'], 1],
    [['--metadata', 'scores.auc>=0.5', '--metadata', 'scores.auc<0.9'], 1],
    [['--metadata', 'scores.auc>=.5 ', '--metadata', 'scores.auc <.9'], 1],
    [['--metadata', 'scores.auc', '--tag', 'nightly'], 2],
    [['--metadata', 'lang="en"', '--artifact', 'rows'], 2],
    [['--artifact', 'model', '--type', 'object'], 2],
    [['--status', 'failed'], 0],
    [['--since', '1h', '--all-attempts'], 4],
  ])('finds by %j', async (conditions, count) => {
    expect((await json(store, ['find', ...conditions, ...AT])).attempts).toHaveLength(count);
  });

  it('says that there are more, and that nothing matches', async () => {
    const cut = await stowage(store, ['find', '-n', '2', ...AT]);
    expect(cut.stdout.trimEnd().split('\n')).toHaveLength(3);
    expect(cut.stderr).toContain('--limit all');
    expect((await stowage(store, ['find', '-n', '4', ...AT])).stderr).toBe('');
    expect((await stowage(store, ['find', 'Nothing', ...AT])).stderr).toContain('no attempt matches');
  });
});

describe('stowage lineage', () => {
  it('draws what came from what, and tells links as JSON', async () => {
    const of = 'Train/latest/load/0';
    const { stdout, code } = await stowage(store, ['lineage', of, ...AT]);
    expect(code).toBe(0);
    expect(stdout.replaceAll(/ +/g, ' ')).toBe(
      'Train/run-1/load/0/0 done\n└─ used by\n ├─ Train/run-1/fit/0/0 done read\n └─ Train/run-1/fit/1/0 done read\n',
    );
    const up = await json(store, ['lineage', 'Train/run-1/fit/0', '--up', 'all', ...AT]);
    expect(up.links).toMatchObject([
      { direction: 'start', pathspec: 'Train/run-1/fit/0/0' },
      { direction: 'up', depth: 1, pathspec: 'Train/run-1/load/0/0', use: 'read' },
    ]);
    const none = await stowage(store, ['lineage', 'Train/run-1/fit/0', '--down', '1', ...AT]);
    expect(none.stderr).toContain('no link');
  });

  it('takes the key of a content, and says where it ends', async () => {
    const { attempts } = await json(store, ['find', 'Other', ...AT]);
    const key = attempts[0].artifacts[0].key.slice(0, 12);
    const { links } = await json(store, ['lineage', key, '--up', '0', ...AT]);
    expect(links).toHaveLength(4);
    const cut = await stowage(store, ['lineage', key, '-n', '1', ...AT]);
    expect(cut.stderr).toContain('more links');
  });
});

describe('stowage runs --figures', () => {
  it('tells what runs saved, as du does, what of it was new, and their hits of the cache', async () => {
    const cached = join(folder, 'cached');
    await using flow = await FlowDataStore.open({ flowName: 'Train', storage: cached });
    const twice = flow.cachedTask({ name: 'twice', version: '1', run: async (n: number) => 2 * n });
    for (const runId of ['run-1', 'run-2']) {
      await flow.createRun({ runId });
      await flow.task({ runId, stepName: 'load', taskId: '0' }, async (task) => {
        await task.saveArtifacts({
          rows: noise(50_000),
          n: [await twice(1), await twice(Number(runId.at(-1)))],
        });
      });
    }
    await flow.createRun({ runId: 'run-3' });
    const at = ['--index', join(folder, 'cached.db')];
    const { stdout, code } = await stowage(cached, ['runs', '--figures', ...at]);
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(
      lines.map((line) => line.replaceAll(/ {2,}/g, '|').replace(/\|(just now|\d+ s ago)\|/, '|')),
    ).toEqual([
      'RUN|STATUS|CREATED|SIZE|NEW|HITS',
      'Train/run-3|open|0 B|0 B',
      expect.stringMatching(/^Train\/run-2\|open\|50\.0 kB\|0 B\|1 of 2/),
      expect.stringMatching(/^Train\/run-1\|open\|50\.0 kB\|50\.\d kB\|0 of 1/),
    ]);
    const asked = await json(cached, ['runs', '--figures', '--no-update', ...at]);
    expect(Date.parse(asked.caughtUpAt)).toBeGreaterThan(0);
    const [none, second, first] = asked.runs.map((run: FiguredRun) => run.figures);
    const nothing = { artifacts: 0, bytes: 0, newBytes: 0, cachedResults: 0, cacheHits: 0 };
    expect(none).toEqual(nothing);
    const { entries, total } = await json(cached, ['du', 'Train', '--by', 'run', ...at]);
    expect(first.newBytes + second.newBytes).toBe(total.ownBytes);
    for (const [name, { artifacts, bytes }] of Object.entries({
      'Train/run-1': first,
      'Train/run-2': second,
    }))
      expect(entries).toContainEqual(expect.objectContaining({ name, artifacts, bytes }));
    const plain = await json(cached, ['runs']);
    expect(plain.runs.map((run: FiguredRun) => run.figures)).toEqual([undefined, undefined, undefined]);
    await flow.createRun({ runId: 'run-4' });
    const stale = await json(cached, ['runs', '-n', '1', '--figures', '--no-update', ...at]);
    expect(stale.runs).toMatchObject([{ run: 'run-4' }]);
    expect(stale.runs[0].figures).toBeUndefined(); // the index does not know it, which is not to say that it has nothing
  });

  it('shows the runs where there is no index, and says how one is made', async () => {
    const none = ['--no-update', '--index', join(folder, 'none.db')];
    const { code, stdout, stderr } = await stowage(store, ['runs', '--figures', ...none]);
    expect([code, stdout.trimEnd().split('\n').length]).toEqual([3, 3]);
    expect(stderr).toContain('make it with: stowage index');
    const told = JSON.parse((await stowage(store, ['runs', '--figures', '--json', ...none])).stdout);
    expect(told.figuresFailure).toEqual({ code: 'INDEX_NOT_READY', message: expect.any(String) });
    expect((await stowage(store, ['runs', ...none])).code).toBe(2);
  });
});

describe('stowage cache stats --figures', () => {
  it('tells hits and misses by task, those of all runs together, and of tasks whose entries are gone as well', async () => {
    const cached = join(folder, 'found');
    await using flow = await FlowDataStore.open({ flowName: 'Train', storage: cached });
    const twice = flow.cachedTask({ name: 'twice', version: '1', run: async (n: number) => 2 * n });
    const thrice = flow.cachedTask({ name: 'thrice', version: '1', run: async (n: number) => 3 * n });
    for (const runId of ['run-1', 'run-2'])
      for (const n of [1, Number(runId.at(-1))]) await twice(n, { runId, recordHit: true });
    await thrice(1, { runId: 'run-1' });
    const at = ['--index', join(folder, 'found.db')];
    const none = await stowage(cached, ['cache', 'stats', '--figures', '--no-update', ...at]);
    expect([none.code, none.stderr]).toEqual([3, expect.stringContaining('make it with: stowage index')]);
    expect(none.stdout).toMatch(/^twice +2 /m);
    const told = await stowage(cached, ['cache', 'stats', '--figures', '--no-update', '--json', ...at]);
    expect(JSON.parse(told.stdout).figuresFailure.code).toBe('INDEX_NOT_READY');
    await stowage(cached, ['cache', 'evict', '--task', 'thrice', '--yes']);
    const { stdout, code } = await stowage(cached, ['cache', 'stats', '--figures', ...at]);
    expect(code).toBe(0);
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/));
    expect(rows.map((row) => [row[0], row[1], ...row.slice(-3, -1)])).toEqual([
      ['TASK', 'ENTRIES', 'HITS', 'MISSES'],
      ['thrice', '0', '0', '1'],
      ['twice', '2', '1', '2'],
      ['all', '2', '1', '3'],
    ]);
    const { total, tasks, caughtUpAt } = await json(cached, [
      'cache',
      'stats',
      '--figures',
      '--no-update',
      ...at,
    ]);
    expect(Date.parse(caughtUpAt)).toBeGreaterThan(0);
    expect(tasks).toMatchObject([
      { task: 'thrice', entries: 0, figures: { misses: 1, hits: 0, savedMs: 0 } },
      { task: 'twice', entries: 2, figures: { misses: 2, hits: 1 } },
    ]);
    expect(total.figures).toEqual({ misses: 3, hits: 1, savedMs: tasks[1].figures.savedMs });
    const { runs } = await json(cached, ['runs', '--figures', ...at]);
    const sum = (of: 'cachedResults' | 'cacheHits'): number =>
      runs.reduce((all: number, { figures }: Required<FiguredRun>) => all + figures[of], 0);
    expect([sum('cachedResults'), sum('cacheHits')]).toEqual([4, 1]);
    expect((await stowage(cached, ['cache', 'stats', ...at])).code).toBe(2);
  });
});

describe('stowage du', () => {
  it('counts own and shared bytes by flow, by run and by artifact', async () => {
    const { stdout, code } = await stowage(store, ['du', ...AT]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^FLOW +ATTEMPTS +ARTIFACTS +SIZE +OWN +SHARED\n(?:Train|Other) /);
    expect(stdout).toMatch(/\nall +4 +6 .* 0 B\n$/);
    const flow = await json(store, ['du', 'Train', ...AT]);
    expect(flow).toMatchObject({ by: 'run', path: 'Train', entries: [{ name: 'Train/run-1', ownBytes: 0 }] });
    expect(flow.entries[0].sharedBytes).toBeGreaterThan(50_000);
    const run = await json(store, ['du', 'Train/latest', '-n', '1', ...AT]);
    expect(run).toMatchObject({
      by: 'artifact',
      entries: [{ name: 'rows' }],
      isCut: true,
      total: { name: 'all' },
    });
    expect((await stowage(store, ['du', 'Nothing', ...AT])).stderr).toContain('no artifacts there');
  });
});

describe('stowage sql', () => {
  const TASKS = 'select flow, step, task, label from attempts order by flow, step, task';

  it('shows a table, in which nothing is told from empty text', async () => {
    const { stdout, stderr, code } = await stowage(store, ['sql', TASKS, ...AT]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.replaceAll(/ +/g, ' ')).toBe(
      'flow step task label\nOther load 0 null\nTrain fit 0 null\nTrain fit 1 null\nTrain load 0 null\n',
    );
    const one = await stowage(store, ['sql', "select 'a b' as text", ...AT]);
    expect(one.stdout).toBe('text\na b\n');
    const numbers = await stowage(store, ['sql', 'values (1, 10), (100, null)', ...AT]);
    expect(numbers.stdout).toBe('column1  column2\n      1       10\n    100     null\n');
  });

  it('writes JSON, whole numbers that have no exact one and bytes as text', async () => {
    const text = "select 1 as a, 9007199254740993 as b, x'00ff' as c, null as d, 'é' as e";
    const answer = await json(store, ['sql', text, ...AT]);
    expect(answer).toEqual({
      caughtUpAt: expect.stringMatching(/^\d{4}-/),
      rows: [{ a: 1, b: '9007199254740993', c: 'AP8=', d: null, e: 'é' }],
      isCut: false,
    });
    expect(await json(store, ['sql', 'select * from runs where 1 = 2', ...AT])).toMatchObject({
      rows: [],
      isCut: false,
    });
    expect(await json(store, ['sql', TASKS, '-n', '2', ...AT])).toMatchObject({
      rows: [{ flow: 'Other' }, { step: 'fit' }],
      isCut: true,
    });
  });

  it('writes CSV', async () => {
    const text = "select 'a,b' as \"x;y\", 1 as n, null as z, '' as e union all select 'c', 2, 3, 'd'";
    const { stdout } = await stowage(store, ['sql', text, '--format', 'csv', ...AT]);
    expect(stdout).toBe('x;y,n,z,e\r\n"a,b",1,,""\r\nc,2,3,d\r\n');
  });

  it('says that there are more rows, or none', async () => {
    const numbers =
      'with recursive n (n) as (select 1 union all select n + 1 from n limit 2500) select n from n';
    const cut = await stowage(store, ['sql', numbers, ...AT]);
    expect(cut.stdout.trimEnd().split('\n')).toHaveLength(1_001);
    expect(cut.stderr.replaceAll(/\s+/g, ' ')).toContain('more than 1,000 rows; all of them: --limit all');
    const all = await stowage(store, ['sql', numbers, '--limit', 'all', ...AT]);
    expect(all.stderr).toBe('');
    expect(all.stdout.split('\n').filter((line) => /\d/.test(line))).toHaveLength(2_500);
    const none = await stowage(store, ['sql', 'select * from runs where 1 = 2', ...AT]);
    expect(none).toMatchObject({ code: 0, stdout: '' });
    expect(none.stderr).toContain('no such row');
  });

  it('catches the index up first', async () => {
    const count = 'select count(*) as n from attempts';
    const [{ n }] = (await json(store, ['sql', count, ...AT])).rows;
    await using flow = await FlowDataStore.open({ flowName: 'New', storage: store });
    await flow.task({ runId: 'r', stepName: 's', taskId: '0' }, (task) => task.saveArtifacts({ x: 1 }));
    expect((await json(store, ['sql', count, '--no-update', ...AT])).rows).toEqual([{ n }]);
    expect((await json(store, ['sql', count, ...AT])).rows).toEqual([{ n: n + 1 }]);
  });
});

describe('--no-update', () => {
  it('asks the index as it is, and says how old it is', async () => {
    const at = ['--index', join(folder, 'old.db'), '--no-update'];
    const missing = await stowage(store, ['find', ...at]);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain('stowage index');
    expect(existsSync(at[1] as string)).toBe(false);
    await stowage(store, ['index', ...at.slice(0, 2)]);
    await using flow = await FlowDataStore.open({ flowName: 'Later', storage: store });
    await flow.task({ runId: 'r', stepName: 's', taskId: '0' }, (task) => task.saveArtifacts({ x: 1 }));
    const old = await stowage(store, ['find', 'Later', ...at]);
    expect(old).toMatchObject({ code: 0, stdout: '' });
    expect(old.stderr).toMatch(/the index was caught up (?:just now|.* ago)\./);
    expect((await json(store, ['find', 'Later', ...at.slice(0, 2)])).attempts).toHaveLength(1);
  });
});

describe('a file that is no index of the store', () => {
  it('is told with what to do, and left as it is', async () => {
    const other = join(folder, 'other');
    await using flow = await FlowDataStore.open({ flowName: 'Other', storage: other });
    await flow.createRun({ runId: 'r' });
    const at = (name: string): string[] => ['--index', join(folder, name)];
    expect((await stowage(other, ['index', ...at('other.db')])).code).toBe(0);
    const theirs = (await loadSqlite()).open(join(folder, 'theirs.db'), { readOnly: false });
    theirs.exec('create table theirs (x int)');
    theirs.close();
    expect((await stowage(store, ['index', ...at('newer.db')])).code).toBe(0);
    const newer = (await loadSqlite()).open(join(folder, 'newer.db'), { readOnly: false });
    newer.exec('update stowage_index set schema_version = 99');
    newer.close();
    writeFileSync(join(folder, 'notes.txt'), 'no database\n'.repeat(100));
    // The bytes of an index change where what lies in its log comes into the file.
    const contentOf = async (name: string): Promise<unknown> => {
      const isIndex = name === 'other.db' || name === 'newer.db';
      const path = join(folder, name);
      return isIndex ? select(path, 'select * from stowage_index') : readFileSync(path);
    };
    for (const [name, code, says] of [
      ['other.db', 2, /is of another store .* name another file, or remove that one/],
      ['theirs.db', 2, /of another program; give the index a file of its own/],
      ['notes.txt', 2, /is no database .* give the index a file of its own/],
      ['newer.db', 1, /made by a newer release of Stowage .* install that, or name another file/],
    ] as const) {
      const before = await contentOf(name);
      for (const args of [
        ['index'],
        ['index', '--rebuild'],
        ['find'],
        ['sql', 'select 1'],
        ['du', '--no-update'],
      ]) {
        const ended = await stowage(store, [...args, ...at(name)]);
        expect(ended.stderr.replaceAll(/\s+/g, ' '), `${args} ${name}`).toMatch(says);
        expect(ended).toMatchObject({ code, stdout: '' });
      }
      expect(await contentOf(name)).toEqual(before);
    }
  });
});

describe('what cannot be asked', () => {
  it.each([
    [['find', '--metadata', '>3'], 'such as auc>0.9'],
    [['find', '--metadata', 'a!=3'], 'such as auc>0.9'],
    [['find', '--metadata', 'a==3'], 'such as auc>0.9'],
    [['find', '--metadata', 'a>1', '--metadata', 'a>2'], 'twice'],
    [['find', 'Train/run-1/fit', '--step', 'fit'], 'one of them'],
    [['find', '--key', 'abc'], 'no key of content'],
    [['find', '--limit', '0'], '--limit'],
    [['lineage', 'Train/run-1'], 'too short'],
    [['lineage', 'zzzz'], 'no key of content'],
    [['lineage', 'Train/run-1/fit/0', '--up', 'x'], '--up'],
    [['du', 'Train/run-1/fit'], 'too long'],
    [['du', '--limit', 'all'], '--limit'],
    [['sql', 'delete from runs'], 'syntax error'],
    [['sql', 'select 1; delete from runs'], 'one statement'],
    [['sql', 'select 1', '--limit', '0'], '--limit'],
    [['sql', 'select 1', '--format', 'csv', '--json'], 'two forms'],
    [['index', '--full', '--rebuild'], 'leave --full out'],
  ])('refuses %j', async (args, message) => {
    const ended = await stowage(store, [...args, ...AT]);
    expect(ended.stderr.replaceAll(/\s+/g, ' ')).toContain(message);
    expect(ended.code).toBe(2);
  });
});
