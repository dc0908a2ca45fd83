import { hostname } from 'node:os';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RunView } from '../../src/views/runs.ts';
import { json, makeStore, RUN, scratchFolder, stowage } from './fixture.ts';

let store: string;
beforeAll(async () => {
  store = await makeStore(scratchFolder());
});

describe('stowage runs', () => {
  it('lists the runs of all flows, newest first, with status, age and tags', async () => {
    const { code, stdout, stderr } = await stowage(store, ['runs']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^RUN +STATUS +CREATED +TOOK +TAGS$/);
    expect(lines.slice(1).map((line) => line.split(/ +/)[0])).toEqual([
      'Other/r3',
      'Other/r2',
      'Other/r1',
      RUN,
    ]);
    expect(lines[4]).toMatch(/ done +(just now|\d+ s ago) +\d+.* demo, nightly$/);
    expect(lines[1]).toMatch(/ open /);
  });

  it('takes a flow and a limit, and says what it left out', async () => {
    const { stdout, stderr } = await stowage(store, ['runs', 'Other', '--limit', '2']);
    expect(stdout).toMatch(/r3[\s\S]*r2/);
    expect(stdout).not.toMatch(/r1|Train/);
    expect(stderr).toBe('stowage: 1 older not shown; all of them: --limit all\n');
    expect((await stowage(store, ['runs', '-n', 'all'])).stderr).toBe('');
    expect((await stowage(store, ['runs', '-n', '0'])).code).toBe(2);
  });

  it('goes on behind a run, to the oldest, so that pages of a long list have each run once', async () => {
    const all = (await json(store, ['runs'])).runs.map(({ flow, run }: RunView) => `${flow}/${run}`);
    const paged: string[] = [];
    for (let unread = 1; unread > 0; ) {
      const before = paged.length === 0 ? [] : ['--before', paged.at(-1) as string];
      const page = await json(store, ['runs', '-n', '2', ...before]);
      expect(page.total).toBe(4);
      paged.push(...page.runs.map(({ flow, run }: RunView) => `${flow}/${run}`));
      unread = page.unread;
    }
    expect(paged).toEqual(all);
    const open = await json(store, ['runs', 'Other', '--before', 'Other/r3', '--status', 'open']);
    expect(open.runs.map(({ run }: RunView) => run)).toEqual(['r2', 'r1']);
    expect(await json(store, ['runs', '--before', RUN])).toMatchObject({ unread: 0, runs: [] });
    for (const [args, code, text] of [
      [['--before', 'Other/r9'], 1, 'r9'],
      [['Train', '--before', 'Other/r1'], 1, 'none of those that are listed'],
      [['--before', 'Other'], 2, 'Other'],
    ] as const) {
      const refused = await stowage(store, ['runs', ...args]);
      expect([refused.code, refused.stderr]).toEqual([code, expect.stringContaining(text)]);
    }
  });

  it('finds runs by tag, status and age, and says what it did not look at', async () => {
    const runsWith = async (...args: string[]): Promise<string[]> =>
      (await json(store, ['runs', ...args])).runs.map(({ run }: { run: string }) => run);
    const [train] = RUN.split('/').slice(1);
    expect(await runsWith('--tag', 'nightly')).toEqual([train]);
    expect(await runsWith('--tag', 'nightly', '--tag', 'demo')).toEqual([train]);
    expect(await runsWith('--tag', 'nightly', '--tag', 'other')).toEqual([]);
    expect(await runsWith('--status', 'done')).toEqual([train]);
    expect(await runsWith('--status', 'failed')).toEqual([]);
    expect(await runsWith('--status', 'open')).toEqual(['r3', 'r2', 'r1']);
    expect(await runsWith('Other', '--status', 'open', '-n', '2')).toEqual(['r3', 'r2']);
    expect(await runsWith('--since', '1h', '--tag', 'demo')).toEqual([train]);
    expect(await runsWith('--since', new Date(Date.now() + 60_000).toISOString())).toEqual([]);

    for (const said of ['train/', 'NIGHT', 'epochs":3'])
      expect(await runsWith('--text', said), said).toEqual([train]);
    expect(await runsWith('--text', 'nothing says so')).toEqual([]);
    expect(await runsWith('--text', 'other', '--tag', 'nightly')).toEqual([]);

    const some = await stowage(store, ['runs', '--status', 'open', '-n', '1']);
    expect(some.stderr).toBe('stowage: 2 older not looked at; to look at all: --limit all\n');
    expect(await json(store, ['runs', '--status', 'open', '-n', '1'])).toMatchObject({ total: 4, unread: 2 });
    const none = await stowage(store, ['runs', '--tag', 'nigthly']);
    expect(none).toMatchObject({
      code: 0,
      stdout: '',
      stderr: 'stowage: none of 4 runs matches. Did you mean nightly?\n',
    });
    for (const wrong of [
      ['--since', 'yesterday'],
      ['--since', '2026-02-30'],
      ['--status', 'ended'],
    ]) {
      expect((await stowage(store, ['runs', ...wrong])).code, wrong.join(' ')).toBe(2);
    }
  });

  it('--json: one document', async () => {
    const { total, unread, runs } = await json(store, ['runs', 'Train']);
    expect({ total, unread }).toEqual({ total: 1, unread: 0 });
    expect(runs[0]).toEqual({
      flow: 'Train',
      run: '2026-01-31T08:00:00Z',
      status: 'done',
      createdAt: expect.stringMatching(/^\d{4}-.*Z$/),
      owner: { host: hostname(), pid: process.pid },
      finishedAt: expect.stringMatching(/^\d{4}-.*Z$/),
      durationMs: expect.any(Number),
      tags: ['demo', 'nightly'],
      parameters: { epochs: 3 },
      parents: [],
    });
  });
});

