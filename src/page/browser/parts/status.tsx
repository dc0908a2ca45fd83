import type { JSX } from 'preact';
import { formatCount } from '../../../options/figures.ts';

/** The statuses of runs and attempts, in the order in which counts of them are told. */
export const STATUSES = ['open', 'done', 'failed', 'abandoned', 'deleted', 'damaged', 'unreadable'] as const;

/** A status, as a word with a mark: no colour tells alone. `children` come behind the word. */
export function Status({ status, children }: { status: string; children?: string }): JSX.Element {
  return (
    <span class={`status ${status}`}>
      {status}
      {children}
    </span>
  );
}

/** `196 done  4 failed` */
export function StatusCounts({ counts }: { counts: Readonly<Record<string, number>> }): JSX.Element {
  const known: readonly string[] = STATUSES;
  const entries = Object.entries(counts).filter(([, count]) => count > 0);
  return (
    <span class="counts">
      {entries
        .sort(([a], [b]) => known.indexOf(a) - known.indexOf(b))
        .map(([status, count]) => (
          <span key={status} class={`status ${status}`}>
            {formatCount(count)} {status}
          </span>
        ))}
    </span>
  );
}
