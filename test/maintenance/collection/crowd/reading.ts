import { isDeepStrictEqual } from 'node:util';
import { isStowageError } from '../../../../src/errors.ts';
import type { FlowDataStore } from '../../../../src/flow-data-store.ts';
import { listAttempts, listTasks } from '../../../../src/format/attempt-files.ts';
import type { TaskPath } from '../../../../src/format/pathspec.ts';
import type { FileRef } from '../../../../src/references/file-ref.ts';
import { artifactsOf, codeOf, FLOW, RETRIED, reportOf, resultOf, STEP } from './contents.ts';

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
    const loaded = await withFileRead(await read.loadArtifacts());
    expectExact(pathspec, loaded, expectedOf(path, loaded));
    for (const { name } of await read.reports()) {
      const html = Buffer.from(await read.loadReport(name)).toString();
      if (!html.includes(reportOf(path.run, path.task))) throw new Error(`${pathspec} has another report`);
    }
    return true;
  } catch (error) {
    const files = (await listAttempts(flow.storage, path, { attempt })).get(attempt);
    if (files?.has('deleted') || files?.has('purged')) return false;
    throw error;
  }
}

/** Reads the code of a run, and compares it. `false` where it has none, or was given up meanwhile. */
export async function checkCode(flow: FlowDataStore, runId: string): Promise<boolean> {
  try {
    const code = await flow.run(runId).code();
    if (!code) return false;
    const read: Record<string, string> = {};
    for await (const file of code.walk()) read[file.path] = await file.text();
    expectExact(`the code of ${runId}`, read, codeOf(runId));
    return true;
  } catch (error) {
    if (isStowageError(error, 'RUN_NOT_FOUND', 'CONTENT_PURGED')) return false;
    // It may have been given up in the middle of reading it.
    const isGone = await flow
      .run(runId)
      .code()
      .then(
        () => false,
        (now) => isStowageError(now, 'RUN_NOT_FOUND', 'CONTENT_PURGED'),
      );
    if (isGone) return false;
    throw error;
  }
}

function expectedOf({ step, run, task }: TaskPath, loaded: object): object {
  if (step === STEP) return artifactsOf(run, task);
  return step === RETRIED ? {} : callOf((loaded as { input: number }).input);
}

/** Takes the bytes of the file that a value refers to in its place. */
async function withFileRead(loaded: Record<string, unknown>): Promise<Record<string, unknown>> {
  const { file } = loaded as { file?: { of: FileRef } };
  return file ? { ...loaded, file: await file.of.bytes() } : loaded;
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
