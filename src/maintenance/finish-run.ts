import { endRun, type RunEnding } from '../flow/run-ending.ts';
import type { RunFinished } from '../format/run-ends.ts';
import { type OpenAttemptView, openAttempts } from '../views/open-attempts.ts';
import type { StoreView } from '../views/store-view.ts';

/** A run whose end was recorded. */
export interface FinishedRun extends RunFinished {
  flow: string;
  run: string;
  /** The tasks whose latest attempt nobody had closed by then: what their owners do is not part of the end that was recorded. */
  openAttempts: OpenAttemptView[];
}

/**
 * Records the end of a run whose own process did not: it died, or was never to, as that of `put`. Tells which attempts are still open,
 * and leaves them alone: their owners may live, and whoever runs such a task again opens the next attempt.
 *
 * @throws StowageError `RUN_EXISTS` where it was finished as done, or is at this moment; `RUN_NOT_FOUND`, `NO_SUCH_STORE`
 */
export async function finishRun(
  view: StoreView,
  { flow, run }: { flow: string; run: string },
  ending: RunEnding,
): Promise<FinishedRun> {
  const { content, signal } = view;
  await content.prepareToRead({ signal });
  const unclosed = await openAttempts(view, { flow, run });
  const finished = await endRun(content, { flow, run }, ending, { signal });
  return { flow, run, ...finished, openAttempts: unclosed };
}
