// Waits for a line on standard input, then saves one task, and says how that went.
// Usage: node save-once.mjs STORE TASK ATTEMPT SEED; ATTEMPT is a number or `next`.
import { once } from 'node:events';
import { FlowDataStore } from '../../../dist/index.js';
import { valuesOf } from './values.mjs';

const [store, taskId, attempt, seed] = process.argv.slice(2);
const flow = await FlowDataStore.open({ flowName: 'Test', storage: store });
process.stdout.write('ready\n');
await once(process.stdin, 'data');
try {
  const spec = {
    runId: 'r1',
    stepName: 'fit',
    taskId,
    attempt: attempt === 'next' ? undefined : Number(attempt),
  };
  const number = await flow.task(spec, async (task) => {
    await task.saveArtifacts(valuesOf(Number(seed), 0));
    return task.attempt;
  });
  process.stdout.write(`attempt ${number}\n`);
} catch (error) {
  process.stdout.write(`error ${error.code ?? error}\n`);
}
process.stdin.destroy();
