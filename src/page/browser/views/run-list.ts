import type { RunView } from '../../../views/runs.ts';

/** `Train/r1` */
export function nameOf({ flow, run }: Pick<RunView, 'flow' | 'run'>): string {
  return `${flow}/${run}`;
}

/**
 * The runs that are shown, newest first: the newest as they were asked for just now, and behind them those that were loaded before. What was
 * among the newest before, and is not among them now, is gone. Where all of the newest are new, there may be others between: those behind
 * are loaded again.
 */
export function joinedRuns(newest: readonly RunView[], loaded: readonly RunView[]): RunView[] {
  const last = newest.at(-1);
  const known = new Set(loaded.map(nameOf));
  if (last === undefined || !newest.some((run) => known.has(nameOf(run)))) return [...newest];
  const isNew = new Set(newest.map(nameOf));
  const end = loaded.findIndex((run) => nameOf(run) === nameOf(last));
  const behind = end === -1 ? loaded.filter((run) => run.createdAt < last.createdAt) : loaded.slice(end + 1);
  return [...newest, ...behind.filter((run) => !isNew.has(nameOf(run)))];
}

/** What changed between two looks at the newest runs, for whoever does not see the table: `2 new runs, Train/r1 is done`. */
export function changesOf(before: readonly RunView[], after: readonly RunView[]): string {
  if (before.length === 0) return '';
  const known = new Map(before.map((run) => [nameOf(run), run]));
  const newestBefore = before[0]?.createdAt ?? '';
  const created = after.filter((run) => !known.has(nameOf(run)) && run.createdAt >= newestBefore).length;
  const ended = after.flatMap((run) => {
    const was = known.get(nameOf(run));
    return was && was.status !== run.status ? [`${nameOf(run)} is ${run.status}`] : [];
  });
  const parts = [...(created === 0 ? [] : [`${created} new ${created === 1 ? 'run' : 'runs'}`]), ...ended];
  const [most, rest] = [parts.slice(0, 3), parts.length - 3];
  return most.join(', ') + (rest > 0 ? `, and ${rest} more` : '');
}
