/**
 * How long the command line takes to answer in a store of many runs, a small task each.
 *
 *     npm run build && node bench/cli-scale.mjs [runs, 10000 by default] [--check] [--target-ms 1000]
 *
 * Prints a table for docs/benchmarks.md. With `--check` it ends with 1 if `runs` or `ls` take longer than the target, a second: the lists
 * that everybody begins with. Other commands may take longer, such as filters that read the records of all runs.
 *
 * Each command is a process of its own. The first round only fills the caches of the system; the median of the others is shown,
 * with what bare Node takes, and the most memory that a command held.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { FlowDataStore, openStorage } from '../dist/index.js';
import { openScratch } from './scratch.mjs';

const PROGRAM = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const ROUNDS = 5;
/** Who calls these waits for them. */
const PROMPT = new Set(['runs', 'ls']);

/** The process reports what it used on a pipe of its own, when it ends. */
const REPORT = `data:text/javascript,${encodeURIComponent(`
  import { writeSync } from 'node:fs';
  process.on('exit', () => writeSync(3, JSON.stringify(process.resourceUsage())));
`)}`;

const { values: options, positionals } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    'target-ms': { type: 'string', default: '1000' },
  },
  allowPositionals: true,
});
const targetMs = Number(options['target-ms']);
const count = Number(positionals[0] ?? 10_000);
const scratch = openScratch();
try {
  const store = join(scratch.folder, 'store');
  const runId = await makeRuns(store, count);
  const commands = [
    ['runs'],
    ['runs', '--status', 'failed'],
    ['runs', '--tag', 'release'],
    ['runs', '--tag', 'nope'],
    ['ls'],
    ['ls', '--long'],
    ['ls', 'Nightly'],
    ['ls', `Nightly/${runId}`],
    ['ls', `Nightly/${runId}/fit`],
    ['ls', `Nightly/${runId}/fit/0`],
    ['show', `Nightly/${runId}`],
    ['show', 'Nightly/2026-01-01T00:30'],
    ['__complete', 'fish', 'show', 'Nightly/'],
    ['stat'],
  ];
  const late = [];
  console.log(`${count.toLocaleString('en')} runs on ${scratch.fileSystem}, Node ${process.version}:\n`);
  console.log('| command | wall | CPU | memory |\n| --- | ---: | ---: | ---: |');
  print('node -e 0', medianOf(['-e', '0'], store));
  for (const args of commands) {
    const command = `stowage ${args.join(' ')}`;
    const measured = medianOf([PROGRAM, ...args], store);
    print(command, measured);
    if (PROMPT.has(args.join(' ')) && measured.ms > targetMs) late.push(`${command}: ${measured.ms} ms`);
  }
  if (late.length > 0) console.error(`\nMore than ${targetMs} ms: ${late.join(', ')}`);
  if (options.check && late.length > 0) process.exitCode = 1;
} finally {
  scratch.dispose();
}

async function makeRuns(store, runs) {
  const storage = await openStorage(store, { local: { fsync: false } });
  const flow = await FlowDataStore.open({ flowName: 'Nightly', storage });
  const idOf = (index) => new Date(Date.UTC(2026, 0, 1) + index * 3_600_000).toISOString();
  for (let index = 0; index < runs; index += 1) {
    const run = await flow.createRun({
      runId: idOf(index),
      tags: index % 100 === 0 ? ['release'] : ['nightly'],
    });
    await flow.task({ runId: idOf(index), stepName: 'fit', taskId: '0' }, (task) =>
      task.saveArtifacts({ metrics: { auc: index / runs } }),
    );
    await run.finish(index % 50 === 7 ? 'failed' : 'done');
  }
  await storage.close();
  return idOf(Math.floor(runs / 2));
}

function print(command, { ms, cpuMs, megabytes }) {
  console.log(`| \`${command}\` | ${ms} ms | ${cpuMs} ms | ${megabytes} MB |`);
}

/** The medians of the rounds but the first. A command may fail: names that do not exist are looked for as well. */
function medianOf(args, store) {
  const rounds = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const measured = runOnce(args, store);
    if (round > 0) rounds.push(measured);
  }
  const median = (member) => rounds.map((one) => one[member]).sort((a, b) => a - b)[Math.floor(ROUNDS / 2)];
  return { ms: median('ms'), cpuMs: median('cpuMs'), megabytes: median('megabytes') };
}

function runOnce(args, store) {
  const start = performance.now();
  const { status, signal, output } = spawnSync(process.execPath, ['--import', REPORT, ...args], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    env: { ...process.env, STOWAGE_DATASTORE_SYSROOT_LOCAL: store },
  });
  const ms = Math.round(performance.now() - start);
  if (signal || status > 1) throw new Error(`${args.join(' ')} ended with ${signal ?? status}`);
  const { userCPUTime, systemCPUTime, maxRSS } = JSON.parse(output[3]);
  return {
    ms,
    cpuMs: Math.round((userCPUTime + systemCPUTime) / 1000),
    megabytes: Math.round(maxRSS / 1024),
  };
}
