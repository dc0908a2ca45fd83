import { invalidArgument } from '../../errors.ts';
import { validateUserName } from '../../storage/names.ts';

/** What is removed: a run, a step, a task, or one attempt of it. */
export interface RemovedPath {
  flow: string;
  run: string;
  step?: string | undefined;
  task?: string | undefined;
  attempt?: number | undefined;
}

/** An artifact of all attempts of a task, or of one. */
export interface RemovedArtifact extends RemovedPath {
  step: string;
  task: string;
  artifact: string;
}

const ATTEMPT = /^(0|[1-9]\d{0,15})$/;
const FORMS =
  '<flow>/<run>, <flow>/<run>/<step>, <flow>/<run>/<step>/<task>, or a task with an attempt, an artifact or both behind it';

/**
 * Reads the path of what is to be removed. A number behind a task is an attempt.
 *
 * @throws StowageError `INVALID_ARGUMENT`, `INVALID_NAME`
 */
export function parseRemovedPath(path: unknown): RemovedPath | RemovedArtifact {
  const parts = typeof path === 'string' ? path.split('/') : [];
  const [flow = '', run = '', step, task, ...behind] = parts;
  const hasAttempt = ATTEMPT.test(behind[0] ?? '');
  const attempt = hasAttempt ? Number(behind.shift()) : undefined;
  const [artifact, ...more] = behind;
  if (parts.length < 2 || more.length > 0 || (attempt !== undefined && !Number.isSafeInteger(attempt))) {
    throw invalidArgument(
      `What is removed is named by its path, ${FORMS}, not ${JSON.stringify(path) ?? String(path)}.`,
      { path: String(path) },
    );
  }
  validateUserName(flow, 'flow name');
  validateUserName(run, 'run id');
  if (step !== undefined) validateUserName(step, 'step name');
  if (task !== undefined) validateUserName(task, 'task id');
  if (artifact !== undefined) validateUserName(artifact, 'artifact name');
  return {
    flow,
    run,
    ...(step === undefined ? {} : { step }),
    ...(task === undefined ? {} : { task }),
    ...(attempt === undefined ? {} : { attempt }),
    ...(artifact === undefined ? {} : { artifact }),
  };
}

export function isArtifact(path: RemovedPath | RemovedArtifact): path is RemovedArtifact {
  return 'artifact' in path;
}

/** The beginning of the names of all files of a path, behind their folder. */
export function partOf({ flow, run, step, task, attempt }: RemovedPath): string {
  const parts = [flow, run, step, task].filter((part) => part !== undefined).join('/');
  return attempt === undefined ? `${parts}/` : `${parts}/${attempt}.`;
}
