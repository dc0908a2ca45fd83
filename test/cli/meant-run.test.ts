import { beforeAll, describe, expect, it } from 'vitest';
import { Invocation } from '../../src/cli/invocation.ts';
import { meantPath } from '../../src/cli/meant-run.ts';
import { runCli } from '../../src/cli/run-cli.ts';
import { Output } from '../../src/cli/ui/output.ts';
import { FlowDataStore, openStorage, registerStorage } from '../../src/index.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { errorOf } from '../flow/fixtures.ts';
import { json, scratchFolder, stowage } from './fixture.ts';

const FIRST = '2026-12-01T08:00:00.000Z';
const SECOND = '2026-12-02T08:00:00.000Z';
const THIRD = '2026-12-03T08:00:00.000Z';
const folder = scratchFolder();
const store = `${folder}/store`;

async function makeRun(flow: FlowDataStore, runId: string, end?: 'done' | 'failed'): Promise<void> {
  await flow.task({ runId, stepName: 'fit', taskId: '0' }, async (task) => {
    await task.saveArtifacts({ model: `of ${runId}` });
    await task.saveLogs('task', { stdout: `log of ${runId}\n` });
  });
  if (end) await flow.run(runId).finish(end);
}

beforeAll(async () => {
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
  await makeRun(flow, FIRST, 'done');
  await makeRun(flow, SECOND, 'done');
  await makeRun(flow, THIRD, 'failed');
  await using named = await FlowDataStore.open({ flowName: 'Named', storage: store });
  for (const runId of ['latest', 'r10', 'sweep', 'sweep-a', 'newest']) await makeRun(named, runId);
});

/** What a command ends with; its remarks without the name of the program. */
async function ended(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await stowage(store, args);
  return { code, stdout: stdout.trim(), stderr: stderr.trim().replace(/^stowage: /, '') };
}

/** The id of the run that a path means. */
async function meant(flow: string, run: string): Promise<string | undefined> {
  const storage = await openStorage(store);
  const output = new Output(process.stdout, new AbortController().signal, { color: false });
  const invocation = new Invocation(
    { color: false },
    { output, signal: new AbortController().signal, note: () => {}, stderr: process.stderr, call: runCli },
  );
  try {
    return (await meantPath(invocation, { storage }, { flow, run })).run;
  } finally {
    await storage.close();
  }
}

