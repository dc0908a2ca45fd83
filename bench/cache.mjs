// What a call of a cached task costs, beside joblib.Memory, diskcache and cacache: npm run build && node bench/cache.mjs
import { readFileSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findPeers } from './cache/peers.mjs';
import { cacheTables } from './cache/report.mjs';
import { countCacheRequests } from './cache/requests.mjs';
import { startS3 } from './cache/s3-server.mjs';
import { CALLERS } from './cache/work.mjs';
import { describeEnvironment } from './environment.mjs';
import { toText, writeTables } from './report.mjs';
import { openScratch } from './scratch.mjs';
import { startSide } from './side.mjs';
import { spread } from './statistics.mjs';

const PAGE = fileURLToPath(new URL('../docs/benchmarks.md', import.meta.url));
const STOWAGE = fileURLToPath(new URL('./cache/stowage-side.mjs', import.meta.url));
const WARMUPS = 2;
/** Calls of each kind in a round; on S3 fewer, which take as long. */
const CALLS = { hits: 2000, atOnce: 4000, misses: 100 };
const S3_CALLS = { hits: 300, atOnce: 1600, misses: 20 };
const HELP = `Measures cached tasks beside joblib.Memory, diskcache and cacache, where they can be installed. Build first.

  --rounds <n>   rounds that count, at least 5 (default 7)
  --json         print JSON rather than tables
  --write        put the tables into docs/benchmarks.md
`;

const log = (text) => process.stderr.write(`bench: ${text}\n`);
const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const rounds = Number(options.rounds);
if (options.help) {
  process.stdout.write(HELP);
} else if (!Number.isSafeInteger(rounds) || rounds < 5) {
  log('--rounds must be an integer of at least 5');
  process.exitCode = 2;
} else {
  await main();
}

async function main() {
  const loadBefore = loadavg();
  const requests = await countCacheRequests();
  const scratch = openScratch();
  process.once('exit', scratch.dispose);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));
  const s3 = await startS3(`${scratch.folder}/s3`);
  if (!s3) log('without S3: `npm run servers` installs versitygw');
  const { peers, python } = await findPeers(log);
  const sides = await startSides(scratch, s3, peers);
  let measured;
  try {
    measured = await measure(sides);
  } finally {
    for (const { side } of sides) side.stop();
    s3?.stop();
  }
  const environment = describeEnvironment({
    fileSystem: scratch.fileSystem,
    versions: { python },
    rounds: `${WARMUPS} + ${rounds}, all sides in turn`,
    loadBefore,
  });
  const tables = cacheTables({ environment, measured, requests });
  const json = JSON.stringify({ environment, measured, requests }, null, 2);
  process.stdout.write(options.json ? `${json}\n` : `${toText(tables)}\n`);
  if (options.write) {
    writeFileSync(PAGE, writeTables(readFileSync(PAGE, 'utf8'), tables));
    log(`wrote ${PAGE}`);
  }
}

/** A process for each, whose store is its own. They live until the end, as workers do. */
async function startSides(scratch, s3, peers) {
  const node = (store) => [process.execPath, [STOWAGE, store]];
  const started = [
    { name: 'Stowage', command: node(`${scratch.folder}/stowage`), calls: CALLS },
    ...(s3 ? [{ name: 'Stowage on S3', command: node(s3.address), calls: S3_CALLS, env: s3.env }] : []),
  ];
  for (const [name, command] of Object.entries(peers)) {
    started.push({ name, command: command(`${scratch.folder}/${name.replace(' ', '-')}`), calls: CALLS });
  }
  const sides = [];
  for (const { name, command, calls, env } of started) {
    sides.push({ name, calls, side: await startSide(...command, { env }) });
  }
  return sides;
}

/** Each kind of call by each side in turn, round by round. */
async function measure(sides) {
  const taken = new Map(sides.map(({ name }) => [name, { hitUs: [], p99Us: [], perSecond: [], missUs: [] }]));
  for (let round = -WARMUPS; round < rounds; round += 1) {
    log(`round ${round + 1} of ${rounds}`);
    for (const question of Object.keys(CALLS)) {
      for (const { name, calls, side } of sides) {
        const count = calls[question];
        const answer = await side.ask({ [question]: count });
        if (round >= 0) note(taken.get(name), question, count, answer);
      }
    }
  }
  return sides.map(({ name }) => summary(name, taken.get(name), taken.get('Stowage')));
}

function note(taken, question, count, { us, ms }) {
  if (question === 'atOnce') taken.perSecond.push((count / ms) * 1000);
  else if (question === 'misses') taken.missUs.push((ms / count) * 1000);
  else {
    const sorted = us.toSorted((a, b) => a - b);
    taken.hitUs.push(spread(us).median);
    taken.p99Us.push(sorted[Math.ceil(sorted.length * 0.99) - 1]);
  }
}

/** Medians of the rounds; and how many times as long as Stowage's local hits and misses, round by round. */
function summary(name, taken, ours) {
  const times = (kind) => spread(taken[kind].map((us, round) => us / ours[kind][round]));
  return {
    name,
    callers: CALLERS,
    hitUs: spread(taken.hitUs),
    p99Us: spread(taken.p99Us),
    perSecond: spread(taken.perSecond),
    missUs: spread(taken.missUs),
    timesHit: times('hitUs'),
    timesMiss: times('missUs'),
  };
}
