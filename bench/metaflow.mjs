import { execFile } from 'node:child_process';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { pythonWith } from './python.mjs';
import { startSide } from './side.mjs';

/** One fixed version, so that two runs of the benchmark compare. */
const PACKAGES = ['metaflow==2.19.39', 'boto3', 'numpy', 'pandas'];
const SCRIPTS = fileURLToPath(new URL('./sides/', import.meta.url));
const VERSIONS = `import json, metaflow.datastore, platform
from importlib.metadata import version
print(json.dumps({"metaflow": version("metaflow"), "python": platform.python_version()}))`;

const run = promisify(execFile);

/** What Metaflow took when it was last measured on the reference machine, by version 2.19: milliseconds, from best to worst. */
export const RECORDED_MS = {
  save: [80, 105],
  load: [41, 41],
  tasks: [95, 95],
  tasks16: [95, 95],
  list: [13, 13],
};

/** Metaflow in a virtual environment of its own, made at the first call; `undefined` where Python or pip is not to be had: recorded figures stand in for it. */
export async function installMetaflow(log) {
  const python = await pythonWith('venv', PACKAGES, log);
  if (!python) return undefined;
  const versions = JSON.parse((await run(python, ['-c', VERSIONS])).stdout);
  return {
    versions,
    /** A process that measures Metaflow; `home` is where it may keep settings. */
    start: ({ id, makeValues }, home) =>
      startSide(python, [join(SCRIPTS, 'metaflow_side.py'), id], {
        env: { METAFLOW_HOME: home, METAFLOW_USER: 'bench' },
        firstLine: makeValues(),
      }),
    /** A process that works on S3; `root` is an address there. */
    startOnS3: ({ root, endpoint, keys, home, firstLine }) =>
      startSide(python, [join(SCRIPTS, 'metaflow_s3.py'), root], {
        env: {
          // Metaflow starts processes of its own by the name `python`.
          PATH: `${dirname(python)}${delimiter}${process.env.PATH}`,
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
      command: python,
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
