import { useEffect, useState } from 'preact/hooks';
import type { BriefAttempt, BriefRun } from '../../../views/run-brief.ts';
import { readReads } from '../../view-questions.ts';
import { AGAIN_MS, ask, type Failure, isPassing } from '../ask.ts';
import type { ReadsByTask } from './run-graph.ts';

/** What the tasks of some paths have read, as far as it is known. */
export interface ShownReads {
  reads: ReadsByTask;
  error: Failure | undefined;
  isLoading: boolean;
}

const NONE: ReadsByTask = new Map();

/** Asks what the tasks of runs and steps have read, path by path; and again whenever `version` is another, or some could not be read for now. What was read before stays meanwhile. */
export function useReads(paths: readonly string[], version: string): ShownReads {
  const [state, setState] = useState<ShownReads>({ reads: NONE, error: undefined, isLoading: true });
  const asked = JSON.stringify([paths, version]);
  useEffect(() => {
    const ending = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const readAll = (): void => void read().catch(() => {}); // it was aborted
    const read = async (): Promise<void> => {
      const reads = new Map<string, readonly BriefAttempt[]>();
      let failure: Failure | undefined;
      for (const path of paths) {
        const { steps, error } = await readReads((one) => ask<BriefRun>(one, ending.signal), path);
        failure ??= error;
        for (const { step, tasks } of steps)
          for (const { task, attempts } of tasks) reads.set(`${step}/${task}`, attempts);
      }
      if (ending.signal.aborted) return;
      setState({ reads, error: failure, isLoading: false });
      if (isPassing(failure)) timer = setTimeout(readAll, AGAIN_MS);
    };
    if (paths.length === 0) setState({ reads: NONE, error: undefined, isLoading: false });
    else {
      setState((before) => ({ ...before, isLoading: true }));
      readAll();
    }
    return () => {
      ending.abort();
      clearTimeout(timer);
    };
  }, [asked]);
  return state;
}
