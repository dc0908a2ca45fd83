// Opens tasks that other processes open as well, and some that are its own alone, and says how each ended, as lines of JSON.
// Usage: node write-at-once.mjs STORE ME TASKS [RAW-DATA-PATH]; begins with a line on standard input, and ends once that is closed and TASKS are
// done; until then it goes on with tasks of its own. TASKS is a number, or `endless`: tasks of its own alone.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { FlowDataStore, openStorage } from '../../../dist/index.js';
import { bytesOf } from './values.mjs';

const [store, me, tasks, rawDataPath] = process.argv.slice(2);
const isEndless = tasks === 'endless';
const storage = await openStorage(store, { postgres: { maxConnections: 2 } });
const flow = await FlowDataStore.open({ flowName: 'Test', storage, rawDataPath });
const tell = (told) => process.stdout.write(`${JSON.stringify(told)}\n`);

const judge = flow.cachedTask({
  name: 'judge',
  version: '1',
  serialize: true,
  // However long a busy machine keeps one of them waiting, it is not taken for dead.
  leaseMs: 600_000,
  cacheTimeoutMs: 600_000,
  run: (n) => {
    tell({ ran: n });
    return { n, by: me };
  },
});

/** `undefined` where the attempt is another's. */
async function save(stepName, taskId, attempt) {
  let number;
  try {
    await flow.task({ runId: 'r1', stepName, taskId, attempt }, async (task) => {
      number = task.attempt;
      await task.saveMetadata({ by: me });
      await task.saveArtifacts({
        by: me,
        medium: bytesOf(20_000, Number(me)),
        small: { stepName, taskId, number },
      });
    });
  } catch (error) {
    if (error.code === 'ATTEMPT_EXISTS') return undefined;
    throw error;
  }
  tell({ done: `r1/${stepName}/${taskId}/${number}`, by: me });
  return number;
}

tell({ ready: me });
await once(process.stdin, 'data');
let isToEnd = false;
process.stdin.on('end', () => {
  isToEnd = true;
});
process.stdin.resume();
for (let i = 0; isEndless || i < Number(tasks) || !isToEnd; i++) {
  await save('own', `${me}-${i}`, 0);
  if (isEndless) continue;
  if (i >= Number(tasks)) {
    await sleep(50);
    continue;
  }
  await save('contested', String(i), 0);
  await save('turns', String(i), undefined);
  tell({ called: i, by: (await judge(i)).by });
}
await flow.close();
await storage.close();
process.stdin.destroy();
