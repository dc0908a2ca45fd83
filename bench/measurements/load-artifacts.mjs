import { deepStrictEqual } from 'node:assert';
import { FlowDataStore } from '../../dist/index.js';
import { dicts, named } from '../values.mjs';
import { saveOneTask, TASK } from './save-artifacts.mjs';

/** All artifacts of that task, by a datastore object that has seen nothing of the store yet. */
export const loadArtifacts = {
  id: 'load',
  work: 'load them all, datastore newly opened',
  must: 10,
  aim: 15,
  makeValues: () => named(dicts(1000)),
  async stowage({ root, values, timed }) {
    await saveOneTask(root, values);
    const loaded = await timed(async () => {
      const flow = await FlowDataStore.open({ flowName: 'Bench', storage: root });
      const task = await flow.getTaskDataStore(`${TASK.runId}/${TASK.stepName}/${TASK.taskId}`);
      return task.loadArtifacts();
    });
    deepStrictEqual(loaded, values);
  },
};
