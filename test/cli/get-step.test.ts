import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { noise, scratchFolder, stowage } from './fixture.ts';

const folder = scratchFolder();
const store = join(folder, 'store');
let flow: FlowDataStore;

async function save(step: string, values: Readonly<Record<string, Record<string, unknown>>>): Promise<void> {
  for (const [taskId, artifacts] of Object.entries(values))
    await flow.task({ runId: 'r1', stepName: step, taskId }, (task) => task.saveArtifacts(artifacts));
}

async function fail(step: string, taskId: string): Promise<void> {
  const failing = flow.task({ runId: 'r1', stepName: step, taskId }, async (task) => {
    await task.saveArtifacts({ output: { score: -1 } });
    throw new Error('no answer');
  });
  await failing.catch(() => {});
}

beforeAll(async () => {
  flow = await FlowDataStore.open({ flowName: 'Eval', storage: store });
  await save('judge', {
    q10: { input: 'ten', output: { score: 0.5, by: { model: 'm', seed: 1 } } },
    q2: { input: 'a "b",\nc', output: { score: 1, tags: ['x', 'y'] }, extra: null },
  });
  await fail('judge', 'q7');
});
afterAll(() => flow.close());

const get = (...args: string[]): ReturnType<typeof stowage> => stowage(store, ['get', ...args]);
const LEFT_OUT =
  'stowage: 1 of 3 tasks of Eval/r1/judge is not done, and left out: q7 (failed). See them with: stowage ls Eval/r1/judge --status failed\n';

describe('stowage get of a step --format csv', () => {
  it('has a row for each task that is done, by their names, and a column for each member of its objects', async () => {
    const { code, stdout, stderr } = await get('Eval/r1/judge', '--format', 'csv');
    expect(stdout.split('\r\n')).toEqual([
      'task,input,output.score,output.tags,output.by.model,output.by.seed,extra',
      'q2,"a ""b"",\nc",1,"[""x"",""y""]",,,',
      'q10,ten,0.5,,m,1,',
      '',
    ]);
    expect({ code, stderr }).toEqual({ code: 3, stderr: LEFT_OUT });
  });

  it('has the artifacts that are named, in that order', async () => {
    const { stdout } = await get('Eval/r1/judge', 'extra', 'input', '--format', 'csv');
    expect(stdout.split('\r\n')[0]).toBe('task,extra,input');
    const { code, stdout: nothing, stderr } = await get('Eval/r1/judge', 'ouput', '--format', 'csv');
    expect({ code, nothing }).toEqual({ code: 1, nothing: '' });
    expect(stderr).toContain('has no artifact ouput. Did you mean output?');
  });

  it('--allow-not-done: has those that failed, and their status', async () => {
    const { code, stdout, stderr } = await get(
      'Eval/r1/judge',
      'output',
      '--format',
      'csv',
      '--allow-not-done',
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('q7,failed,-1,');
    expect(stdout).toContain('q2,done,1,');
  });

  it('--attempt latest-done: has what tasks were before', async () => {
    await save('again', { a: { x: 1 } });
    await fail('again', 'a');
    expect((await get('Eval/r1/again', '--format', 'csv')).code).toBe(1);
    const { code, stdout } = await get('Eval/r1/again', '--format', 'csv', '--attempt', 'latest-done');
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'task,x\r\na,1\r\n' });
    expect((await get('Eval/r1/again', '--format', 'csv', '--attempt', '0')).code).toBe(2);
  });

  it('tells columns of one name apart', async () => {
    await save('alike', { t: { task: 1, 'a.b': 2, a: { b: 3, '': 4 } } });
    expect((await get('Eval/r1/alike', '--format', 'csv')).stdout).toBe(
      'task,"""task""","""a.b""","""a"".""b""",a.\r\nt,1,2,3,4\r\n',
    );
  });

  it('leaves out what is large or private, unless it is named', async () => {
    await save('large', { t: { x: 1, weights: noise(100_001), _private: 2 } });
    const { code, stdout, stderr } = await get('Eval/r1/large', '--format', 'csv');
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'task,x\r\nt,1\r\n' });
    expect(stderr).toBe(
      'stowage: weights (100 kB) left out of Eval/r1/large: what is larger than 100 kB is written where it is named.\n',
    );
    const named = await get('Eval/r1/large', 'weights', '_private', '--format', 'csv');
    expect(named.stdout).toMatch(/^task,weights,_private\r\nt,[\w+/]{1000,}=*,2\r\n$/);
  });

  it('has the labels of tasks, where any has one', async () => {
    const spec = { runId: 'r1', stepName: 'labelled' };
    await flow.task({ ...spec, taskId: 'a', label: 'of Anna' }, (task) => task.saveArtifacts({ x: 1 }));
    await flow.task({ ...spec, taskId: 'b' }, (task) => task.saveArtifacts({ x: 2 }));
    expect((await get('Eval/r1/labelled', '--format', 'csv')).stdout).toBe(
      'task,label,x\r\na,of Anna,1\r\nb,,2\r\n',
    );
    expect(JSON.parse((await get('Eval/r1/labelled', '--format', 'json')).stdout)).toMatchObject([
      { task: 'a', label: 'of Anna' },
      { task: 'b' },
    ]);
  });

  it('refuses more columns than a table has', async () => {
    const members = Object.fromEntries(Array.from({ length: 5_001 }, (_, index) => [`m${index}`, index]));
    await save('wide', { t: { members } });
    const { code, stdout, stderr } = await get('Eval/r1/wide', '--format', 'csv');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('more than 5000 different members');
    expect((await get('Eval/r1/wide', '--format', 'json')).code).toBe(0);
  });
});

