import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Ended, json, PROGRAM, scratchFolder, stowage } from './fixture.ts';
import { startStowage } from './running.ts';

const folder = scratchFolder();
const store = join(folder, 'store');

/** A file in the scratch folder. */
function fileOf(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** Runs `stowage put` as a process, with something to read. */
async function putProcess(args: readonly string[], stdin: 'pipe' | number, input = ''): Promise<Ended> {
  const child = spawn(process.execPath, [PROGRAM, 'put', ...args, '--store', store], {
    stdio: [stdin, 'pipe', 'pipe'],
  });
  child.stdin?.end(input);
  const [out, err]: Buffer[][] = [[], []];
  child.stdout?.on('data', (piece: Buffer) => out?.push(piece));
  child.stderr?.on('data', (piece: Buffer) => err?.push(piece));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  const bytes = Buffer.concat(out ?? []);
  return { code, stdout: bytes.toString(), stderr: Buffer.concat(err ?? []).toString(), bytes };
}

let small: string;
beforeAll(() => {
  small = fileOf('small.txt', 'héllo\n');
});

describe('stowage put of what is no file', () => {
  it('reads the standard input', async () => {
    const put = await putProcess(['F/stdin/s/t', `file=${small}`, 'typed=-'], 'pipe', 'from a pipe\n');
    expect(put.stderr).toMatch(/^stowage: made a new store at [^\n]*\n$/); // and nothing else
    expect(put.code).toBe(0);
    expect((await stowage(store, ['get', 'F/stdin/s/t', 'typed', '--format', 'text'])).stdout).toBe(
      'from a pipe\n',
    );
    expect((await putProcess(['F/stdin/s/json', 'value=-', '--as', 'json'], 'pipe', '[1]')).code).toBe(0);
    expect((await stowage(store, ['get', 'F/stdin/s/json', 'value'])).stdout).toBe('[1]\n');
  });

  const hasPipes = process.platform !== 'win32';

  it.runIf(hasPipes)('does not take a folder for an empty input', async () => {
    const input = openSync(folder, 'r');
    const put = await putProcess(['F/folder/s/t', 'a=-'], input);
    closeSync(input);
    expect(put).toMatchObject({ code: 1, stdout: '' });
    expect(put.stderr).toBe('stowage: The standard input cannot be read: it is a folder.\n');
  });

  it.runIf(existsSync('/proc/self/mem'))('fails the attempt if it cannot be read to the end', async () => {
    const put = await stowage(store, ['put', 'F/broken/s/t', `first=${small}`, 'second=/proc/self/mem']);
    expect(put).toMatchObject({ code: 1, stdout: '' });
    const [attemptLine, errorLine] = put.stderr.split('\n');
    expect(attemptLine).toBe('stowage: attempt F/broken/s/t/0 is closed as failed.');
    expect(errorLine).toMatch(/^stowage: \/proc\/self\/mem cannot be read: /);
    const [attempt] = (await json(store, ['show', 'F/broken/s/t'])).attempts;
    expect(attempt).toMatchObject({
      status: 'failed',
      error: { name: 'CliError' },
      artifacts: [{ name: 'first' }],
    });
  });

  it.runIf(hasPipes)('is ended by Ctrl-C while it waits for a pipe, and leaves no attempt open', async () => {
    const pipe = join(folder, 'pipe');
    expect(spawnSync('mkfifo', [pipe]).status).toBe(0);
    const args = ['put', 'F/waiting/s/t', `a=${pipe}`, '--store', store];
    const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (piece: Buffer) => {
      stderr += piece.toString();
    });
    const ended = new Promise((resolve) => child.on('close', resolve));
    const opened = join(store, 'flows/F/waiting/s/t/0.attempt.json');
    while (!existsSync(opened)) await new Promise((resolve) => setTimeout(resolve, 10));
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(stderr).toBe('stowage: attempt F/waiting/s/t/0 is closed as failed.\nstowage: interrupted.\n');
    const [attempt] = (await json(store, ['show', 'F/waiting/s/t'])).attempts;
    expect(attempt).toMatchObject({ status: 'failed', error: { message: 'stowage put was interrupted.' } });
  });

  it.runIf(hasPipes)('writes nothing if it is ended while it reads text', async () => {
    const pipe = join(folder, 'pipe-of-text');
    expect(spawnSync('mkfifo', [pipe]).status).toBe(0);
    const nowhere = join(folder, 'interrupted');
    const putting = startStowage(nowhere, ['put', 'F/r/s/t', `a=${pipe}`, '--as', 'text']);
    const writer = await open(pipe, 'w'); // resolves once somebody reads
    await writer.write('some');
    putting.interrupt();
    expect(await putting.ended).toBe(130);
    await writer.close();
    expect(existsSync(nowhere)).toBe(false);
  });
});
