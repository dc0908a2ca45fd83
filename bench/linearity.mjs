// What a unit costs as there are more of them: npm run build && node bench/linearity.mjs [--huge] [--most <units>]
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { linearityTable, toText } from './report.mjs';
import { openScratch } from './scratch.mjs';
import { startSide } from './side.mjs';
import { spread } from './statistics.mjs';

const SIDE = fileURLToPath(new URL('./sides/linearity-side.mjs', import.meta.url));
const MEGABYTE = 1_000_000;
/** Small sizes are repeated until this many units were measured, at least `ROUNDS` times. */
const ROUNDS = 5;
const MOST_ROUNDS = 200;

/** `huge` only where it is asked for. */
const KINDS = {
  content: {
    unit: 'MB',
    sizes: [1, 10, 100, 1000],
    huge: [10_000],
    toSize: (units) => units * MEGABYTE,
    steady: 300,
    what: 'content, as a stream that nothing shrinks',
  },
  artifacts: {
    unit: 'artifact',
    sizes: [10, 100, 1000, 10_000, 100_000],
    huge: [],
    steady: 5000,
    what: 'artifacts of one task, dicts of 205 B',
  },
  tasks: {
    unit: 'task',
    sizes: [10, 100, 1000, 10_000, 100_000],
    huge: [],
    steady: 500,
    what: 'tasks of one step with 10 small artifacts each, 16 at once',
  },
};

/**
 * For each kind and size the cost of a unit, by new processes. Those of small sizes do their work again and again, as a process that
 * has been running for a while; a large one is warm by itself.
 *
 * @param most - leaves out sizes of more units; default: none
 */
export async function measureLinearity({ scratch, log, huge = false, most = Infinity }) {
  const rows = [];
  for (const [kind, { unit, sizes, huge: more, toSize = (units) => units, steady, what }] of Object.entries(
    KINDS,
  )) {
    for (const units of [...sizes, ...(huge ? more : [])].filter((size) => size <= most)) {
      const rounds = Math.min(MOST_ROUNDS, Math.max(ROUNDS, Math.ceil(steady / units)));
      const counted = units >= steady ? 1 : rounds;
      log(`linearity: ${units} ${unit}`);
      const side = await startSide(process.execPath, [SIDE]);
      const answers = [];
      for (let round = 0; round < counted; round += 1) {
        const ask = (root) => side.ask({ root, kind, size: toSize(units) });
        answers.push(await scratch.withFolder(ask));
      }
      side.stop();
      // The first half warms up, where there are several.
      const warm = answers.slice(counted > 1 ? counted >> 1 : 0);
      for (const step of Object.keys(warm[0])) {
        const of = (key) => spread(warm.map((answer) => (answer[step][key] * 1000) / units));
        rows.push({
          kind,
          what,
          unit,
          units,
          step,
          us: of('ms'),
          cpuUs: of('cpuMs'),
        });
      }
    }
  }
  return rows.map((row) => {
    const smallest = rows.find(({ kind, step }) => kind === row.kind && step === row.step);
    return { ...row, ofSmallest: row.cpuUs.median / smallest.cpuUs.median };
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { huge: { type: 'boolean' }, most: { type: 'string' } } });
  const scratch = openScratch();
  process.once('exit', () => rmSync(scratch.folder, { recursive: true, force: true }));
  const log = (text) => process.stderr.write(`bench: ${text}\n`);
  const most = values.most === undefined ? undefined : Number(values.most);
  const rows = await measureLinearity({ scratch, log, huge: values.huge, most });
  process.stdout.write(`${toText([{ title: 'Cost of a unit', rows: linearityTable(rows) }])}\n`);
}
