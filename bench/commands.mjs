import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FlowDataStore } from '../dist/index.js';
import { pairedRatios, spread } from './statistics.mjs';
import { dicts, fractions } from './values.mjs';

const STOWAGE = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const RUNS = 20;
/** How many tasks each step has. A flow of Metaflow cannot have fewer steps and join. */
const STEPS = { start: 1, fit: 9, join: 1, end: 1 };
const TASKS = Object.values(STEPS).reduce((sum, count) => sum + count, 0);
const ARTIFACTS = ['name', 'parts', 'config', 'metrics', 'history'];

/** Each by both sides; `prints` is what both have to print, as a pattern, and how often. */
const COMMANDS = [
  {
    work: 'nothing: stowage --help, beside importing the client',
    stowage: ['--help'],
    client: [],
    prints: [],
  },
  {
    work: `stowage ls <flow>: ${RUNS} runs, with status and time`,
    stowage: ['ls', 'Bench'],
    client: ['runs', 'Bench'],
    prints: [{ pattern: /^\d+ +done .*s$/gm, count: RUNS }],
  },
  {
    work: `stowage ls <flow>/<run>/<step>: ${STEPS.fit} tasks, with status, time, number and size of artifacts`,
    stowage: ['ls', 'Bench/7/fit'],
    client: ['tasks', 'Bench/7/fit'],
    prints: [
      { pattern: new RegExp(`^\\d+ +done .*s +${ARTIFACTS.length} +[\\d.]+ k?B$`, 'gm'), count: STEPS.fit },
    ],
  },
  {
    work: `stowage show <flow>/<run>: ${TASKS} tasks, and ${TASKS * ARTIFACTS.length} artifacts with their sizes`,
    stowage: ['show', 'Bench/7'],
    client: ['show', 'Bench/7'],
    prints: [
      { pattern: /\d+ +done .*s$/gm, count: TASKS },
      {
        pattern: new RegExp(`\\b(${ARTIFACTS.join('|')}) +[\\d.]+ k?B\\b`, 'g'),
        count: TASKS * ARTIFACTS.length,
      },
      ...Object.keys(STEPS).map((step) => ({ pattern: new RegExp(`\\b${step}$`, 'gm'), count: 1 })),
    ],
  },
];

/** How long the command line takes from start to end, beside scripts of Metaflow's client that print the same, in turn. */
export async function compareCommands({ metaflow, scratch, rounds }) {
  const tasks = makeTasks();
  const sides = {};
  if (metaflow) {
    const root = join(scratch.folder, 'runs-metaflow');
    makeMetaflowRuns(metaflow, root, tasks);
    sides.metaflow = ({ client }) => metaflow.script('metaflow_client.py', client, root);
  }
  const store = join(scratch.folder, 'runs-stowage');
  await saveRuns(store, tasks);
  sides.stowage = ({ stowage }) => ({
    command: process.execPath,
    args: [STOWAGE, '--no-color', '--store', store, ...stowage],
    env: { COLUMNS: '200' },
  });
  return COMMANDS.map((command) => measureCommand(command, sides, rounds));
}

function measureCommand(command, sides, rounds) {
  const ms = { metaflow: [], stowage: [] };
  for (let round = -1; round < rounds; round += 1) {
    for (const [name, toProgram] of Object.entries(sides)) {
      const took = runOnce(toProgram(command), command.prints);
      if (round >= 0) ms[name].push(took); // the first round only fills the caches
    }
  }
  const { work } = command;
  const stowage = { ...spread(ms.stowage), roundsMs: ms.stowage };
  if (!sides.metaflow) return { work, stowage };
  const metaflow = { ...spread(ms.metaflow), roundsMs: ms.metaflow };
  return { work, stowage, metaflow, ratio: pairedRatios(ms.metaflow, ms.stowage) };
}

function runOnce(program, prints) {
  const start = performance.now();
  const output = run(program);
  const ms = performance.now() - start;
  for (const { pattern, count } of prints) {
    const found = output.match(pattern)?.length ?? 0;
    if (found === count) continue;
    throw new Error(
      `${program.args.join(' ')} printed ${pattern} ${found} times rather than ${count}:\n${output}`,
    );
  }
  return ms;
}

function run({ command, args, env }) {
  const child = spawnSync(command, args, { env: { ...process.env, ...env }, encoding: 'utf8' });
  if (child.status === 0) return child.stdout;
  throw child.error ?? new Error(`${args.join(' ')} failed with exit code ${child.status}:\n${child.stderr}`);
}

/** The artifacts of each task, by step: what JSON holds. Metaflow makes one by itself, the flow's `name`. */
function makeTasks() {
  let id = 0;
  const makeTask = () => {
    id += 1;
    const [config, metrics] = dicts(2, id);
    return {
      parts: Array.from({ length: STEPS.fit }, (_, part) => part),
      config,
      metrics,
      history: fractions(200, id),
    };
  };
  return Object.fromEntries(
    Object.entries(STEPS).map(([step, count]) => [step, Array.from({ length: count }, makeTask)]),
  );
}

function makeMetaflowRuns(metaflow, root, tasks) {
  mkdirSync(root);
  const file = join(root, 'tasks.json');
  writeFileSync(file, JSON.stringify(tasks));
  const { env, ...script } = metaflow.script('metaflow_runs.py', [String(RUNS)], root);
  run({ ...script, env: { ...env, BENCH_TASKS: file } });
}

async function saveRuns(store, tasks) {
  const flow = await FlowDataStore.open({ flowName: 'Bench', storage: store });
  for (let number = 1; number <= RUNS; number += 1) {
    const run = await flow.createRun({ runId: String(number) });
    let id = 0;
    for (const [stepName, members] of Object.entries(tasks)) {
      for (const artifacts of members) {
        id += 1; // as Metaflow counts them
        const spec = { runId: run.runId, stepName, taskId: String(id) };
        await flow.task(spec, (task) => task.saveArtifacts({ name: 'Bench', ...artifacts }));
      }
    }
    await run.finish('done');
  }
  await flow.close();
}
