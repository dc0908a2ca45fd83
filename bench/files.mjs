// Files and directories beside cp and aws s3: npm run build && node bench/files.mjs
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startS3 } from './cache/s3-server.mjs';
import { fileTable, toText } from './report.mjs';
import { openScratch } from './scratch.mjs';
import { pairedRatios, spread } from './statistics.mjs';
import { valueFile } from './value-files.mjs';
import { muchNoise } from './values.mjs';

const SIDE = fileURLToPath(new URL('./sides/file-side.mjs', import.meta.url));
const ROUNDS = 3;
const FILES_OF_FOLDER = 50;
const DIRECTORIES = {
  directory: { files: 1000, fileBytes: 20 * 1024 },
  many: { files: 50_000, fileBytes: 2048 },
};
const UNIT = {
  file: 'a file of 256 MiB',
  directory: 'a directory of 1,000 files of 20 KiB',
  many: 'a directory of 50,000 files of 2 KiB',
};
/** What the commands need for a folder. */
const COPY = { file: [], directory: ['-r'], many: ['-r'] };
const AWS_COPY = { file: ['cp'], directory: ['cp', '--recursive'], many: ['cp', '--recursive'] };
/** Each takes a command of S3 minutes: measured once, and in a folder alone. */
const ONCE = 'many';

/**
 * In this order on the same stores: the arguments of `cp`, of `aws s3` and of our side's script. What is downloaded is named by
 * `target`, once for each side.
 */
const WORKS = Object.keys(UNIT).flatMap((kind) => [
  {
    work: `save ${UNIT[kind]}`,
    kind,
    cp: ({ source, copy }) => [...COPY[kind], source, copy],
    aws: ({ source, object }) => [...AWS_COPY[kind], source, object],
    stowage: ({ source }) => [saving(kind), source, '0'],
  },
  {
    work: `... again, unchanged (cp -u; aws s3 ${kind === 'file' ? 'cp' : 'sync'})`,
    kind,
    cp: ({ source, copy }) => [...COPY[kind], '-u', '-T', source, copy],
    aws: ({ source, object }) => [kind === 'file' ? 'cp' : 'sync', source, object],
    isAgain: true,
    stowage: ({ source }) => [saving(kind), source, '1'],
  },
  {
    work: '... download it',
    kind,
    isDownload: true,
    cp: ({ copy, target }) => [...COPY[kind], copy, target],
    aws: ({ object, target }) => [...AWS_COPY[kind], object, target],
    stowage: ({ target }) => ['load', target],
  },
]);

/** Whole processes from start to end, each command right before ours; what was downloaded is compared with what was saved. */
export async function compareFiles({ scratch, log }) {
  const sources = {
    file: valueFile('noise-256'),
    directory: makeDirectory(join(scratch.folder, 'directory'), DIRECTORIES.directory),
    many: makeDirectory(join(scratch.folder, 'many'), DIRECTORIES.many),
  };
  const hasAws = spawnSync('aws', ['--version'], { stdio: 'ignore' }).status === 0;
  if (!hasAws) log('without aws, which is not installed here');
  const taken = WORKS.map(() => ({ cp: [], folder: [], aws: [], s3: [] }));
  for (let round = 0; round < ROUNDS; round += 1) {
    await scratch.withFolder(async (folder) => {
      mkdirSync(folder, { recursive: true });
      const s3 = await startS3(join(folder, 's3'));
      if (!s3) log('without S3: `npm run servers` installs versitygw');
      for (const [index, work] of WORKS.entries()) {
        const isLocal = work.kind === ONCE;
        if (isLocal && round > 0) continue;
        const paths = {
          source: sources[work.kind],
          copy: join(folder, work.kind),
          object: `s3://bench/${work.kind}`,
        };
        const take = (name, toProgram) => {
          const target = join(folder, `${work.kind}-${name}`);
          taken[index][name].push(timed(toProgram({ ...paths, target })));
          if (work.isDownload) ensureEqual(target, paths.source);
        };
        take('cp', (given) => ({ command: 'cp', args: work.cp(given) }));
        take('folder', (given) => ours(join(folder, 'store'), work, given, folder));
        if (s3 && hasAws && !isLocal) take('aws', (given) => aws(s3, work, given));
        if (s3 && !isLocal) {
          take('s3', (given) => {
            const program = ours(s3.address, work, given, folder);
            return { ...program, env: { ...program.env, ...s3.env } };
          });
        }
      }
      s3?.stop();
    });
  }
  return WORKS.map(({ work, isAgain }, index) => {
    const { cp, folder, aws: theirs, s3 } = taken[index];
    return {
      work,
      cp: spread(cp),
      folder: spread(folder),
      ofCp: pairedRatios(folder, cp),
      ...(isAgain ? { ofFirst: pairedRatios(folder, taken[index - 1].folder) } : {}),
      ...(s3.length > 0 ? { s3: spread(s3) } : {}),
      ...(theirs.length > 0 ? { aws: spread(theirs), ratio: pairedRatios(theirs, s3) } : {}),
    };
  });
}

function saving(kind) {
  return kind === 'file' ? 'save-file' : 'save-directory';
}

/** What earlier rounds have read is not known, so that the first time of each is a first time. */
function ours(store, { kind, stowage }, given, folder) {
  return {
    command: process.execPath,
    args: [SIDE, store, kind, ...stowage(given)],
    env: { STOWAGE_FILE_INDEX: join(folder, `index-${/^[a-z0-9]+:/.test(store) ? 's3' : 'folder'}`) },
  };
}

function aws({ endpoint, env }, work, given) {
  const args = ['--endpoint-url', endpoint, 's3', '--only-show-errors', ...work.aws(given)];
  return { command: 'aws', args, env: { AWS_DEFAULT_REGION: 'us-east-1', ...env } };
}

function timed({ command, args, env = {} }) {
  const start = performance.now();
  const { status, stderr, error } = spawnSync(command, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  });
  const ms = performance.now() - start;
  if (status !== 0)
    throw error ?? new Error(`${command} ${args.join(' ')} failed with exit code ${status}:\n${stderr}`);
  return ms;
}

/** Files of noise, each its own, in folders. */
function makeDirectory(folder, { files, fileBytes }) {
  const bytes = muchNoise(files * fileBytes, 6);
  for (let file = 0; file < files; file += 1) {
    const path = join(folder, String(Math.floor(file / FILES_OF_FOLDER)), `${file}.bin`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes.subarray(file * fileBytes, (file + 1) * fileBytes));
  }
  return folder;
}

function ensureEqual(path, source) {
  const isFolder = statSync(source).isDirectory();
  const names = isFolder ? filesIn(source) : [''];
  if (isFolder && filesIn(path).length !== names.length)
    throw new Error(`${path} has other files than ${source}`);
  for (const name of names)
    if (!readFileSync(join(path, name)).equals(readFileSync(join(source, name))))
      throw new Error(`${join(path, name)} is not as it was saved`);
}

function filesIn(folder) {
  return readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.bin'));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const scratch = openScratch();
  process.once('exit', scratch.dispose);
  const rows = await compareFiles({ scratch, log: (text) => process.stderr.write(`bench: ${text}\n`) });
  process.stdout.write(`${toText([{ title: 'Files and directories', rows: fileTable(rows) }])}\n`);
}
