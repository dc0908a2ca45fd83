import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { storedBytes } from './large.mjs';

const run = promisify(execFile);
const FILES_A_FOLDER = 100;
/** Where `GOBIN=... go install github.com/restic/restic/cmd/restic@latest` puts it for this benchmark; else it is looked for by name. */
const INSTALLED = fileURLToPath(
  new URL('../node_modules/.cache/stowage-bench/restic/restic', import.meta.url),
);

/** restic, which cuts files into chunks by content as well; `undefined` where it is not installed. */
export async function findRestic() {
  const command = existsSync(INSTALLED) ? INSTALLED : 'restic';
  try {
    const { stdout } = await run(command, ['version']);
    return {
      version: stdout.split(' ')[1],
      newShare: (folder, ...contents) => newShare(command, folder, ...contents),
      prune: (folder, files) => prune(command, folder, files),
      check: (folder, files) => check(command, folder, files),
    };
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The milliseconds that it takes to prune a repository of so many small files, of which a share is in no snapshot any more. */
async function prune(command, folder, { files, gone }) {
  const { restic, source, folderOf } = await backUp(command, folder, files);
  for (let file = 0; file < files * gone; file += FILES_A_FOLDER) rmSync(folderOf(file), { recursive: true });
  await restic('backup', source);
  await restic('forget', '--keep-last', '1');
  const ms = await timed(() => restic('prune'));
  rmSync(folder, { recursive: true });
  return ms;
}

/** The milliseconds that checks of a repository of so many small files take: of all that it holds, and of all but the content of its packs. */
async function check(command, folder, { files }) {
  const { restic } = await backUp(command, folder, files);
  const [wholeMs, quickMs] = [
    await timed(() => restic('check', '--read-data')),
    await timed(() => restic('check')),
  ];
  rmSync(folder, { recursive: true });
  return { wholeMs, quickMs };
}

/** Makes a repository with one snapshot of so many small files. */
async function backUp(command, folder, files) {
  const [repository, source] = [join(folder, 'repository'), join(folder, 'source')];
  const env = { ...process.env, RESTIC_REPOSITORY: repository, RESTIC_PASSWORD: 'bench' };
  const restic = (...args) => run(command, ['--quiet', '--no-cache', ...args], { env });
  const folderOf = (file) => join(source, String(Math.floor(file / FILES_A_FOLDER)));
  for (let file = 0; file < files; file++) {
    if (file % FILES_A_FOLDER === 0) mkdirSync(folderOf(file), { recursive: true });
    writeFileSync(join(folderOf(file), String(file)), `content ${file} of a repository of many small files`);
  }
  await restic('init');
  await restic('backup', source);
  return { restic, source, folderOf };
}

async function timed(work) {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** The bytes that `after` adds to a repository that has `before`, beside what it takes alone. */
async function newShare(command, folder, before, after) {
  const added = async (name, contents) => {
    const repository = join(folder, name);
    const file = join(folder, `${name}-file`);
    const env = { ...process.env, RESTIC_REPOSITORY: repository, RESTIC_PASSWORD: 'bench' };
    const restic = (...args) => run(command, ['--quiet', '--no-cache', ...args], { env });
    mkdirSync(folder, { recursive: true });
    await restic('init');
    let [size, earlier] = [0, 0];
    for (const content of contents) {
      writeFileSync(file, content);
      await restic('backup', file);
      [earlier, size] = [size, storedBytes(repository)];
    }
    return size - earlier;
  };
  return (await added('both', [before, after])) / (await added('alone', [after]));
}
