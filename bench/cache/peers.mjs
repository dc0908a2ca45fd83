import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { pythonWith } from '../python.mjs';

/** Fixed versions, so that two runs of the benchmark compare. Those of cacache from 21 on need a newer Node.js. */
const PYTHON_PACKAGES = ['joblib==1.6.0', 'diskcache==5.6.3', 'numpy'];
const CACACHE = 'cacache@20.0.4';
/** Below node_modules, where git, linters and test runners do not look. */
const HOME = fileURLToPath(new URL('../../node_modules/.cache/stowage-bench/cache-peers/', import.meta.url));
const SIDES = fileURLToPath(new URL('.', import.meta.url));

const run = promisify(execFile);

/** The peers that can be had here, each as how it is started for a folder; installed at the first call. */
export async function findPeers(log) {
  const peers = {};
  const python = await pythonWith('cache-peers/venv', PYTHON_PACKAGES, log);
  for (const kind of python ? ['joblib', 'diskcache'] : []) {
    const command = (folder) => [python, [join(SIDES, 'memo_side.py'), kind, folder]];
    peers[PYTHON_PACKAGES.find((name) => name.startsWith(kind)).replace('==', ' ')] = command;
  }
  if (await installed('cacache', log, [CACACHE], installCacache)) {
    const from = join(HOME, 'cacache', 'package.json');
    const command = (folder) => [process.execPath, [join(SIDES, 'cacache-side.mjs'), folder, from]];
    peers[CACACHE.replace('@', ' ')] = command;
  }
  return peers;
}

/** Whether it is there now. What broke off is made anew: the file that says so is written last. */
async function installed(name, log, packages, install) {
  const folder = join(HOME, name);
  const complete = join(folder, 'complete.txt');
  if (existsSync(complete)) return true;
  try {
    log(`installing ${packages.join(', ')} (once)`);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    await install(folder, packages);
    writeFileSync(complete, `${packages.join('\n')}\n`);
    return true;
  } catch (error) {
    log(`without ${packages.join(', ')}: ${error.stderr?.trim() || error.message}`);
    return false;
  }
}

async function installCacache(folder, packages) {
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  await run('npm', [
    'install',
    '--prefix',
    folder,
    '--no-audit',
    '--no-fund',
    '--ignore-scripts',
    ...packages,
  ]);
}
