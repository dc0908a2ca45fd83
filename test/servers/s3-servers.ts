import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import { findBinary, packageScript } from './binaries.ts';
import { type ServerPlan, startServer } from './running-server.ts';
import { createBucket } from './s3-buckets.ts';

const KEYS = { accessKeyId: 'stowage', secretAccessKey: 'stowage-secret' };

/** How to reach a server of S3: what an `S3Storage` takes, but for the bucket. */
export interface S3Access {
  endpoint: string;
  region: string;
  forcePathStyle: boolean;
  credentials: { accessKeyId: string; secretAccessKey: string };
}

/** A server of S3 that tests can use. */
export interface S3Server {
  readonly name: string;
  /** Whether it does what S3 does. One that does not ignores the conditions of writes. */
  readonly isReal: boolean;
  /** What begins the names of conformance cases that it cannot pass, whoever asks. */
  readonly faults: readonly string[];
  /** What begins the names of those that it passes only if what fails is tried again. */
  readonly needsRetries: readonly string[];
  start(): Promise<{ access: S3Access; stop(): Promise<void> }>;
}

/** An S3 server that runs during the tests of a file. */
export interface S3InUse {
  readonly name: string;
  access(): S3Access;
  /** Makes a bucket (or, where the environment names one, a prefix of one) that nobody else uses. */
  newPlace(): Promise<S3Access & { bucket: string; prefix: string }>;
}

/** versitygw keeps objects as files of a folder, and honours conditional writes. */
const versitygw: S3Server = {
  ...started('versitygw', (command) => ({
    name: 'versitygw',
    command,
    args: (port, folder) => ['--port', `127.0.0.1:${port}`, '--quiet', '--keep-alive', 'posix', folder],
    env: { ROOT_ACCESS_KEY: KEYS.accessKeyId, ROOT_SECRET_KEY: KEYS.secretAccessKey },
  })),
  // A folder that it makes for a new object may go, with the last object of it, before the new one is in it.
  needsRetries: ['delete: a create beside deletes', 'list: what is there throughout'],
};

const minio: S3Server = {
  ...started('minio', (command) => ({
    name: 'minio',
    command,
    args: (port, folder) => ['server', folder, '--address', `127.0.0.1:${port}`, '--quiet'],
    env: {
      MINIO_ROOT_USER: KEYS.accessKeyId,
      MINIO_ROOT_PASSWORD: KEYS.secretAccessKey,
      MINIO_BROWSER: 'off',
      MINIO_UPDATE: 'off',
    },
    isUp: async (url) => (await fetch(`${url}/minio/health/ready`).catch(() => undefined))?.ok ?? false,
  })),
  // As with versitygw; but of some hundred such creates it answers one by "AccessDenied", which nobody tries again.
  faults: ['delete: a create beside deletes'],
};

/** From npm, so that it is always there; it ignores conditional writes, and more. */
export const s3rver: S3Server = {
  name: 's3rver',
  isReal: false,
  faults: [
    'get: a range is the part it names', // it breaks the connection where an object is empty
    'get: a reader beside a writer', // sees half of a write
    'overwrite: a reader beside it', // sees half of a write
    'list: a prefix may end anywhere', // folders come out of order
    'list: startAfter, limit and depth',
    'list: 2010 objects', // some are lost beyond a page
    'list: what is there throughout', // a write beside a delete ends its process
    'delete: a create beside deletes',
    'names: awkward ones',
    'names: long ones', // too long a file name ends its process
  ],
  needsRetries: [],
  start: async () => {
    const server = await startServer({
      name: 's3rver',
      command: process.execPath,
      args: (port, folder) => [
        packageScript('s3rver/bin/s3rver.js'),
        ...['--directory', folder, '--address', '127.0.0.1', '--port', `${port}`, '--silent'],
      ],
    });
    // The only key that it knows.
    return {
      access: accessTo(server.url, { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' }),
      stop: server.stop,
    };
  },
};

/**
 * The servers there are, the best kind only: the one that `STOWAGE_TEST_S3_ENDPOINT` names (with
 * `STOWAGE_TEST_S3_ACCESS_KEY_ID`, `STOWAGE_TEST_S3_SECRET_ACCESS_KEY`, and where they differ from the usual
 * `STOWAGE_TEST_S3_REGION` and, to use a bucket that exists, `STOWAGE_TEST_S3_BUCKET`); else versitygw and minio where
 * they are installed; else s3rver.
 */
export function s3Servers(): S3Server[] {
  const { STOWAGE_TEST_S3_ENDPOINT: endpoint } = process.env;
  if (endpoint) return [named(endpoint)];
  const real = [versitygw, minio].filter(({ name }) => findBinary(name));
  if (real.length > 0) return real;
  console.warn(
    [
      '',
      'NOT TESTED: S3 as it is. The only server here is s3rver, which ignores the conditions of writes. Nothing is tested',
      'of who wins of many creates, of ifMatch, of large objects in parts, of faults on the way, and of these cases:',
      ...s3rver.faults.map((fault) => `  ${fault} ...`),
      'Run `npm run servers` (it needs Go), or set STOWAGE_TEST_S3_ENDPOINT.',
      '',
    ].join('\n'),
  );
  return [s3rver];
}

/** Starts a server before the tests of the file, and stops it after them. */
export function useS3Server(server: S3Server): S3InUse {
  let running: Awaited<ReturnType<S3Server['start']>> | undefined;
  beforeAll(async () => {
    running = await server.start();
  });
  afterAll(() => running?.stop());
  const access = (): S3Access => {
    if (!running) throw new Error(`${server.name} runs only while tests do.`);
    return running.access;
  };
  return {
    name: server.name,
    access,
    newPlace: async () => {
      const unique = `test-${randomBytes(8).toString('hex')}`;
      const { STOWAGE_TEST_S3_BUCKET: shared } = process.env;
      if (shared) return { ...access(), bucket: shared, prefix: unique };
      await createBucket(access(), unique);
      return { ...access(), bucket: unique, prefix: '' };
    },
  };
}

function started(name: string, plan: (command: string) => ServerPlan): S3Server {
  return {
    name,
    isReal: true,
    faults: [],
    needsRetries: [],
    start: async () => {
      const command = findBinary(name);
      if (!command) throw new Error(`There is no ${name}; npm run servers installs it.`);
      const server = await startServer(plan(command));
      return { access: accessTo(server.url, KEYS), stop: server.stop };
    },
  };
}

function named(endpoint: string): S3Server {
  const { STOWAGE_TEST_S3_ACCESS_KEY_ID: id, STOWAGE_TEST_S3_SECRET_ACCESS_KEY: secret } = process.env;
  const keys = { accessKeyId: id ?? '', secretAccessKey: secret ?? '' };
  return {
    name: endpoint,
    isReal: true,
    faults: [],
    needsRetries: [],
    start: async () => ({ access: accessTo(endpoint, keys), stop: async () => {} }),
  };
}

function accessTo(endpoint: string, credentials: S3Access['credentials']): S3Access {
  const region = process.env.STOWAGE_TEST_S3_REGION ?? 'us-east-1';
  return { endpoint, region, forcePathStyle: true, credentials };
}
