import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startSide } from './side.mjs';

/** One fixed version, so that two runs of the benchmark compare. */
const PACKAGES = ['metaflow==2.19.39', 'boto3', 'numpy', 'pandas'];
/** Below node_modules, where git, linters and test runners do not look. */
const VENV = fileURLToPath(new URL('../node_modules/.cache/stowage-bench/venv', import.meta.url));
const PYTHON = join(VENV, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');
/** Written last, so that an installation that broke off is made anew. */
const COMPLETE = join(VENV, 'complete.txt');
const SCRIPTS = fileURLToPath(new URL('./sides/', import.meta.url));
const VERSIONS = `import json, metaflow.datastore, platform
from importlib.metadata import version
print(json.dumps({"metaflow": version("metaflow"), "python": platform.python_version()}))`;

const COMPLETE_TEXT = `${PACKAGES.join('\n')}\n`;

const run = promisify(execFile);

function isInstalled() {
  return existsSync(COMPLETE) && readFileSync(COMPLETE, 'utf8') === COMPLETE_TEXT;
}

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
  let versions;
  try {
    if (!isInstalled()) {
      log(`installing ${PACKAGES.join(', ')} into a virtual environment (once)`);
      rmSync(VENV, { recursive: true, force: true });
      await run('python3', ['-m', 'venv', VENV]);
      await run(PYTHON, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...PACKAGES]);
      writeFileSync(COMPLETE, COMPLETE_TEXT);
    }
    versions = JSON.parse((await run(PYTHON, ['-c', VERSIONS])).stdout);
  } catch (error) {
    log(`no Metaflow here, recorded figures stand in for it: ${error.stderr?.trim() || error.message}`);
    return undefined;
  }
  return {
    versions,
    /** A process that measures Metaflow; `home` is where it may keep settings. */
    start: ({ id, makeValues }, home) =>
      startSide(PYTHON, [join(SCRIPTS, 'metaflow_side.py'), id], {
        env: { METAFLOW_HOME: home, METAFLOW_USER: 'bench' },
        firstLine: makeValues(),
      }),
    /** A process that works on S3; `root` is an address there. */
    startOnS3: ({ root, endpoint, keys, home, firstLine }) =>
      startSide(PYTHON, [join(SCRIPTS, 'metaflow_s3.py'), root], {
        env: {
          // Metaflow starts processes of its own by the name `python`.
          PATH: `${dirname(PYTHON)}${delimiter}${process.env.PATH}`,
          METAFLOW_HOME: home,
          METAFLOW_USER: 'bench',
          METAFLOW_DATASTORE_SYSROOT_S3: root,
          METAFLOW_S3_ENDPOINT_URL: endpoint,
          AWS_ACCESS_KEY_ID: keys.accessKeyId,
          AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
          AWS_DEFAULT_REGION: 'us-east-1',
        },
        firstLine,
      }),
    /** How one of the scripts is started that use Metaflow as users do: with its metadata, all of it below `root`. */
    script: (name, args, root) => ({
      command: PYTHON,
      args: [join(SCRIPTS, name), ...args],
      env: {
        METAFLOW_HOME: root,
        METAFLOW_USER: 'bench',
        METAFLOW_DEFAULT_DATASTORE: 'local',
        METAFLOW_DEFAULT_METADATA: 'local',
        METAFLOW_DATASTORE_SYSROOT_LOCAL: root,
        METAFLOW_CLIENT_CACHE_PATH: join(root, 'client-cache'),
      },
    }),
  };
}
