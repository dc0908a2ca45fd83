import { readFileSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measureCache } from './cache.mjs';
import { measureCollection } from './collection.mjs';
import { compareCommands } from './commands.mjs';
import { compare } from './comparison.mjs';
import { measureDeduplication } from './deduplication.mjs';
import { describeEnvironment } from './environment.mjs';
import { measureEventLoop } from './event-loop.mjs';
import { compareFiles } from './files.mjs';
import { compareFrames } from './frames.mjs';
import { measureChecks } from './fsck.mjs';
import { compareLarge, measureFloors } from './large.mjs';
import { measureLinearity } from './linearity.mjs';
import { MEASUREMENTS } from './measurements/index.mjs';
import { LARGE } from './measurements/large-content.mjs';
import { installMetaflow } from './metaflow.mjs';
import { measurePage } from './page.mjs';
import { toTables, toText, writeTables } from './report.mjs';
import { countRequests } from './requests.mjs';
import { openScratch } from './scratch.mjs';
import { measureStartUp } from './start-up.mjs';
import { measureStores } from './stores.mjs';
import { VALUES_VARIABLE } from './value-files.mjs';
import { countOnTheWire } from './wire/index.mjs';

/** The tables that do not have a row for each of the works above, in the order in which they are measured. */
const TABLES = {
  floors: measureFloors,
  'event-loop': measureEventLoop,
  files: compareFiles,
  frames: compareFrames,
  deduplication: measureDeduplication,
  linearity: measureLinearity,
  collection: measureCollection,
  checks: measureChecks,
  commands: ({ startUps, ...context }) => compareCommands({ ...context, rounds: startUps }),
  requests: countRequests,
  wire: ({ scratch, ...context }) => scratch.withFolder((folder) => countOnTheWire({ ...context, folder })),
  stores: measureStores,
  cache: measureCache,
  page: measurePage,
  'start-up': ({ startUps, log }) => measureStartUp({ rounds: startUps, log }),
};
const ROWS = [...[...MEASUREMENTS, ...LARGE].map(({ id }) => id), ...Object.keys(TABLES)];
const PAGE = fileURLToPath(new URL('../docs/benchmarks.md', import.meta.url));
const WARMUPS = 6;
/** Each process of large content has one first round, which is what its targets are about. */
const MORE_PROCESSES = 2;
const HELP = `Measures Stowage beside Metaflow. Build first.

  --rows <row,...>     only some of: ${ROWS.join(', ')}
  --processes <n>      pairs of processes, one after the other (default 3); of large content, two more
  --rounds <n>         rounds of each pair that count, at least 7 (default 7)
  --start-ups <n>      starts of each command, at least 15 (default 21)
  --huge               linearity up to 10 GB of content, which a tmpfs has to hold
  --most <units>       linearity, collection and checks up to so many units of each kind
  --no-metaflow        compare with recorded figures
  --json               print JSON rather than tables
  --write              put the tables into docs/benchmarks.md (all rows, Metaflow measured)
`;

/** With the seconds since the start, so that it shows what takes long. */
const log = (text) => process.stderr.write(`bench: ${Math.round(performance.now() / 1000)} s: ${text}\n`);

function fail(text) {
  log(text);
  process.exit(2);
}

function readOptions() {
  const count = (text, least, name) => {
    const number = Number(text);
    if (Number.isSafeInteger(number) && number >= least) return number;
    return fail(`--${name} must be an integer of at least ${least}`);
  };
  try {
    const { values } = parseArgs({
      options: {
        rows: { type: 'string' },
        processes: { type: 'string', default: '3' },
        rounds: { type: 'string', default: '7' },
        'start-ups': { type: 'string', default: '21' },
        'no-metaflow': { type: 'boolean', default: false },
        huge: { type: 'boolean', default: false },
        most: { type: 'string' },
        json: { type: 'boolean', default: false },
        write: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    const only = values.rows?.split(',') ?? ROWS;
    const unknown = only.find((row) => !ROWS.includes(row));
    if (unknown !== undefined) fail(`there is no row ${unknown}; there are ${ROWS.join(', ')}`);
    if (values.write && values.rows) fail('--write needs all rows; leave out --rows');
    return {
      ...values,
      only,
      most: values.most === undefined ? undefined : count(values.most, 10, 'most'),
      processes: count(values.processes, 1, 'processes'),
      rounds: count(values.rounds, 7, 'rounds'),
      startUps: count(values['start-ups'], 15, 'start-ups'),
    };
  } catch (error) {
    return fail(error.message);
  }
}

async function measure(options) {
  const { only, processes, rounds, 'no-metaflow': noMetaflow } = options;
  const loadBefore = loadavg();
  const compared = MEASUREMENTS.filter(({ id }) => only.includes(id));
  const comparedLarge = LARGE.filter(({ id }) => only.includes(id));
  const needsMetaflow =
    compared.length + comparedLarge.length > 0 ||
    ['commands', 'wire', 'stores'].some((id) => only.includes(id));
  const metaflow = noMetaflow || !needsMetaflow ? undefined : await installMetaflow(log);
  const scratch = openScratch();
  process.env[VALUES_VARIABLE] = join(scratch.folder, 'values');
  process.once('exit', scratch.dispose);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));
  const speed = [];
  for (const measurement of compared) {
    log(`${measurement.work}: ${processes} x (${measurement.warmups ?? WARMUPS} + ${rounds}) rounds`);
    speed.push(await compare(measurement, { metaflow, scratch, processes, rounds, warmups: WARMUPS }));
  }
  const large = [];
  for (const measurement of comparedLarge) {
    log(`${measurement.work}: ${processes + MORE_PROCESSES} x 1 + 2 rounds`);
    large.push(await compareLarge(measurement, { metaflow, scratch, processes: processes + MORE_PROCESSES }));
  }
  const tables = {};
  for (const [id, measureTable] of Object.entries(TABLES).filter(([table]) => only.includes(table))) {
    log(id);
    tables[id] = await measureTable({ ...options, metaflow, scratch, log });
  }
  const environment = describeEnvironment({
    fileSystem: scratch.fileSystem,
    versions: metaflow?.versions,
    rounds: `${processes} pairs of processes, ${WARMUPS} + ${rounds} rounds each`,
    loadBefore,
  });
  return { environment, speed, large, ...tables };
}

const options = readOptions();
if (options.help) {
  process.stdout.write(HELP);
} else {
  const results = await measure(options);
  process.stdout.write(
    options.json ? `${JSON.stringify(results, null, 2)}\n` : `${toText(toTables(results))}\n`,
  );
  if (options.write) {
    if (!results.environment.Metaflow.match(/^\d/)) fail('nothing written: Metaflow was not measured');
    writeFileSync(PAGE, writeTables(readFileSync(PAGE, 'utf8'), toTables(results)));
    log(`wrote ${PAGE}`);
  }
}
