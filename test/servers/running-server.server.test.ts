import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { startServer } from './running-server.ts';

/** Answers HTTP, and tells where its data lies and which process it is; deaf to a polite end where `stubborn`. */
const PROGRAM = `
  const [port, folder, kind] = process.argv.slice(1);
  require('fs').writeFileSync(folder + '/data', 'x');
  if (kind === 'stubborn') process.on('SIGTERM', () => {});
  require('http').createServer((_, answer) => answer.end(JSON.stringify({ pid: process.pid, folder })))
    .listen(Number(port), '127.0.0.1');
`;
const plan = (kind: string) => ({
  name: 'test',
  command: process.execPath,
  args: (port: number, folder: string) => ['--eval', PROGRAM, `${port}`, folder, kind],
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function untilGone(pid: number, folder: string): Promise<void> {
  while (isRunning(pid) || existsSync(folder)) await sleep(50);
}

describe('a server of the tests', () => {
  it.each(['polite', 'stubborn'])('that is %s is gone with its data once it is stopped', async (kind) => {
    const server = await startServer(plan(kind));
    const { pid, folder } = (await (await fetch(server.url)).json()) as { pid: number; folder: string };
    expect(existsSync(join(folder, 'data'))).toBe(true);
    await server.stop();
    expect([isRunning(pid), existsSync(folder)]).toEqual([false, false]);
  });

  it('does not outlive a process that is killed', async () => {
    // What holds the other end of the guard's input is a process of its own, which is killed without warning.
    const guard = join(import.meta.dirname, 'guard.mjs');
    const holder = spawn(process.execPath, [
      '--eval',
      `const { mkdtempSync } = require('fs');
       const folder = mkdtempSync(require('os').tmpdir() + '/stowage-guard-');
       const child = require('child_process').spawn(process.execPath,
         [${JSON.stringify(guard)}, folder, process.execPath, '--eval',
          'console.log(JSON.stringify({ pid: process.pid, folder: process.argv[1] })); setInterval(() => {}, 1000)', folder],
         { stdio: ['pipe', 'inherit', 'inherit'] });`,
    ]);
    const told = await new Promise<string>((resolve) =>
      holder.stdout.once('data', (data) => resolve(`${data}`)),
    );
    const { pid, folder } = JSON.parse(told) as { pid: number; folder: string };
    expect([isRunning(pid), existsSync(folder)]).toEqual([true, true]);
    holder.kill('SIGKILL');
    await untilGone(pid, folder);
  });

  it('that cannot start says why', async () => {
    const broken = { ...plan(''), args: () => ['--eval', 'console.error("no such disk"); process.exit(3)'] };
    await expect(startServer(broken)).rejects.toThrow(/test did not start.*no such disk/s);
  });
});

describe('npm run servers', () => {
  it('says what it cannot install where there is no Go, and does not fail', async () => {
    const script = join(import.meta.dirname, '../../.ci/servers.mjs');
    const { code, stdout } = await new Promise<{ code: number | null; stdout: string }>((resolve) => {
      const child = execFile(process.execPath, [script], { env: { PATH: '' } }, (_, stdout) =>
        resolve({ code: child.exitCode, stdout }),
      );
    });
    expect(code).toBe(0);
    expect(stdout).toMatch(/minio/);
    expect(stdout).toMatch(/There is no Go here|is installed/);
  });
});
