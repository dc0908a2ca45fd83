import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { makeStore, PROGRAM, RUN, scratchFolder } from './fixture.ts';
import { stowageProcess } from './program-process.ts';

const folder = scratchFolder();
let store: string;
beforeAll(async () => {
  store = await makeStore(folder);
});

it('finds the store by the environment', async () => {
  const { code, stdout } = await stowageProcess(undefined, ['ls'], {
    STOWAGE_DATASTORE_SYSROOT_LOCAL: store,
  });
  expect(code).toBe(0);
  expect(stdout).toContain('Train');
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

it('ends quietly when nobody reads', async () => {
  const ended = EVERY_COMMAND.map(async (args) => {
    const child = spawn(process.execPath, [PROGRAM, ...args, '--store', store], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.on('data', (piece: Buffer) => {
      stderr += piece.toString();
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    return { args, code, stderr };
  });
  for (const { args, code, stderr } of await Promise.all(ended)) {
    expect({ code }, `${args.join(' ')}: ${stderr}`).toEqual({ code: 0 });
    expect(stderr).not.toMatch(/EPIPE|Error/);
  }
});

describe.runIf(existsSync('/dev/full'))('a standard output that is full', () => {
  /** What is said on the standard error. */
  async function intoFull(args: readonly string[]): Promise<{ code: number | null; stderr: string }> {
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, [PROGRAM, ...args, '--store', store], {
      stdio: ['ignore', full, 'pipe'],
    });
    closeSync(full);
    let stderr = '';
    child.stderr?.on('data', (piece: Buffer) => {
      stderr += piece.toString();
    });
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { code, stderr };
  }

  it.each([['ls'], ['--help'], ['get', `${RUN}/load/0`, 'raw']])('is one error: %s', async (...args) => {
    expect(await intoFull(args)).toEqual({
      code: 1,
      stderr: 'stowage: The standard output cannot be written: the disk is full.\n',
    });
  });

  it('is one document with --json', async () => {
    const { code, stderr } = await intoFull(['ls', '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(stderr).error.code).toBe('OUTPUT_FAILED');
  });
});

describe('being ended early', () => {
  const start = (args: string[]) => spawn(process.execPath, [PROGRAM, ...args, '--store', store]);

  it.each([
    ['SIGINT', 130, 'interrupted'],
    ['SIGTERM', 143, 'terminated'],
  ] as const)('%s ends with %i', async (signal, code, said) => {
    const child = start(['get', `${RUN}/load/0`, 'raw']);
    let stderr = '';
    child.stderr.on('data', (piece: Buffer) => {
      stderr += piece.toString();
    });
    await new Promise((resolve) => child.stdout.once('readable', resolve)); // the pipe is full, and nobody reads
    child.kill(signal);
    const ended = await new Promise((resolve) =>
      child.once('exit', (exitCode, by) => resolve({ exitCode, by })),
    );
    expect(ended).toEqual({ exitCode: code, by: null });
    child.stdout.resume();
    expect(stderr).toBe(`stowage: ${said}.\n`);
  });

  it('a pipe that is closed ends it quietly with 0', async () => {
    for (const args of [
      ['get', `${RUN}/load/0`, 'raw'],
      ['get', `${RUN}/load/0`, 'raw', '--json'],
    ]) {
      const child = start(args);
      let stderr = '';
      child.stderr.on('data', (piece: Buffer) => {
        stderr += piece.toString();
      });
      child.stdout.once('data', () => child.stdout.destroy());
      const code = await new Promise((resolve) => child.once('close', resolve));
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    }
  });
});
