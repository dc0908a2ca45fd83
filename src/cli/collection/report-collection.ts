import { shell } from '../../codec/shell-command.ts';
import { StowageError } from '../../errors.ts';
import type { CollectStoreResult } from '../../maintenance/collect-store.ts';
import type { CollectionResult } from '../../maintenance/collection/collection-result.ts';
import type { RetentionPlan } from '../../maintenance/retention/retention-plan.ts';
import { countOf, formatBytes, formatCount } from '../../options/figures.ts';
import { EXIT } from '../exit-codes.ts';
import type { Invocation } from '../invocation.ts';
import { remarkPlan, reportPlan } from './report-plan.ts';
import { errorJson, remarkRetention, reportRetention, retentionJson } from './report-retention.ts';

/** Spaces where a line may end: a number stays with its unit. */
const NOT_IN_A_SIZE = / (?![kMGTP]?B\b)/;
/** More objects that could not be deleted are told as a number. */
const MAX_TOLD = 20;

/**
 * Tells what retention and a collection freed, or would free, and what they could not.
 *
 * @param limit - of a plan at most so many runs are named. Default: 20; all in JSON
 */
export async function reportCollection(
  invocation: Invocation,
  result: CollectStoreResult,
  limit?: number,
): Promise<void> {
  const { collection, unfinished, retention, plan, dryRun } = result;
  const failed = [...collection.unconfirmed, ...collection.undeleted, ...unfinished.problems];
  if (failed.length + (retention?.problemCount ?? 0) > 0) invocation.exitCode = EXIT.partial;
  if (invocation.json) await invocation.output.json(collectionJson(result, limit));
  else {
    if (plan) await reportPlan(invocation, plan, limit);
    if (retention) await reportRetention(invocation, retention);
    const text = freedText(result);
    if (text !== undefined) await invocation.output.sentence(text, undefined, NOT_IN_A_SIZE);
  }
  if (plan) remarkPlan(invocation, plan);
  if (retention) remarkRetention(invocation, retention);
  remark(invocation, result);
  if (collection.outcome === 'superseded') throw superseded(collection);
  if (dryRun && (isAnything(result) || isPlanned(plan)))
    invocation.note(
      `nothing was deleted. To delete it: --yes${plan?.deletesEverything ? ' --even-everything' : ''}`,
    );
}

/** `would free 1.2 GB: 12 contents, 3 packs`. Nothing where a plan says what goes, and there is nothing beside it. */
function freedText(result: CollectStoreResult): string | undefined {
  const { dryRun, plan, collection, unfinished } = result;
  if (!isAnything(result))
    return isPlanned(plan) ? undefined : 'nothing to free: everything in the store is needed.';
  const { copies, packs, plain, values } = dryRun ? collection.condemned : collection.deleted;
  const writes = dryRun ? unfinished.found : unfinished.removed;
  const bytes = (dryRun ? collection.condemnedBytes : collection.deletedBytes) + unfinished.bytes;
  const parts = [
    [copies, 'content'],
    [packs, 'pack'],
    [plain, 'plain file'],
    [values, 'group'],
    [writes, 'unfinished write'],
  ] as const;
  const told = parts.flatMap(([count, noun]) => {
    if (count === 0) return [];
    return [noun === 'group' ? `${countOf(count, noun)} of small values` : countOf(count, noun)];
  });
  const what = told.length === 0 ? '' : `: ${told.join(', ')}`;
  const beside = plan ? ' that nothing refers to even now' : '';
  return `${dryRun ? 'would free' : 'freed'} ${formatBytes(bytes)}${beside}${what}`;
}

function isPlanned(plan: RetentionPlan | undefined): boolean {
  return plan !== undefined && plan.total.runs + plan.cache.entries + plan.abandoned.length > 0;
}

/** Records of sessions that are over are deleted on the way, and free nothing to speak of. */
function isAnything({ collection, unfinished }: CollectStoreResult): boolean {
  const { copies, packs, plain, values } = collection.condemned;
  return copies + packs + plain + values + collection.rewritten.packs + unfinished.found > 0;
}

