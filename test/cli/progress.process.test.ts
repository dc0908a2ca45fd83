import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { displayWidth } from '../../src/cli/ui/terminal-text.ts';
import { FlowDataStore } from '../../src/index.ts';
import { noise } from '../flow/fixtures.ts';
import { PROGRAM, scratchFolder } from './fixture.ts';

/** util-linux's `script` gives a command a terminal, and `mkfifo` a file whose reader sets the pace. */
const hasTerminals =
  (spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux') ?? false) &&
  spawnSync('mkfifo', ['--version']).status === 0;
if (!hasTerminals)
  console.warn('progress.process.test.ts: skipped, there is no `script` of util-linux, or no `mkfifo`');

const COLUMNS = 72;
const BYTES = 40_000_000;

/** `stowage` in a terminal. */
class InTerminal {
  /** All that was written to it. */
  written = '';
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;

  constructor(args: readonly string[], environment: Record<string, string> = {}) {
    const words = [process.execPath, PROGRAM, ...args].map((word) => `'${word}'`).join(' ');
    const { NO_COLOR: _, FORCE_COLOR: __, COLUMNS: ___, CI: ____, ...inherited } = process.env;
    const command = `stty cols ${COLUMNS}; exec ${words}`;
    this.#child = spawn('script', ['-qec', command, '/dev/null'], {
      env: { ...inherited, TERM: 'xterm', ...environment },
    });
    this.#child.stdout?.on('data', (piece: Buffer) => {
      this.written += piece.toString();
    });
    this.ended = new Promise((resolve) => this.#child.on('close', resolve));
  }

  press(key: string): void {
    this.#child.stdin?.write(key);
  }

  /** The lines that stand there. */
  screen(): string[] {
    const lines = [''];
    let column = 0;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal obeys
    for (const part of this.written.split(/(\r|\n|\x1b\[K|\x1b\[\d+m)/)) {
      const line = lines.at(-1) as string;
      if (part === '\r') column = 0;
      else if (part === '\n') lines.push('');
      else if (part === '\x1b[K') lines[lines.length - 1] = line.slice(0, column);
      else if (!part.startsWith('\x1b[')) {
        expect(part).not.toContain('\x1b');
        lines[lines.length - 1] = line.slice(0, column) + part + line.slice(column + part.length);
        column += part.length;
      }
    }
    return lines;
  }
}

async function makeStore(folder: string): Promise<string> {
  const storage = join(folder, 'store');
  const flow = await FlowDataStore.open({ flowName: 'Train', storage });
  await flow.task({ runId: 'r1', stepName: 'load', taskId: '0' }, (task) =>
    task.saveArtifacts({ film: noise(BYTES) }),
  );
  await flow.close();
  return storage;
}

/** Begins to write the film into a pipe, which is read no faster than it takes for a bar to appear. */
async function slowGet(
  environment: Record<string, string> = {},
  more: readonly string[] = [],
): Promise<{ terminal: InTerminal; pipe: FileHandle; read: () => Promise<number> }> {
  const folder = scratchFolder();
  const [storage, path] = [await makeStore(folder), join(folder, 'pipe')];
  spawnSync('mkfifo', [path]);
  const args = ['get', 'Train/r1/load/0', 'film', '--bytes', '-o', path, '--store', storage, ...more];
  const terminal = new InTerminal(args, environment);
  const pipe = await open(path, 'r');
  const buffer = Buffer.alloc(65_536);
  const read = async (): Promise<number> => (await pipe.read(buffer)).bytesRead;
  return { terminal, pipe, read };
}

describe.runIf(hasTerminals)('a command that takes long, in a terminal', () => {
  it('shows a bar, and leaves nothing of it', async () => {
    const { terminal, pipe, read } = await slowGet({ NO_COLOR: '1' });
    let bytes = 0;
    for (let got = await read(); got > 0; got = await read()) {
      bytes += got;
      if (!terminal.written.includes('film  [=')) await delay(10);
    }
    await pipe.close();
    expect(bytes).toBe(BYTES);
    expect(await terminal.ended).toBe(0);
    expect(terminal.written).toMatch(/\rfilm {2}\[=*> *\] {2,4}\d+ % {2}[\d.]+ MB of 40\.0 MB/);
    expect(terminal.screen()).toEqual(['']);
    const lines = terminal.written.split(/[\r\n]/);
    expect(Math.max(...lines.map((line) => displayWidth(line.replace('\x1b[K', ''))))).toBeLessThan(COLUMNS);
  });

  it('ends at Ctrl-C, and leaves the terminal as it was', async () => {
    const { terminal, pipe, read } = await slowGet();
    while (!terminal.written.includes('\x1b[36m=') && (await read()) > 0) await delay(10);
    terminal.press('\x03');
    // A write that the pipe does not take would keep it.
    while ((await read()) > 0) await delay(10);
    expect(await terminal.ended).toBe(130);
    await pipe.close();
    expect(terminal.screen()).toEqual(['stowage: interrupted.', '']);
    // No colour goes on, and no cursor was hidden.
    expect(terminal.written.lastIndexOf('\x1b[39m')).toBeGreaterThan(
      terminal.written.lastIndexOf('\x1b[36m'),
    );
    expect(terminal.written).not.toContain('\x1b[?');
  });

  it('shows none in CI', async () => {
    const { terminal, pipe, read } = await slowGet({ CI: 'true' });
    for (let got = await read(); got > 0; got = await read());
    await pipe.close();
    expect(await terminal.ended).toBe(0);
    expect(terminal.written).toBe('');
  });
});
