// What somebody writes who has just installed the package. Usage: node first-steps.mjs <store>
import assert from 'node:assert/strict';
import { FlowDataStore, isStowageError } from 'stowage';

const flow = await FlowDataStore.open({ flowName: 'FirstSteps', storage: process.argv[2] });
const runId = new Date().toISOString();
const weights = Float64Array.from({ length: 100_000 }, (_, i) => Math.round(1000 * Math.sin(i / 100)));
const notes = {
  by: new Map([['auc', 0.91]]),
  at: new Date(0),
  none: undefined,
  text: 'so and so '.repeat(9000),
};

await flow.task({ runId, stepName: 'fit', taskId: '0' }, async (task) => {
  await task.saveArtifacts({ weights, notes });
  await task.saveLogs('task', { stdout: `fitted on Node ${process.version}\n` });
});
await assert.rejects(
  flow.task({ runId, stepName: 'judge', taskId: '0' }, (task) =>
    task.saveArtifacts({ model: { act: () => 1 } }),
  ),
  (error) => isStowageError(error, 'UNSERIALIZABLE_ARTIFACT') && error.message.includes('model.act'),
);

// Also what other runs left here, which other versions of Node, with other codecs, may have written.
const runs = await flow.runs();
for (const { run } of runs) {
  const fit = await flow.getTaskDataStore(`${run.runId}/fit/0`);
  assert.deepEqual(await fit.loadArtifacts(), { weights, notes });
  assert.match(await fit.loadLogs('task'), /^fitted on Node v\d+/);
}
await flow.close();
console.log(`Node ${process.version}: saved run ${runId}, loaded ${runs.length}`);