function remark(invocation: Invocation, { collection, unfinished, dryRun }: CollectStoreResult): void {
  const { abandoned, rewritten, memoryProblem, more, skippedPlaces, unconfirmed, undeleted } = collection;
  if (abandoned > 0) {
    const were = abandoned === 1 ? 'was' : 'were';
    invocation.note(
      `${countOf(abandoned, 'attempt')} that ${were} silent for a day ${were} closed as abandoned. What they kept goes with the next gc.`,
    );
  }
  if (rewritten.packs > 0) {
    const packs = countOf(rewritten.packs, 'pack');
    const frees = formatBytes(rewritten.freedBytes - rewritten.writtenBytes);
    invocation.note(
      dryRun
        ? `${packs} of which much is dead would be written anew, which frees ${frees} with the next but one.`
        : `${packs} of which much is dead were written anew. The next gc frees ${frees} by that.`,
    );
  }
  if (memoryProblem) invocation.note(`the next collection reads everything again: ${memoryProblem.message}`);
  if (more) invocation.note('there is more than goes at a time. The rest goes with the next gc.');
  for (const { id, uri = 'a place elsewhere', error } of skippedPlaces) {
    const how =
      error.code === 'PLACE_NOT_OURS' ? ` To collect it as well: ${shell`stowage gc --adopt ${id}`}` : '';
    invocation.note(`nothing is deleted at ${uri}: ${error.message}${how}`);
  }
  const failures = [
    ...unconfirmed.map(({ entry, error }) => `${entry.name} could not be deleted: ${error.message}`),
    ...undeleted.map(({ uri, error }) => `${uri} could not be deleted: ${error.message}`),
    ...unfinished.problems.map((error) => error.message),
  ];
  for (const failure of failures.slice(0, MAX_TOLD)) invocation.note(failure);
  if (failures.length > MAX_TOLD)
    invocation.note(
      `and ${formatCount(failures.length - MAX_TOLD)} more that could not be deleted; --json names them.`,
    );
  if (failures.length > 0) invocation.note('what could not be deleted is tried again by the next gc.');
}

function superseded({ version }: CollectionResult): StowageError {
  return new StowageError(
    'STORE_BUSY',
    'Another process collects the store at the same time, and was faster. Nothing is lost; when it has ended, give the same command again.',
    { details: { version } },
  );
}

/** The result in JSON, with the code and message of each error. */
function planJson(plan: RetentionPlan, limit: number): object {
  const [runs, abandoned] = [plan.runs.slice(0, limit), plan.abandoned.slice(0, limit)];
  const [more, moreAbandoned] = [plan.runs.length - runs.length, plan.abandoned.length - abandoned.length];
  return {
    ...plan,
    ...{ runs, abandoned },
    ...(more > 0 ? { more } : {}),
    ...(moreAbandoned > 0 ? { moreAbandoned } : {}),
  };
}

function collectionJson(
  { collection, unfinished, retention, plan, ...result }: CollectStoreResult,
  limit = Number.POSITIVE_INFINITY,
): object {
  const { unconfirmed, undeleted, skippedPlaces, memoryProblem, ...counts } = collection;
  return {
    ...result,
    ...(plan ? { plan: planJson(plan, limit) } : {}),
    ...(retention ? { retention: retentionJson(retention) } : {}),
    collection: {
      ...counts,
      ...(memoryProblem ? { memoryProblem: errorJson(memoryProblem) } : {}),
      unconfirmed: unconfirmed.map(({ entry, error }) => ({ ...entry, error: errorJson(error) })),
      undeleted: undeleted.map(({ uri, error }) => ({ uri, error: errorJson(error) })),
      skippedPlaces: skippedPlaces.map(({ id, uri, error }) => ({ id, uri, error: errorJson(error) })),
    },
    unfinished: { ...unfinished, problems: unfinished.problems.map(errorJson) },
  };
}
