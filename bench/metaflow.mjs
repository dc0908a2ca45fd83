import { execFile } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startSide } from './side.mjs';

/** One fixed version, so that two runs of the benchmark compare. */
const PACKAGES = ['metaflow==2.19.39', 'numpy', 'pandas'];
/** Below node_modules, where git, linters and test runners do not look. */
const VENV = fileURLToPath(new URL('../node_modules/.cache/stowage-bench/venv', import.meta.url));
const PYTHON = join(VENV, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');
/** Written last, so that an installation that broke off is made anew. */
const COMPLETE = join(VENV, 'complete.txt');
const SIDE = fileURLToPath(new URL('./sides/metaflow_side.py', import.meta.url));

const run = promisify(execFile);

/** What Metaflow took when it was last measured on the reference machine, by version 2.19: milliseconds, from best to worst. */
export const RECORDED_MS = {
  save: [80, 105],
  load: [41, 41],
  tasks: [95, 95],
  tasks16: [95, 95],
  list: [13, 13],
};

/** Metaflow in a virtual environment of its own, made at the first call; `undefined` where Python or pip is not to be had. */
export async function installMetaflow(log) {
  try {
    if (!existsSync(COMPLETE)) {
      log(`installing ${PACKAGES.join(', ')} into a virtual environment (once)`);
      rmSync(VENV, { recursive: true, force: true });
      await run('python3', ['-m', 'venv', VENV]);
      await run(PYTHON, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...PACKAGES]);
      writeFileSync(COMPLETE, `${PACKAGES.join('\n')}\n`);
    }
    await run(PYTHON, ['-c', 'import metaflow.datastore']);
  } catch (error) {
    log(`no Metaflow here, recorded figures stand in for it: ${error.stderr?.trim() || error.message}`);
    return undefined;
  }
  return {
    /** A process that measures Metaflow; `home` is where it may keep settings. */
    start: ({ id, makeValues }, home) =>
      startSide(PYTHON, [SIDE, id], {
        env: { METAFLOW_HOME: home, METAFLOW_USER: 'bench' },
        firstLine: makeValues(),
      }),
  };
}
