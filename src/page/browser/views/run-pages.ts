import type { BriefRun, BriefStep } from '../../../views/run-brief.ts';
import { timeOf } from './run-tasks.ts';

/** A run by the pages that were read of it, in their order; the last one tells what is true of the run by now. */
export function joinedPages(pages: readonly BriefRun[]): BriefRun | undefined {
  const last = pages.at(-1);
  if (last === undefined || pages.length === 1) return last;
  const steps = new Map<string, BriefStep>();
  for (const next of pages.flatMap((page) => page.steps)) {
    const before = steps.get(next.step);
    // A task that was added meanwhile moves those behind it, so that one of them comes again.
    const known = new Set(before?.tasks.map(({ task }) => task));
    const tasks = [...(before?.tasks ?? []), ...next.tasks.filter(({ task }) => !known.has(task))];
    const first = before !== undefined && startOf(before) < startOf(next) ? before : next;
    steps.set(next.step, { ...first, total: next.total, tasks });
  }
  const heard = pages.flatMap(({ heardAt }) => heardAt ?? []).sort();
  return {
    ...last,
    ...(last.status === 'open' && heard.length > 0 ? { heardAt: heard.at(-1) as string } : {}),
    steps: [...steps.values()].sort((a, b) => startOf(a) - startOf(b)),
  };
}

function startOf({ startedAt }: BriefStep): number {
  return timeOf(startedAt) ?? Number.POSITIVE_INFINITY;
}
