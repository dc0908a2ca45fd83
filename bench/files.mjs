// Files beside cp and aws s3: npm run build && node bench/files.mjs
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startS3 } from './cache/s3-server.mjs';
import { fileTable, toText } from './report.mjs';
import { openScratch } from './scratch.mjs';
import { pairedRatios, spread } from './statistics.mjs';
import { valueFile } from './value-files.mjs';

const SIDE = fileURLToPath(new URL('./sides/file-side.mjs', import.meta.url));
const ROUNDS = 3;

/** In this order on the same stores: the arguments of `cp`, of `aws s3` and of our side's script. `target` is another one for each side. */
const WORKS = [
  {
    work: 'save a file of 256 MiB',
    cp: ({ source, copy }) => [source, copy],
    aws: ({ source, object }) => ['cp', source, object],
    stowage: ({ source }) => ['save', source, '0'],
  },
  {
    work: '... again, unchanged (cp -u; aws s3 cp)',
    cp: ({ source, copy }) => ['-u', source, copy],
    aws: ({ source, object }) => ['cp', source, object],
    stowage: ({ source }) => ['save', source, '1'],
  },
  {
    work: '... download it',
    isDownload: true,
    cp: ({ copy, target }) => [copy, target],
    aws: ({ object, target }) => ['cp', object, target],
    stowage: ({ target }) => ['load', target],
  },
];

/** Whole processes from start to end, each command right before ours; what was downloaded is compared with what was saved. */
export async function compareFiles({ scratch, log }) {
  const source = valueFile('noise-256');
  const hasAws = spawnSync('aws', ['--version'], { stdio: 'ignore' }).status === 0;
  if (!hasAws) log('without aws, which is not installed here');
  const taken = WORKS.map(() => ({ cp: [], folder: [], aws: [], s3: [] }));
  for (let round = 0; round < ROUNDS; round += 1) {
    await scratch.withFolder(async (folder) => {
      const s3 = await startS3(join(folder, 's3'));
      if (!s3) log('without S3: `npm run servers` installs versitygw');
      for (const [index, work] of WORKS.entries()) {
        const paths = { source, copy: join(folder, 'copy'), object: 's3://bench/file' };
        const take = (name, toProgram) => {
          const target = join(folder, `down-${name}`);
          taken[index][name].push(timed(toProgram({ ...paths, target })));
          if (work.isDownload && !readFileSync(target).equals(readFileSync(source)))
            throw new Error(`${target} is not as it was saved`);
        };
        take('cp', (given) => ({ command: 'cp', args: work.cp(given) }));
        take('folder', (given) => ours(join(folder, 'store'), work, given));
        if (s3 && hasAws) take('aws', (given) => aws(s3, work, given));
        if (s3) take('s3', (given) => ({ ...ours(s3.address, work, given), env: s3.env }));
      }
      s3?.stop();
    });
  }
  return WORKS.map(({ work }, index) => {
    const { cp, folder, aws: theirs, s3 } = taken[index];
    return {
      work,
      cp: spread(cp),
      folder: spread(folder),
      ofCp: pairedRatios(folder, cp),
      ...(s3.length > 0 ? { s3: spread(s3) } : {}),
      ...(theirs.length > 0 ? { aws: spread(theirs), ratio: pairedRatios(theirs, s3) } : {}),
    };
  });
}

function ours(store, { stowage }, given) {
  return { command: process.execPath, args: [SIDE, store, ...stowage(given)] };
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

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const scratch = openScratch();
  process.once('exit', scratch.dispose);
  const rows = await compareFiles({ scratch, log: (text) => process.stderr.write(`bench: ${text}\n`) });
  process.stdout.write(`${toText([{ title: 'Files', rows: fileTable(rows) }])}\n`);
}
