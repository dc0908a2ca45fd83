import { fileURLToPath } from 'node:url';
import { RECORDED_MS } from './metaflow.mjs';
import { startSide } from './side.mjs';
import { pairedRatios, spread } from './statistics.mjs';

const STOWAGE = fileURLToPath(new URL('./sides/stowage-side.mjs', import.meta.url));

/**
 * Measures both sides, A B A B, each round in a fresh folder or in a store that was made before, by `processes` pairs of
 * processes one after the other. In each, `warmups` rounds come first and do not count, except that the very first is reported as `first`: what a process
 * takes that has just started and compiled nothing yet.
 */
export async function compare(measurement, { metaflow, scratch, processes, rounds, warmups }) {
  const ms = { metaflow: [], stowage: [] };
  const first = { metaflow: [], stowage: [] };
  const { warmups: ownWarmups = warmups } = measurement;
  const stores = measurement.makeStore && (await makeStores(measurement, metaflow, scratch));
  const inFolder = (name, work) => (stores ? work(stores[name]) : scratch.withFolder(work));
  for (let pair = 0; pair < processes; pair += 1) {
    const sides = await startSides(measurement, metaflow, scratch);
    try {
      for (let round = 0; round < ownWarmups + rounds; round += 1) {
        for (const [name, side] of Object.entries(sides)) {
          const took = await inFolder(name, side.measure);
          if (round === 0) first[name].push(took);
          if (round >= ownWarmups) ms[name].push(took);
        }
      }
    } finally {
      for (const side of Object.values(sides)) side.stop();
    }
  }
  const { id, work, must, aim, perSecond } = measurement;
  const shared = { id, work, must, aim, ...(perSecond ? { perSecond } : {}) };
  const stowage = summary(ms.stowage, first.stowage);
  if (!metaflow) return { ...shared, stowage, ...againstRecorded(id, stowage) };
  return {
    ...shared,
    stowage,
    metaflow: summary(ms.metaflow, first.metaflow),
    ratio: pairedRatios(ms.metaflow, ms.stowage),
    firstRatio: pairedRatios(first.metaflow, first.stowage),
  };
}

async function startSides(measurement, metaflow, scratch) {
  const sides = {};
  for (const [name, start] of Object.entries(startersOf(measurement, metaflow, scratch)))
    sides[name] = await start();
  return sides;
}

function startersOf(measurement, metaflow, scratch) {
  const peer = metaflow && { metaflow: () => metaflow.start(measurement, scratch.folder) };
  return { ...peer, stowage: () => startSide(process.execPath, [STOWAGE, measurement.id]) };
}

/** By a process for each side that does nothing else: those that are measured have not seen anything of it. */
async function makeStores(measurement, metaflow, scratch) {
  const stores = {};
  for (const [name, start] of Object.entries(startersOf(measurement, metaflow, scratch))) {
    stores[name] = await scratch.keepFolder(`${measurement.store}-${name}`, async (path) => {
      const side = await start();
      try {
        await side.makeStore(path);
      } finally {
        side.stop();
      }
    });
  }
  return stores;
}

function summary(roundsMs, first) {
  return { ...spread(roundsMs), first: spread(first), roundsMs };
}

/** Recorded on another day, maybe another machine: the ratio reaches from the worst that may be to the best. Not all were. */
function againstRecorded(id, { median, min, max }) {
  if (!RECORDED_MS[id]) return {};
  const [best, worst] = RECORDED_MS[id];
  const recorded = { min: best, max: worst, median: (best + worst) / 2 };
  return {
    metaflow: { ...recorded, recorded: true },
    ratio: { median: recorded.median / median, min: best / max, max: worst / min },
  };
}
