import { FlowDataStore } from '../../dist/index.js';
import { dicts, named } from '../values.mjs';

export const TASK = { runId: '1', stepName: 'fit', taskId: '1', attempt: 0 };

/** One task with many small artifacts: opened, saved in one call, done. The store is made as well. */
export const saveArtifacts = {
  id: 'save',
  work: 'save + done, 1,000 dicts of 205 B as artifacts of one task',
  must: 10,
  aim: 15,
  makeValues: () => named(dicts(1000)),
  async stowage({ root, values, timed }) {
    await timed(() => saveOneTask(root, values));
  },
};

export async function saveOneTask(root, values) {
  const flow = await FlowDataStore.open({ flowName: 'Bench', storage: root });
  const task = await flow.createTaskDataStore(TASK);
  await task.saveArtifacts(values);
  await task.done();
  await flow.close();
}