describe('stowage get of a step --format json', () => {
  it('has an object for each task, on a line each, with values as they are', async () => {
    const { code, stdout, stderr } = await get('Eval/r1/judge', '--format', 'json');
    expect({ code, stderr }).toEqual({ code: 3, stderr: LEFT_OUT });
    expect(stdout.split('\n')).toHaveLength(5);
    expect(JSON.parse(stdout)).toEqual([
      {
        task: 'q2',
        attempt: 0,
        status: 'done',
        values: { input: 'a "b",\nc', output: { score: 1, tags: ['x', 'y'] }, extra: null },
      },
      {
        task: 'q10',
        attempt: 0,
        status: 'done',
        values: { input: 'ten', output: { score: 0.5, by: { model: 'm', seed: 1 } } },
      },
    ]);
  });

  it('--json: one document, which tells what is left out', async () => {
    const { code, stdout, stderr } = await get('Eval/r1/judge', 'input', '--format', 'json', '--json');
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({
      flow: 'Eval',
      run: 'r1',
      step: 'judge',
      tasks: [{ task: 'q2' }, { task: 'q10', values: { input: 'ten' } }],
      leftOut: [{ task: 'q7', status: 'failed' }],
      exact: true,
    });
    expect(JSON.parse(stderr).error).toMatchObject({
      code: 'ATTEMPT_NOT_DONE',
      details: { tasks: 3, count: 1, leftOut: [{ task: 'q7', status: 'failed' }] },
    });
  });
});

describe('stowage get of a step', () => {
  it('writes nothing where no task is done', async () => {
    await fail('broken', 'a');
    for (const form of ['csv', 'json']) {
      const { code, stdout, stderr } = await get('Eval/r1/broken', '--format', form);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toContain('1 of 1 task of Eval/r1/broken is not done');
    }
  });

  it('shows what can be read, where content of one task is damaged', async () => {
    await save('damaged', { a: { x: noise(50_000, 3) }, b: { x: noise(50_000, 4) } });
    const task = await flow.getTaskDataStore('r1/damaged/a');
    const key = task.info('x').key;
    for await (const page of flow.storage.list({ prefix: 'data/' }))
      for (const { name } of page.objects) if (name.includes(key)) await flow.storage.delete([name]);
    const { code, stdout } = await get('Eval/r1/damaged', '--format', 'csv');
    expect(stdout).toMatch(/^task,x\r\nb,/);
    expect([3, 12]).toContain(code);
  });

  it('goes to a file that appears once it is whole', async () => {
    const file = join(folder, 'results.csv');
    await get('Eval/r1/judge', '--format', 'csv', '-o', file);
    expect(readFileSync(file, 'utf8')).toMatch(/^task,input/);
    const gone = join(folder, 'none.csv');
    await get('Eval/r1/judge', 'ouput', '--format', 'json', '-o', gone);
    expect(existsSync(gone)).toBe(false);
  });

  it('is told of where a task is asked for, and refuses what is no table', async () => {
    expect((await get('Eval/r1/judge', 'output')).stderr).toBe(
      'stowage: Eval/r1/judge is a step; its tasks are q2, q7, q10; all of them as a table: stowage get Eval/r1/judge --format csv\n',
    );
    for (const args of [['--format', 'text'], ['--bytes'], ['--format', 'csv', '-d', join(folder, 'd')]])
      expect((await get('Eval/r1/judge', ...args)).code).toBe(2);
    expect((await get('Eval/r1/jugde', '--format', 'csv')).stderr).toContain('Did you mean judge?');
    expect((await get('Eval/latest/judge', '--format', 'csv')).stdout).toMatch(/^task,input/);
  });
});

describe('get -o', () => {
  it('replaces no file unless it is told to', async () => {
    const file = join(folder, 'mine.txt');
    writeFileSync(file, 'mine');
    const refused = await get('Eval/r1/judge/q10', 'input', '-o', file);
    expect(refused).toMatchObject({
      code: 1,
      stderr: `stowage: ${file} cannot be written: it exists already; --force replaces it.\n`,
    });
    expect(readFileSync(file, 'utf8')).toBe('mine');
    expect((await get('Eval/r1/judge', '--format', 'csv', '-o', file)).code).toBe(1);
    expect((await get('Eval/r1/judge/q10', 'input', '-o', file, '--force')).code).toBe(0);
    expect(readFileSync(file, 'utf8')).toBe('ten');
  });

  it('replaces none that a link leads to, and writes to devices', async () => {
    mkdirSync(join(folder, 'links'));
    const [file, link] = [join(folder, 'links', 'file'), join(folder, 'links', 'link')];
    writeFileSync(file, 'mine');
    symlinkSync(file, link);
    expect((await get('Eval/r1/judge/q10', 'input', '-o', link)).code).toBe(1);
    expect(readFileSync(file, 'utf8')).toBe('mine');
    expect((await get('Eval/r1/judge/q10', 'input', '-o', '/dev/null')).code).toBe(0);
  });
});
