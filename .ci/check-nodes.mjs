// Runs a first script, the demo and a part of the tests on the versions of Node.js that the package supports beside this one.
// Usage: node .ci/check-nodes.mjs, after `npm run build`. The versions come from the npm package `node`; not by npx,
// because it hides them in the home folder, where tests that act as another user cannot start them.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const VERSIONS = ['22', '24'];
/** Fewer than in the main run: what is looked for is not a rare value but what another Node.js does otherwise. */
const PROPERTY_RUNS = '10';

const VITEST = ['node_modules/vitest/vitest.mjs', 'run', '--reporter=dot'];

/**
 * Those of what another Node.js does otherwise, since all of this runs beside the main tests and takes their processors: zstd, WebAssembly,
 * bytes and numbers and their texts; streams and pipes; files and permissions; the calls that a task is in, and the texts of functions;
 * exits and signals. The others stand on these.
 */
const TESTS = [
  ...VITEST,
  '--project=unit',
  '--project=process',
  ...['async/', 'digest/', 'logs/', 'streams/', 'values/'].map((folder) => `test/${folder}`),
  ...['envelope', 'grouping', 'json-text', 'kernel', 'shell-command', 'zstd'].map(
    (one) => `test/codec/${one}`,
  ),
  ...['abort', 'round-trip', 'save-forms', 'task-life', 'transferred-memory'].map(
    (one) => `test/flow/${one}`,
  ),
  ...['local.', 'local/', 'permission-model'].map((one) => `test/storage/${one}`),
  ...['cached-task.', 'circular-calls', 'code-version', 'endings'].map((one) => `test/cached-tasks/${one}`),
  'test/cli/exits',
  'test/cli/put.process',
];
/** The libraries of the services, used as flows use them, on the newest version alone: what they need of Node.js is in the other tests. */
const SERVER_TESTS = [
  ...VITEST,
  '--project=server',
  'test/storage/s3-flow',
  'test/storage/azure-flow',
  'test/storage/gcs-flow',
];

const folder = mkdtempSync(join(tmpdir(), 'stowage-nodes-'));
chmodSync(folder, 0o755);
let failures = 0;
for (const version of VERSIONS) {
  let node;
  check(version, 'npm install node', () => {
    node = installNode(version);
    return run(node, '--version');
  });
  if (node === undefined) continue;
  // One store for all versions: what one wrote, the next must read.
  check(version, 'a first script', () =>
    run(node, '.ci/newcomer/first-steps.mjs', join(folder, 'first-steps')),
  );
  check(version, 'the demo', () => run(node, 'docs/examples/movies.mjs', join(folder, 'movies')));
  check(version, 'the tests', () => run(node, ...TESTS));
  if (version === VERSIONS.at(-1)) check(version, 'the tests on servers', () => run(node, ...SERVER_TESTS));
}
rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
process.exitCode = failures === 0 ? 0 : 1;

/** The path of a Node.js of that version, fetched from the npm registry. */
function installNode(version) {
  const prefix = join(folder, `node-${version}`);
  mkdirSync(prefix);
  const options = ['--prefer-offline', '--no-save', '--no-audit', '--no-fund'];
  run('npm', 'install', '--prefix', prefix, ...options, `node@${version}`);
  return join(prefix, 'node_modules/node/bin/node');
}

function check(version, title, work) {
  const startedMs = performance.now();
  let fault;
  let printed = '';
  try {
    printed = work();
  } catch (error) {
    fault = error;
    failures++;
  }
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  const said = /Tests .*/.exec(printed) ?? /v\d+\.\d+\.\d+/.exec(printed);
  const result = said?.[0].replace(/\s+/g, ' ') ?? '';
  console.log(`${fault ? 'FAILED' : 'ok    '} Node ${version}: ${title} (${seconds} s) ${result}`.trimEnd());
  if (fault) console.log(fault.stdout ?? '', fault.stderr ?? '', fault.message);
}

/** Runs a command to its end; what it prints is shown only if it fails. */
function run(command, ...args) {
  return execFileSync(command, args, {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', STOWAGE_PROPERTY_RUNS: PROPERTY_RUNS },
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * 1024 * 1024,
    timeout: 600_000,
  });
}
