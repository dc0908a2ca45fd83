import { readFileSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { compareCommands } from './commands.mjs';
import { compare } from './comparison.mjs';
import { describeEnvironment } from './environment.mjs';
import { MEASUREMENTS } from './measurements/index.mjs';
import { installMetaflow } from './metaflow.mjs';
import { toTables, toText, writeTables } from './report.mjs';
import { countRequests } from './requests.mjs';
import { openScratch } from './scratch.mjs';
import { measureStartUp } from './start-up.mjs';
import { countOnTheWire } from './wire/index.mjs';

const ROWS = [...MEASUREMENTS.map(({ id }) => id), 'commands', 'requests', 'wire', 'start-up'];
const PAGE = fileURLToPath(new URL('../docs/benchmarks.md', import.meta.url));
const WARMUPS = 6;
const HELP = `Measures Stowage beside Metaflow. Build first.

  --only <row,...>     only some of: ${ROWS.join(', ')}
  --processes <n>      pairs of processes, one after the other (default 3)
  --rounds <n>         rounds of each pair that count, at least 7 (default 7)
  --start-ups <n>      starts of each command, at least 15 (default 21)
  --no-metaflow        compare with recorded figures
  --json               print JSON rather than tables
  --write              put the tables into docs/benchmarks.md (all rows, Metaflow measured)
`;

const log = (text) => process.stderr.write(`bench: ${text}\n`);

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
        only: { type: 'string' },
        processes: { type: 'string', default: '3' },
        rounds: { type: 'string', default: '7' },
        'start-ups': { type: 'string', default: '21' },
        'no-metaflow': { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        write: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    const only = values.only?.split(',') ?? ROWS;
    const unknown = only.find((row) => !ROWS.includes(row));
    if (unknown !== undefined) fail(`there is no row ${unknown}; there are ${ROWS.join(', ')}`);
    if (values.write && values.only) fail('--write needs all rows; leave out --only');
    return {
      ...values,
      only,
      processes: count(values.processes, 1, 'processes'),
      rounds: count(values.rounds, 7, 'rounds'),
      startUps: count(values['start-ups'], 15, 'start-ups'),
    };
  } catch (error) {
    return fail(error.message);
  }
}

async function measure({ only, processes, rounds, startUps, 'no-metaflow': noMetaflow }) {
  const loadBefore = loadavg();
  const compared = MEASUREMENTS.filter(({ id }) => only.includes(id));
  const needsMetaflow = compared.length > 0 || only.includes('commands') || only.includes('wire');
  const metaflow = noMetaflow || !needsMetaflow ? undefined : await installMetaflow(log);
  const scratch = openScratch();
  process.once('exit', scratch.dispose);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));
  const speed = [];
  for (const measurement of compared) {
    log(`${measurement.work}: ${processes} x (${measurement.warmups ?? WARMUPS} + ${rounds}) rounds`);
    speed.push(await compare(measurement, { metaflow, scratch, processes, rounds, warmups: WARMUPS }));
  }
  let commands;
  if (only.includes('commands')) {
    log(`commands: 1 + ${startUps} rounds`);
    commands = await compareCommands({ metaflow, scratch, rounds: startUps });
  }
  let requests;
  if (only.includes('requests')) {
    log('requests');
    requests = await countRequests();
  }
  let wire;
  if (only.includes('wire')) {
    log('requests on the wire');
    wire = await scratch.withFolder((folder) => countOnTheWire({ folder, metaflow, log }));
  }
  let startUp;
  if (only.includes('start-up')) {
    log(`start-up: 1 + ${startUps} rounds`);
    startUp = measureStartUp({ rounds: startUps, log });
  }
  const environment = describeEnvironment({
    fileSystem: scratch.fileSystem,
    versions: metaflow?.versions,
    rounds: `${processes} pairs of processes, ${WARMUPS} + ${rounds} rounds each`,
    loadBefore,
  });
  return { environment, speed, commands, requests, wire, startUp };
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
