import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import { displayWidth } from '../../src/cli/ui/terminal-text.ts';
import { makeStore, PROGRAM, RUN, scratchFolder } from './fixture.ts';
import { stowageProcess as stowage } from './program-process.ts';

let store: string;
beforeAll(async () => {
  store = await makeStore(scratchFolder());
});

/** util-linux's `script` gives a command a terminal. */
const hasScript =
  spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux') ?? false;

/** Runs `stowage` in a terminal; what stands on it, and the exit code. */
function inTerminal(
  args: readonly string[],
  environment: Record<string, string> = {},
): { screen: string; code: number | null } {
  const command = [process.execPath, PROGRAM, ...args, '--store', store].map((word) => `'${word}'`).join(' ');
  const { NO_COLOR: _, FORCE_COLOR: __, COLUMNS: ___, ...inherited } = process.env;
  const { stdout, status } = spawnSync('script', ['-qec', command, '/dev/null'], {
    encoding: 'utf8',
    env: { ...inherited, TERM: 'xterm', ...environment },
  });
  // Lines of progress, which a busy machine shows, are gone once the next one comes.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const screen = stdout.replaceAll('\r\n', '\n').replace(/\r[^\r\n]*\x1b\[K/g, '');
  return { screen, code: status };
}

describe.runIf(hasScript)('in a terminal', () => {
  it('has colours, unless told otherwise', () => {
    expect(inTerminal(['ls']).screen).toContain('\x1b[36mTrain\x1b[39m');
    expect(inTerminal(['ls', '--no-color']).screen).not.toContain('\x1b');
    expect(inTerminal(['ls'], { NO_COLOR: '1' }).screen).not.toContain('\x1b');
    expect(inTerminal(['ls'], { TERM: 'dumb' }).screen).not.toContain('\x1b');
  });

  it('colours what was added and removed', () => {
    const { screen, code } = inTerminal(['diff', `${RUN}/fit/2`, `${RUN}/load/0`]);
    expect(code).toBe(0);
    expect(screen).toContain('\x1b[36mweights\x1b[39m   \x1b[31mremoved\x1b[39m');
    expect(screen).toContain('\x1b[32m+ rows: [{"a": 1}, {"a": 2}]\x1b[39m\n');
    expect(inTerminal(['diff', `${RUN}/fit/2`, `${RUN}/load/0`, '--no-color']).screen).not.toContain('\x1b');
  });

  it('is not taken for one without columns, though it may not know how many it has', () => {
    expect(inTerminal(['runs', 'Train']).screen).toContain('demo, nightly');
  });

  it('refuses raw bytes and says what to do', () => {
    const { screen, code } = inTerminal(['get', `${RUN}/load/0`, 'raw']);
    expect(code).toBe(2);
    expect(screen).toMatch(
      /raw is 300 kB of bytes \(Uint8Array\), which a terminal cannot show. Save it with -o <file>/,
    );
    expect(inTerminal(['get', `${RUN}/fit/2`, 'weights', '--bytes']).code).toBe(2);
  });

  it('shows text with its control characters escaped', () => {
    expect(inTerminal(['get', `${RUN}/load/0`, 'note']).screen).toBe('héllo\nwörld \n');
    const log = inTerminal(['log', `${RUN}/load/0`, '--source', 'task', '--stream', 'stdout']).screen;
    expect(log).toBe('loading\n\x1b[32mgreen\x1b[0m \\x1b]0;evil\\x07\n\x1b[0m');
  });
});

describe('at 40 columns', () => {
  it('no line of a table is longer, and names stay', async () => {
    const commands: string[][] = [
      ['runs'],
      ['ls'],
      ['ls', RUN],
      ['ls', `${RUN}/fit`],
      ['ls', `${RUN}/load/0`],
      ['ls', '--long'],
      ['ls', `${RUN}/fit/drama`],
      ['show', RUN],
      ['show', `${RUN}/load/0`],
      ['diff', `${RUN}/load/0`, `${RUN}/fit/2`],
      ['diff', RUN, 'Other/r1', '--details'],
      ['stat'],
      ['stat', '--by', 'artifact'],
    ];
    const narrow = commands.map(async (args) => ({
      args,
      ...(await stowage(store, args, { COLUMNS: '40' })),
    }));
    for (const { args, stdout } of await Promise.all(narrow)) {
      const longest = Math.max(...stdout.split('\n').map(displayWidth));
      expect(longest, `${args.join(' ')}\n${stdout}`).toBeLessThanOrEqual(40);
    }
    expect((await stowage(store, ['ls', 'Train'], { COLUMNS: '40' })).stdout).toContain(
      '2026-01-31T08:00:00Z',
    );
    expect((await stowage(store, ['runs', 'Train'], { COLUMNS: '40' })).stdout).toContain(
      'Train/2026-01-31T08:00:00Z',
    );
  });

  it('no line of help is longer', async () => {
    const names = ['runs', 'ls', 'show', 'get', 'put', 'log', 'diff', 'stat', 'completion'];
    for (const args of [['--help'], ...names.map((name) => [name, '--help'])]) {
      const { stdout } = await stowage(undefined, args, { COLUMNS: '40' });
      const longest = Math.max(...stdout.split('\n').map(displayWidth));
      expect(longest, `${args.join(' ')}\n${stdout}`).toBeLessThanOrEqual(40);
    }
    const { stdout } = await stowage(undefined, ['get', '--help'], { COLUMNS: '40' });
    expect(stdout).toContain('\n  --bytes\n    the serialized bytes as they are:\n    --format bytes\n');
  });

  it.runIf(hasScript)('errors are wrapped between words; a path, and a command to copy, stay whole', () => {
    const { screen } = inTerminal(['show', `${RUN}/nowhere-near-anything`], { COLUMNS: '40' });
    expect(screen).toBe(
      [
        `stowage: Run`,
        RUN,
        'has no step nowhere-near-anything. See',
        'what it has with:',
        `stowage ls ${RUN}`,
        '',
      ]
        .join('\n')
        .replace(`Run\n${RUN}`, `Run ${RUN}`),
    );
  });

  it('errors in a file or pipe are one line', async () => {
    const { stderr } = await stowage(store, ['show', `${RUN}/nowhere-near-anything`], { COLUMNS: '40' });
    expect(stderr).toMatch(/^stowage: .*\n$/);
  });

  it('help in a file or pipe has 80 columns', async () => {
    const { stdout } = await stowage(undefined, ['--help']);
    expect(Math.max(...stdout.split('\n').map(displayWidth))).toBeLessThanOrEqual(80);
    expect(stdout).toMatch(/^ {2}stowage put .* {3}a file, as artifact of a new attempt$/m);
  });

  it('a file or pipe gets whole lines', async () => {
    expect((await stowage(store, ['runs'])).stdout).toContain('demo, nightly');
  });
});

it('FORCE_COLOR colours a pipe; a pipe alone does not', async () => {
  expect((await stowage(store, ['ls'], { FORCE_COLOR: '1' })).stdout).toContain('\x1b[36m');
  expect((await stowage(store, ['ls'])).stdout).not.toContain('\x1b');
});
