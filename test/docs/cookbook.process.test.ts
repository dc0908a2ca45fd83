import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { blocksOf } from './page-blocks.ts';
import { readerFolder, runProgram } from './reader-folder.ts';

const blocks = blocksOf('docs/cookbook.md');
const PICKLES = join(import.meta.dirname, 'migration-pickles.py');
const folder = readerFolder();
let tries = 0;

/** The one block of the cookbook that has this text. */
function programWith(text: string): string {
  const [block, ...others] = blocks.filter(({ code }) => code.includes(text));
  if (block === undefined || others.length > 0) throw new Error(`Not one program has ${text}`);
  return block.code;
}

/** A folder of its own for a try, with these files in it. */
function folderWith(files: Record<string, string | Uint8Array>): string {
  const cwd = join(folder, `try-${tries++}`);
  mkdirSync(cwd);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(cwd, path)), { recursive: true });
    writeFileSync(join(cwd, path), content);
  }
  return cwd;
}

const migrate = join(folder, 'migrate.mjs');
writeFileSync(migrate, programWith("flowName: 'Migrated'"));

/** Runs the migration; what it printed, in order. */
async function migrated(cwd: string): Promise<string[]> {
  const { ending, printed } = await runProgram(migrate, cwd);
  expect(ending).toBe('ends well');
  return printed.map(({ text }) => text);
}

/** All values of a run, by task and artifact, and what the attempts are said to be from. */
async function valuesOf(cwd: string, runId: string): Promise<Record<string, Record<string, unknown>>> {
  await using flow = await FlowDataStore.open({ flowName: 'Migrated', storage: join(cwd, '.stowage') });
  const values: Record<string, Record<string, unknown>> = {};
  for (const task of await flow.getTaskDataStores({ runId })) {
    values[`${task.stepName}/${task.taskId}/${task.attempt}`] = await task.loadArtifacts();
  }
  return values;
}

function storeObjects(cwd: string): string[] {
  return readdirSync(join(cwd, '.stowage'), { recursive: true, encoding: 'utf8' }).sort();
}

describe('the queue worker', () => {
  it('does a job whose first holder died', async () => {
    const cwd = folderWith({});
    const die = join(folder, 'die.mjs');
    writeFileSync(
      die,
      `import { FlowDataStore } from 'stowage';
const flow = await FlowDataStore.open({ flowName: 'Thumbnails', storage: './.stowage' });
await flow.createTaskDataStore({ runId: 'batch-7', stepName: 'resize', taskId: 'cat.png', attempt: 0 });
process.exit();
`,
    );
    expect((await runProgram(die, cwd)).ending).toBe('ends well');
    const worker = join(folder, 'worker.mjs');
    writeFileSync(worker, programWith("flowName: 'Thumbnails'"));
    expect((await runProgram(worker, cwd)).ending).toBe('ends well');
    await using flow = await FlowDataStore.open({ flowName: 'Thumbnails', storage: join(cwd, '.stowage') });
    const thumbnails = await flow.getTaskDataStores({ runId: 'batch-7' });
    expect(thumbnails.map(({ taskId, attempt }) => [taskId, attempt])).toEqual([
      ['cat.png', 1],
      ['dog.png', 0],
    ]);
  });
});

describe('the Express handler', () => {
  it('serves a retry to who has the attempt before it, and nothing that a browser takes for a page', async () => {
    const retry = `
await flow.task({ runId: 'r1', stepName: 'render', taskId: '0' }, (task) =>
  task.saveArtifacts({ page: Buffer.from('<h1>Retried</h1>') }),
);
const again = await fetch(url, { headers });
console.log(again.status, await again.text());
for (const name of ['cache-control', 'content-type', 'x-content-type-options']) console.log(again.headers.get(name));
console.log((await fetch(url.replace('/0/page', '/a%2Fb%2Fc%2Fd/page'))).status);
`;
    const closing = 'await new Promise((resolve) => server.close(resolve));';
    const code = programWith(closing);
    const server = join(folder, 'server.mjs');
    writeFileSync(server, code.replace(closing, retry + closing));
    const { ending, printed } = await runProgram(server, folderWith({}));
    expect(ending).toBe('ends well');
    expect(printed.slice(-5).map(({ text }) => text)).toEqual([
      '200 <h1>Retried</h1>',
      'no-cache',
      'application/octet-stream',
      'nosniff',
      '400',
    ]);
  });
});

