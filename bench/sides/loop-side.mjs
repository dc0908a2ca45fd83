// How late the event loop is while 1 GiB is saved and loaded: answers {"idle"}, {"save"} and {"load"}, the roots of stores, with figures in ms.
import { ok } from 'node:assert';
import { existsSync, readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { FlowDataStore } from '../../dist/index.js';
import { jsonLines, normalFloats } from '../value-files.mjs';
import { muchNoise } from '../values.mjs';

const GIB = 1024 ** 3;
const SCHEDSTAT = '/proc/thread-self/schedstat';
const IDLE_MS = 2000;
/** Node asks no oftener. */
const RESOLUTION_MS = 1;

const MAKERS = {
  bytes: () => muchNoise(GIB, 5),
  floats: () => normalFloats(GIB / 4, 5),
  lines: linesOf,
};

/** All of them differ, as those of a log do. */
function linesOf() {
  const bytes = Buffer.allocUnsafeSlow(GIB);
  const most = 250_000;
  for (let at = 0, seed = 1; at < bytes.length; seed += 1) {
    const part = Buffer.from(jsonLines(most, seed).join(''));
    at += part.copy(bytes, at);
  }
  return bytes;
}

const value = MAKERS[process.argv[2]]();
const open = (root) => FlowDataStore.open({ flowName: 'Bench', storage: root });

const WORKS = {
  idle: () => delay(IDLE_MS),
  async save(root) {
    const flow = await open(root);
    const task = await flow.createTaskDataStore({ runId: '1', stepName: 'fit', taskId: '0', attempt: 0 });
    await task.saveArtifacts({ value });
    await task.done();
    await flow.close();
  },
  async load(root) {
    const loaded = await (await (await open(root)).getTaskDataStore('1/fit/0')).get('value');
    ok(loaded.byteLength === value.byteLength, 'as much was loaded as was saved');
  },
};

/**
 * The delay that Node tells, beyond the timer's own resolution; and what this thread did from one look to the next, by the system's
 * clocks: worked, or waited for a core that others had.
 */
async function watched(work) {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  const looks = { worked: [], waited: [] };
  let last = threadMs();
  const look = () => {
    const now = threadMs();
    looks.worked.push(now.worked - last.worked);
    looks.waited.push(now.waited - last.waited);
    last = now;
  };
  const timer = last && setInterval(look, RESOLUTION_MS);
  histogram.enable();
  const start = performance.now();
  await work();
  const ms = performance.now() - start;
  histogram.disable();
  clearInterval(timer);
  const beyond = (ns) => Math.max(0, ns / 1e6 - RESOLUTION_MS);
  return {
    ms,
    p50: beyond(histogram.percentile(50)),
    p99: beyond(histogram.percentile(99)),
    max: beyond(histogram.max),
    ...(last && {
      workedP99: p99(looks.worked),
      workedMax: Math.max(...looks.worked),
      waitedP99: p99(looks.waited),
    }),
  };
}

/** The time that the system gave this thread and had it wait for, in ms; `undefined` where it does not tell (proc(5), `schedstat`). */
function threadMs() {
  if (!existsSync(SCHEDSTAT)) return undefined;
  const [worked, waited] = readFileSync(SCHEDSTAT, 'latin1')
    .split(' ')
    .map((ns) => Number(ns) / 1e6);
  return { worked, waited };
}

function p99(numbers) {
  return numbers.toSorted((a, b) => a - b)[Math.ceil(numbers.length * 0.99) - 1];
}

const answer = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
answer({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const [[work, root]] = Object.entries(JSON.parse(line));
  globalThis.gc(); // what the last work left is no part of this one
  answer(await watched(() => WORKS[work](root)));
}
