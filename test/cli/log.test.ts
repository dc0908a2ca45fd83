import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore, type OpenTaskDataStore } from '../../src/index.ts';
import { json, makeStore, RUN, scratchFolder, stowage } from './fixture.ts';
import { startStowage } from './running.ts';

const folder = scratchFolder();
let store: string;
beforeAll(async () => {
  store = await makeStore(folder);
});

describe('stowage log', () => {
  it('writes all logs of a task under headers, as they are', async () => {
    const { code, stdout } = await stowage(store, ['log', `${RUN}/load/0`]);
    expect(code).toBe(0);
    expect(stdout).toBe(
      [
        `==> ${RUN}/load/0/0 runtime stdout <==\nstarted\n`,
        `==> ${RUN}/load/0/0 task stderr <==\na warning\n`,
        `==> ${RUN}/load/0/0 task stdout <==\nloading\n\x1b[32mgreen\x1b[0m \x1b]0;evil\x07\n`,
      ].join('\n'),
    );
  });

  it('writes a single log without a header', async () => {
    const args = ['log', `${RUN}/load/0`, '--source', 'task', '--stream', 'stderr'];
    expect((await stowage(store, args)).stdout).toBe('a warning\n');
    expect((await stowage(store, ['log', `${RUN}/report`])).stdout).toBe('so far\n');
  });

  it('--json: the texts', async () => {
    const { logs } = await json(store, ['log', `${RUN}/load/0`, '--source', 'task']);
    expect(logs).toEqual([
      {
        flow: 'Train',
        run: '2026-01-31T08:00:00Z',
        step: 'load',
        task: '0',
        attempt: 0,
        source: 'task',
        stream: 'stderr',
        bytes: 10,
        text: 'a warning\n',
      },
      expect.objectContaining({ stream: 'stdout', text: 'loading\n\x1b[32mgreen\x1b[0m \x1b]0;evil\x07\n' }),
    ]);
    expect(await json(store, ['log', `${RUN}/fit`])).toEqual({ logs: [] });
  });

  it('says so where there is nothing, or not what was asked for', async () => {
    expect(await stowage(store, ['log', `${RUN}/fit`])).toMatchObject({
      code: 0,
      stdout: '',
      stderr: 'stowage: nothing was logged.\n',
    });
    const wrong = await stowage(store, ['log', `${RUN}/load/0`, '--source', 'runtim']);
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('Did you mean runtime?');
    const none = await stowage(store, ['log', `${RUN}/load/0`, '--stream', 'trace']);
    expect(none.stderr).toBe('stowage: No log has the stream trace. What there is: stdout, stderr.\n');
    expect((await stowage(store, ['log', RUN, '--attempt', '0'])).code).toBe(2);
    expect(
      (await stowage(store, ['log', RUN, '--attempt', 'latest-done', '--stream', 'stderr'])).stdout,
    ).toBe('a warning\n');
  });
});

describe('stowage log --tail', () => {
  const tail = async (path: string, ...args: string[]) =>
    (await stowage(store, ['log', path, '-n', ...args])).stdout;

  it('writes the last lines of each log', async () => {
    expect(await tail(`${RUN}/load/0`, '1', '--source', 'task')).toBe(
      [
        `==> ${RUN}/load/0/0 task stderr <==\na warning\n`,
        `==> ${RUN}/load/0/0 task stdout <==\n\x1b[32mgreen\x1b[0m \x1b]0;evil\x07\n`,
      ].join('\n'),
    );
    const stdout = [`${RUN}/load/0`, '--source', 'task', '--stream', 'stdout'] as const;
    expect(await tail(stdout[0], '2', ...stdout.slice(1))).toMatch(/^loading\n/);
    expect(await tail(stdout[0], 'all', ...stdout.slice(1))).toMatch(/^loading\n/);
    expect(await tail(stdout[0], '0', ...stdout.slice(1))).toBe('');
    expect((await stowage(store, ['log', RUN, '-n', 'x'])).code).toBe(2);
  });

  it('--json: the last lines as text, beside the length of all', async () => {
    const { logs } = await json(store, ['log', `${RUN}/load/0`, '--tail', '1', '--stream', 'stdout']);
    expect(logs.map(({ bytes, text }: { bytes: number; text: string }) => [bytes, text])).toEqual([
      [7, 'started'],
      [33, '\x1b[32mgreen\x1b[0m \x1b]0;evil\x07\n'],
    ]);
  });
});