describe('the migration', () => {
  it('saves each file as an artifact of the task that its folders name, and says from where', async () => {
    const cwd = folderWith({
      'converted/r1/load/0/rows.json': '[1, {"a": null}]',
      'converted/r1/load/0/raw.bin': Uint8Array.of(0, 255),
      'converted/r1/load/1/rows.json': '[2]',
    });
    expect(await migrated(cwd)).toEqual(['r1/load/0 2', 'r1/load/1 1']);
    expect(await valuesOf(cwd, 'r1')).toEqual({
      'load/0/0': { rows: [1, { a: null }], raw: Uint8Array.of(0, 255) },
      'load/1/0': { rows: [2] },
    });
    await using flow = await FlowDataStore.open({ flowName: 'Migrated', storage: join(cwd, '.stowage') });
    const task = await flow.getTaskDataStore('r1/load/0');
    expect(await task.loadMetadata()).toEqual({ migratedFrom: join('converted/r1/load/0'), files: 2 });
  });

  it('saves nothing new when it is run again, and then what was added', async () => {
    const cwd = folderWith({ 'converted/r1/load/0/rows.json': '[1]' });
    expect(await migrated(cwd)).toEqual(['r1/load/0 1']);
    const before = storeObjects(cwd);
    expect(await migrated(cwd)).toEqual([]);
    expect(storeObjects(cwd)).toEqual(before);
    mkdirSync(join(cwd, 'converted/r1/load/1'));
    writeFileSync(join(cwd, 'converted/r1/load/1/rows.json'), '[2]');
    expect(await migrated(cwd)).toEqual(['r1/load/1 1']);
  });

  it('fails on a folder that is not there, as one whose name was mistyped', async () => {
    const { ending } = await runProgram(migrate, folderWith({ 'convertde/r1/load/0/rows.json': '[1]' }));
    expect(ending).toMatch(/ENOENT.*'converted'/);
  });

  it.each(['loose.json', 'r2/loose.json', 'r2/load/loose.json', 'r2/load/0/deeper/loose.json'])(
    'names a file that belongs to no task, converted/%s, and saves nothing',
    async (path) => {
      const cwd = folderWith({ 'converted/r1/load/0/rows.json': '[1]', [`converted/${path}`]: '[1]' });
      const { ending } = await runProgram(migrate, cwd);
      expect(ending).toContain(`${join('converted', path)} is not at `);
      expect(readdirSync(cwd)).toEqual(['converted']);
    },
  );
});

interface Said {
  status: number | null;
  said: string;
}

function run(command: string, cwd: string, args: readonly string[]): Said {
  const { error, status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  return { status: error ? -1 : status, said: error ? error.message : stdout + stderr };
}

/** The Python of the benchmarks, which has numpy; or where the machine's lies, since `python3` may be a script that looks for it. */
const venv = join(import.meta.dirname, '../../node_modules/.cache/stowage-bench/venv/bin/python');
const found = run(existsSync(venv) ? venv : 'python3', folder, ['-c', 'import sys; print(sys.executable)']);
const python = (cwd: string, args: readonly string[]): Said => run(found.said.trim(), cwd, args);
if (found.status !== 0) {
  console.warn(`NOT TESTED: convert.py of docs/cookbook.md, for want of python3: ${found.said}`);
}

describe.skipIf(found.status !== 0)('convert.py', () => {
  const convert = programWith('# convert.py');

  it('makes files of pickles that the migration saves as what they were', async () => {
    const cwd = folderWith({ 'convert.py': convert });
    const made = python(cwd, [PICKLES, 'pickles']);
    expect(made.status, made.said).toBe(0);
    const converted = python(cwd, ['convert.py', 'pickles', 'converted']);
    expect(converted, converted.said).toEqual({ status: 0, said: '' });
    expect(await migrated(cwd)).toHaveLength(3);
    const { 'fit/drama/0': fit, 'load/0/0': load } = await valuesOf(cwd, 'r1');
    const { weights, ...rest } = fit as Record<string, unknown>;
    expect(load).toEqual({
      rows: [
        { title: 'Alien', rating: 8.4 },
        { title: 'Blade Runner', rating: null },
      ],
      raw: Uint8Array.from({ length: 256 }, (_, byte) => byte),
      count: Number.MAX_SAFE_INTEGER,
    });
    expect(rest).toEqual({ auc: 0.1 + 0.2, note: 'héllo 🎬', empty: {}, 'is.final': true });
    expect(await valuesOf(cwd, 'r2')).toEqual({ 'load/0/0': { rows: [], low: Number.MIN_SAFE_INTEGER } });
    if (made.said.trim() === 'True') {
      expect(weights).toEqual(new Uint8Array(readFileSync(join(cwd, 'converted/r1/fit/drama/weights.npy'))));
    } else {
      console.warn(
        'NOT TESTED: convert.py of docs/cookbook.md with an array of numpy, which python3 does not have',
      );
      expect(weights).toBeUndefined();
    }
    expect(python(cwd, ['convert.py', 'pickles', 'converted']).status).toBe(0);
    expect(await migrated(cwd)).toEqual([]);
  });

  it.each([
    ['(1, 2)', 'tuple'],
    ['{1: 2}', 'dict'],
    ['{"a": [{"b": (1,)}]}', "['a'][0]['b']: JSON does not hold tuple"],
    ['[2**53]', '[0]: a number in JavaScript'],
    ['-2**53', 'a number in JavaScript'],
    ['{"a": {1, 2}}', "['a']: JSON does not hold set"],
    ['[float("nan")]', '[0]: JSON does not hold float'],
    ['float("-inf")', 'float'],
    ['[b"bytes"]', '[0]: JSON does not hold bytes'],
    ['__import__("datetime").date(2026, 1, 31)', 'date'],
    ['__import__("collections").OrderedDict(a=1)', 'OrderedDict'],
    ['__import__("http").HTTPStatus.OK', 'HTTPStatus'],
  ])('stops at %s, which JSON would change', (value, told) => {
    const cwd = folderWith({ 'convert.py': convert, 'pickles/r1/load/0/x.txt': '' });
    const write = `import pickle; pickle.dump(${value}, open('pickles/r1/load/0/x.pkl', 'wb'))`;
    expect(python(cwd, ['-c', write])).toEqual({ status: 0, said: '' });
    const { status, said } = python(cwd, ['convert.py', 'pickles', 'converted']);
    expect(status).toBe(1);
    expect(said).toContain(join('pickles/r1/load/0/x.pkl'));
    expect(said).toContain(told);
    expect(readdirSync(join(cwd, 'converted/r1/load/0'))).toEqual([]);
  });
});
