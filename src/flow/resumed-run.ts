import { mapBounded } from '../async/bounded-work.ts';
import { taskNotFound } from '../attempts/unreadable-attempts.ts';
import type { ContentAddressedStore } from '../content-addressed-store.ts';
import { invalidArgument, type StowageError } from '../errors.ts';
import { hasTasks, listAttempts } from '../format/attempt-files.ts';
import type { JsonValue } from '../format/json-value.ts';
import { splitRunName } from '../format/pathspec.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { isUserName, validateUserName } from '../storage/names.ts';
import { requireRun, stepNotFound } from './run-selection.ts';

/** What a run resumes: another run of its flow, but for the steps and tasks that are run again. */
export interface Resumption {
  /** The run that is resumed. */
  run: string;
  /** Names of steps, and of tasks as `<step>/<task>`. */
  rerun: ReadonlySet<string>;
}

/** So many names are looked at at once. */
const CONCURRENCY = 16;

/**
 * Checks what a run is to resume: that the run is there, and that it has what is named to be run again. `undefined` where nothing is to be resumed.
 *
 * @throws StowageError `RUN_NOT_FOUND`, `STEP_NOT_FOUND`, `TASK_NOT_FOUND`, `NO_SUCH_STORE`, `INVALID_ARGUMENT`, `INVALID_NAME`
 */
export async function checkResumed(
  content: ContentAddressedStore,
  flow: string,
  { resume, rerun = [] }: { resume?: unknown; rerun?: readonly string[] | undefined },
  options: CallOptions,
): Promise<(Resumption & { parameters: Readonly<Record<string, JsonValue>> }) | undefined> {
  if (resume === undefined) {
    if (rerun.length === 0) return undefined;
    throw invalidArgument(
      'rerun names what a resumed run runs again; say which run is resumed: { resume: "<flow>/<run>" }.',
    );
  }
  const run = resumedRun(resume, flow);
  const named = new Set(rerun.map((name) => nameToRerun(name, run)));
  await content.prepareToRead(options);
  const { parameters } = await requireRun(content.storage, flow, run, options);
  await mapBounded(named, CONCURRENCY, (name) => requireNamed(content.storage, { flow, run }, name, options));
  return { run, rerun: named, parameters };
}

/** Tells whether a step or task is named to be run again. */
export function isNamed({ rerun }: Resumption, { step, task }: { step: string; task: string }): boolean {
  return rerun.has(step) || rerun.has(`${step}/${task}`);
}

function resumedRun(resume: unknown, flow: string): string {
  const named = splitRunName(resume);
  const given = typeof resume === 'string' ? JSON.stringify(resume) : String(resume);
  if (!named) {
    const meant = typeof resume === 'string' && isUserName(resume) ? `: write "${flow}/${resume}"` : '';
    throw invalidArgument(`The run to resume, ${given}, is not <flow>/<run>${meant}.`);
  }
  if (named.flow !== flow) {
    throw invalidArgument(
      `A run of flow ${flow} resumes a run of the same flow, and ${given} is one of another. Open the store with that flow's name, or pass single tasks down by clone.`,
      { flow, resume },
    );
  }
  return validateUserName(named.run, 'run to resume');
}

/** The name as the record has it: `<step>` or `<step>/<task>`. */
function nameToRerun(name: string, run: string): string {
  const parts = name.split('/');
  if (parts.length > 3)
    throw invalidArgument(
      `${JSON.stringify(name)} in rerun is neither a step, nor <step>/<task>, nor <run>/<step>/<task>.`,
    );
  const own = parts.length === 3 ? parts.slice(1) : parts;
  if (parts.length === 3 && parts[0] !== run) {
    throw invalidArgument(
      `${JSON.stringify(name)} in rerun is a task of another run than ${run}, which is resumed. Name a step, or a task as <step>/<task>.`,
    );
  }
  const [step, task] = own;
  validateUserName(step, 'step to run again');
  if (task !== undefined) validateUserName(task, 'task to run again');
  return own.join('/');
}

/** A name that leads nowhere is misspelt, and what was meant would be taken over. */
async function requireNamed(
  storage: DataStoreStorage,
  { flow, run }: { flow: string; run: string },
  name: string,
  options: CallOptions,
): Promise<void> {
  const [step = '', task] = name.split('/');
  const missing = async (): Promise<StowageError | undefined> => {
    if (!(await hasTasks(storage, { flow, run, step }, options)))
      return stepNotFound(storage, { flow, run, step }, options);
    if (task === undefined) return undefined;
    const path = { flow, run, step, task };
    const attempts = await listAttempts(storage, path, options);
    return attempts.size === 0 ? taskNotFound(storage, path, options) : undefined;
  };
  const error = await missing();
  if (error) throw error;
}
