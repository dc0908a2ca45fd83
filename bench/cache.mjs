// What a call of a cached task costs, beside joblib.Memory, diskcache and cacache: npm run build && node bench/cache.mjs
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findPeers } from './cache/peers.mjs';
import { cacheTables } from './cache/report.mjs';
import { countCacheRequests } from './cache/requests.mjs';
import { CALLERS } from './cache/work.mjs';
import { toText } from './report.mjs';
import { openScratch } from './scratch.mjs';
import { startSide } from './side.mjs';
import { spread } from './statistics.mjs';
import { startKinds } from './stores/kinds.mjs';

const STOWAGE = fileURLToPath(new URL('./cache/stowage-side.mjs', import.meta.url));
/** The side in a folder, beside which all others are put. */
const OURS = 'Stowage';
const MUST_HIT_US = 70;
const WARMUPS = 2;
/** Calls of each kind in a round; on S3 fewer, which take as long. */
const CALLS = { hits: 2000, atOnce: 4000, misses: 100 };
const S3_CALLS = { hits: 300, atOnce: 1600, misses: 20 };

/** All sides in turn, on stores of their own; servers and peers are left out where they are not to be had, and the log says so. */
export async function measureCache({ scratch, log, rounds }) {
  const requests = await countCacheRequests();
  const folder = join(scratch.folder, 'cache');
  const { kinds, stop } = await startKinds(folder, log);
  const sides = await startSides(folder, kinds, await findPeers(log));
  try {
    return { measured: await measure(sides, rounds, log), requests };
  } finally {
    for (const { side } of sides) side.stop();
    await stop();
  }
}

/** A process for each, whose store is its own. They live until the end, as workers do. */
async function startSides(folder, kinds, peers) {
  const started = kinds.map(({ name, env, place }) => {
    const { storage, rawDataPath } = place('stowage');
    const args = [STOWAGE, storage, ...(rawDataPath === undefined ? [] : [rawDataPath])];
    return {
      name: name === 'folder' ? OURS : `${OURS}, ${name}`,
      command: [process.execPath, args],
      calls: env ? S3_CALLS : CALLS,
      env,
    };
  });
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
  return sides.map(({ name }) => summary(name, taken.get(name), taken.get(OURS), joblibOf(taken)));
}

/** A hit in 70 microseconds, a miss that is durable no slower than one of joblib, which syncs nothing. */
function mustOf({ hitUs, missUs }, joblib) {
  const beside = joblib && spread(missUs.map((us, round) => us / joblib.missUs[round])).median;
  return { hitUs: MUST_HIT_US, isHitMet: spread(hitUs).median <= MUST_HIT_US, missOfJoblib: beside };
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

function joblibOf(taken) {
  return [...taken].find(([name]) => name.startsWith('joblib'))?.[1];
}

/** Medians of the rounds; and how many times as long as Stowage's local hits and misses, round by round. */
function summary(name, taken, ours, joblib) {
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
    ...(name === `${OURS}, sqlite:` ? { must: mustOf(taken, joblib) } : {}),
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
