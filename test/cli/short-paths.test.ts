import { beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { makeStore, RUN, scratchFolder, stowage } from './fixture.ts';

let store: string;
beforeAll(async () => {
  store = await makeStore(scratchFolder());
});

/** What is said of a path that ends too early. */
async function said(...args: string[]): Promise<{ code: number | null; stderr: string }> {
  const { code, stdout, stderr } = await stowage(store, args);
  expect(stdout).toBe('');
  return { code, stderr };
}

describe('a path that ends before what the command is for', () => {
  it.each([['show'], ['log'], ['log', '-f'], ['get'], ['diff', RUN]])('a flow: %s', async (...args) => {
    expect(await said(...args, 'Train')).toEqual({
      code: 2,
      stderr: 'stowage: Train is a flow; its runs: stowage runs Train\n',
    });
    expect(await said(...args, 'Trian')).toEqual({
      code: 1,
      stderr: 'stowage: The store has no flow Trian. Did you mean Train?\n',
    });
  });

  it('the first of two paths to compare', async () => {
    expect((await said('diff', 'Trian', 'Train')).stderr).toContain('Did you mean Train?');
    expect((await said('diff', 'Train', `${RUN}/fit`)).stderr).toContain('Train is a flow');
  });

  it('a run without its flow', async () => {
    expect((await said('show', RUN.split('/')[1] as string)).stderr).toBe(
      `stowage: The store has no flow ${RUN.split('/')[1]}; a path begins with the flow. Did you mean ${RUN}?\n`,
    );
  });

  it('a path of a run where a flow is asked for', async () => {
    expect((await said('runs', RUN)).stderr).toBe(`stowage: "${RUN}" is too long: here a path is <flow>.\n`);
  });

  it('an attempt without its task', async () => {
    for (const command of ['show', 'log']) {
      const { code, stderr } = await said(command, RUN, '--attempt', '0');
      expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('is for one task') });
    }
  });

  it('a run or step in place of a task', async () => {
    expect(await said('get', RUN, 'metrics')).toEqual({
      code: 2,
      stderr: `stowage: ${RUN} is a run; its steps are fit, load, report.\n`,
    });
    expect(await said('get', `${RUN}/fit`, 'metrics')).toEqual({
      code: 2,
      stderr: `stowage: ${RUN}/fit is a step; its tasks are 2, 10, drama; all of them as a table: stowage get ${RUN}/fit --format csv\n`,
    });
    expect((await said('get', `${RUN}/load/`)).stderr).toContain('its task is 0;');
    expect((await said('get', `${RUN}/fti`)).stderr).toContain('has no step fti. Did you mean fit?');
  });

  it('a run without steps, and a step of many tasks', async () => {
    await using flow = await FlowDataStore.open({ flowName: 'Wide', storage: store });
    await flow.createRun({ runId: 'r0' });
    expect((await said('get', 'Wide/r0')).stderr).toBe('stowage: Wide/r0 is a run; it has no steps yet.\n');
    for (let task = 0; task < 11; task++)
      await flow.task({ runId: 'r1', stepName: 'fit', taskId: String(task) }, async () => {});
    expect((await said('get', 'Wide/r1/fit')).stderr).toBe(
      'stowage: Wide/r1/fit is a step; its tasks: stowage ls Wide/r1/fit; all of them as a table: stowage get Wide/r1/fit --format csv\n',
    );
  });
});

describe('a path of another form', () => {
  it.each([
    ['ls', 'Train//r1', '"Train//r1" has a "/" too many: Train/r1'],
    ['ls', '/Train/r1', '"/Train/r1" begins with a "/", and a path with the flow: Train/r1'],
    ['show', 'Train/r1///fit', '"Train/r1///fit" has a "/" too many: Train/r1/fit'],
    [
      'ls',
      `${RUN}/fit/2/0/metrics`,
      `"metrics" is no attempt, which are numbers from 0 on. An artifact: stowage get ${RUN}/fit/2/0 metrics`,
    ],
    [
      'ls',
      `${RUN}/fit/2/metrics`,
      `"metrics" is no attempt, which are numbers from 0 on. An artifact: stowage get ${RUN}/fit/2 metrics`,
    ],
    [
      'show',
      `${RUN}/fit/2/my model`,
      `"my model" is no attempt, which are numbers from 0 on. An artifact: stowage get ${RUN}/fit/2 'my model'`,
    ],
    [
      'stat',
      `${RUN}/fit/2/0`,
      `"${RUN}/fit/2/0" is too long: here a path is <flow>[/<run>[/<step>[/<task>]]].`,
    ],
  ])('%s %s', async (command, path, message) => {
    expect(await said(command, path)).toEqual({ code: 2, stderr: `stowage: ${message}\n` });
  });

  it('of a task or attempt, with the artifact behind it, for get', async () => {
    const get = async (path: string): Promise<string> => (await stowage(store, ['get', path])).stdout;
    const metrics = await get(`${RUN}/fit/2/metrics`);
    expect(JSON.parse(metrics)).toEqual({ auc: 0.91 });
    expect(await get(`${RUN}/fit/2/0/metrics`)).toBe(metrics);
    expect(await get('Train/latest/fit/2/metrics/')).toBe(metrics);
    expect((await said('get', `${RUN}/fit/2/metrcs`)).stderr).toContain('Did you mean metrics?');
  });
});

describe('details.missing', () => {
  it.each([
    ['flow', 'RUN_NOT_FOUND', ['ls', 'nope']],
    ['flow', 'RUN_NOT_FOUND', ['runs', 'nope']],
    ['run', 'RUN_NOT_FOUND', ['ls', 'Train/nope']],
    ['run', 'USAGE', ['show', 'Train']],
    ['step', 'STEP_NOT_FOUND', ['show', `${RUN}/nope`]],
    ['step', 'USAGE', ['get', RUN, 'metrics']],
    ['task', 'TASK_NOT_FOUND', ['get', `${RUN}/fit/nope`, 'metrics']],
    ['task', 'USAGE', ['get', `${RUN}/fit`, 'metrics']],
    ['attempt', 'ATTEMPT_NOT_FOUND', ['show', `${RUN}/fit/2/7`]],
    ['attempt', 'ATTEMPT_NOT_FOUND', ['show', `${RUN}/fit/2`, '--attempt', '7']],
    ['artifact', 'ARTIFACT_NOT_FOUND', ['get', `${RUN}/fit/2`, 'nope']],
  ] as const)('%s, with %s', async (missing, code, args) => {
    const { error } = JSON.parse((await stowage(store, [...args, '--json'])).stderr);
    expect(error).toMatchObject({ code, details: { missing } });
  });
});
