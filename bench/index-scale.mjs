// The index of a store in a database, as there are more attempts: npm run build && node --expose-gc bench/index-scale.mjs [--attempts <number>,...] [--only sqlite|postgres]
import { mkdirSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { questionsOf } from './index-scale-questions.mjs';
import { ATTEMPTS_OF_A_RUN, FLOW, IndexScaleStore } from './index-scale-store.mjs';
import { watchPeak } from './peak-memory.mjs';
import { openScratch } from './scratch.mjs';
import { spread } from './statistics.mjs';
import { startPostgres } from './stores/postgres-server.mjs';

const DEFAULT_ATTEMPTS = '20000,100000,1000000';
const NEW = 1_000;
const NEW_AT_ONCE = 8;
const ROUNDS = 7;
const MIB = 1024 * 1024;

/**
 * Makes the index of a store of so many attempts, catches up those that the library saves then, and asks it: of each what it took, of
 * questions the plans too.
 *
 * @param address - of a store that is not there yet
 */
async function measureIndex({ address, attempts, rawDataPath, log }) {
  const { FlowDataStore, openStorage, StoreIndex } = await import('../dist/index.js');
  const flow = await FlowDataStore.open({ flowName: FLOW, storage: address, rawDataPath });
  const first = await flow.createRun({ runId: 'by-the-library' });
  const storage = await openStorage(address);
  const database = storage.database;
  const store = new IndexScaleStore(database);
  const generated = await timed(() => store.add(attempts));
  log(`${generated.result} attempts generated in ${seconds(generated.ms)}`);
  const rows = [];
  const index = await StoreIndex.open({ store: storage });
  const peak = watchPeak();
  const made = await timed(() => index.catchUp());
  rows.push({
    what: 'make the index',
    ms: [made.ms],
    each: usEach(made, generated.result),
    memory: peak().overBytes,
  });
  log(
    `made: ${JSON.stringify(made.result)} in ${seconds(made.ms)}, ${(peak().overBytes / MIB).toFixed(0)} MiB`,
  );
  await saveNew(flow, first.runId);
  const again = watchPeak();
  const caughtUp = await timed(() => index.catchUp());
  rows.push({
    what: `catch up ${NEW} new ones`,
    ms: [caughtUp.ms],
    each: usEach(caughtUp, NEW),
    memory: again().overBytes,
  });
  const [indexed] = await database.read({ text: 'select count(*) as attempts from attempts' });
  const missing = generated.result + NEW - Number(indexed.attempts);
  if (missing !== 0) throw new Error(`the index lacks ${missing} attempts`);
  if (caughtUp.result.attempts !== NEW)
    throw new Error(`${caughtUp.result.attempts} attempts were caught up`);
  const nothing = [];
  for (let round = 0; round < ROUNDS; round += 1) nothing.push((await timed(() => index.catchUp())).ms);
  rows.push({ what: 'catch up nothing', ms: nothing });
  if (database.type === 'postgres') await analyze(database);
  const plans = [];
  const explained = new Set();
  for (const { what, ask, isWhole } of questionsOf(Math.floor(generated.result / ATTEMPTS_OF_A_RUN / 2))) {
    let found = 0;
    const statements = await recorded(database, async () => {
      for await (const _ of ask(index)) found += 1;
    });
    const times = [];
    for (let round = 0; round < (isWhole ? 1 : ROUNDS); round += 1)
      times.push((await timed(() => lastOf(ask(index)))).ms);
    rows.push({ what, found, ms: times });
    for (const statement of statements) {
      if (explained.has(statement.text)) continue; // as for another question
      explained.add(statement.text);
      plans.push({ what, ...(await planOf(database, statement)) });
    }
  }
  await index.close();
  await flow.close();
  await storage.close();
  return { rows, plans };
}

/** Counts values, as PostgreSQL does by itself a minute later. */
function analyze(database) {
  return database.write(function* () {
    for (const table of ['attempts', 'artifacts', 'metadata', 'reads', 'runs', 'run_tags'])
      yield { text: `analyze ${table}` };
  });
}

async function saveNew(flow, runId) {
  const tasks = Array.from({ length: NEW }, (_, task) => task);
  await Promise.all(
    Array.from({ length: NEW_AT_ONCE }, async () => {
      for (let task = tasks.pop(); task !== undefined; task = tasks.pop())
        await flow.task({ runId, stepName: 'fit', taskId: String(task) }, async (one) => {
          await one.saveArtifacts({ model: `new model ${task}` });
        });
    }),
  );
}

/** The statements that work reads tables of the index by, each text once. */
async function recorded(database, work) {
  const { read } = database;
  const statements = new Map();
  database.read = (statement, options) => {
    if (!statement.text.includes('stowage_index')) statements.set(statement.text, statement);
    return read.call(database, statement, options);
  };
  try {
    await work();
  } finally {
    database.read = read;
  }
  return [...statements.values()];
}

async function lastOf(answers) {
  let last;
  for await (const answer of answers) last = answer;
  return last;
}

async function planOf(database, { text, parameters }) {
  const explain = database.type === 'sqlite' ? 'explain query plan ' : 'explain ';
  const rows = await database.read({ text: explain + text, parameters });
  const lines = rows.map((row) => row.detail ?? row['QUERY PLAN']);
  return { text: text.replaceAll(/\s+/g, ' '), lines };
}

async function timed(work) {
  const [before, cpuBefore] = [performance.now(), process.cpuUsage()];
  const result = await work();
  const ms = performance.now() - before;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { result, ms, cpuMs: (user + system) / 1000 };
}

function usEach({ ms, cpuMs }, attempts) {
  return { us: (ms * 1000) / attempts, cpuUs: (cpuMs * 1000) / attempts };
}

function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`;
}

function toLine(type, total, { what, found, ms, each, memory }) {
  const { median, min, max } = spread(ms);
  const show = (value) => (value >= 10_000 ? seconds(value) : `${value.toFixed(1)} ms`);
  const took = ms.length === 1 ? show(median) : `${show(median)} (${min.toFixed(1)} to ${max.toFixed(1)})`;
  const cells = [type, total.toLocaleString('en'), what, took];
  cells.push(
    each ? `${each.us.toFixed(0)} µs, ${each.cpuUs.toFixed(0)} of CPU` : '',
    memory === undefined ? '' : `${(memory / MIB).toFixed(0)} MiB`,
    found ?? '',
  );
  return `| ${cells.join(' | ')} |`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      attempts: { type: 'string', default: DEFAULT_ATTEMPTS },
      only: { type: 'string' },
      plans: { type: 'boolean', default: false },
    },
  });
  const scratch = openScratch();
  process.once('exit', () => scratch.dispose());
  const log = (text) => process.stderr.write(`bench: ${text} (load ${loadavg()[0].toFixed(1)})\n`);
  const print = (text) => process.stdout.write(`${text}\n`);
  print('| store | attempts | work | took | each | memory | found |');
  print('| --- | ---: | --- | ---: | ---: | ---: | ---: |');
  const wanted = (type) => values.only === undefined || values.only === type;
  const postgres = wanted('postgres') ? await startPostgres() : undefined;
  if (!postgres && wanted('postgres')) log("without PostgreSQL: Debian's package is postgresql");
  for (const attempts of values.attempts.split(',').map(Number))
    for (const type of ['sqlite', 'postgres']) {
      if (!wanted(type) || (type === 'postgres' && !postgres)) continue;
      log(`${type}: ${attempts} attempts`);
      await scratch.withFolder(async (folder) => {
        mkdirSync(folder);
        const address =
          type === 'sqlite' ? `sqlite:${join(folder, 'store.db')}` : `${postgres.address}/scale_${attempts}`;
        const rawDataPath = type === 'postgres' ? join(folder, 'content') : undefined;
        const { rows, plans } = await measureIndex({ address, attempts, rawDataPath, log });
        for (const row of rows) print(toLine(`${type}:`, attempts, row));
        if (values.plans)
          for (const { what, text, lines } of plans)
            print(`\n${type}: ${what}\n  ${text}\n    ${lines.join('\n    ')}`);
      });
    }
  await postgres?.stop();
}