describe('a run in the path of a command', () => {
  it('is the newest by `latest`, and the newest that was finished as done by `latest-done`', async () => {
    expect(await meant('Train', 'latest')).toBe(THIRD);
    expect(await meant('Train', 'latest-done')).toBe(SECOND);
  });

  it('is the one whose id begins so', async () => {
    expect(await meant('Train', '2026-12-01')).toBe(FIRST);
    expect(await meant('Train', FIRST.slice(0, -1))).toBe(FIRST);
    expect(await meant('Named', 'new')).toBe('newest');
  });

  it('is always the one that has the name for its id, though it be a word or the beginning of others', async () => {
    expect(await meant('Named', 'latest')).toBe('latest');
    expect(await meant('Named', 'sweep')).toBe('sweep');
  });

  it('is no other number', async () => {
    expect(await meant('Named', 'r1')).toBe('r1');
    expect(await ended('show', 'Named/r1')).toMatchObject({
      code: 1,
      stderr: 'Flow Named has no run r1. Did you mean r10?',
    });
  });

  it('is one that lost its record, though another begins so', async () => {
    await using flow = await FlowDataStore.open({ flowName: 'Lost', storage: store });
    for (const runId of ['run', 'run-b']) await makeRun(flow, runId);
    await flow.storage.delete(['runs/Lost/run/created.json']);
    expect(await meant('Lost', 'run')).toBe('run');
    expect((await ended('get', 'Lost/run/fit/0', 'model')).stdout).toBe('of run');
  });

  it('is not guessed among several, which are named', async () => {
    const { code, stderr } = await ended('show', 'Train/2026-12');
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^3 runs begin with Train\/2026-12: 2026-12-03T08:00:00\.000Z \(.* ago|just now\), .* Give more of the id, or all of it\.$/,
    );
    const { error } = JSON.parse((await ended('show', 'Train/2026-12', '--json')).stderr);
    expect(error).toMatchObject({
      code: 'USAGE',
      details: { flow: 'Train', run: '2026-12', candidates: [THIRD, SECOND, FIRST] },
    });
  });

  it('is missing where none was finished as done, where there is no flow, and where none begins so', async () => {
    expect(await ended('show', 'Named/latest-done')).toMatchObject({
      code: 1,
      stderr: 'No run of flow Named was finished as done. The newest at all is Named/latest.',
    });
    expect((await ended('show', 'Trian/latest')).stderr).toBe(
      'The store has no flow Trian. Did you mean Train?',
    );
    expect((await ended('show', 'Train/2027')).stderr).toMatch(/^Flow Train has no run 2027\./);
  });

  it('costs nothing more by its id, and two listings otherwise', async () => {
    let storage: CountStorage | undefined;
    registerStorage('meant', async () => {
      storage = new CountStorage(await openStorage(store));
      return storage;
    });
    const costOf = async (run: string): Promise<{ head: number; list: number }> => {
      expect((await stowage('meant:', ['ls', `Train/${run}`])).code).toBe(0);
      const { head, list } = (storage as CountStorage).snapshot();
      return { head: head.calls, list: list.calls };
    };
    expect(await costOf(FIRST)).toEqual({ head: 0, list: 1 });
    expect(await costOf('latest')).toEqual({ head: 1, list: 3 });
    // Behind what did not find it, and looked at the three runs that there are.
    expect(await costOf('2026-12-01')).toEqual({ head: 4, list: 7 });
  });
});

describe('every command that takes a path', () => {
  it.each([
    ['show', 'Train/latest', THIRD],
    ['show', 'Train/2026-12-01/fit/0/0', FIRST],
    ['ls', 'Train/latest', 'fit'],
    ['log', 'Train/2026-12-02/fit/0', `log of ${SECOND}`],
    ['get', 'Train/latest-done/fit/0', `of ${SECOND}`, 'model'],
    ['stat', 'Train/latest', 'fit'],
    ['diff', 'Train/latest', `+++  Train/${FIRST}`, 'Train/2026-12-01'],
  ])('%s %s', async (command, path, shows, ...more) => {
    const { code, stdout, stderr } = await ended(command, path, ...more);
    expect(code).toBe(0);
    expect(stdout).toContain(shows);
    expect(stderr).toContain(`Train/${path.split('/')[1]} is Train/2026-12-0`);
  });

  it('copy, in the store that it reads', async () => {
    const target = `${folder}/target`;
    const copied = await stowage(undefined, ['copy', store, target, 'Train/latest']);
    expect(copied).toMatchObject({ code: 0, stderr: `stowage: Train/latest is Train/${THIRD}.\n` });
    expect((await json(target, ['runs'])).runs.map(({ run }: { run: string }) => run)).toEqual([THIRD]);
  });

  it('put adds to the newest run by `latest`, and makes no run of that name', async () => {
    const file = new URL(import.meta.url).pathname;
    await using flow = await FlowDataStore.open({ flowName: 'Put', storage: store });
    await makeRun(flow, 'abc');
    expect((await ended('put', 'Put/latest/eval/0', `x=${file}`)).stdout).toMatch(/^Put\/abc\/eval\/0\/0\n/);
    expect((await ended('put', 'Put/ab/eval/0', `x=${file}`)).stdout).toMatch(/^Put\/ab\/eval\/0\/0\n/);
    expect(await ended('put', 'Nothing/latest/eval/0', `x=${file}`)).toMatchObject({ code: 1, stdout: '' });
    expect((await ended('put', 'Put/latest-done/eval/0', `x=${file}`)).code).toBe(1);
    const error = await errorOf(flow.run('latest').info());
    expect(error).toMatchObject({ code: 'RUN_NOT_FOUND' });
  });
});
