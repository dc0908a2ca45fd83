import { shell } from '../../codec/shell-command.ts';
import type { ListedTask } from '../../format/attempt-files.ts';
import { readTask } from '../../views/attempts.ts';
import { formatStorePath, type RunPath } from '../../views/paths.ts';
import { readRun } from '../../views/runs.ts';
import type { OpenStore } from '../store.ts';

const NOTHING = 'nothing was logged.';

/** Says that an attempt logged nothing; of one that was taken over, which attempt has the logs. */
export async function nothingLoggedBy(
  store: OpenStore,
  { path, attempts }: ListedTask,
  attempt: number,
): Promise<string> {
  const asked = { path, attempts: new Map([...attempts].filter(([number]) => number === attempt)) };
  const takenOver = (await readTask(store, asked)).attempts[0]?.takenOver;
  if (takenOver === undefined) return NOTHING;
  return `nothing was logged: it was taken over, and its logs lie with ${takenOver}. See: ${shell`stowage log ${takenOver}`}`;
}

/** Says that no task below a path logged anything; of a run that resumes another, which one may have the logs. */
export async function nothingLoggedBelow(store: OpenStore, { flow, run }: RunPath): Promise<string> {
  const { resumes } = await readRun(store, { flow, run, finished: false });
  if (resumes === undefined) return NOTHING;
  const name = formatStorePath({ flow, run });
  return `nothing was logged: ${name} resumes ${resumes}, and the logs of what it took over lie there. See: ${shell`stowage log ${resumes}`}`;
}
