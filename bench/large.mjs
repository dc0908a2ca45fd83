import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startSide } from './side.mjs';
import { pairedRatios, spread } from './statistics.mjs';
import { valueFile } from './value-files.mjs';

const side = (name) => fileURLToPath(new URL(`./sides/${name}`, import.meta.url));
/** Rounds of a process of ours after its first one; Metaflow's, which takes the same each time, has one. */
const WARM_ROUNDS = 2;
const FLOOR_OF = (id) => {
  if (id === 'repeat') return 'hash';
  if (id.startsWith('load-')) return 'read and hash';
  return id === 'lines' ? 'hash, compress and write' : 'hash and write';
};

/**
 * One row of large content, by `processes` rounds of new processes: Metaflow's, ours, and one that does the same by bare calls of
 * libraries. The first round of a process of ours is beside Metaflow's; the later ones are warm, each right before one of the floor.
 * What is loaded was saved by another process.
 */
export async function compareLarge(measurement, { metaflow, scratch, processes }) {
  const { id, work, must, aim, mustFloor, mustMemoryMib, mustSize, floorTimes = 1 } = measurement;
  const took = { metaflow: [], first: [], warm: [], floor: [] };
  const over = [];
  const stored = {};
  const start = startersOf(measurement, metaflow, scratch);
  const inFolder = async (name, one) => {
    const ask = async (root) => ({ ...(await one.ask({ root })), stored: storedBytes(root) });
    if (!measurement.makeStore) return scratch.withFolder(ask);
    return ask(await scratch.keepFolder(`${measurement.store}-${name}`, makeStore));

    async function makeStore(path) {
      const other = await start[name]();
      await other.makeStore(path);
      other.stop();
    }
  };
  for (let round = 0; round < processes; round += 1) {
    if (metaflow) {
      const theirs = await start.metaflow();
      const { ms, stored: bytes } = await inFolder('metaflow', theirs);
      theirs.stop();
      took.metaflow.push(ms);
      stored.metaflow = bytes;
    }
    const ours = await start.stowage();
    const floor = await start.floor();
    const first = await inFolder('stowage', ours);
    took.first.push(first.ms);
    stored.stowage = first.stored;
    over.push(first);
    for (let warm = 0; warm < WARM_ROUNDS; warm += 1) {
      took.warm.push((await inFolder('stowage', ours)).ms);
      took.floor.push(
        (await scratch.withFolder((root) => floor.ask({ root, work: FLOOR_OF(id), times: floorTimes }))).ms,
      );
    }
    ours.stop();
    floor.stop();
  }
  return {
    id,
    work,
    floorWork: FLOOR_OF(id),
    first: spread(took.first),
    warm: spread(took.warm),
    floor: spread(took.floor),
    ofFloor: pairedRatios(took.warm, took.floor),
    over: { ...spread(over.map(({ overBytes }) => overBytes)), by: over[0].by },
    ...(metaflow ? { metaflow: spread(took.metaflow), ratio: pairedRatios(took.metaflow, took.first) } : {}),
    ...(metaflow && mustSize ? { size: stored.stowage / stored.metaflow } : {}),
    roundsMs: took,
    targets: { must, aim, mustFloor, mustMemoryMib, mustSize },
  };
}

function startersOf({ id, file }, metaflow, scratch) {
  return {
    metaflow: () => metaflow.start({ id, makeValues: () => ({ file: file() }) }, scratch.folder),
    stowage: () => startSide(process.execPath, ['--expose-gc', side('large-side.mjs'), id]),
    floor: () => startSide(process.execPath, [side('floor-side.mjs'), file()]),
  };
}

/** What bare libraries do with content, in megabytes a second: the most that anybody reaches on this machine. */
export async function measureFloors({ scratch, rounds }) {
  const contents = {
    'bytes that nothing shrinks': 'noise-256',
    float32: 'floats-256',
    'JSON lines': 'lines',
  };
  const works = {
    copy: 'plain copy, with fsync',
    read: 'read into new memory',
    hash: 'BLAKE3',
    compress: 'zstd, level 3, by chunks of 64 KiB',
  };
  const rows = Object.values(works).map((work) => ({ work, rates: {} }));
  for (const [content, name] of Object.entries(contents)) {
    const floor = await startSide(process.execPath, [side('floor-side.mjs'), valueFile(name)]);
    for (const [index, work] of Object.keys(works).entries()) {
      const rates = [];
      for (let round = -1; round < rounds; round += 1) {
        const { ms, bytes } = await scratch.withFolder((root) => floor.ask({ root, work }));
        if (round >= 0) rates.push(bytes / 1000 / ms);
      }
      rows[index].rates[content] = spread(rates);
    }
    floor.stop();
  }
  return rows;
}

/** The bytes of all files below a folder. */
export function storedBytes(root) {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
