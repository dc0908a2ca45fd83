import type { StowageError } from '../../errors.ts';
import type { RetentionResult } from '../../maintenance/retention/retention-plan.ts';
import { countOf, formatCount } from '../../options/figures.ts';
import { entryCount } from '../cache/entries.ts';
import type { Invocation } from '../invocation.ts';

/** More problems, and runs that were left, are told as a number. */
const MAX_TOLD = 20;
const WHY_LEFT: Readonly<Record<RetentionResult['left'][number]['why'], string>> = {
  running: 'it runs again',
  pinned: 'it was pinned meanwhile',
  kept: 'the rules keep it by now',
  gone: 'it is gone already',
};

/** Tells what was given up. What that frees is told by the collection that follows. */
export async function reportRetention(invocation: Invocation, result: RetentionResult): Promise<void> {
  await invocation.output.sentence(givenUpText(result));
}

/** `deleted 3 runs and parts of 1 run: 12 attempts; 40 entries of the cache` */
export function givenUpText({
  dryRun,
  runs,
  runsInPart,
  attempts,
  artifacts,
  cacheEntries,
}: RetentionResult): string {
  const whole = runs > 0 ? [countOf(runs, 'run')] : [];
  const inPart = runsInPart > 0 ? [`parts of ${countOf(runsInPart, 'run')}`] : [];
  const marked = [
    ...(attempts.deleted > 0 ? [countOf(attempts.deleted, 'attempt')] : []),
    ...(artifacts > 0 ? [`the content of ${countOf(artifacts, 'artifact')}`] : []),
    ...(attempts.purged > 0 ? [`the content of ${countOf(attempts.purged, 'attempt')}`] : []),
  ].join(', ');
  const what = [...whole, ...inPart].join(' and ');
  const all = [
    ...(what === '' ? [] : [marked === '' ? what : `${what}: ${marked}`]),
    ...(cacheEntries > 0 ? [`${entryCount(cacheEntries)} of the cache`] : []),
  ];
  if (all.length === 0) return 'no run and no entry of the cache went by it.';
  return `${dryRun ? 'would delete' : 'deleted'} ${all.join('; ')}`;
}

/** Tells what was left, and what could not be deleted. */
export function remarkRetention(invocation: Invocation, result: RetentionResult): void {
  const { abandoned, left, problems, problemCount } = result;
  if (abandoned.runs > 0) {
    const were = abandoned.runs === 1 ? 'was' : 'were';
    invocation.note(
      `${countOf(abandoned.runs, 'run')} that ${were} left open ${were} recorded as abandoned.`,
    );
  }
  const stay = left.filter(({ why }) => why !== 'gone');
  for (const { flow, run, why } of stay.slice(0, MAX_TOLD))
    invocation.note(`${flow}/${run} stays: ${WHY_LEFT[why]}.`);
  if (stay.length > MAX_TOLD) invocation.note(`and ${countOf(stay.length - MAX_TOLD, 'run')} more stay.`);
  for (const { flow, run, name, error } of problems.slice(0, MAX_TOLD)) {
    const what = name ?? [flow, run].filter((part) => part !== undefined).join('/');
    invocation.note(`${what} could not be deleted: ${error.message}`);
  }
  if (problemCount > MAX_TOLD)
    invocation.note(`and ${formatCount(problemCount - MAX_TOLD)} more that could not be deleted.`);
}

export function retentionJson({ problems, ...result }: RetentionResult): object {
  return {
    ...result,
    problems: problems.map(({ error, ...where }) => ({ ...where, error: errorJson(error) })),
  };
}

/** An error in JSON: its code, if it has one, and its message. */
export function errorJson(error: Error): object {
  const { code } = error as Partial<StowageError>;
  return { code, message: error.message };
}
