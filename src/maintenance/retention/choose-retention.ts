import { mapBounded } from '../../async/bounded-work.ts';
import type { ContentStore } from '../../content/content-store.ts';
import type { StowageError } from '../../errors.ts';
import type { CallOptions } from '../../storage/contract.ts';
import type { CollectedPlace } from '../collection/places.ts';
import type { WorkFolder } from '../collection/sorted-lines.ts';
import { type CacheChoice, chooseEntries } from './cache-choice.ts';
import { isSizeable, type JudgedRun, judgeRuns } from './choose-runs.ts';
import type { ReadPolicy, ReadRules } from './policy.ts';
import { readUse, type StoreUse, unitOf } from './read-use.ts';
import type { KeptRuns, RetentionProgress, RetentionWarning } from './retention-plan.ts';
import { readRunFacts } from './run-facts.ts';
import { surveyRuns } from './survey.ts';

/** What a policy says of a store by now. */
export interface RetentionChoice {
  /** All runs, newest first; those with `goes` go. */
  judged: readonly JudgedRun[];
  cache: CacheChoice;
  /** Read where it was asked for, or needed. */
  use: StoreUse | undefined;
  warnings: RetentionWarning[];
}

/** What choosing needs. */
export interface ChoosingOptions extends CallOptions {
  policy: ReadPolicy;
  places: readonly CollectedPlace[];
  /** The time by which ages are told. */
  nowMs: number;
  /** The time by which runs are silent: the store's, as far as it is known. */
  silentAtMs: number;
  /** Reads what everything uses, for an account. */
  isCounted: boolean;
  onProgress: (progress: RetentionProgress) => void;
}

const CONCURRENCY = 16;
const MAX_UNREADABLE_TOLD = 20;

/** Chooses what goes: runs by age and number, entries of the cache, then runs by size. */
export async function chooseRetention(
  content: ContentStore,
  folder: WorkFolder,
  { policy, places, nowMs, silentAtMs, isCounted, onProgress, signal }: ChoosingOptions,
): Promise<RetentionChoice> {
  const told = (step: RetentionProgress['step'], total?: number): (() => void) => {
    let done = 0;
    return () => onProgress({ step, done: ++done, total });
  };
  const warnings: RetentionWarning[] = [];
  const warnUnreadable = (what: string, error: StowageError): void => {
    const count = warnings.filter(({ kind }) => kind === 'unreadable').length;
    if (count < MAX_UNREADABLE_TOLD)
      warnings.push({ kind: 'unreadable', message: `${what}: ${error.message}` });
  };

  const runs = await surveyRuns(content.storage, {}, { signal }, told('look'));
  const judged = await judgeRuns(runs, policy, nowMs, async (asked) => {
    await mapBounded(asked, CONCURRENCY, async (run) => {
      run.facts = await readRunFacts(content, run.stored, silentAtMs, { signal });
    });
  });
  for (const { stored, facts } of judged)
    if (facts?.problem) warnUnreadable(`Run ${stored.flow}/${stored.run} stays`, facts.problem);
  const cache = await chooseEntries(content, folder, policy, nowMs, { signal, onEntry: told('cache') });
  warnings.push(...cache.warnings);

  const isSized = judged.some(isSizeable);
  const use =
    isSized || (isCounted && judged.some(({ goes }) => goes))
      ? await readUse(
          content,
          folder,
          { runs: judged.map(numbered), keptAttempts: cache.keptAttempts, places },
          {
            signal,
            onSession: told(
              'count',
              judged.reduce((sum, { stored }) => sum + stored.open + stored.closed, 0),
            ),
            onProblem: (error) => warnUnreadable('What it uses is not counted', error),
          },
        )
      : undefined;
  if (use && isSized) warnings.push(...judgeSizes(judged, use));
  return { judged, cache, use, warnings };
}

/** Counts the runs that stay, by the reason. */
export function countKept(judged: readonly JudgedRun[]): KeptRuns {
  const kept: KeptRuns = { running: 0, pinned: 0, tagged: 0, status: 0, limits: 0, unreadable: 0 };
  for (const { goes, stays } of judged) if (!goes && stays) kept[stays] += 1;
  return kept;
}

function numbered({ stored: { flow, run }, rules }: JudgedRun): {
  flow: string;
  run: string;
  contentOnly: boolean;
} {
  return { flow, run, contentOnly: rules.contentOnly };
}

/**
 * Gives up the oldest runs until the others fit. The bytes of an object count for the newest run that uses it, so that those of the newest
 * runs together are known for any number of them.
 */
function judgeSizes(judged: readonly JudgedRun[], use: StoreUse): RetentionWarning[] {
  const scopes = new Map<ReadRules, { soft: JudgedRun[]; charges: number[] }>();
  /** Of each unit its scope, and its rank there: 0 is what may not go. */
  const ranks = new Map<string, { charges: number[]; rank: number }>();
  for (const [number, run] of judged.entries()) {
    if (run.rules.maxBytes === undefined) continue;
    const scope = scopes.get(run.rules) ?? { soft: [], charges: [0] };
    scopes.set(run.rules, scope);
    const { charges } = scope;
    ranks.set(unitOf(number, true), { charges, rank: 0 });
    if (run.goes) continue;
    if (isSizeable(run)) {
      scope.soft.push(run);
      charges.push(0);
    }
    ranks.set(unitOf(number, false), { charges, rank: isSizeable(run) ? scope.soft.length : 0 });
  }
  for (const { bytes, users } of use.content.objects()) {
    const first = new Map<number[], number>();
    for (const { unit } of users) {
      const at = ranks.get(unit);
      if (at) first.set(at.charges, Math.min(at.rank, first.get(at.charges) ?? at.rank));
    }
    for (const [charges, rank] of first) charges[rank] = (charges[rank] ?? 0) + bytes;
  }
  const warnings: RetentionWarning[] = [];
  for (const [{ maxBytes = 0 }, { soft, charges }] of scopes) {
    let total = charges[0] ?? 0;
    if (total > maxBytes) warnings.push(notReached(total, maxBytes));
    for (const [index, run] of soft.entries()) {
      total += charges[index + 1] ?? 0;
      if (total > maxBytes) run.goes = 'size';
    }
  }
  return warnings;
}

function notReached(bytes: number, maxBytes: number): RetentionWarning {
  return {
    kind: 'size-not-reached',
    message: `Runs that may not go (pinned, tagged, running, or named by the cache) use ${bytes} bytes, and maxBytes is ${maxBytes}.`,
  };
}
