// Where the time of a measurement goes, by function: node bench/profile.mjs <row> [rounds]
import { Session } from 'node:inspector/promises';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MEASUREMENTS } from './measurements/index.mjs';
import { openScratch } from './scratch.mjs';
import { spread } from './statistics.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const WARMUPS = 15;
const SAMPLE_EVERY_US = 100;
const LINES = 40;

const [id, rounds = '30'] = process.argv.slice(2);
const measurement = MEASUREMENTS.find((candidate) => candidate.id === id);
if (!measurement) {
  process.stderr.write(`give a row: ${MEASUREMENTS.map((candidate) => candidate.id).join(', ')}\n`);
  process.exit(2);
}

const session = new Session();
session.connect();
await session.post('Profiler.enable');
await session.post('Profiler.setSamplingInterval', { interval: SAMPLE_EVERY_US });

const selfMs = new Map();
const times = [];
const values = measurement.makeValues();
const scratch = openScratch();
process.once('exit', scratch.dispose);
const inFolder = await folders();
for (let round = -WARMUPS; round < Number(rounds); round += 1) {
  const timed = round < 0 ? (work) => work() : profiled;
  await inFolder((root) => measurement.stowage({ root, values, timed }));
}
print();

async function folders() {
  const { store, makeStore } = measurement;
  if (!makeStore) return scratch.withFolder;
  const path = await scratch.keepFolder(store, (root) => makeStore({ root, values }));
  return (work) => work(path);
}

async function profiled(work) {
  await session.post('Profiler.start');
  const start = performance.now();
  try {
    return await work();
  } finally {
    times.push(performance.now() - start);
    addUp((await session.post('Profiler.stop')).profile);
  }
}

/** Each sample counts for the time until the next one. */
function addUp({ nodes, samples, timeDeltas }) {
  const names = new Map(nodes.map((node) => [node.id, nameOf(node.callFrame)]));
  samples.forEach((sample, index) => {
    const name = names.get(sample);
    if (name === 'dispatch') return; // the profiler itself
    selfMs.set(name, (selfMs.get(name) ?? 0) + (timeDeltas[index + 1] ?? 0) / 1000);
  });
}

function nameOf({ functionName, url, lineNumber }) {
  const name = functionName || '(anonymous)';
  if (!url) return name;
  const file = url.startsWith('file:') ? relative(ROOT, fileURLToPath(url)) : url;
  return `${name}  ${file}:${lineNumber + 1}`;
}

function print() {
  const { median, min, max } = spread(times);
  const total = [...selfMs.values()].reduce((sum, ms) => sum + ms, 0);
  const sorted = [...selfMs].sort((a, b) => b[1] - a[1]);
  const lines = sorted.slice(0, LINES).map(([name, ms]) => {
    const perRound = (ms / times.length).toFixed(3).padStart(8);
    return `${perRound}  ${((ms / total) * 100).toFixed(1).padStart(4)}%  ${name}`;
  });
  const range = `${median.toFixed(2)} ms (${min.toFixed(2)}-${max.toFixed(2)})`;
  const head = [
    `${measurement.work}: ${range} while profiled`,
    '',
    'ms/round  share  function, without what it calls',
  ];
  process.stdout.write(`${[...head, ...lines].join('\n')}\n`);
}
