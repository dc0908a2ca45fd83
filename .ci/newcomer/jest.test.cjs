// A test in CommonJS by Jest, which loads modules by itself.
const assert = require('node:assert/strict');

/* global test */
test('what a task saved is loaded', async () => {
  const { FlowDataStore } = await import('stowage');
  const flow = await FlowDataStore.open({ flowName: 'Jest', storage: 'memory:' });
  const saved = { weights: new Float64Array(10_000).fill(2), by: new Map([['auc', 0.91]]) };
  await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) => task.saveArtifacts(saved));
  const fit = await flow.getTaskDataStore('r1/fit/0');
  assert.deepEqual(await fit.loadArtifacts(), saved);
  await flow.close();
});
