import { dicts, named } from '../values.mjs';
import { openFlow } from './open-flow.mjs';

const TASKS = 100;
const ARTIFACTS = 10;
const AT_ONCE = 16;

export const makeTasks = () =>
  Array.from({ length: TASKS }, (_, task) => named(dicts(ARTIFACTS, 1000 + task)));

/** Many small tasks, one after the other, by one process that knows the flow. */
export const manyTasks = {
  id: 'tasks',
  work: '100 tasks x 10 small artifacts, one after the other',
  must: 3,
  aim: 8,
  perSecond: { count: TASKS, unit: 'tasks/s' },
  makeValues: makeTasks,
  async stowage({ root, values, timed }) {
    await timed(() => saveTasks(root, values, 1));
  },
};

/** The same with several tasks open at a time; Metaflow's datastore has no such mode, and works as before. */
export const manyTasksAtOnce = {
  ...manyTasks,
  id: 'tasks16',
  work: `the same, Stowage with ${AT_ONCE} tasks at once`,
  async stowage({ root, values, timed }) {
    await timed(() => saveTasks(root, values, AT_ONCE));
  },
};

export async function saveTasks(root, tasks, atOnce) {
  const flow = await openFlow(root);
  const waiting = tasks.entries();
  const work = async () => {
    for (const [index, artifacts] of waiting) {
      const spec = { runId: '1', stepName: 'map', taskId: String(index), attempt: 0 };
      const task = await flow.createTaskDataStore(spec);
      await task.saveArtifacts(artifacts);
      await task.done();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  await flow.close();
}
