import { listTasks } from './list-tasks.mjs';
import { loadArtifacts } from './load-artifacts.mjs';
import { manyTasks, manyTasksAtOnce } from './many-tasks.mjs';
import { saveArtifacts } from './save-artifacts.mjs';
import { loadTaskSet, openTaskSet } from './task-set.mjs';

/**
 * Work that both sides do. `stowage` prepares as it likes and passes what counts to `timed`; the same `id` in
 * sides/metaflow_side.py does the same work on the same values. Where rounds only read, `makeStore` makes what they read, once for
 * all measurements that name the same `store`.
 */
export const MEASUREMENTS = [
  saveArtifacts,
  loadArtifacts,
  manyTasks,
  manyTasksAtOnce,
  listTasks,
  openTaskSet,
  loadTaskSet,
];
