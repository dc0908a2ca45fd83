// What small tasks cost in each kind of store, beside Metaflow: npm run build && node bench/stores.mjs
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { listTasks } from './measurements/list-tasks.mjs';
import { manyTasks, manyTasksAtOnce } from './measurements/many-tasks.mjs';
import { installMetaflow } from './metaflow.mjs';
import { storesTable, toText } from './report.mjs';
import { openScratch } from './scratch.mjs';
import { startSide } from './side.mjs';
import { pairedRatios, spread } from './statistics.mjs';
import { startKinds } from './stores/kinds.mjs';

const SIDE = fileURLToPath(new URL('./sides/stowage-side.mjs', import.meta.url));
const WORKS = [manyTasks, manyTasksAtOnce, listTasks];
const WARMUPS = 3;
/** Times as fast as Metaflow. */
const MUST = { folder: 3, 'sqlite:': 5 };

/** Each work by each side in turn, round by round, each round in a new store. */
export async function measureStores({ scratch, metaflow, log, rounds }) {
  const folder = join(scratch.folder, 'stores');
  const { kinds, stop } = await startKinds(folder, log);
  try {
    const rows = [];
    for (const work of WORKS) {
      log(`${work.work}, in each kind of store: ${WARMUPS} + ${rounds} rounds`);
      rows.push(...(await measureWork(work, { kinds, metaflow, folder, rounds })));
    }
    return rows;
  } finally {
    await stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measureWork(measurement, { kinds, metaflow, folder, rounds }) {
  const sides = [];
  const taken = new Map();
  try {
    if (metaflow) {
      const side = await metaflow.start(measurement, folder);
      sides.push({ name: 'Metaflow', side, place: (id) => join(folder, id) });
    }
    for (const { name, env, place } of kinds) {
      sides.push({ name, side: await startSide(process.execPath, [SIDE, measurement.id], { env }), place });
    }
    for (const { name } of sides) taken.set(name, []);
    for (let round = -WARMUPS; round < rounds; round += 1) {
      for (const { name, side, place } of sides) {
        const id = `${name.replace(/\W/g, '').toLowerCase()}-${measurement.id}-${round + WARMUPS}`;
        const ms = await side.measure(place(id));
        if (round >= 0) taken.get(name).push(ms);
      }
    }
  } finally {
    for (const { side } of sides) side.stop();
  }
  const { id, work, perSecond } = measurement;
  const theirs = taken.get('Metaflow');
  return sides.map(({ name }) => ({
    id,
    work,
    name,
    ...(perSecond ? { perSecond } : {}),
    ms: spread(taken.get(name)),
    roundsMs: taken.get(name),
    ...(name === 'Metaflow' || !theirs
      ? {}
      : { ratio: pairedRatios(theirs, taken.get(name)), must: MUST[name] }),
  }));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const log = (text) => process.stderr.write(`bench: ${text}\n`);
  const scratch = openScratch();
  process.once('exit', scratch.dispose);
  const rows = await measureStores({ scratch, metaflow: await installMetaflow(log), log, rounds: 7 });
  process.stdout.write(`${toText([{ title: 'Kinds of store', rows: storesTable(rows) }])}\n`);
}
