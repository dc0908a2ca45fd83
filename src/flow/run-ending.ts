import type { ContentStore } from '../content/content-store.ts';
import { invalidArgument, StowageError } from '../errors.ts';
import { finishRunRecord, type RunFinished, type RunOutcome } from '../format/run-ends.ts';
import type { CallOptions } from '../storage/contract.ts';
import { requireRun } from './run-selection.ts';

/** The end of a run that is to be recorded. */
export interface RunEnding {
  status: RunOutcome;
  /** Anything that was thrown; `undefined` for none. */
  error?: unknown;
}

/**
 * Records that a run has ended, whoever made it: the process that did may be gone.
 *
 * @throws StowageError `RUN_EXISTS` where it was finished as done, or is at this moment; `RUN_NOT_FOUND`, `NO_SUCH_STORE`,
 * `INVALID_ARGUMENT`
 */
export async function endRun(
  content: ContentStore,
  { flow, run }: { flow: string; run: string },
  { status, error }: RunEnding,
  { signal }: CallOptions,
): Promise<RunFinished> {
  if (status === 'done' && error !== undefined)
    throw invalidArgument('A run that is done has no error: leave it out, or finish the run as failed.');
  const { storage } = content;
  await content.prepareToRead({ signal }); // no store is made for the end of a run that it cannot have
  await requireRun(storage, flow, run, { signal });
  await content.prepareToWrite({ signal });
  const finished = await finishRunRecord(storage, flow, run, status, error, { signal });
  if (finished) return finished;
  throw new StowageError(
    'RUN_EXISTS',
    `Run ${run} of flow ${flow} was finished as done, or by somebody else just now; what was recorded is not changed.`,
    { details: { flow, run } },
  );
}
