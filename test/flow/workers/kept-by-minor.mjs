// Prints the KiB of each of some works that stay in memory until all of the memory is looked through: the short-lived must not.
// Usage: node --expose-gc kept-by-minor.mjs STORE
import { FlowDataStore } from '../../../dist/index.js';

const ROUNDS = 10;
/** What is in use while memory is collected, and so kept, is of one at most. */
const AT_ONCE = 10;
const TASK = { runId: '1', stepName: 'fit', taskId: '1' };
const [store] = process.argv.slice(2);
const flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
await flow.task(TASK, (task) =>
  task.saveArtifacts(Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`a${i}`, { value: i }]))),
);
const many = flow.cachedTask({
  name: 'many',
  version: '1',
  run: async () => Array.from({ length: 3_000 }, (_, value) => ({ value })),
});

let calls = 0;
// Nothing of them is handed on: the caller's frame would keep it.
const works = {
  read: async () => void (await flow.getTaskDataStore('1/fit/1')),
  list: async () => void (await flow.getTaskDataStores({ runId: '1', steps: ['fit'] })),
  miss: async () => void (await many(calls++)),
};
const kept = {};
for (const [name, work] of Object.entries(works)) {
  for (let round = 0; round < ROUNDS; round += 1) await work();
  globalThis.gc();
  const before = process.memoryUsage().heapUsed;
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let one = 0; one < AT_ONCE; one += 1) await work();
    for (let times = 0; times < 3; times += 1) globalThis.gc({ type: 'minor' });
  }
  kept[name] = (process.memoryUsage().heapUsed - before) / 1024 / ROUNDS / AT_ONCE;
}
console.log(JSON.stringify(kept));
await flow.close();
