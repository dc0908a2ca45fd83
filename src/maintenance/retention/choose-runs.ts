import type { ReadLimits, ReadPolicy, ReadRules } from './policy.ts';
import { isLimited } from './policy.ts';
import type { KeptRuns, RunReason } from './retention-plan.ts';
import type { RunFacts } from './run-facts.ts';
import type { StoredRun } from './survey.ts';

/** A run, and what a policy says of it. */
export interface JudgedRun {
  readonly stored: StoredRun;
  readonly rules: ReadRules;
  /** Known where the policy asked for it. */
  facts?: RunFacts;
  /** The reason why it goes; `undefined` while it stays. */
  goes?: RunReason | undefined;
  /** The reason why it stays, once it is known. */
  stays?: keyof KeptRuns;
}

/** Reads the facts of runs. */
export type ReadFacts = (runs: readonly JudgedRun[]) => Promise<void>;

/**
 * Judges runs by age and number, and spares those that something protects. Facts are read of those that would go, and of all where the
 * rules need them.
 *
 * @param runs newest first
 */
export async function judgeRuns(
  runs: readonly StoredRun[],
  policy: ReadPolicy,
  nowMs: number,
  readFacts: ReadFacts,
): Promise<JudgedRun[]> {
  const judged = runs.map((stored): JudgedRun => ({ stored, rules: policy.rulesOf(stored.flow) }));
  const isAsked = ({ rules, stored }: JudgedRun): boolean =>
    rules.maxBytes !== undefined || mayBeAbandoned(stored, nowMs) || (rules.hasOwnFailed && stored.finished);
  await readFacts(judged.filter(isAsked));
  const counts = new Map<string, number>();
  for (const run of judged) {
    const { stored, rules, facts } = run;
    const isFailed = rules.hasOwnFailed && (facts?.status === 'failed' || facts?.status === 'abandoned');
    const limits: ReadLimits = isFailed ? rules.failed : rules;
    const counter = `${stored.flow}/${isFailed}`;
    const newer = counts.get(counter) ?? 0;
    counts.set(counter, newer + 1);
    if (isBegun(stored)) run.goes = 'begun';
    else if (isLimited(limits) && !isKept(limits, newer, nowMs - stored.createdAtMs)) {
      run.goes = limits.keepWithinMs === undefined ? 'count' : 'age';
    } else run.stays = 'limits';
  }
  await readFacts(judged.filter(({ goes, facts }) => goes && !facts));
  for (const run of judged) protect(run);
  return judged;
}

/** Only runs that were made long enough ago can have fallen silent. */
export function mayBeAbandoned({ finished, createdAtMs }: StoredRun, nowMs: number): boolean {
  return !finished && nowMs - createdAtMs >= DAY_MS;
}

/** True of a run that may be taken for its size: nothing but its age or number keeps it. */
export function isSizeable({ goes, stays, rules }: JudgedRun): boolean {
  return rules.maxBytes !== undefined && !goes && stays === 'limits';
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** True of a run that was being deleted: nothing is left of its attempts but those whose deletion was begun. */
function isBegun({ open, closed, begun, isBeingDeleted }: StoredRun): boolean {
  return open === 0 && closed === 0 && (begun > 0 || isBeingDeleted);
}

function isKept({ keepWithinMs, keepLast }: ReadLimits, newer: number, ageMs: number): boolean {
  const isYoung = keepWithinMs !== undefined && ageMs <= keepWithinMs;
  return isYoung || (keepLast !== undefined && newer < keepLast);
}

/** Whatever the limits, these stay. */
function protect(run: JudgedRun): void {
  const { facts, rules } = run;
  if (!facts || run.stored.isBeingDeleted) return; // what would protect it may be gone
  const why = protectionOf(facts, rules);
  if (why === undefined) return;
  run.goes = undefined;
  run.stays = why;
}

function protectionOf(
  { status, tags, isPinned, isRunning, problem }: RunFacts,
  { keepTags, keepStatus }: ReadRules,
): keyof KeptRuns | undefined {
  if (problem) return 'unreadable';
  if (isRunning) return 'running';
  if (isPinned) return 'pinned';
  if (tags.some((tag) => keepTags.has(tag))) return 'tagged';
  return keepStatus.has(status) ? 'status' : undefined;
}
