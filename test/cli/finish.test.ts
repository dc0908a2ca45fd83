import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { json, makeStore, RUN, scratchFolder, stowage } from './fixture.ts';

let store: string;
let flow: FlowDataStore;
beforeAll(async () => {
  store = await makeStore(scratchFolder());
  flow = await FlowDataStore.open({ flowName: 'F', storage: store });
});
afterAll(() => flow.close());

async function makeRun(runId: string, ...outcomes: ('done' | 'failed' | 'open')[]): Promise<void> {
  await flow.createRun({ runId });
  for (const [index, outcome] of outcomes.entries()) {
    const spec = { runId, stepName: 'fit', taskId: String(index) };
    if (outcome === 'open') await flow.createTaskDataStore(spec);
    else {
      const work = flow.task(spec, async () => {
        if (outcome === 'failed') throw new Error('boom');
      });
      await work.catch(() => {});
    }
  }
}

const finish = (...args: string[]): ReturnType<typeof stowage> => stowage(store, ['finish', ...args]);
const statusOf = async (runId: string): Promise<string> => (await flow.run(runId).info()).status;

describe('stowage finish', () => {
  it('records a run as done whose tasks are, and says which', async () => {
    await makeRun('good', 'done', 'done');
    expect(await finish('F/good')).toMatchObject({ code: 0, stdout: 'F/good is done\n', stderr: '' });
    expect(await statusOf('good')).toBe('done');
    await makeRun('empty');
    expect((await finish('F/empty/')).code).toBe(0);
    expect(await statusOf('empty')).toBe('done');
  });

  it('guesses no end of a run whose tasks are not all done, and writes none', async () => {
    await makeRun('mixed', 'done', 'failed', 'open');
    expect(await finish('F/mixed')).toMatchObject({
      code: 2,
      stdout: '',
      stderr:
        'stowage: 2 of 3 tasks of F/mixed are not done: fit/1 (failed), fit/2 (open). Say how the run ended, with --status done or: stowage finish F/mixed --status failed\n',
    });
    expect(await statusOf('mixed')).toBe('open');
  });

  it('takes the word of the caller for it, and tells what is open still', async () => {
    const { code, stdout, stderr } = await finish('F/mixed', '--error', 'the machine was lost');
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'F/mixed is failed\n' });
    expect(stderr).toMatch(
      /^stowage: F\/mixed\/fit\/2\/0 is open still, by process \d+ on .*, last heard .*\.\n$/,
    );
    const { status, finished } = await flow.run('mixed').info();
    expect(status).toBe('failed');
    expect(finished?.error).toEqual({ name: 'Error', message: 'the machine was lost' });
    // Somebody took it up again.
    await flow.task({ runId: 'mixed', stepName: 'fit', taskId: '1' }, async () => {});
    await flow.task({ runId: 'mixed', stepName: 'fit', taskId: '2' }, async () => {});
    expect((await finish('F/mixed')).stdout).toBe('F/mixed is done\n');
    expect(await statusOf('mixed')).toBe('done');
  });

  it('changes nothing where the run has ended so, and refuses to end it otherwise', async () => {
    await makeRun('twice', 'done');
    await flow.run('twice').finish();
    expect(await finish('F/twice')).toMatchObject({
      code: 0,
      stdout: 'F/twice was done already; nothing was changed.\n',
    });
    const names: string[] = [];
    for await (const page of flow.storage.list({ prefix: 'runs/F/twice/finished' }))
      for (const { name } of page.objects) names.push(name);
    expect(names).toHaveLength(1);
    expect(await finish('F/twice', '--status', 'failed')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('was finished as done'),
    });
  });

  it('--json: one document', async () => {
    await makeRun('json', 'open');
    expect(await json(store, ['finish', 'F/json', '--error', 'gone'])).toEqual({
      flow: 'F',
      run: 'json',
      status: 'failed',
      finishedAt: expect.any(String),
      error: { name: 'Error', message: 'gone' },
      openAttempts: [
        expect.objectContaining({ step: 'fit', task: '0', attempt: 0, owner: expect.any(Object) }),
      ],
      changed: true,
    });
    expect(await json(store, ['finish', 'F/json', '--status', 'failed'])).toMatchObject({
      status: 'failed',
      changed: false,
    });
  });

  it('takes the newest run by a word, and says which that was', async () => {
    await new Promise((later) => setTimeout(later, 5));
    await makeRun('zz-newest', 'done');
    expect(await finish('F/latest')).toMatchObject({
      code: 0,
      stdout: 'F/zz-newest is done\n',
      stderr: 'stowage: F/latest is F/zz-newest.\n',
    });
  });

  it.each([
    [['F/nope'], 1, 'Flow F has no run nope.'],
    [['F/godo', '--status', 'done'], 1, 'Flow F has no run godo. Did you mean good?'],
    [['Trian/r', '--status', 'done'], 1, 'The store has no flow Trian. Did you mean Train?'],
    [['F'], 2, 'F is a flow; its runs: stowage runs F'],
    [[`${RUN}/fit`], 2, 'is too long: here a path is <flow>[/<run>]'],
    [['F/good', '--status', 'ended'], 2, 'Allowed choices are done, failed'],
    [['F/good', '--status', 'done', '--error', 'x'], 2, '--error tells why a run failed'],
    [['F/good', '--error', ''], 2, '--error is empty'],
  ] as const)('%s: exit code %d', async (args, code, said) => {
    const { code: exit, stdout, stderr } = await finish(...args);
    expect({ exit, stdout }).toEqual({ exit: code, stdout: '' });
    expect(stderr).toContain(said);
  });

  it('makes no store', async () => {
    const nowhere = scratchFolder();
    expect((await stowage(`${nowhere}/none`, ['finish', 'F/r', '--status', 'done'])).code).toBe(10);
  });
});
