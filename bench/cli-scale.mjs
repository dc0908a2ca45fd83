/**
 * How long the command line takes to answer in a store of many runs, a small task each.
 *
 *     npm run build && node bench/cli-scale.mjs [runs, 10000 by default]
 *
 * Each command is a process of its own. The first round only fills the caches of the system; the median of the others is shown,
 * with what bare Node takes, and the most memory that a command held.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FlowDataStore, openStorage } from '../dist/index.js';
import { openScratch } from './scratch.mjs';

const PROGRAM = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const ROUNDS = 5;
const TARGET_MS = 1000;

/** The process reports what it used on a pipe of its own, when it ends. */
const REPORT = `data:text/javascript,${encodeURIComponent(`
  import { writeSync } from 'node:fs';
  process.on('exit', () => writeSync(3, JSON.stringify(process.resourceUsage())));
`)}`;

const count = Number(process.argv[2] ?? 10_000);
const scratch = openScratch();
try {
  const store = join(scratch.folder, 'store');
  const runId = await makeRuns(store, count);
  const commands = [
    ['runs'],
    ['runs', '--status', 'failed'],
    ['runs', '--tag', 'release'],
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
  console.log(`${count} runs on ${scratch.fileSystem}, node ${process.version}`);
  console.log('    wall      CPU   memory');
  print(medianOf(['-e', '0'], store), 'node -e 0');
  for (const args of commands) {
    const measured = medianOf([PROGRAM, ...args], store);
    const isLate = measured.ms > TARGET_MS && args[0] !== 'stat';
    print(measured, `stowage ${args.join(' ')}${isLate ? `  (more than ${TARGET_MS} ms)` : ''}`);
  }
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

function print({ ms, cpuMs, megabytes }, text) {
  const columns = [`${ms} ms`, `${cpuMs} ms`, `${megabytes} MB`].map((cell) => cell.padStart(8));
  console.log(`${columns.join(' ')}  ${text}`);
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
