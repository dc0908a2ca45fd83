import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { beforeAll, describe, expect, it } from 'vitest';
import { type End, runCli } from '../../src/cli/run-cli.ts';
import { encodeRecord } from '../../src/format/record.ts';
import { json, makeStore, RUN, scratchFolder, stowage } from './fixture.ts';

const folder = scratchFolder();
let store: string;
beforeAll(async () => {
  store = await makeStore(folder);
});

/** A copy of the store, to do harm to. */
function copyOfStore(name: string): string {
  const copy = join(folder, name);
  cpSync(store, copy, { recursive: true });
  return copy;
}

/** The folder of a task in a store; the colons of the run id are percent-encoded in file names. */
function taskFolder(root: string, task: string): string {
  const flow = join(root, 'flows/Train');
  return join(flow, readdirSync(flow)[0] as string, task);
}

function flipByte(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] as number) ^ 1;
  rmSync(path);
  writeFileSync(path, bytes);
}

describe('exit codes', () => {
  it('2: usage', async () => {
    for (const [args, said] of [
      [['shwo'], "unknown command 'shwo'. Did you mean show?"],
      [['ls', '--jsn'], "unknown option '--jsn'. Did you mean --json?"],
      [['show'], "missing required argument 'path'"],
      [['ls', 'a', 'b'], 'too many arguments'],
      [['ls', 'a/b/c/d/x'], '"x" is no attempt'],
      [['ls', '-n', 'ten'], '--limit is a number from 1 on, or "all"'],
      [['dif', 'a/b', 'a/c'], "unknown command 'dif'. Did you mean diff?"],
      [['diff', 'a/b'], "missing required argument 'b'"],
      [['diff', 'a/b', 'a/b/c'], 'name two runs, two steps, or two tasks'],
      [['get', 'a/b/c/d', 'x', '-o', ''], '-o names no file'],
      [['get', 'a/b/c/d', '-d', ''], '-d names no folder'],
      [['stat', '--by', 'task'], 'Allowed choices are flow, run, step, artifact.'],
      [['completion', 'tcsh'], "'tcsh' is no shell. Allowed choices are bash, zsh, fish."],
      [['ls', '--store', 'foo://bar'], 'has no storage for "foo:"'],
    ] as const) {
      const { code, stdout, stderr } = await stowage(undefined, args);
      expect({ code, stdout }, args.join(' ')).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(/^stowage: .*\n$/);
      expect(stderr).toContain(said);
    }
    expect((await stowage(undefined, ['diff', 'a/b'])).stderr).toMatch(/ See: stowage help diff\n$/);
    const bare = await stowage(undefined, []);
    expect(bare.code).toBe(2);
    expect(bare.stderr).toMatch(/^Usage: stowage/);
    expect(JSON.parse((await stowage(undefined, ['--json'])).stderr)).toEqual({
      error: { code: 'USAGE', message: 'Name a command. See: stowage help', details: {} },
    });
    expect(await stowage(undefined, ['help', 'shwo'])).toMatchObject({
      code: 2,
      stderr: "stowage: unknown command 'shwo'. Did you mean show? See: stowage help\n",
    });
    const document = await stowage(undefined, ['ls', '--jsn', '--json']);
    expect(JSON.parse(document.stderr)).toMatchObject({
      error: { code: 'USAGE', message: expect.any(String) },
    });
  });

  it('0: help and version', async () => {
    for (const args of [['--help'], ['help', 'get'], ['get', '--help'], ['get', '--help', '--json']]) {
      expect(await stowage(undefined, args)).toMatchObject({
        code: 0,
        stderr: '',
        stdout: expect.stringMatching(/^Usage: stowage/),
      });
    }
    expect((await stowage(undefined, ['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('10: no such store, whatever the command, and none is made', async () => {
    const nowhere = join(folder, 'nowhere');
    for (const args of [
      ['runs'],
      ['ls'],
      ['show', 'a/b'],
      ['get', 'a/b/c/d', 'x'],
      ['log', 'a/b'],
      ['diff', 'a/b', 'a/c'],
      ['stat'],
    ]) {
      const { code, stdout, stderr } = await stowage(nowhere, args);
      expect({ code, stdout }, args[0]).toEqual({ code: 10, stdout: '' });
      expect(stderr).toMatch(/^stowage: There is no store at .*--store/);
    }
    expect(JSON.parse((await stowage(nowhere, ['ls', '--json'])).stderr).error.code).toBe('NO_SUCH_STORE');
    expect(readdirSync(folder)).not.toContain('nowhere');
  });

  it('12: a damaged record is shown as such, with all the rest', async () => {
    const copy = copyOfStore('damaged-record');
    flipByte(join(taskFolder(copy, 'fit/2'), '0.metadata.json'), 40);
    const shown = await stowage(copy, ['show', RUN]);
    expect(shown.code).toBe(12);
    expect(shown.stdout).toMatch(/─ 2 +damaged/);
    expect(shown.stdout).toMatch(/─ 10 +done/);
    expect(shown.stderr).toMatch(/^stowage: .*0\.metadata\.json is damaged: .*\n$/);

    const asJson = await stowage(copy, ['ls', `${RUN}/fit`, '--json']);
    expect(asJson.code).toBe(12);
    expect(JSON.parse(asJson.stdout).entries[0]).toMatchObject({
      status: 'damaged',
      failure: { code: 'RECORD_DAMAGED' },
    });
    expect(JSON.parse(asJson.stderr).error.code).toBe('RECORD_DAMAGED');
    expect((await stowage(copy, ['get', `${RUN}/fit/2`, 'metrics'])).code).toBe(12);
    expect((await stowage(copy, ['stat'])).code).toBe(12);
  });

  it('12: damaged content', async () => {
    const copy = copyOfStore('damaged-content');
    for (const name of readdirSync(join(copy, 'packs'), { recursive: true, encoding: 'utf8' })) {
      if (/\d{8}$/.test(name)) flipByte(join(copy, 'packs', name), 5_000);
    }
    const target = join(folder, 'damaged.bin');
    const { code, stderr } = await stowage(copy, ['get', `${RUN}/load/0`, 'raw', '-o', target]);
    expect(code).toBe(12);
    expect(stderr).toContain('damaged');
    expect(readdirSync(folder).filter((name) => name.startsWith('damaged.bin'))).toEqual([]);
  });

  it('3: what could be read is shown, though something else could not', async () => {
    const copy = copyOfStore('partial');
    const done = join(taskFolder(copy, 'fit/2'), '0.DONE');
    rmSync(done);
    writeFileSync(done, encodeRecord({ format: 99, kind: 'done' }));
    const { code, stdout, stderr } = await stowage(copy, ['show', RUN]);
    expect(code).toBe(3);
    expect(stdout).toMatch(/─ 2 +unreadable/);
    expect(stdout).toMatch(/─ 10 +done/);
    expect(stderr).toMatch(/^stowage: /);
  });

  it('shows deleted and purged attempts', async () => {
    const copy = copyOfStore('retired');
    writeFileSync(join(taskFolder(copy, 'fit/2'), '0.DELETED'), '');
    writeFileSync(join(taskFolder(copy, 'load/0'), '0.PURGED'), '');
    const { code, stdout } = await stowage(copy, ['show', RUN]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/─ 2 +deleted/);
    expect(stdout).toMatch(/─ 0 +done, purged/);
    expect(await json(copy, ['ls', `${RUN}/fit/2`])).toMatchObject({ entries: [{ status: 'deleted' }] });
    expect((await json(copy, ['stat', 'Train'])).total).toMatchObject({ contents: 0 });
  });

  it('shows a run that has no tasks yet', async () => {
    const copy = copyOfStore('empty-run');
    rmSync(join(copy, 'flows'), { recursive: true });
    const { code, stdout } = await stowage(copy, ['show', RUN]);
    expect(code).toBe(0);
    expect(stdout).toContain('no tasks yet');
    mkdirSync(join(copy, 'flows'));
    expect((await stowage(copy, ['show', `${RUN}/fit`])).stderr).toContain('has no step fit');
  });

  it('never shows a stack, unless --debug asks for it', async () => {
    const args = ['show', `${RUN}/nothing`];
    expect((await stowage(store, args)).stderr).not.toMatch(/\n +at /);
    expect((await stowage(store, [...args, '--debug'])).stderr).toMatch(/\n +at /);
  });
});

/** A call of every command, and all its output. */
const EVERY_COMMAND: readonly string[][] = [
  ['runs'],
  ['ls'],
  ['ls', 'Train'],
  ['ls', RUN],
  ['ls', `${RUN}/fit`],
  ['show', RUN],
  ['show', `${RUN}/load/0`],
  ['get', `${RUN}/load/0`, 'raw'],
  ['log', `${RUN}/load/0`],
  ['diff', `${RUN}/fit/drama/0`, `${RUN}/fit/2`],
  ['diff', RUN, 'Other/r1'],
  ['stat'],
  ['stat', RUN, '--by', 'artifact'],
  ['completion', 'bash'],
];

describe('every command', () => {
  /** Runs it in this process; `onOutput` is called when it writes. */
  async function runUntil(
    args: readonly string[],
    end: AbortController,
    onOutput: () => void,
  ): Promise<number> {
    const stdout = new Writable({
      write: (_piece, _encoding, done) => {
        onOutput();
        done();
      },
    });
    const stderr = new Writable({ write: (_piece, _encoding, done) => done() });
    return runCli([...args, '--store', store], { stdout, stderr }, end.signal);
  }

  it.each(EVERY_COMMAND.map((args) => [args.join(' '), args] as const))(
    'ends with 130 when interrupted: %s',
    async (_, args) => {
      const before = new AbortController();
      before.abort('interrupted' satisfies End);
      expect(await runUntil(args, before, () => expect.unreachable('wrote something'))).toBe(130);

      const meanwhile = new AbortController();
      expect(await runUntil(args, meanwhile, () => meanwhile.abort('interrupted' satisfies End))).toBe(130);
    },
  );
});
