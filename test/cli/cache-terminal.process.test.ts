import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { beforeAll, describe, expect, it } from 'vitest';
import { type End, runCli } from '../../src/cli/run-cli.ts';
import { displayWidth } from '../../src/cli/ui/terminal-text.ts';
import { type CachedKeys, makeCache } from './cache-fixture.ts';
import { json, PROGRAM, scratchFolder, stowage } from './fixture.ts';
import { stowageProcess } from './program-process.ts';

const store = join(scratchFolder(), 'store');
let keys: CachedKeys;
let commands: readonly string[][];
beforeAll(async () => {
  keys = await makeCache(store);
  commands = [
    ['ls'],
    ['show', keys.first],
    ['show', keys.embedded],
    ['explain', keys.newer],
    ['explain', keys.embedded, keys.first],
    ['evict', '--task', 'judge'],
    ['stats'],
  ].map((args) => ['cache', ...args]);
});

describe('every command of the cache', () => {
  it('at 40 columns: no line is longer, and keys and tasks stay', async () => {
    const narrow = commands.map(async (args) => ({
      args,
      ...(await stowageProcess(store, args, { COLUMNS: '40' })),
    }));
    for (const { args, code, stdout } of await Promise.all(narrow)) {
      expect(code).toBe(0);
      const longest = Math.max(...stdout.split('\n').map(displayWidth));
      expect(longest, `${args.join(' ')}\n${stdout}`).toBeLessThanOrEqual(40);
    }
    const { stdout } = await stowageProcess(store, ['cache', 'ls'], { COLUMNS: '40' });
    expect(stdout).toMatch(/^[0-9a-f]{12} {2}judge/m);
  });

  it('has colours where they are wanted', async () => {
    for (const args of commands) {
      const coloured = await stowageProcess(store, args, { FORCE_COLOR: '1' });
      expect(coloured.stdout, args.join(' ')).toContain('\x1b[');
      const plain = await stowageProcess(store, [...args, '--no-color'], { FORCE_COLOR: '1' });
      expect(plain.stdout).not.toContain('\x1b');
    }
  });

  it('ends quietly when nobody reads', async () => {
    const ended = commands.map(async (args) => {
      const child = spawn(process.execPath, [PROGRAM, ...args, '--store', store], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      child.stdout.destroy();
      let stderr = '';
      child.stderr.on('data', (piece: Buffer) => {
        stderr += piece.toString();
      });
      const code = await new Promise((resolve) => child.once('close', resolve));
      return { code, stderr };
    });
    for (const { code, stderr } of await Promise.all(ended)) {
      expect(code).toBe(0);
      expect(stderr).not.toMatch(/EPIPE|Error/);
    }
  });

  it('ends with 130 when interrupted, and has evicted nothing before it began', async () => {
    const quiet = (): Writable => new Writable({ write: (_piece, _encoding, done) => done() });
    for (const args of [...commands, ['cache', 'evict', '--all', '--yes']]) {
      const end = new AbortController();
      end.abort('interrupted' satisfies End);
      const streams = { stdout: quiet(), stderr: quiet() };
      expect(await runCli([...args, '--store', store], streams, end.signal)).toBe(130);
    }
    expect((await json(store, ['cache', 'ls'])).total).toBe(4);
  });
});

describe('the group of commands', () => {
  it('2: names them where none is named', async () => {
    const bare = await stowage(undefined, ['cache']);
    expect(bare).toMatchObject({ code: 2, stdout: '' });
    expect(bare.stderr).toMatch(/^Usage: stowage cache <command>/);
    expect(JSON.parse((await stowage(undefined, ['cache', '--json'])).stderr).error).toMatchObject({
      code: 'USAGE',
      message: 'Name a command of cache: ls, show, explain, evict, stats. See: stowage help cache',
    });
  });

  it.each([
    [['cache', 'lss'], "unknown command 'lss'. Did you mean ls? See: stowage help cache"],
    [
      ['help', 'cache', 'exlpain'],
      "unknown command 'exlpain'. Did you mean explain? See: stowage help cache",
    ],
    [['cache', 'help', 'lss'], "unknown command 'lss'. Did you mean ls? See: stowage help cache"],
    [
      ['cache', 'ls', '--taks', 'x'],
      "unknown option '--taks'. Did you mean --task? See: stowage help cache ls",
    ],
    [['cache', 'show'], "missing required argument 'key'. See: stowage help cache show"],
    [['cach', 'ls'], "unknown command 'cach'. Did you mean cache? See: stowage help"],
  ])('2: says what was meant: %j', async (args, said) => {
    expect(await stowage(undefined, args)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: `stowage: ${said}\n`,
    });
  });

  it('0: has help, however it is asked for', async () => {
    for (const args of [
      ['help', 'cache', 'ls'],
      ['cache', 'help', 'ls'],
      ['cache', 'ls', '--help'],
    ]) {
      const { code, stdout } = await stowage(undefined, args);
      expect({ code, start: stdout.split('\n')[0] }).toEqual({
        code: 0,
        start: 'Usage: stowage cache ls [options]',
      });
    }
    expect((await stowage(undefined, ['help', 'cache'])).stdout).toMatch(/^Usage: stowage cache <command>/);
  });
});
