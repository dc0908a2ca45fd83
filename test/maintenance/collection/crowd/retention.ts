import type { FlowDataStore } from '../../../../src/flow-data-store.ts';
import {
  attemptBase,
  listTasks,
  logBase,
  partialBase,
  valuesBase,
} from '../../../../src/format/attempt-files.ts';
import { readRunCreated } from '../../../../src/format/run-records.ts';
import { SESSION_FILES } from '../../../../src/format/session-files.ts';
import type { DataStoreStorage } from '../../../../src/storage/contract.ts';
import { FLOW } from './contents.ts';
import { type ClosedAttempt, listRuns } from './reading.ts';

type Mark = 'purged' | 'deleted';

/**
 * Gives up all closed attempts of a run that are not yet, each by a mark, and then the code of the run.
 *
 * @param storage that of the flow, decorated
 * @returns how many attempts were given up
 */
export async function giveUpRun(
  flow: FlowDataStore,
  storage: DataStoreStorage,
  run: string,
  markOf: (task: string) => Mark,
): Promise<number> {
  let given = 0;
  for await (const { path, attempts } of listTasks(flow.storage, { flow: FLOW, run }, {})) {
    const mark = markOf(path.task);
    for (const [attempt, files] of attempts) {
      const isOver = files.has('deleted') ? !files.has('metadata') : files.has('purged') && mark === 'purged';
      if (!files.has('done') || isOver) continue;
      await giveUp(storage, { path, attempt }, mark);
      given += 1;
    }
  }
  const created = await readRunCreated(storage, FLOW, run, {});
  if (created?.code) await flow.caStore.release(created.code.session);
  return given;
}

/** A mark, and then what it gives up, but for shared content. What is purged keeps its description and its logs. */
async function giveUp(
  storage: DataStoreStorage,
  { path, attempt }: ClosedAttempt,
  mark: Mark,
): Promise<void> {
  const base = attemptBase(path, attempt);
  await storage.create(base + SESSION_FILES[mark], new Uint8Array(0));
  const prefixes = [partialBase(path, attempt), valuesBase(path, attempt)];
  if (mark === 'deleted') prefixes.push(logBase(path, attempt));
  for (const prefix of prefixes) await remove(storage, await namesBelow(storage, prefix));
  if (mark === 'deleted') await remove(storage, [base + SESSION_FILES.metadata]);
}

/** Gives up everything that is left of a store: its runs, sessions outside of tasks, and what keeps nothing alive. */
export async function giveUpAll(flow: FlowDataStore): Promise<void> {
  const { storage } = flow;
  for (const run of await listRuns(flow)) await giveUpRun(flow, storage, run, () => 'deleted');
  for (const name of await namesBelow(storage, 'loose/')) {
    if (!name.endsWith(SESSION_FILES.done)) continue;
    await flow.caStore.release(name.slice('loose/'.length, -SESSION_FILES.done.length));
  }
  for (const prefix of ['cache/', 'hints/', 'runs/', 'partial/'])
    await remove(storage, await namesBelow(storage, prefix));
}

async function remove(storage: DataStoreStorage, names: readonly string[]): Promise<void> {
  const [failure] = await storage.delete(names);
  if (failure) throw failure.error;
}

async function namesBelow(storage: DataStoreStorage, prefix: string): Promise<string[]> {
  const names: string[] = [];
  for await (const page of storage.list({ prefix })) for (const { name } of page.objects) names.push(name);
  return names;
}
