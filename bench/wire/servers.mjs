import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SUFFIX = process.platform === 'win32' ? '.exe' : '';
const LONGEST_START_MS = 30_000;
/** What Azurite publishes for everybody; no secret. */
export const AZURITE_KEY =
  'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

export const KEYS = { accessKeyId: 'stowage', secretAccessKey: 'stowage-secret' };
export const AZURITE_ACCOUNT = 'devstoreaccount1';

/** What `npm run servers` installed. */
function binary(name) {
  return join(ROOT, '.servers', name + SUFFIX);
}

/** The servers that can be started here, by service. */
export const SERVERS = {
  s3: {
    name: 'versitygw',
    isHere: () => existsSync(binary('versitygw')),
    start: (port, folder) =>
      run(binary('versitygw'), ['--port', `127.0.0.1:${port}`, '--quiet', 'posix', folder], {
        ROOT_ACCESS_KEY: KEYS.accessKeyId,
        ROOT_SECRET_KEY: KEYS.secretAccessKey,
      }),
  },
  azure: {
    name: 'Azurite',
    isHere: () => true,
    start: (port) =>
      run(process.execPath, [
        join(ROOT, 'node_modules/azurite/dist/src/blob/main.js'),
        ...['--blobHost', '127.0.0.1', '--blobPort', `${port}`],
        ...['--inMemoryPersistence', '--silent', '--disableTelemetry', '--skipApiVersionCheck'],
      ]),
  },
  gcs: {
    name: 'fake-gcs-server',
    isHere: () => existsSync(binary('fake-gcs-server')),
    start: (port) =>
      run(binary('fake-gcs-server'), [
        ...['-scheme', 'http', '-host', '127.0.0.1', '-port', `${port}`, '-backend', 'memory'],
      ]),
  },
};

/** Starts a server on a free port and waits until it answers. */
export async function startServer({ name, start }, folder) {
  const port = await freePort();
  mkdirSync(folder, { recursive: true });
  const child = start(port, folder);
  const url = `http://127.0.0.1:${port}`;
  const endMs = performance.now() + LONGEST_START_MS;
  while (!(await answers(url))) {
    if (performance.now() > endMs || child.exitCode !== null) {
      child.kill('SIGKILL');
      throw new Error(`${name} did not start`);
    }
    await sleep(50);
  }
  return {
    url,
    stop: () =>
      new Promise((resolve) => {
        child.once('close', resolve);
        child.kill('SIGKILL');
      }),
  };
}

function run(command, args, environment = {}) {
  const child = spawn(command, args, { env: { ...process.env, ...environment }, stdio: 'ignore' });
  // However the benchmark ends, its servers do.
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('close', () => process.off('exit', kill));
  return child;
}

async function answers(url) {
  try {
    await (await fetch(url)).arrayBuffer();
    return true;
  } catch {
    return false; // not yet
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
