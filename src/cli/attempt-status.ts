import { type ListedTask, readDone } from '../format/attempt-files.ts';
import type { ShownStatus } from './attempt-view.ts';
import type { Invocation } from './invocation.ts';
import { latestOf } from './listings.ts';
import type { OpenStore } from './store.ts';
import { Progress } from './ui/progress.ts';
import { countOf, formatCount } from './ui/sizes.ts';
import { unreadable } from './unreadable.ts';

const CONCURRENCY = 32;

/** The status of each task's latest attempt, in the order of `tasks`: a listing and DONE tell it, descriptions are not read. */
export async function readStatuses(
  invocation: Invocation,
  store: OpenStore,
  tasks: readonly ListedTask[],
): Promise<ShownStatus[]> {
  const progress = new Progress();
  const statuses: ShownStatus[] = [];
  try {
    for (let start = 0; start < tasks.length; start += CONCURRENCY) {
      progress.update(() => `reading ${formatCount(start)} of ${countOf(tasks.length, 'task')}`);
      const slice = tasks.slice(start, start + CONCURRENCY);
      statuses.push(...(await Promise.all(slice.map((task) => statusOf(invocation, store, task)))));
    }
    return statuses;
  } finally {
    progress.end();
  }
}

async function statusOf(
  invocation: Invocation,
  { storage }: OpenStore,
  listed: ListedTask,
): Promise<ShownStatus> {
  const attempt = latestOf(listed);
  const files = listed.attempts.get(attempt);
  if (files?.has('deleted')) return 'deleted';
  if (!files?.has('done')) return 'open';
  try {
    const done = await readDone(storage, listed.path, attempt, invocation);
    return done?.outcome ?? 'deleted'; // forgotten since it was listed
  } catch (error) {
    return unreadable(invocation, error).status;
  }
}