describe('stowage log --follow', () => {
  /** A run of its own, and a task of it that is open. */
  async function openRun(runId: string): Promise<{
    flow: FlowDataStore;
    run: Awaited<ReturnType<FlowDataStore['createRun']>>;
    open: (taskId: string) => Promise<OpenTaskDataStore>;
  }> {
    const flow = await FlowDataStore.open({ flowName: 'Live', storage: join(folder, 'store') });
    const run = await flow.createRun({ runId });
    return { flow, run, open: (taskId) => flow.createTaskDataStore({ runId, stepName: 's', taskId }) };
  }

  it('a task: writes what is there, then what comes, until it is closed', async () => {
    const { open } = await openRun('task');
    const task = await open('0');
    await task.saveLogs('task', { stdout: 'first\n' });
    const following = startStowage(store, ['log', 'Live/task/s/0', '-f']);
    await following.stdout.has('first\n');
    await task.saveLogs('task', { stdout: 'second\nand ' });
    await following.stdout.has('and ');
    await task.saveLogs('task', { stdout: 'the end' });
    await task.done();
    expect(await following.ended).toBe(0);
    expect(following.stdout.text).toBe('first\nsecond\nand the end');
    expect(following.stderr.text).toBe('');
  });

  it('a task that fails: a remark tells why, and the exit code is 0', async () => {
    const { open } = await openRun('failing');
    const task = await open('0');
    const following = startStowage(store, ['log', 'Live/failing/s/0', '-f']);
    await task.saveLogs('task', { stdout: 'so far\n' });
    await task.fail(new RangeError('diverged'));
    expect(await following.ended).toBe(0);
    expect(following.stdout.text).toBe('so far\n');
    expect(following.stderr.text).toBe('stowage: Live/failing/s/0/0 failed: RangeError: diverged\n');
    const silent = await open('silent');
    await silent.done();
    expect((await stowage(store, ['log', 'Live/failing/s/silent', '-f'])).stderr).toBe(
      'stowage: nothing was logged.\n',
    );
  });

  it('-n: only the last lines of what is there, and all that comes', async () => {
    const { open } = await openRun('tail');
    const task = await open('0');
    await task.saveLogs('task', { stdout: 'a\nb\n' });
    await task.saveLogs('task', { stdout: 'c\n', stderr: 'x\n' });
    const choice = ['--source', 'task', '--stream', 'stdout'];
    const two = startStowage(store, ['log', 'Live/tail/s/0', '-f', '-n', '2', ...choice]);
    const none = startStowage(store, ['log', 'Live/tail/s/0', '-f', '-n', '0', ...choice]);
    await two.stdout.has('c\n');
    for (let count = 0; none.stdout.text === ''; count++) {
      await task.saveLogs('task', { stdout: `${count}\n` });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await task.done();
    expect(await two.ended).toBe(0);
    expect(await none.ended).toBe(0);
    expect(two.stdout.text).toMatch(/^b\nc\n0\n/);
    expect(none.stdout.text).toMatch(/^\d+\n/);
    expect(two.stdout.text).toContain(none.stdout.text);
  });

  it('a run: takes in new tasks and attempts, and ends with the run', async () => {
    const { run, open } = await openRun('run');
    const before = await open('before');
    await before.saveLogs('task', { stdout: 'before\n' });
    await before.done();
    const first = await open('0');
    await first.saveLogs('task', { stdout: 'zero' });
    const following = startStowage(store, ['log', 'Live/run', '--follow', '-n', '1']);
    await following.stdout.has('zero');
    const second = await open('1');
    await second.saveLogs('task', { stdout: 'one\ntwo\n' }); // new: all of it
    await following.stdout.has('two\n');
    await first.fail(new Error('boom'));
    await following.stderr.has('Live/run/s/0/0 failed: Error: boom');
    const again = await open('0');
    await again.saveLogs('task', { stderr: 'again\n' });
    await following.stdout.has('again\n');
    await again.done();
    await second.done();
    await following.stderr.has('Waiting for the next one, or for the end of run Live/run;');
    await run.finish();
    expect(await following.ended).toBe(0);
    expect(following.stdout.text).toBe(
      [
        '==> Live/run/s/before/0 task stdout <==\nbefore\n',
        '==> Live/run/s/0/0 task stdout <==\nzero\n',
        '==> Live/run/s/1/0 task stdout <==\none\ntwo\n',
        '==> Live/run/s/0/1 task stderr <==\nagain\n',
      ].join('\n'),
    );
  });

  it('a run that is finished: what there is, though an attempt is open', async () => {
    const { run, open } = await openRun('finished');
    await (await open('0')).saveLogs('task', { stdout: 'left open\n' });
    await run.finish('failed', { error: new Error('out of memory') });
    const { code, stdout, stderr } = await stowage(store, ['log', 'Live/finished/s', '-f']);
    expect(stderr).toBe('stowage: run Live/finished failed: Error: out of memory\n');
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: '==> Live/finished/s/0/0 task stdout <==\nleft open\n',
    });
  });

  it('--json: an object a line', async () => {
    const { open } = await openRun('json');
    const task = await open('0');
    await task.saveLogs('task', { stdout: 'one\n' });
    const following = startStowage(store, ['log', 'Live/json/s/0', '-f', '--json']);
    await following.stdout.has('one');
    await task.saveLogs('task', { stderr: 'two\n' });
    await task.fail(new Error('boom'));
    expect(await following.ended).toBe(0);
    expect(following.stderr.text).toBe('');
    const where = { flow: 'Live', run: 'json', step: 's', task: '0', attempt: 0, source: 'task' };
    expect(
      following.stdout.text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { ...where, stream: 'stdout', text: 'one\n' },
      { ...where, stream: 'stderr', text: 'two\n' },
    ]);
  });

  it('Ctrl-C ends it with 130', async () => {
    const { open } = await openRun('interrupted');
    await (await open('0')).saveLogs('task', { stdout: 'so far' });
    for (const path of ['Live/interrupted/s/0', 'Live/interrupted']) {
      const following = startStowage(store, ['log', path, '-f'], { isTerminal: true });
      await following.stdout.has('so far');
      following.interrupt();
      expect(await following.ended).toBe(130);
      expect(following.stderr.text).toBe('stowage: interrupted.\n');
    }
  });

  it('ends with what goes wrong, and follows only what can come', async () => {
    const { open } = await openRun('wrong');
    await open('0');
    expect((await stowage(store, ['log', 'Live/none', '-f'])).code).toBe(1);
    expect((await stowage(store, ['log', 'Live/wrong/s/1', '-f'])).stderr).toContain('has no task 1');
    expect((await stowage(store, ['log', 'Live/wrong', '-f', '--attempt', 'latest-done'])).code).toBe(2);
    expect((await stowage(store, ['log', 'Live/wrong', '-f', '--source', 'a.b'])).code).toBe(2);
  });
});
