import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** Where Debian keeps the programs of each version. */
const DEBIAN = '/usr/lib/postgresql';
/** Ends the server with this process at the latest, and removes its data. */
const GUARD = fileURLToPath(new URL('../../test/servers/guard.mjs', import.meta.url));
const WAIT_MS = 30_000;

/** A PostgreSQL as it comes, with its data on a tmpfs where there is one; `undefined` where none is installed, as on a machine without Debian's package. */
export async function startPostgres() {
  const bin = findPrograms();
  const isRoot = process.getuid?.() === 0;
  if (bin === undefined || (isRoot && !isThere('setpriv'))) return undefined;
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'stowage-bench-postgres-'));
  const port = await freePort();
  // It does not run as root.
  const asUser = isRoot ? 'exec setpriv --reuid=postgres --regid=postgres --clear-groups' : 'exec';
  const script = [
    ...(isRoot ? [`chown postgres ${folder}`] : []),
    `${asUser} sh -ec '${[
      `${join(bin, 'initdb')} -D ${folder}/data -U stowage -A trust -E UTF8 --no-locale --no-sync >/dev/null`,
      `exec ${join(bin, 'postgres')} -D ${folder}/data -p ${port} -h 127.0.0.1 -k ${folder}`,
    ].join('; ')}'`,
  ].join(' && ');
  const server = spawn(process.execPath, [GUARD, folder, 'sh', '-c', script], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const ended = new Promise((resolve) => server.once('exit', resolve));
  const endMs = performance.now() + WAIT_MS;
  while (!isReady(bin, port)) {
    if (performance.now() > endMs || server.exitCode !== null) throw new Error('PostgreSQL does not answer');
    await sleep(100);
  }
  return {
    address: `postgres://stowage@127.0.0.1:${port}/postgres`,
    stop: async () => {
      server.stdin.end();
      await ended;
    },
  };
}

function findPrograms() {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort().reverse() : [];
  return versions
    .map((version) => join(DEBIAN, version, 'bin'))
    .find((bin) => existsSync(join(bin, 'initdb')));
}

function isThere(program) {
  return succeeds('sh', ['-c', `command -v ${program}`]);
}

function isReady(bin, port) {
  return succeeds(join(bin, 'pg_isready'), ['-h', '127.0.0.1', '-p', String(port), '-q']);
}

function succeeds(command, args) {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
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