describe('stowage ls', () => {
  const firstColumn = (stdout: string): string[] =>
    stdout
      .trimEnd()
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/ +/)[0] ?? '');

  it('shows flows, runs, steps and tasks, numbers in names by value', async () => {
    const run = RUN.split('/')[1];
    for (const [path, names] of [
      [[], ['Other', 'Train']],
      [['Train'], [run]],
      [['Train/'], [run]],
      [[RUN], ['fit', 'load', 'report']],
      [[`${RUN}/fit`], ['2', '10', 'drama']],
    ] as const) {
      const { code, stdout } = await stowage(store, ['ls', ...path]);
      expect(code).toBe(0);
      expect(firstColumn(stdout)).toEqual(names);
    }
  });

  it('shows unfinished and failed tasks rather than refuse', async () => {
    const { stdout } = await stowage(store, ['ls', `${RUN}/report`]);
    expect(stdout).toMatch(/^0 +open /m);
    expect(stdout).toMatch(/^1 +failed /m);
    const steps = await json(store, ['ls', RUN]);
    expect(steps).toEqual({
      path: RUN,
      kind: 'steps',
      total: 3,
      more: 0,
      entries: [
        { step: 'fit', tasks: 3, done: 3, failed: 0, other: 0 },
        { step: 'load', tasks: 1, done: 1, failed: 0, other: 0 },
        { step: 'report', tasks: 2, done: 0, failed: 1, other: 1 },
      ],
    });
  });

  it('shows the attempts of a task, and the artifacts of the latest or of one that is named', async () => {
    const { stdout } = await stowage(store, ['ls', `${RUN}/fit/drama`]);
    expect(stdout).toMatch(/^ATTEMPT[\s\S]*0 +failed[\s\S]*1 +done[\s\S]*\n\nARTIFACT[\s\S]*metrics +object/);
    const { kind, entries } = await json(store, ['ls', `${RUN}/fit/drama`]);
    expect(kind).toBe('attempts');
    expect(entries.map(({ status }: { status: string }) => status)).toEqual(['failed', 'done']);
    const artifacts = await json(store, ['ls', `${RUN}/load/0/0`]);
    expect(artifacts.kind).toBe('artifacts');
    expect(artifacts.entries[0]).toEqual({
      name: 'raw',
      type: 'Uint8Array',
      encoding: 'bytes',
      key: expect.stringMatching(/^[0-9a-f]{64}$/),
      bytes: 300_000,
      storedBytes: expect.any(Number),
      inline: false,
      storedRatio: expect.closeTo(1, 1),
      codecs: ['raw'],
    });
  });

  it('--json: flows, runs and tasks', async () => {
    const flows = await json(store, ['ls']);
    expect(flows.kind).toBe('flows');
    expect(flows.entries[0]).toEqual({ flow: 'Other', runs: 3 });
    expect((await json(store, ['ls', '--long'])).entries[0]).toEqual({
      flow: 'Other',
      runs: 3,
      newestRunAt: expect.any(String),
    });
    expect((await json(store, ['ls', 'Other'])).entries.map(({ run }: { run: string }) => run)).toEqual([
      'r3',
      'r2',
      'r1',
    ]);
    const [task] = (await json(store, ['ls', `${RUN}/fit`])).entries;
    expect(task).toMatchObject({ task: '2', attempts: 1, attempt: 0, status: 'done', artifacts: 2 });
  });

  it('takes a limit at every level, and says what it left out', async () => {
    for (const [path, names, remark] of [
      [[], ['Other'], '1 more not shown'],
      [['Other'], ['r3'], '2 older not shown'],
      [[RUN], ['fit'], '2 more not shown'],
      [[`${RUN}/fit`], ['2'], '2 more not shown'],
      [[`${RUN}/load/0/0`], ['raw'], '2 more not shown'],
    ] as const) {
      const { code, stdout, stderr } = await stowage(store, ['ls', ...path, '-n', '1']);
      expect(code).toBe(0);
      expect(firstColumn(stdout)).toEqual(names);
      expect(stderr).toBe(`stowage: ${remark}; all of them: --limit all\n`);
      const { total, entries } = await json(store, ['ls', ...path, '-n', '1']);
      expect(total).toBeGreaterThan(entries.length);
    }
    expect((await stowage(store, ['ls', `${RUN}/fit/drama`, '-n', '1'])).stdout).toMatch(/^ +1 +done/m);
  });

  describe('--status', () => {
    const tasksOf = async (path: string, status: string): Promise<string[]> =>
      (await json(store, ['ls', path, '--status', status])).entries.map(
        ({ step, task }: { step: string; task: string }) => `${step}/${task}`,
      );

    it('finds the tasks of a status over all steps of a run, or of one step', async () => {
      expect(await tasksOf(RUN, 'failed')).toEqual(['report/1']);
      expect(await tasksOf(RUN, 'open')).toEqual(['report/0']);
      // One failed before, and is done by its latest attempt.
      expect(await tasksOf(RUN, 'done')).toEqual(['fit/2', 'fit/10', 'fit/drama', 'load/0']);
      expect(await tasksOf(`${RUN}/report`, 'failed')).toEqual(['report/1']);
      const { stdout } = await stowage(store, ['ls', RUN, '--status', 'failed']);
      expect(stdout).toMatch(/^TASK +STATUS .* ERROR\nreport\/1 +failed .* Error: boom\n$/);
      expect((await stowage(store, ['ls', `${RUN}/report`, '--status', 'failed'])).stdout).toMatch(
        /^1 +failed/m,
      );
    });

    it('finds runs, and attempts of a task', async () => {
      const runsOf = async (status: string): Promise<string[]> =>
        (await json(store, ['ls', 'Train', '--status', status])).entries.map(
          ({ run }: { run: string }) => run,
        );
      expect(await runsOf('done')).toEqual([RUN.split('/')[1]]);
      expect(await runsOf('failed')).toEqual([]);
      const { entries } = await json(store, ['ls', `${RUN}/fit/drama`, '--status', 'failed']);
      expect(entries).toMatchObject([{ attempt: 0, status: 'failed', error: { message: 'diverged' } }]);
    });

    it('says that there are none, and how many were left out', async () => {
      expect(await stowage(store, ['ls', RUN, '--status', 'abandoned'])).toMatchObject({
        code: 0,
        stdout: '',
        stderr: 'stowage: none of 6 tasks is abandoned.\n',
      });
      expect((await stowage(store, ['ls', 'Other', '--status', 'done'])).stderr).toBe(
        'stowage: none of 3 runs is done.\n',
      );
      const few = await stowage(store, ['ls', RUN, '--status', 'done', '-n', '1']);
      expect(few.stderr).toBe('stowage: 3 more not shown; all of them: --limit all\n');
      expect(await json(store, ['ls', RUN, '--status', 'done', '-n', '1'])).toMatchObject({
        kind: 'tasks',
        total: 6,
        more: 3,
      });
      expect((await stowage(store, ['ls', 'Other', '--status', 'open', '-n', '1'])).stderr).toBe(
        'stowage: 2 older not looked at; all of them: --limit all\n',
      );
    });

    it.each([
      [[], 'Flows have no status', 'failed'],
      [[`${RUN}/load/0/0`], 'Artifacts have no status', 'failed'],
      [['Train'], 'A run is open, done or failed', 'abandoned'],
      [[RUN], 'Allowed choices are open, done, failed, abandoned', 'broken'],
    ] as const)('is for what has one: ls %s', async (path, said, status) => {
      const { code, stderr } = await stowage(store, ['ls', ...path, '--status', status]);
      expect(code).toBe(2);
      expect(stderr).toContain(said);
    });
  });
});
