import { fileURLToPath } from 'node:url';
import { RECORDED_MS } from './metaflow.mjs';
import { startSide } from './side.mjs';
import { pairedRatios, spread } from './statistics.mjs';

const STOWAGE = fileURLToPath(new URL('./sides/stowage-side.mjs', import.meta.url));

/**
 * Measures both sides, A B A B, each round in a fresh folder, by `processes` pairs of processes one after the other.
 * In each, `warmups` rounds come first and do not count, except that the very first is reported as `first`: what a process
 * takes that has just started and compiled nothing yet.
 */
export async function compare(measurement, { metaflow, scratch, processes, rounds, warmups }) {
  const ms = { metaflow: [], stowage: [] };
  const first = { metaflow: [], stowage: [] };
  let versions;
  for (let pair = 0; pair < processes; pair += 1) {
    const sides = await startSides(measurement, metaflow, scratch);
    versions = sides.metaflow?.versions;
    try {
      for (let round = 0; round < warmups + rounds; round += 1) {
        for (const [name, side] of Object.entries(sides)) {
          const took = await scratch.withFolder(side.measure);
          if (round === 0) first[name].push(took);
          if (round >= warmups) ms[name].push(took);
        }
      }
    } finally {
      for (const side of Object.values(sides)) side.stop();
    }
  }
  const { id, work, target, perSecond } = measurement;
  const shared = { id, work, target, ...(perSecond ? { perSecond } : {}), versions };
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
  const peer = metaflow && { metaflow: await metaflow.start(measurement, scratch.folder) };
  return { ...peer, stowage: await startSide(process.execPath, [STOWAGE, measurement.id]) };
}

function summary(roundsMs, first) {
  return { ...spread(roundsMs), first: spread(first), roundsMs };
}

/** Recorded on another day, maybe another machine: the ratio reaches from the worst that may be to the best. */
function againstRecorded(id, { median, min, max }) {
  const [best, worst] = RECORDED_MS[id];
  const recorded = { min: best, max: worst, median: (best + worst) / 2 };
  return {
    metaflow: { ...recorded, recorded: true },
    ratio: { median: recorded.median / median, min: best / max, max: worst / min },
  };
}
