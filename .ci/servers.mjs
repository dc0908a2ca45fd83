// Installs real servers of object storage into .servers/, for tests that would otherwise use lesser ones.
// Usage: node .ci/servers.mjs (`npm run servers`). Needs Go and its module proxy, and some minutes the first time; what
// is installed in the right version stays. Exit code 0 as well where there is no Go; 1 if Go could not build one.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../.servers', import.meta.url));
const SUFFIX = process.platform === 'win32' ? '.exe' : '';

/** What each stands for in the tests, and the version they were written against. */
const SERVERS = [
  { name: 'versitygw', path: 'github.com/versity/versitygw/cmd/versitygw', version: 'v1.8.0' },
  { name: 'fake-gcs-server', path: 'github.com/fsouza/fake-gcs-server', version: 'v1.56.1' },
  { name: 'minio', path: 'github.com/minio/minio', version: 'v0.0.0-20260212201848-7aac2a2c5b7c' },
];

const missing = SERVERS.filter((server) => !isInstalled(server));
for (const server of SERVERS) {
  if (!missing.includes(server)) console.log(`${server.name} ${server.version} is installed.`);
}
if (missing.length > 0 && !hasGo()) {
  const names = missing.map(({ name }) => name).join(', ');
  console.log(`Not installed: ${names}. There is no Go here to build them (https://go.dev/dl).`);
} else {
  mkdirSync(FOLDER, { recursive: true });
  const failed = missing.filter((server) => !install(server));
  process.exitCode = failed.length === 0 ? 0 : 1;
}

function isInstalled({ name, version }) {
  const stamp = stampOf(name);
  return (
    existsSync(join(FOLDER, name + SUFFIX)) && existsSync(stamp) && readFileSync(stamp, 'utf8') === version
  );
}

function hasGo() {
  return spawnSync('go', ['version'], { stdio: 'ignore' }).status === 0;
}

/** The stamp is written last, so that a build that was broken off is done again. */
function install({ name, path, version }) {
  console.log(`Installing ${name} ${version} ...`);
  const startedMs = performance.now();
  try {
    // Without what only debuggers read, linking takes half as long.
    execFileSync('go', ['install', '-ldflags=-s -w', `${path}@${version}`], {
      env: { ...process.env, CGO_ENABLED: '0', GOBIN: FOLDER },
      stdio: ['ignore', 'ignore', 'pipe'],
      encoding: 'utf8',
    });
  } catch (error) {
    const why = (error.stderr || error.message).trim().split('\n').slice(-5).join('\n  ');
    console.log(`Not installed: ${name}. go install said:\n  ${why}`);
    return false;
  }
  writeFileSync(stampOf(name), version);
  console.log(`Installed ${name} (${((performance.now() - startedMs) / 1000).toFixed(0)} s).`);
  return true;
}

function stampOf(name) {
  return join(FOLDER, `${name}.version`);
}
