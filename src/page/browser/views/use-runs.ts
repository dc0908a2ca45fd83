import { useEffect, useRef, useState } from 'preact/hooks';
import type { FiguredRun } from '../../../store-index/run-figures.ts';
import type { RunView } from '../../../views/runs.ts';
import type { Asked } from '../../asked.ts';
import { ask, type Failure, useAnswer } from '../ask.ts';
import { joinedRuns, nameOf } from './run-list.ts';

/** The answer of `stowage runs --json`. */
interface Runs {
  total: number;
  unread: number;
  /** Why the index was not asked, where it was to be. */
  figuresFailure?: Failure;
  runs: FiguredRun[];
}

export type Figures = NonNullable<FiguredRun['figures']>;

/** What the runs that are shown have in common; `''` for any. */
export interface RunFilters {
  flow: string;
  tag: string;
  status: string;
  since: string;
  text: string;
}

/** The runs, as far as they were asked for. */
export interface ShownRuns {
  /** Newest first. */
  runs: readonly RunView[];
  /** The newest as they were just now; `undefined` before the first answer. */
  newest: readonly RunView[] | undefined;
  /** By the names of runs, as far as the index has told them. */
  figures: ReadonlyMap<string, Figures>;
  total: number;
  /** There are no older ones. */
  isWhole: boolean;
  isLoadingOlder: boolean;
  error: Failure | undefined;
  /** Why the index tells no figures. */
  figuresError: Failure | undefined;
  loadOlder(): void;
}

/** So many runs are asked for at first, and again whenever the newest are looked at; and so many older ones at once. */
const NEWEST = 100;
const OLDER = 200;
const REFRESH_MS = 5_000;
/** Figures change while a run is open, or is not in the index yet. */
const FIGURES_MS = 20_000;
/** Asks the index as it is: one that is not there is not made. */
const AS_IT_IS = { figures: true, 'no-update': true } as const;

/** The runs that were loaded for some filters. */
interface Kept {
  key: string;
  runs: readonly RunView[];
  /** The name of the oldest run that there is, once it was loaded. */
  oldest?: string | undefined;
  isLoading: boolean;
  error?: Failure | undefined;
}

/**
 * Asks for the newest runs, again and again, and for older ones when they are wanted. Rows do not wait for their figures: these are asked
 * for behind them.
 */
export function useRuns({ flow, ...filters }: RunFilters): ShownRuns {
  const key = JSON.stringify([flow, filters]);
  const asked = (options: Asked['options']): Asked => ({
    command: 'runs',
    args: flow === '' ? [] : [flow],
    options: Object.fromEntries(
      Object.entries({ ...filters, ...options }).filter(([, value]) => value !== ''),
    ),
  });
  const [hasIndex, setHasIndex] = useState(false);
  const [isFailing, setFailing] = useState(false);
  const [, draw] = useState({});
  const figures = useRef(new Map<string, Figures>()).current;
  const kept = useRef<Kept>({ key, runs: [], isLoading: false });
  if (kept.current.key !== key) kept.current = { key, runs: [], isLoading: false };
  const now = kept.current;

  const newest = useAnswer<Runs>(asked({ limit: String(NEWEST) }), REFRESH_MS);
  if (newest.result) now.runs = joinedRuns(newest.result.runs, now.runs);
  const isUnsettled = newest.result?.runs.some((run) => run.status === 'open' || !figures.has(nameOf(run)));
  const withFigures: Asked['options'] = hasIndex ? { figures: true } : AS_IT_IS;
  const againMs = isUnsettled ? FIGURES_MS : undefined;
  const figured = useAnswer<Runs>(
    newest.result && asked({ limit: String(NEWEST), ...withFigures }),
    isFailing ? REFRESH_MS : againMs,
  );
  // Damaged records are told of the newest runs. So is what all fails by: it ends with that.
  const isSame = figured.error?.message === newest.error?.message;
  const figuresError = figured.result ? figured.result.figuresFailure : isSame ? undefined : figured.error;
  const isOwn = figuresError !== undefined && figuresError.code !== 'INDEX_NOT_READY';
  useEffect(() => setFailing(isOwn), [isOwn]);
  for (const run of figured.result?.runs ?? []) if (run.figures) figures.set(nameOf(run), run.figures);
  useEffect(() => {
    if (figured.result && !figured.result.figuresFailure) setHasIndex(true);
  }, [figured.result]);

  const last = now.runs.at(-1);
  const isWhole = newest.result?.unread === 0 || (last !== undefined && nameOf(last) === now.oldest);
  const load = async (behind: RunView): Promise<void> => {
    now.isLoading = true;
    draw({});
    const options = { limit: String(OLDER), before: nameOf(behind) };
    const { result, error } = await ask<Runs>(asked(options));
    now.isLoading = false;
    now.error = error;
    if (kept.current !== now || now.runs.at(-1) === undefined) return;
    const isLast = nameOf(now.runs.at(-1) as RunView) === nameOf(behind);
    if (isLast && error?.code === 'RUN_NOT_FOUND') now.runs = now.runs.slice(0, -1); // it was removed
    if (isLast && result) now.runs = [...now.runs, ...result.runs];
    if (isLast && result?.unread === 0) now.oldest = nameOf(now.runs.at(-1) as RunView);
    draw({});
    if (!result || !hasIndex) return;
    const told = await ask<Runs>(asked({ ...options, ...AS_IT_IS }));
    for (const run of told.result?.runs ?? []) if (run.figures) figures.set(nameOf(run), run.figures);
    draw({});
  };
  return {
    runs: now.runs,
    newest: newest.result?.runs,
    figures,
    total: newest.result?.total ?? 0,
    isWhole,
    isLoadingOlder: now.isLoading,
    error: newest.error ?? now.error,
    figuresError,
    loadOlder: () => {
      if (last && !isWhole && !now.isLoading) void load(last);
    },
  };
}
