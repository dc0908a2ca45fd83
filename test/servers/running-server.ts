import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const GUARD = join(import.meta.dirname, 'guard.mjs');
/** Another process may take a port between finding it free and using it. */
const ATTEMPTS = 3;
const MAX_LOG_CHARACTERS = 20_000;

/** How a server is started. */
export interface ServerPlan {
  name: string;
  command: string;
  /** @param folder a new one for its data, in memory where there is such a thing; it is removed after the server */
  args: (port: number, folder: string) => string[];
  env?: Record<string, string>;
  /** Whether it answers already. Default: as soon as it answers any HTTP request at all. */
  isUp?: (url: string) => Promise<boolean>;
}

/** A server on loopback that this process started. */
export interface RunningServer {
  readonly name: string;
  readonly port: number;
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** The end of what it printed. */
  log(): string;
  /** Resolves when its process is gone and its data removed. */
  stop(): Promise<void>;
}

/** Starts a server on a free port and waits until it answers. It ends with this process at the latest. */
export async function startServer(plan: ServerPlan, timeoutMs = 30_000): Promise<RunningServer> {
  let lastLog = '';
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const server = await launch(plan);
    if (await isReady(server, plan.isUp ?? answers, timeoutMs)) return server;
    await server.stop();
    lastLog = server.log();
  }
  throw new Error(`${plan.name} did not start (${plan.command}), ${ATTEMPTS} times. It printed:\n${lastLog}`);
}

interface Launched extends RunningServer {
  hasEnded(): boolean;
}

async function launch(plan: ServerPlan): Promise<Launched> {
  const port = await freePort();
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), `stowage-${plan.name}-`));
  const guard = spawn(process.execPath, [GUARD, folder, plan.command, ...plan.args(port, folder)], {
    env: { ...process.env, ...plan.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const ended = new Promise<void>((resolve) => guard.once('close', () => resolve()));
  let log = '';
  for (const output of [guard.stdout, guard.stderr]) {
    output.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-MAX_LOG_CHARACTERS);
    });
  }
  // Its input ends when the guard does, which a write that is on its way would report.
  guard.stdin.on('error', () => {});
  return {
    name: plan.name,
    port,
    url: `http://127.0.0.1:${port}`,
    log: () => log,
    hasEnded: () => hasEnded(guard),
    stop: async () => {
      guard.stdin.end();
      await ended;
    },
  };
}

async function isReady(
  server: Launched,
  isUp: (url: string) => Promise<boolean>,
  timeoutMs: number,
): Promise<boolean> {
  const endMs = performance.now() + timeoutMs;
  while (performance.now() < endMs && !server.hasEnded()) {
    if (await isUp(server.url)) return true;
    await sleep(50);
  }
  return false;
}

async function answers(url: string): Promise<boolean> {
  try {
    await (await fetch(url)).arrayBuffer();
    return true;
  } catch {
    return false; // not yet
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
