import { isDeepStrictEqual } from 'node:util';
import type { FlowDataStore } from '../../../../src/flow-data-store.ts';
import { listAttempts, listTasks } from '../../../../src/format/attempt-files.ts';
import type { TaskPath } from '../../../../src/format/pathspec.ts';
import { artifactsOf, FLOW, resultOf, STEP } from './contents.ts';

/** An attempt that a listing showed as closed, without a mark that gives it up. */
export interface ClosedAttempt {
  path: TaskPath;
  attempt: number;
}

export async function listRuns(flow: FlowDataStore): Promise<string[]> {
  const runs: string[] = [];
  const prefix = `flows/${FLOW}/`;
  for await (const page of flow.storage.list({ prefix, depth: 'one' })) {
    for (const folder of page.folders) runs.push(folder.slice(prefix.length, -1));
  }
  return runs;
}

export async function* closedAttempts(flow: FlowDataStore, run: string): AsyncGenerator<ClosedAttempt> {
  for await (const { path, attempts } of listTasks(flow.storage, { flow: FLOW, run }, {})) {
    for (const [attempt, files] of attempts) {
      if (files.has('done') && !files.has('deleted') && !files.has('purged')) yield { path, attempt };
    }
  }
}

/**
 * Loads everything that an attempt has and compares it. One that was given up meanwhile may be gone.
 *
 * @returns `true` where it was done, is still there, and is exact
 * @throws Error where it is not
 */
export async function checkAttempt(flow: FlowDataStore, closed: ClosedAttempt): Promise<boolean> {
  const { path, attempt } = closed;
  const pathspec = `${path.run}/${path.step}/${path.task}/${attempt}`;
  try {
    const read = await flow.getTaskDataStore(pathspec, { allowNotDone: true });
    if (read.status !== 'done') return false;
    const loaded = await read.loadArtifacts();
    const expected =
      path.step === STEP ? artifactsOf(path.run, path.task) : callOf((loaded as { input: number }).input);
    expectExact(pathspec, loaded, expected);
    return true;
  } catch (error) {
    const files = (await listAttempts(flow.storage, path, { attempt })).get(attempt);
    if (files?.has('deleted') || files?.has('purged')) return false;
    throw error;
  }
}

function callOf(input: number): Record<string, unknown> {
  return { input, output: resultOf(input) };
}

function expectExact(pathspec: string, loaded: object, expected: object): void {
  const names = Object.keys(expected);
  const differ = [...new Set([...names, ...Object.keys(loaded)])].filter(
    (name) =>
      !isDeepStrictEqual(loaded[name as keyof typeof loaded], expected[name as keyof typeof expected]),
  );
  if (differ.length > 0) throw new Error(`${pathspec} is not what was saved: ${differ.join(', ')}`);
}
