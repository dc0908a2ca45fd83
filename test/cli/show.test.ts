import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { json, makeStore, RUN, scratchFolder, stowage } from './fixture.ts';

const scratch = scratchFolder();
let store: string;
beforeAll(async () => {
  store = await makeStore(scratch);
});

describe('stowage show', () => {
  it('draws a run as a tree, steps in the order in which they began', async () => {
    const { code, stdout, stderr } = await stowage(store, ['show', RUN]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      /^Train\/2026-01-31T08:00:00Z\ndone, created .*, took .*\ntags: demo, nightly\nepochs = 3\n\n/,
    );
    const tree = stdout.split('\n\n')[1] as string;
    expect(tree.split('\n').map((line) => line.replace(/^([│├└─ ]*(?:Error: )?\S+).*$/, '$1'))).toEqual([
      '├─ load',
      '│  └─ 0',
      '│     ├─ raw',
      '│     ├─ note',
      '│     └─ rows',
      '├─ fit',
      '│  ├─ 2',
      '│  │  ├─ weights',
      '│  │  └─ metrics',
      '│  ├─ 10',
      '│  │  ├─ weights',
      '│  │  └─ metrics',
      '│  └─ drama',
      '│     ├─ attempt',
      '│     └─ metrics',
      '└─ report',
      '   ├─ 0',
      '   └─ 1',
      '      ├─ Error: boom',
      '      └─ partial',
      '',
    ]);
    expect(tree).toMatch(/raw +300 kB +Uint8Array +30\d kB/);
    expect(tree).toMatch(/─ drama +done .*\n│ +├─ attempt 1, 1 failed before: RangeError: diverged\n/);
    expect(tree).toMatch(/─ 0 +open/);
  });

  it('shows one step', async () => {
    const { stdout } = await stowage(store, ['show', `${RUN}/fit`]);
    expect(stdout).toMatch(/└─ fit/);
    expect(stdout).not.toMatch(/report/);
  });

  it('shows a task with its attempts, error, metadata, artifacts and logs', async () => {
    const { stdout } = await stowage(store, ['show', `${RUN}/load/0`]);
    expect(stdout).toMatch(
      /ATTEMPT +STATUS[\s\S]*Metadata\nurl = "http:\/\/example.org"\n[\s\S]*Artifacts\n[\s\S]*Logs\nLOG +STREAM +SIZE/,
    );
    expect(stdout).toMatch(/^raw +Uint8Array +300 kB +30\d kB +raw +[0-9a-f]{12}$/m);
    expect(stdout).toMatch(/^task +stdout/m);
    const failed = await stowage(store, ['show', `${RUN}/fit/drama/0`]);
    expect(failed.code).toBe(0);
    expect(failed.stdout).toMatch(
      /Error of attempt 0\nRangeError: diverged\n[\s\S]*caused by TypeError: NaN in layer 3/,
    );
    const named = await stowage(store, ['show', `${RUN}/fit/drama`, '--attempt', '0']);
    // A second may have passed in between.
    const timeless = (text: string): string =>
      text.replace(/just now|\d+ s ago/g, 'then').replace(/ +/g, ' ');
    expect(timeless(named.stdout)).toBe(timeless(failed.stdout));
  });

  it('tells the traces and checkpoints of an attempt: names, counts, sizes', async () => {
    const folder = join(scratch, 'traced');
    const flow = await FlowDataStore.open({ flowName: 'F', storage: folder });
    const task = await flow.createTaskDataStore({ runId: 'r', stepName: 's', taskId: '0' });
    const fetch = task.trace('fetch', (page: number) => 'x'.repeat(page));
    for (const page of [10, 20]) await fetch(page);
    const refuse = task.trace('refuse', () => {
      throw Object.assign(new Error('no'), { recoverable: false });
    });
    await refuse().catch(() => {});
    const words = task.trace('words', async function* () {
      yield* ['a', 'b'];
    });
    for await (const _word of words()) break;
    await task.checkpoint.save({ epoch: 1 });
    await task.checkpoint.save(new Uint8Array(1_000));
    await task.fail(new Error('stopped'));
    await flow.close();
    const { stdout } = await stowage(folder, ['show', 'F/r/s/0']);
    expect(stdout.replace(/ +/g, ' ')).toMatch(
      /Checkpoints\nCHECKPOINT SAVED TYPE SIZE\n0 .* object \d+ B\n1 .* Uint8Array 1.0 kB\n$/,
    );
    const [, table = ''] = stdout.split('Traces\n');
    expect(table.replace(/ +/g, ' ')).toMatch(
      /^TRACE CALLS ERRORS PARTIAL SIZE\nfetch 2 0 0 30 B\nrefuse 1 1 0 \d+ B\nwords 1 0 1 \d+ B\n/,
    );
    const shown = JSON.parse((await stowage(folder, ['show', 'F/r/s/0', '--json'])).stdout);
    expect(shown.traces[0]).toEqual({ trace: 'fetch', calls: 2, errors: 0, partial: 0, bytes: 30 });
    expect(shown.checkpoints[1]).toEqual({
      checkpoint: 1,
      savedAt: expect.stringMatching(/Z$/),
      type: 'Uint8Array',
      bytes: 1_000,
    });
    expect(shown.unread).toBe(0);
  });

  it('tells an error whole, and its stack where it is asked for', async () => {
    const path = `${RUN}/fit/drama/0`;
    const { stdout } = await stowage(store, ['show', path]);
    expect(stdout).toContain(
      'RangeError: diverged\ncaused by TypeError: NaN in layer 3\nwith stacks: --stack\n',
    );
    expect(stdout).not.toMatch(/^ +at /m);
    const stacked = (await stowage(store, ['show', path, '--stack'])).stdout;
    expect(stacked).toMatch(/^RangeError: diverged\n( +at .*\n)+caused by TypeError: NaN in layer 3\n +at /m);
    expect(stacked).not.toContain('--stack');
    expect((await stowage(store, ['show', RUN, '--stack'])).stderr).toContain('--stack is for one task');
  });

  it('cuts no message in a narrow terminal, neither of a run nor of earlier attempts', async () => {
    const folder = join(scratch, 'long-messages');
    const flow = await FlowDataStore.open({ flowName: 'F', storage: folder });
    const message =
      'the service did not answer within the time that it was given, five times in a row, and why is below';
    for (const text of [message, 'again', message]) {
      const work = () => Promise.reject(new Error(`${text}\nline two`));
      await flow.task({ runId: 'r', stepName: 's', taskId: '0' }, work).catch(() => {});
    }
    await flow.close();
    for (const columns of [80, 40]) {
      const oneLine = async (...args: string[]): Promise<string> => {
        const { stdout } = await stowage(folder, args, { columns });
        for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(columns);
        return stdout.replace(/[\s│]+/g, ' ');
      };
      expect(await oneLine('show', 'F/r')).toContain(`Error: ${message} line two`);
      const shown = await oneLine('show', 'F/r/s/0');
      expect(shown.split(`Error: ${message} line two`)).toHaveLength(3);
      expect(await oneLine('ls', 'F/r/s', '--status', 'failed')).toContain(`Error: ${message} line two`);
      expect(shown).toMatch(/Error: again(?: |\\n)line two/);
    }
  });

  it('folds a step of many tasks: counts, the first, those that failed, and how to see all', async () => {
    const folder = join(scratch, 'many');
    const flow = await FlowDataStore.open({ flowName: 'F', storage: folder });
    const tasks = Array.from({ length: 40 }, (_, index) => index);
    await Promise.all(
      tasks.map((index) =>
        flow
          .task({ runId: 'a run', stepName: 'judge', taskId: String(index) }, async (task) => {
            if (index === 30) throw new Error('no answer');
            await task.saveArtifacts({ score: index });
          })
          .catch(() => {}),
      ),
    );
    await flow.task({ runId: 'a run', stepName: 'report', taskId: '0' }, (task) =>
      task.saveArtifacts({ mean: 1 }),
    );
    await flow.close();
    const { stdout, stderr } = await stowage(folder, ['show', 'F/a run']);
    expect(stderr).toBe("stowage: all tasks: stowage show --all 'F/a run'\n");
    expect(stdout.split('\n').length).toBeLessThan(30);
    expect(stdout).toContain('├─ judge: 40 tasks, 39 done, 1 failed\n');
    expect(stdout).toMatch(
      /─ 4 +done.*\n.*score.*\n.*─ 30 +failed.*\n.*Error: no answer\n.*─ 34 more, all done\n/,
    );
    expect(stdout).toMatch(/mean/);
    const all = await stowage(folder, ['show', '--all', 'F/a run']);
    expect(all.stderr).toBe('');
    expect(all.stdout.match(/score/g)).toHaveLength(39);
    const { steps } = await json(folder, ['show', 'F/a run']);
    expect(steps[0].tasks).toHaveLength(40);
    expect((await stowage(folder, ['show', '--all', 'F/a run/judge/0'])).code).toBe(2);
  });

  it('lists tasks in a line each, and goes on page by page', async () => {
    const { code, stdout, stderr } = await stowage(store, ['show', RUN, '--brief']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [, head, table = ''] = /^([\s\S]*?)\n\n([\s\S]*)$/.exec(stdout) ?? [];
    expect(head).toMatch(/^Train\/2026-01-31T08:00:00Z\ndone, /);
    const lines = table.trimEnd().split('\n');
    expect(lines.map((line) => line.split(/ +/)[0])).toEqual([
      'TASK',
      'load/0',
      ...['fit/2', 'fit/10', 'fit/drama'],
      ...['report/0', 'report/1'],
    ]);
    expect(lines[4]).toMatch(/ done +2 .* 1 +\d+ B$/);
    expect(lines[6]).toMatch(/ failed .* Error: boom$/);

    const first = await stowage(store, ['show', RUN, '--brief', '-n', '3']);
    expect(first.stdout).toMatch(/load\/0[\s\S]*fit\/2[\s\S]*report\/0/);
    expect(first.stderr).toBe(`stowage: there are more tasks: stowage show ${RUN} --brief --offset 3\n`);
    const page = await json(store, ['show', RUN, '--brief', '-n', '2', '--offset', '3']);
    expect(page).toMatchObject({
      flow: 'Train',
      parameters: { epochs: 3 },
      steps: [
        { step: 'fit', total: 3, tasks: [{ task: '10', started: 1, attempts: [{ artifacts: 2 }] }] },
        { step: 'report', total: 2, tasks: [{ task: '1', attempts: [{ error: 'Error: boom' }] }] },
      ],
      next: 5,
    });
    const step = await json(store, ['show', `${RUN}/fit`, '--brief']);
    expect(step.steps.map(({ tasks }: { tasks: unknown[] }) => tasks.length)).toEqual([3]);
    expect(step.next).toBeUndefined();
    for (const wrong of [
      [RUN, '--reads'],
      [RUN, '--offset', '3'],
      [RUN, '--brief', '--offset', 'x'],
      [RUN, '--brief', '--all'],
      [`${RUN}/load/0`, '--brief'],
    ])
      expect((await stowage(store, ['show', ...wrong])).code, wrong.join(' ')).toBe(2);
  });

  it('adds up the tasks of each step in a line', async () => {
    const { code, stdout, stderr } = await stowage(store, ['show', RUN, '--steps']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [, table = ''] = /\n\n([\s\S]*)$/.exec(stdout) ?? [];
    expect(table.split('\n').map((line) => line.replace(/ +/g, ' ').slice(0, 30))).toEqual([
      expect.stringMatching(/^STEP TASKS STATUS/),
      expect.stringMatching(/^load 1 all done /),
      expect.stringMatching(/^fit 3 all done 1 /),
      expect.stringMatching(/^report 2 1 open, 1 failed /),
      '',
    ]);
    const { steps, total } = await json(store, ['show', RUN, '--steps']);
    expect(total).toBe(6);
    expect(steps[1]).toMatchObject({ step: 'fit', total: 3, counts: { done: 3 }, retries: 1, cached: 0 });
    expect(steps[2]).toMatchObject({ counts: { open: 1, failed: 1 } });
    expect(steps[2]).not.toHaveProperty('endedAt');
    for (const wrong of [
      [RUN, '--steps', '--brief'],
      [RUN, '--steps', '--limit', '3'],
      [RUN, '--steps', '--all'],
      [`${RUN}/load/0`, '--steps'],
    ])
      expect((await stowage(store, ['show', ...wrong])).code, wrong.join(' ')).toBe(2);
  });

  it('tells in brief what tasks have read, where that is asked for', async () => {
    const folder = join(scratch, 'reads');
    await using flow = await FlowDataStore.open({ flowName: 'F', storage: folder });
    for (const taskId of ['0', '1', '2', '3'])
      await flow.task({ runId: 'r', stepName: 'fit', taskId }, (task) => task.saveArtifacts({ a: 1 }));
    await flow.task({ runId: 'r', stepName: 'join', taskId: '0' }, async (task) => {
      for (const fit of await flow.getTaskDataStores({ runId: 'r', steps: ['fit'] })) task.recordRead(fit);
    });
    const { stdout } = await stowage(folder, ['show', 'F/r/join', '--brief', '--reads']);
    expect(stdout.replace(/\s+/g, ' ')).toMatch(/read F\/r\/fit\/\d\/0, .*, and 1 more/);
    const { steps } = await json(folder, ['show', 'F/r/join', '--brief', '--reads']);
    expect(steps[0].tasks[0].attempts[0].readFrom.toSorted()).toEqual(
      ['0', '1', '2', '3'].map((task) => `F/r/fit/${task}/0`),
    );
    expect((await stowage(folder, ['show', 'F/r', '--brief'])).stdout).not.toMatch(/read F/);
  });

  it('shows at most twenty of those that failed, and counts the rest', async () => {
    const { treeOf } = await import('../../src/cli/show/tree.ts');
    const attempt = { attempt: 0, status: 'failed' as const, artifacts: [] };
    const tasks = Array.from({ length: 1000 }, (_, index) => ({ task: String(index), attempts: [attempt] }));
    const run = {
      flow: 'F',
      run: 'r',
      status: 'open' as const,
      createdAt: '',
      tags: [],
      parameters: {},
      parents: [],
    };
    const [node] = treeOf(
      { ...run, steps: [{ step: 's', total: tasks.length, tasks }] },
      { isWhole: false, width: 80 },
    );
    expect(node?.children).toHaveLength(21);
    expect(node?.children?.at(-1)?.cells[0]).toMatchObject({ text: '980 more, all failed' });
  });

  it('tells the members of an AggregateError, and the cause of each', async () => {
    const folder = join(scratch, 'members');
    const flow = await FlowDataStore.open({ flowName: 'F', storage: folder });
    const errors = [new TypeError('one', { cause: new Error('why') }), 'two'];
    const work = () => Promise.reject(new AggregateError(errors, 'both failed'));
    await flow.task({ runId: 'r', stepName: 's', taskId: '0' }, work).catch(() => {});
    await flow.close();
    const { stdout } = await stowage(folder, ['show', 'F/r/s/0']);
    expect(stdout).toMatch(
      /AggregateError: both failed\n[\s\S]*of which TypeError: one\n[\s\S]*caused by Error: why\n[\s\S]*of which Error: two/,
    );
    const shown = (await json(folder, ['show', 'F/r/s/0'])) as { attempts: { error: object }[] };
    expect(shown.attempts[0]?.error).toMatchObject({ errors: [{ message: 'one' }, { message: 'two' }] });
  });

  it('escapes control characters in stored texts', async () => {
    const { stdout } = await stowage(store, ['show', `${RUN}/load/0`]);
    expect(stdout).toContain('bad = "\\u001b]0;evil\\u0007"');
    expect(stdout).not.toContain('\x1b');
  });

  it('--json: a run, and a task', async () => {
    const run = await json(store, ['show', RUN]);
    expect(run).toMatchObject({ flow: 'Train', status: 'done', tags: ['demo', 'nightly'] });
    expect(run.steps.map(({ step }: { step: string }) => step)).toEqual(['load', 'fit', 'report']);
    const [open, failed] = run.steps[2].tasks;
    expect(open).toMatchObject({ task: '0', attempts: [{ attempt: 0, status: 'open', artifacts: [] }] });
    expect(failed.attempts[0]).toMatchObject({ status: 'failed', error: { name: 'Error', message: 'boom' } });

    const task = await json(store, ['show', `${RUN}/load/0`]);
    expect(task).toMatchObject({ flow: 'Train', step: 'load', task: '0', attempt: 0 });
    expect(task.attempts[0].artifacts.map(({ name }: { name: string }) => name)).toEqual([
      'raw',
      'note',
      'rows',
    ]);
    expect(task.attempts[0].metadata.url).toBe('http://example.org');
    expect(task.logs).toContainEqual({ source: 'runtime', stream: 'stdout', bytes: 7 });
  });

  it('shows attempts with any number that the library takes', async () => {
    const numbered = join(scratch, 'numbered');
    await using flow = await FlowDataStore.open({ flowName: 'Test', storage: numbered });
    const attempt = Number.MAX_SAFE_INTEGER;
    const task = { runId: 'r', stepName: 's', taskId: '0', attempt };
    await flow.task(task, (one) => one.saveArtifacts({ x: 1 }));
    expect(await json(numbered, ['show', `Test/r/s/0/${attempt}`])).toMatchObject({ attempt });
    expect((await stowage(numbered, ['show', 'Test/r/s/0/9007199254740993'])).code).toBe(2);
  });

  it('names what does not exist, and what was likely meant', async () => {
    for (const [path, code, said] of [
      ['Trian/x', 1, 'The store has no flow Trian. Did you mean Train?'],
      ['Train/01-31', 1, `Flow Train has no run 01-31. Did you mean 2026-01-31T08:00:00Z?`],
      [`${RUN}/fitt`, 1, `Run ${RUN} has no step fitt. Did you mean fit?`],
      [`${RUN}/fit/dramma`, 1, `Step ${RUN}/fit has no task dramma. Did you mean drama?`],
      [`${RUN}/fit/drama/7`, 1, `Task ${RUN}/fit/drama has no attempt 7; it has 0, 1.`],
      ['2026-01-31T08:00:00Z/fit', 1, `Did you mean ${RUN}?`],
      ['Train/zzzzzzzz', 1, 'Flow Train has no run zzzzzzzz. See what it has with: stowage runs Train'],
      ['Train', 2, 'Train is a flow; its runs: stowage runs Train'],
      ['', 2, 'The flow name "" cannot be used: it is empty'],
      ['Train/..', 2, 'cannot be used'],
    ] as const) {
      const { code: exit, stderr, stdout } = await stowage(store, ['show', path]);
      expect({ exit, stdout }, path).toEqual({ exit: code, stdout: '' });
      expect(stderr).toContain(said);
    }
  });
});

describe('a run that resumes another', () => {
  it('is shown with what it took over, by show, runs, ls, diff, log and report', async () => {
    const store = join(scratchFolder(), 'resumed');
    await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
    for (const [runId, options] of [
      ['r1', {}],
      ['r2', { resume: 'Train/r1', rerun: ['eval'] }],
    ] as const) {
      await flow.createRun({ runId, ...options });
      for (const stepName of ['fit', 'eval'])
        await flow.task({ runId, stepName, taskId: '0' }, (task) => task.saveArtifacts({ x: 1 }));
    }
    const shown = (await stowage(store, ['show', 'Train/r2'])).stdout;
    expect(shown).toContain('resumes: Train/r1, but for eval');
    expect(shown.match(/done, taken over/g)).toHaveLength(1);
    expect((await stowage(store, ['show', 'Train/r2/fit/0'])).stdout).toContain('from Train/r1/fit/0/0');
    expect((await stowage(store, ['runs'])).stdout).toContain('(resumes Train/r1)');
    expect((await stowage(store, ['ls', 'Train/r2/fit'])).stdout).toContain('done, taken over');
    expect((await stowage(store, ['diff', 'Train/r1', 'Train/r2'])).stdout).toContain('resumes');
    expect(await json(store, ['show', 'Train/r2'])).toMatchObject({ resumes: 'Train/r1', rerun: ['eval'] });
    expect(await json(store, ['show', 'Train/r2/fit/0'])).toMatchObject({
      attempts: [{ takenOver: 'Train/r1/fit/0/0' }],
    });
    // What it wrote lies with the task that ran.
    const origin = 'Train/r1/fit/0/0';
    for (const args of [['log'], ['log', '-f'], ['report']])
      expect((await stowage(store, [...args, 'Train/r2/fit/0'])).stderr).toContain(
        `lie with ${origin}. See: stowage ${args[0]} ${origin}`,
      );
    const named = await stowage(store, ['report', 'Train/r2/fit/0', 'loss']);
    expect([named.code, named.stderr]).toEqual([1, expect.stringContaining(`See: stowage report ${origin}`)]);
    expect((await stowage(store, ['log', 'Train/r2'])).stderr).toContain('See: stowage log Train/r1');
    // Not of what ran itself.
    expect((await stowage(store, ['log', 'Train/r2/eval/0'])).stderr).toBe('stowage: nothing was logged.\n');
    expect((await stowage(store, ['report', 'Train/r2/eval/0'])).stderr).not.toContain('taken over');
    expect((await stowage(store, ['log', 'Train/r1'])).stderr).toBe('stowage: nothing was logged.\n');
  });
});

describe('a run of which only the first tasks are read', () => {
  it('tells how many each step has, and how to see the others', async () => {
    const folder = scratchFolder();
    await using flow = await FlowDataStore.open({ flowName: 'Wide', storage: folder });
    for (const taskId of ['0', '1', '2'])
      await flow.task({ runId: 'r1', stepName: 'each', taskId }, (task) => task.saveArtifacts({ taskId }));
    const { steps } = await json(folder, ['show', 'Wide/r1', '--limit', '2']);
    expect(steps).toMatchObject([{ step: 'each', total: 3, tasks: [{ task: '0' }, { task: '1' }] }]);
    expect((await stowage(folder, ['show', 'Wide/r1', '--limit', '2'])).stderr).toContain(
      'not read: 1 task; all of them: --limit all',
    );
    expect((await stowage(folder, ['show', 'Wide/r1/each/0', '--limit', '2'])).code).toBe(2);
  });
});
