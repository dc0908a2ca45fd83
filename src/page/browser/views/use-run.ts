import { useEffect, useState } from 'preact/hooks';
import type { BriefRun } from '../../../views/run-brief.ts';
import type { Answer } from '../../asked.ts';
import { TASKS_AT_FIRST, tasksFrom } from '../../view-questions.ts';
import { AGAIN_MS, type Asking, ask, type Failure, isPassing } from '../ask.ts';
import { joinedPages } from './run-pages.ts';

const REFRESH_MS = 5_000;
/** A run that takes several answers is read again more rarely. */
const REFRESH_LARGE_MS = 30_000;

/** A run that is open is read again so often. */
export function refreshMsOf({ total }: Pick<BriefRun, 'total'>): number {
  return total > TASKS_AT_FIRST ? REFRESH_LARGE_MS : REFRESH_MS;
}

/** Reads a run with all its tasks, page by page, the first at once; and again while it is open, or a page could not be read for now, and the page is seen. */
export function useRun(path: string): Asking<BriefRun> {
  const [state, setState] = useState<{ path: string } & Asking<BriefRun>>({ path: '', isLoading: true });
  useEffect(() => {
    const ending = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const show = (run: BriefRun | undefined, error: Failure | undefined, isLoading: boolean): void => {
      if (ending.signal.aborted) return;
      setState((before) => {
        const result = run ?? (before.path === path ? before.result : undefined);
        return { path, isLoading, ...(result ? { result } : {}), ...(error ? { error } : {}) };
      });
    };
    const read = async (isFirst: boolean): Promise<void> => {
      const pages: BriefRun[] = [];
      let failure: Failure | undefined;
      let next: number | undefined = 0;
      while (next !== undefined) {
        const { result, error }: Answer<BriefRun> = await ask(tasksFrom(path, next), ending.signal);
        failure ??= error;
        if (result) pages.push(result);
        next = result?.next;
        // What was read before stays until all of it was read again.
        const isShown = isFirst || (result !== undefined && next === undefined);
        if (isFirst || next === undefined)
          show(isShown ? joinedPages(pages) : undefined, failure, next !== undefined);
        if (next !== undefined) await drawn();
      }
      const last = pages.at(-1);
      if (isPassing(failure)) timer = setTimeout(again, AGAIN_MS);
      else if (last === undefined || last.status === 'open')
        timer = setTimeout(again, last ? refreshMsOf(last) : REFRESH_MS);
    };
    const again = (): void => {
      if (document.visibilityState === 'hidden') timer = setTimeout(again, REFRESH_MS);
      else void read(false).catch(() => {}); // it was aborted
    };
    void read(true).catch(() => {});
    return () => {
      ending.abort();
      clearTimeout(timer);
    };
  }, [path]);
  return state.path === path ? state : { isLoading: true };
}

/** What is shown comes before what is asked next. */
function drawn(): Promise<void> {
  return new Promise((resolve) => {
    requestAnimationFrame(() => setTimeout(resolve));
  });
}
