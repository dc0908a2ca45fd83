// What a call of a cached task costs, beside joblib.Memory, diskcache and cacache: npm run build && node bench/cache.mjs
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findPeers } from './cache/peers.mjs';
import { cacheTables } from './cache/report.mjs';
import { countCacheRequests } from './cache/requests.mjs';
import { startS3 } from './cache/s3-server.mjs';
import { CALLERS } from './cache/work.mjs';
import { toText } from './report.mjs';
import { openScratch } from './scratch.mjs';
import { startSide } from './side.mjs';
import { spread } from './statistics.mjs';

const STOWAGE = fileURLToPath(new URL('./cache/stowage-side.mjs', import.meta.url));
const WARMUPS = 2;
/** Calls of each kind in a round; on S3 fewer, which take as long. */
const CALLS = { hits: 2000, atOnce: 4000, misses: 100 };
const S3_CALLS = { hits: 300, atOnce: 1600, misses: 20 };

/** All sides in turn, on stores of their own; S3 and the peers are left out where they are not to be had, and the log says so. */
export async function measureCache({ scratch, log, rounds }) {
  const requests = await countCacheRequests();
  const folder = join(scratch.folder, 'cache');
  const s3 = await startS3(join(folder, 's3'));
  if (!s3) log('without S3: `npm run servers` installs versitygw');
  const sides = await startSides(folder, s3, await findPeers(log));
  try {
    return { measured: await measure(sides, rounds, log), requests };
  } finally {
    for (const { side } of sides) side.stop();
    s3?.stop();
  }
}

/** A process for each, whose store is its own. They live until the end, as workers do. */
async function startSides(folder, s3, peers) {
  const node = (store) => [process.execPath, [STOWAGE, store]];
  const started = [
    { name: 'Stowage', command: node(join(folder, 'stowage')), calls: CALLS },
    ...(s3 ? [{ name: 'Stowage on S3', command: node(s3.address), calls: S3_CALLS, env: s3.env }] : []),
  ];
  for (const [name, command] of Object.entries(peers)) {
    started.push({ name, command: command(join(folder, name.replace(' ', '-'))), calls: CALLS });
  }
  const sides = [];
  for (const { name, command, calls, env } of started) {
    sides.push({ name, calls, side: await startSide(...command, { env }) });
  }
  return sides;
}

/** Each kind of call by each side in turn, round by round. */
async function measure(sides, rounds, log) {
  log(`cached calls: ${WARMUPS} + ${rounds} rounds`);
  const taken = new Map(sides.map(({ name }) => [name, { hitUs: [], p99Us: [], perSecond: [], missUs: [] }]));
  for (let round = -WARMUPS; round < rounds; round += 1) {
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

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const scratch = openScratch();
  process.once('exit', scratch.dispose);
  const measured = await measureCache({
    scratch,
    log: (text) => process.stderr.write(`bench: ${text}\n`),
    rounds: 7,
  });
  process.stdout.write(`${toText(cacheTables(measured))}\n`);
}
