import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerFile } from '../../src/page/exported-answers.ts';
import { type ExportedStore, makeExportedStore } from '../page/exported-store.ts';
import { until } from '../waiting.ts';
import { PROGRAM } from './fixture.ts';
import { stowageProcess } from './program-process.ts';

let own: ExportedStore;

beforeAll(async () => {
  own = await makeExportedStore();
});
afterAll(() => own[Symbol.asyncDispose]());

/** What is in the folder of the test, which an export may leave something in. */
const around = async (): Promise<string[]> => (await readdir(own.folder)).sort();

describe('an export', () => {
  it('holds nothing of where the store lies, and no file but its own', async () => {
    const { told } = await own.exportTo('own', ['--run', 'Train/r1']);
    const files = await readdir(join(own.folder, 'own'), { recursive: true, withFileTypes: true });
    const names = files.filter((one) => one.isFile());
    expect(told).toMatchObject({ runs: 1, tasksLeftOut: 0, errors: 0, files: names.length });
    let bytes = 0;
    for (const { parentPath, name } of names) {
      const text = await readFile(join(parentPath, name), 'utf8');
      bytes += Buffer.byteLength(text);
      expect(text.includes(own.folder), `${name} has the path`).toBe(false);
      expect(name).toMatch(/^([0-9a-f]{8}\.js|\d+\.html|index\.html|(page|export)\.js|page\.css)$/);
    }
    expect(told.bytes).toBe(bytes);
  });

  it.each([
    ['latest', ['--run', 'Train/latest'], ['Train/r3']],
    [
      'the beginning of an id',
      ['--run', 'Many/m', '--run', 'Many/m1', '--run', 'Train/r1'],
      ['Many/m1', 'Train/r1'],
    ],
    ['a tag', ['--tag', 'rate 0.1'], ['Train/r1']],
    ['a limit', ['--flow', 'Train', '--limit', '2', '--tasks', '1'], ['Train/r3', 'Train/j2']],
  ])('chooses its runs by %s', async (name, args, expected) => {
    const { told } = await own.exportTo(`chosen by ${name}`, [...args, '--tasks', '1']);
    expect(told.runs).toBe(expected.length);
    const script = await readFile(join(own.folder, `chosen by ${name}`, answerFile('runs')), 'utf8');
    const stowageAnswer = (_: string, json: string): string[] =>
      JSON.parse(json).result.runs.map((one: { flow: string; run: string }) => `${one.flow}/${one.run}`);
    expect(runInNewContext(script, { stowageAnswer })).toEqual(expected);
  });

  it('is written to an empty folder, which stays the same one', async () => {
    await mkdir(join(own.folder, 'empty'));
    await own.exportTo('empty', ['--run', 'Train/r1']);
    expect((await readdir(join(own.folder, 'empty'))).sort()).toEqual([
      'answers',
      'export.js',
      'index.html',
      'page.css',
      'page.js',
      'reports',
    ]);
  });

  it('that cannot be made says why, and leaves nothing', async () => {
    await mkdir(join(own.folder, 'full'), { recursive: true });
    await writeFile(join(own.folder, 'full/own.txt'), 'own');
    const before = await around();
    const into = async (out: string, ...args: string[]) => {
      const { code, stderr } = await stowageProcess(own.store, [
        'ui',
        '--export',
        join(own.folder, out),
        '--json',
        ...args,
      ]);
      const { error } = JSON.parse(stderr);
      return [code, error.code, error.message];
    };
    expect(await into('full')).toEqual([1, 'OUTPUT_FAILED', expect.stringContaining('is not empty')]);
    expect(await into('full/own.txt')).toEqual([
      1,
      'OUTPUT_FAILED',
      expect.stringContaining('it is no folder'),
    ]);
    expect(await into('none/at/all')).toEqual([
      1,
      'OUTPUT_FAILED',
      expect.stringContaining('does not exist'),
    ]);
    expect(await into('x', '--run', 'Train/none')).toEqual([
      1,
      'RUN_NOT_FOUND',
      expect.stringContaining('none'),
    ]);
    expect(await into('x', '--run', 'Train')).toEqual([2, 'USAGE', expect.stringContaining('too short')]);
    expect(await into('x', '--text', 'nowhere')).toEqual([
      1,
      'RUN_NOT_FOUND',
      expect.stringContaining('nothing to export'),
    ]);
    expect(await into('x', '--run', 'Train/r1', '--tag', 'exp')).toEqual([
      2,
      'USAGE',
      expect.stringContaining('--tag'),
    ]);
    expect(await into('x', '--port', '80')).toEqual([2, 'USAGE', expect.stringContaining('--port')]);
    expect(await into('x', '--tasks', '0')).toEqual([2, 'USAGE', expect.stringContaining('--tasks')]);
    expect(await around()).toEqual(before);
    expect(await readdir(join(own.folder, 'full'))).toEqual(['own.txt']);
  });

  it.skipIf(process.platform !== 'linux')('says so where nothing may be made', async () => {
    const { code, stderr } = await stowageProcess(own.store, ['ui', '--export', '/proc/export', '--json']);
    expect([code, JSON.parse(stderr).error.code]).toEqual([1, 'OUTPUT_FAILED']);
  });

  it('that is interrupted leaves nothing', async () => {
    const before = await around();
    const args = [
      'ui',
      '--store',
      own.store,
      '--run',
      'Many/m1',
      '--export',
      join(own.folder, 'interrupted'),
    ];
    const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: 'ignore' });
    const ended = once(child, 'close');
    await until(async () => {
      const part = (await around()).find((name) => name.endsWith('.part'));
      if (part === undefined) return false;
      return (await readdir(join(own.folder, part, 'answers')).catch(() => [])).length > 20;
    });
    child.kill('SIGINT');
    expect((await ended)[0]).toBe(130);
    expect(await around()).toEqual(before);
  });
});
