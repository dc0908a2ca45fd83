// Saves one task after the other until it is killed, and says which ones it closed.
// Usage: node save-tasks.mjs STORE RUN SEED [RAW-DATA-PATH]
import { FlowDataStore } from '../../../dist/index.js';
import { valuesOf } from './values.mjs';

const [store, runId, seed, rawDataPath] = process.argv.slice(2);
const flow = await FlowDataStore.open({ flowName: 'Test', storage: store });
for (let i = 0; ; i++) {
  const taskId = `${seed}-${i}`;
  await flow.task({ runId, stepName: 'fit', taskId, rawDataPath }, async (task) => {
    await task.saveMetadata({ i });
    await task.saveLogs('task', { stdout: `task ${taskId}\n` });
    await task.saveArtifacts(valuesOf(Number(seed), i));
  });
  process.stdout.write(`${taskId}\n`);
}
