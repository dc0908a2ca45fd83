import { strictEqual } from 'node:assert';
import { makeTasks, saveTasks } from './many-tasks.mjs';
import { openFlow } from './open-flow.mjs';

/** What a join step or a notebook does first: every task of a run, with the names of its artifacts. */
export const listTasks = {
  id: 'list',
  work: 'getTaskDataStores over 100 tasks x 10 artifacts, datastore newly opened',
  must: 3,
  aim: 8,
  makeValues: makeTasks,
  async stowage({ root, values, timed }) {
    await saveTasks(root, values, 1);
    const tasks = await timed(async () => {
      const flow = await openFlow(root);
      return flow.getTaskDataStores({ runId: '1' });
    });
    strictEqual(tasks.length, values.length);
    for (const task of tasks) strictEqual(task.names().length, Object.keys(values[0]).length);
  },
};
