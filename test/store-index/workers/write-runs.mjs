// Writes runs of all that an index tells of, and says so after each, as lines of JSON.
// Usage: node write-runs.mjs STORE RUNS [RAW-DATA-PATH]; begins with a line on standard input.
import { once } from 'node:events';
import { FlowDataStore, openStorage, removeFromStore } from '../../../dist/index.js';

const [store, runs, rawDataPath] = process.argv.slice(2);
const storage = await openStorage(store);
const flow = await FlowDataStore.open({ flowName: 'Train', storage, rawDataPath });
const tell = (told) => process.stdout.write(`${JSON.stringify(told)}\n`);
const square = flow.cachedTask({ name: 'square', version: '1', run: (n) => ({ square: n * n }) });

async function writeRun(at) {
  const runId = `run-${at}`;
  await flow.createRun({ runId, tags: ['nightly', `t${at % 3}`], parameters: { at } });
  const save = (stepName, taskId, work) => flow.task({ runId, stepName, taskId }, work);
  for (const taskId of ['0', '1', '2'])
    await save('load', taskId, async (task) => {
      await task.saveArtifacts({ rows: [at, taskId], same: 'in all runs' });
      await task.saveMetadata({ auc: at / 100, at: { depth: [at, null] } });
    });
  const loaded = await flow.getTaskDataStore(`${runId}/load/0`);
  await save('fit', '0', async (task) => {
    await task.passdownPartial(loaded, ['rows']);
    await task.saveArtifacts({ model: await square(at % 5) });
  });
  await save('fit', 'bad', () => Promise.reject(new TypeError(`no ${at}`))).catch(() => {});
  // Again: a second attempt.
  await save('load', '1', (task) => task.saveArtifacts({ rows: 'again' }));
  await flow.publish(`model-${at % 2}`, { task: `${runId}/fit/0`, artifact: 'model' });
  if (at % 4 === 3) await flow.withdrawPublished(`model-${at % 2}`, Math.ceil(at / 2));
  if (at % 3 !== 2) await flow.run(runId).finish(at % 2 === 0 ? 'done' : 'failed');
  if (at % 4 === 2) await removeFromStore({ store: storage, path: `Train/run-${at - 2}` });
}

tell({ ready: true });
await once(process.stdin, 'data');
for (let at = 0; at < Number(runs); at += 1) {
  await writeRun(at);
  tell({ wrote: at });
}
await flow.close();
await storage.close();
process.stdin.destroy();
