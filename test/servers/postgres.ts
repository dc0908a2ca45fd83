import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { findBinary } from './binaries.ts';
import { type RunningServer, startServer } from './running-server.ts';

const { Pool } = createRequire(import.meta.url)('pg') as {
  Pool: new (options: {
    connectionString: string;
    connectionTimeoutMillis?: number;
  }) => {
    query(text: string): Promise<{ rows: Record<string, unknown>[] }>;
    on(event: 'error', listener: () => void): void;
    end(): Promise<void>;
  };
};

/** Where Debian keeps the programs of each version. */
const DEBIAN = '/usr/lib/postgresql';

/** The folder of `initdb` and `postgres`; `undefined` where there is no PostgreSQL, or nobody to run it as. */
function findPostgres(): string | undefined {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort().reverse() : [];
  const folder = versions
    .map((version) => join(DEBIAN, version, 'bin'))
    .find((bin) => existsSync(join(bin, 'initdb')));
  if (process.getuid?.() === 0) return findBinary('setpriv') && folder; // it does not run as root
  return folder ?? (findBinary('initdb') ? '' : undefined);
}

/** A PostgreSQL that runs during the tests of a file. */
export interface PostgresInUse {
  /** `postgres://stowage@127.0.0.1:<port>/postgres` */
  address(): string;
  /** The last lines that it printed. */
  log(): string;
  /** Kills the server by SIGKILL, as a machine that loses its power would; it is started again on the same data. */
  kill(): Promise<void>;
}

/**
 * Runs the server, and again whenever it was killed; until those that it had started are gone, it refuses to start. Ended by SIGTERM, which ends its connections.
 */
const keepRunning = (command: string): string =>
  [
    'killed=',
    'trap "kill -INT \\$pid; wait \\$pid; exit 0" TERM',
    `while true; do ${command} & pid=$!; code=0; wait $pid || code=$?`,
    'if [ $code -gt 128 ]; then killed=1; fi',
    'if [ -z "$killed" ]; then exit $code; fi',
    'sleep 0.05; done',
  ].join('; ');

/** Starts PostgreSQL with its data in memory; `settings` are lines of its configuration. Anybody may log in as `stowage`. */
export async function startPostgres(settings: readonly string[] = []): Promise<RunningServer> {
  const bin = findPostgres();
  if (bin === undefined) throw new Error('There is no PostgreSQL.');
  const of = (program: string): string => (bin === '' ? program : join(bin, program));
  const isRoot = process.getuid?.() === 0;
  const script = (port: number, folder: string): string =>
    [
      ...(isRoot ? [`chown postgres ${folder}`] : []),
      `${isRoot ? 'exec setpriv --reuid=postgres --regid=postgres --clear-groups ' : 'exec '}sh -ec '${[
        `${of('initdb')} -D ${folder}/data -U stowage -A trust -E UTF8 --no-locale --no-sync >/dev/null`,
        ...settings.map((line) => `echo "${line}" >> ${folder}/data/postgresql.conf`),
        keepRunning(`${of('postgres')} -D ${folder}/data -p ${port} -h 127.0.0.1 -k ${folder}`),
      ].join('; ')}'`,
    ].join(' && ');
  return startServer({
    name: 'postgres',
    command: 'sh',
    args: (port, folder) => ['-c', script(port, folder)],
    isUp: (url) => isReady(addressOf(Number(new URL(url).port))),
  });
}

/**
 * Registers tests that need PostgreSQL, which runs from before the first to after the last. Where it is not installed they are skipped, and
 * what is not tested is said aloud.
 */
export function describeOnPostgres(
  title: string,
  body: (server: PostgresInUse) => void,
  settings?: readonly string[],
): void {
  const isThere = findPostgres() !== undefined;
  if (!isThere)
    console.warn(`\nNOT TESTED: ${title}, on PostgreSQL. There is none; Debian's package is postgresql.\n`);
  describe.skipIf(!isThere)(title, () => {
    let running: RunningServer | undefined;
    beforeAll(async () => {
      running = await startPostgres(settings);
    });
    afterAll(() => running?.stop());
    body({
      address: () => addressOf(running?.port),
      log: () => running?.log() ?? '',
      kill: () => killServer(addressOf(running?.port)),
    });
  });
}

function addressOf(port: number | undefined): string {
  return `postgres://stowage@127.0.0.1:${port}/postgres`;
}

async function killServer(connectionString: string): Promise<void> {
  const pool = new Pool({ connectionString });
  pool.on('error', () => {}); // it breaks off
  const { rows } = await pool.query("select current_setting('data_directory') as folder");
  const [pid] = readFileSync(join(String(rows[0]?.folder), 'postmaster.pid'), 'utf8').split('\n');
  process.kill(Number(pid), 'SIGKILL');
  await pool.end().catch(() => {});
}

/** A server that is still starting up takes connections, and refuses what they ask. */
async function isReady(connectionString: string): Promise<boolean> {
  const pool = new Pool({ connectionString, connectionTimeoutMillis: 1000 });
  pool.on('error', () => {});
  try {
    await pool.query('select 1');
    return true;
  } catch {
    return false;
  } finally {
    await pool.end();
  }
}
