// Columns of Parquet files beside pyarrow: npm run build && node bench/frames.mjs
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { frameNames } from './frame-values.mjs';
import { pythonWith } from './python.mjs';
import { frameTable, toText } from './report.mjs';
import { openScratch } from './scratch.mjs';
import { startSide } from './side.mjs';
import { pairedRatios, spread } from './statistics.mjs';

const side = (name) => fileURLToPath(new URL(`./sides/${name}`, import.meta.url));
const PACKAGES = ['pyarrow==26.0.1'];
const ROWS = 200_000;
const COLUMNS = 50;
const WARM_ROUNDS = 4;
/** A sum adds up in another order on each side. */
const CLOSE = 1e-6;

const WORKS = [
  { work: `2 of ${COLUMNS} columns, as arrays`, names: ['column_7', 'column_31'], form: 'columns' },
  { work: `2 of ${COLUMNS} columns, as an Arrow table`, names: ['column_7', 'column_31'], form: 'arrow' },
  { work: `all ${COLUMNS} columns, as arrays`, names: frameNames(COLUMNS), form: 'columns' },
];

/**
 * Both read the same file, each in a process of its own for each work, in turn: the first time, and then warm. Ours opens the store and the
 * artifact each time.
 */
export async function compareFrames({ scratch, log, processes = 3 }) {
  const python = await pythonWith('pyarrow', PACKAGES, log);
  const root = join(scratch.folder, 'frames');
  const maker = await startSide(process.execPath, [side('frame-side.mjs')]);
  const { file } = await maker.ask({ make: root, rows: ROWS, columns: COLUMNS });
  maker.stop();
  const rows = [];
  for (const { work, names, form } of WORKS) {
    const took = { first: { ours: [], theirs: [] }, warm: { ours: [], theirs: [] } };
    for (let pair = 0; pair < processes; pair += 1) {
      const theirs = python && (await startSide(python, [side('pyarrow_side.py')]));
      const ours = await startSide(process.execPath, [side('frame-side.mjs')]);
      for (let round = 0; round <= WARM_ROUNDS; round += 1) {
        const into = took[round === 0 ? 'first' : 'warm'];
        const peer = await theirs?.ask({ file, names });
        const own = await ours.ask({ root, names, form });
        if (peer && Math.abs(peer.sum / own.sum - 1) > CLOSE)
          throw new Error(`${work}: the sums are ${peer.sum} and ${own.sum}`);
        if (peer) into.theirs.push(peer.ms);
        into.ours.push(own.ms);
      }
      theirs?.stop();
      ours.stop();
    }
    const figures = ({ ours, theirs }) => ({
      ours: spread(ours),
      ...(theirs.length > 0 ? { theirs: spread(theirs), ratio: pairedRatios(theirs, ours) } : {}),
    });
    rows.push({ work, first: figures(took.first), warm: figures(took.warm) });
  }
  return rows;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const scratch = openScratch();
  process.once('exit', scratch.dispose);
  const rows = await compareFrames({ scratch, log: (text) => process.stderr.write(`bench: ${text}\n`) });
  process.stdout.write(`${toText([{ title: 'Columns of Parquet files', rows: frameTable(rows) }])}\n`);
}
