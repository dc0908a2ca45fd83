// Packs the package, installs the tarball into empty projects, and works there as a newcomer would.
// Usage: node .ci/check-package.mjs, after `npm run build`. Prints one line for each check; exit code 1 if one failed.
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const NEWCOMER = fileURLToPath(new URL('newcomer', import.meta.url));
const isWindows = process.platform === 'win32';

/** How people install it, and whether what is optional is there afterwards. */
const INSTALLS = [
  { name: 'plain', options: [], hasOptional: true },
  { name: 'without install scripts', options: ['--ignore-scripts'], hasOptional: true },
  { name: 'without optional packages', options: ['--omit=optional'], hasOptional: false },
];

const OPTIONAL = ['@aws-sdk/client-s3', '@azure/storage-blob', '@toondepauw/node-zstd', 'libsql'];

/** What the page of `stowage ui` loads before it shows anything, and what it may weigh as it is sent, in bytes. */
const PAGE_FILES = ['page.js', 'page.css'];
const MAX_PAGE_BYTES = 100_000;

let failures = 0;
const folder = mkdtempSync(join(tmpdir(), 'stowage-package-'));
try {
  checkAll();
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
console.log(failures === 0 ? 'The package is fit to publish.' : `${failures} checks of the package failed.`);
process.exitCode = failures === 0 ? 0 : 1;

function checkAll() {
  run(ROOT, 'npm', 'pack', '--ignore-scripts', '--silent', '--pack-destination', folder);
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  // One store for all installs: what one codec wrote, the others must read.
  const store = join(folder, 'store');
  INSTALLS.forEach(({ name, options, hasOptional }, index) => {
    const project = join(folder, `project-${index}`);
    mkdirSync(project);
    writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
    const installed = check(`${name}: npm install`, () => {
      run(project, 'npm', 'install', ...options, join(folder, tarball));
      expectOptional(project, hasOptional);
      expectNothingCompiled(project);
    });
    if (!installed) return;
    checkProject(name, project, store);
    const libraries = hasOptional ? 'installed' : 'missing';
    check(`${name}: the libraries of buckets`, () => run(project, 'node', 'buckets.mjs', libraries));
    check(`${name}: the libraries of databases`, () =>
      run(project, 'node', 'databases.mjs', store, libraries),
    );
    if (index === 0) checkJest(name, project);
    if (index === 0) check(`${name}: the weight of the page`, () => expectLightPage(project));
    // Where no library of a service is, the declarations can name none.
    if (!hasOptional) checkTypes(name, project, options);
  });
}

function checkProject(name, project, store) {
  cpSync(NEWCOMER, project, { recursive: true });
  check(`${name}: a first script`, () => run(project, 'node', 'first-steps.mjs', store));
  check(`${name}: a data frame without its libraries`, () => run(project, 'node', 'frames.mjs'));
  check(`${name}: require() from CommonJS`, () => {
    const printed = run(project, 'node', '--print', "typeof require('stowage').FlowDataStore.open");
    if (printed.trim() !== 'function') throw new Error(`printed ${printed}`);
  });
  check(`${name}: import() where ES modules cannot be required`, () => {
    const program = "import('stowage').then(({ FlowDataStore }) => console.log(typeof FlowDataStore.open))";
    const args = ['--no-experimental-require-module', '--input-type=commonjs', '--eval', program];
    const printed = run(project, 'node', ...args);
    if (printed.trim() !== 'function') throw new Error(`printed ${printed}`);
  });
  check(`${name}: npx stowage --help`, () => run(project, 'npx', '--no-install', 'stowage', '--help'));
  check(`${name}: npx stowage runs`, () => {
    const env = { STOWAGE_DATASTORE_SYSROOT_LOCAL: store };
    const printed = runWith(env, project, 'npx', '--no-install', 'stowage', 'runs', 'FirstSteps');
    if (!printed.includes('FirstSteps') && !/\d{4}-\d\d-\d\dT/.test(printed)) throw new Error(printed);
  });
}

function checkJest(name, project) {
  check(`${name}: npm install jest`, () => run(project, 'npm', 'install', '--save-dev', 'jest@30'));
  check(`${name}: a test by Jest`, () => {
    const config = JSON.stringify({ transform: {}, testMatch: ['**/jest.test.cjs'] });
    run(project, 'node', '--experimental-vm-modules', 'node_modules/jest/bin/jest.js', '--config', config);
  });
}

/** The shipped declarations, by the TypeScript of today and by an older one that many still use. */
function checkTypes(name, project, options) {
  // Elsewhere, because the compiler of TypeScript 7 is an optional package itself.
  const compilers = join(folder, 'compilers');
  mkdirSync(compilers);
  check(`${name}: npm install typescript`, () => {
    run(
      compilers,
      'npm',
      'install',
      '--prefix',
      compilers,
      'typescript@7',
      'typescript-5@npm:typescript@5.9',
    );
    run(project, 'npm', 'install', '--save-dev', ...options, '@types/node@20');
    expectOptional(project, false);
  });
  const tsc = (...path) => join(compilers, 'node_modules', ...path);
  const today = tsc('typescript/bin/tsc');
  check(`${name}: types by TypeScript 7`, () => run(project, 'node', today, '-p', '.'));
  check(`${name}: types by TypeScript 7, without settings, also for CommonJS`, () =>
    run(project, 'node', today, '-p', 'tsconfig.bare.json'),
  );
  check(`${name}: types by TypeScript 7, for CommonJS of Node.js 16`, () =>
    run(project, 'node', today, '-p', 'tsconfig.node16.json'),
  );
  check(`${name}: types by TypeScript 5`, () =>
    run(project, 'node', tsc('typescript-5/lib/tsc.js'), '-p', '.'),
  );
}

function expectOptional(project, expected) {
  const there = OPTIONAL.filter((name) => existsSync(join(project, 'node_modules', name)));
  const missing = OPTIONAL.filter((name) => !there.includes(name));
  if (expected && missing.length > 0) throw new Error(`not installed: ${missing.join(', ')}`);
  if (!expected && there.length > 0) throw new Error(`installed: ${there.join(', ')}`);
}

function expectLightPage(project) {
  const sizes = PAGE_FILES.map((name) => {
    const file = readFileSync(join(project, 'node_modules/stowage/dist/page', name));
    return [name, gzipSync(file).length];
  });
  const bytes = sizes.reduce((sum, [, size]) => sum + size, 0);
  if (bytes > MAX_PAGE_BYTES)
    throw new Error(`${bytes} bytes, more than ${MAX_PAGE_BYTES}, when compressed: ${JSON.stringify(sizes)}`);
}

/** Where node-gyp compiled, it left its Makefile. */
function expectNothingCompiled(project) {
  const files = readdirSync(join(project, 'node_modules'), { recursive: true });
  const compiled = files.filter((name) => name.endsWith(join('build', 'Makefile')));
  if (compiled.length > 0) throw new Error(`compiled: ${compiled.join(', ')}`);
}

function check(title, work) {
  const startedMs = performance.now();
  let fault;
  try {
    work();
  } catch (error) {
    fault = error;
    failures++;
  }
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(`${fault ? 'FAILED' : 'ok    '} ${title} (${seconds} s)`);
  if (fault) console.log(fault.stdout ?? '', fault.stderr ?? '', fault.message);
  return !fault;
}

function run(cwd, command, ...args) {
  return runWith({}, cwd, command, ...args);
}

/** Runs a command to its end; what it prints is shown only if it fails. */
function runWith(environment, cwd, command, ...args) {
  return execFileSync(command === 'node' ? process.execPath : command, args, {
    cwd,
    encoding: 'utf8',
    env: {
      ...process.env,
      NO_COLOR: '1',
      npm_config_audit: 'false',
      npm_config_fund: 'false',
      // What the first install fetched serves the others, without asking whether it changed meanwhile.
      npm_config_prefer_offline: 'true',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: isWindows && command !== 'node',
    timeout: 300_000,
  });
}
