import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const VERSITYGW = fileURLToPath(new URL('../../.servers/versitygw', import.meta.url));
/** Ends the server with this process at the latest. */
const GUARD = fileURLToPath(new URL('../../test/servers/guard.mjs', import.meta.url));
const KEYS = { access: 'stowage', secret: 'stowage-secret' };
const WAIT_MS = 30_000;

/** An S3 server on this machine that keeps its objects in `folder`; `undefined` where `npm run servers` has not installed it. */
export async function startS3(folder) {
  if (!existsSync(VERSITYGW)) return undefined;
  mkdirSync(join(folder, 'bench'), { recursive: true }); // the bucket
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const args = ['--port', `127.0.0.1:${port}`, '--quiet', '--keep-alive', 'posix', folder];
  const server = spawn(process.execPath, [GUARD, folder, VERSITYGW, ...args], {
    env: { ...process.env, ROOT_ACCESS_KEY: KEYS.access, ROOT_SECRET_KEY: KEYS.secret },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const endMs = performance.now() + WAIT_MS;
  while (!(await answers(url))) {
    if (performance.now() > endMs) throw new Error('versitygw does not answer');
    await sleep(50);
  }
  return {
    endpoint: url,
    address: `s3://bench/store?endpoint=${url}&region=us-east-1`,
    env: { AWS_ACCESS_KEY_ID: KEYS.access, AWS_SECRET_ACCESS_KEY: KEYS.secret },
    stop: () => server.stdin.end(),
  };
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
