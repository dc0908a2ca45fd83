import { attemptNotFound, taskNotFound } from '../../attempts/unreadable-attempts.ts';
import { invalidArgument, StowageError } from '../../errors.ts';
import { requireRun, runNotFound, stepNotFound } from '../../flow/run-selection.ts';
import { listTasks } from '../../format/attempt-files.ts';
import { readRunPin } from '../../format/run-pins.ts';
import { createdName } from '../../format/run-records.ts';
import {
  ANYTHING,
  checkOptions,
  FLAG,
  FUNCTION,
  type OptionTable,
  wholeNumber,
} from '../../options/option-table.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { openPlaces } from '../collection/places.ts';
import { listSessions } from '../collection/session-listing.ts';
import { SortedLines, WorkFolder } from '../collection/sorted-lines.ts';
import { checkGivenStore, type DecorateStorage, type OpenedStore, withStore } from '../opened-store.ts';
import { newResult, noteProblem } from './apply-retention.ts';
import { closeSilent, type GivingUp, giveUp } from './give-up.ts';
import { deleteEntries, entriesAt } from './removed-entries.ts';
import {
  isArtifact,
  parseRemovedPath,
  partOf,
  type RemovedArtifact,
  type RemovedPath,
} from './removed-path.ts';
import type { RemoveOptions, RetentionResult } from './retention-plan.ts';
import { storeTimeMs } from './store-clock.ts';

const OPTIONS: OptionTable<RemoveOptions> = {
  store: ANYTHING,
  openPlace: FUNCTION,
  path: ANYTHING,
  contentOnly: FLAG,
  evenPinned: FLAG,
  dryRun: FLAG,
  onProgress: FUNCTION,
  nowMs: wholeNumber(0),
};

/** Does what `removeFromStore` of the package does, which loads it. */
export function removeFromStore(options: RemoveOptions): Promise<RetentionResult> {
  return removeDecorated(options, undefined);
}

/** Like {@link removeFromStore}. Storages that it opens are used as `decorate` gives them. */
export async function removeDecorated(
  options: RemoveOptions,
  decorate: DecorateStorage | undefined,
): Promise<RetentionResult> {
  checkOptions<RemoveOptions>(options, 'removeFromStore', OPTIONS);
  checkGivenStore(options?.store, 'removeFromStore');
  const path = parseRemovedPath(options.path);
  if (isArtifact(path) && options.contentOnly)
    throw invalidArgument('Of an artifact nothing but the content is removed: leave out contentOnly.');
  return withStore(options, decorate, (opened) => removeAt(opened, path, options));
}

async function removeAt(
  { content }: Pick<OpenedStore, 'content'>,
  path: RemovedPath | RemovedArtifact,
  {
    contentOnly = false,
    evenPinned = false,
    dryRun = false,
    nowMs,
    signal,
  }: Omit<RemoveOptions, 'store' | 'openPlace'>,
): Promise<RetentionResult> {
  const { storage } = content;
  const { flow, run } = path;
  await requirePath(content, path, { signal });
  const pin = await readRunPin(storage, flow, run, { signal });
  if (pin?.pinned && !evenPinned) throw pinned(flow, run, pin.reason);
  const result = newResult();
  const folder = new WorkFolder();
  try {
    const artifact = isArtifact(path) ? path : undefined;
    const takeOut = async (from: RemovedArtifact): Promise<RetentionResult> => {
      const { removeArtifact } = await import('./remove-artifact.ts');
      return removeArtifact({ content, folder, dryRun, result, options: { signal } }, from);
    };
    if (dryRun && artifact) return await takeOut(artifact);
    if (dryRun) return await countAt(content, path, contentOnly, { signal });
    await content.prepareToWrite({ signal });
    const closing = {
      content,
      storeNowMs: nowMs ?? (await storeTimeMs(storage, { signal })),
      counts: result,
      options: { signal },
    };
    // An attempt that is open may have the artifact, and would bring it back.
    if (artifact && !(await closeSilent(closing, artifact))) throw running(artifact);
    if (artifact) return await takeOut(artifact);
    const { places } = await openPlaces(content, [], { signal });
    const onProblem: GivingUp['onProblem'] = (error, at) => noteProblem(result, error, at);
    const state = await giveUp(
      { ...closing, folder, places: [...places.values()], onProblem },
      { ...path, contentOnly, kept: new SortedLines(folder) },
    );
    if (state === 'running') throw running(path);
    if (state === 'gone') result.runs = 1;
    else result.runsInPart = 1;
    await deleteEntries(storage, entriesAt(content, path, { signal }), result, { signal });
    return result;
  } finally {
    folder.remove();
  }
}

/** Counts what would go. */
async function countAt(
  content: OpenedStore['content'],
  path: RemovedPath,
  contentOnly: boolean,
  options: CallOptions,
): Promise<RetentionResult> {
  const result = { ...newResult(), dryRun: true };
  for await (const { files } of listSessions(content.storage, options, [`flows/${partOf(path)}`])) {
    if (files.has('deleted') || (contentOnly && files.has('purged'))) continue;
    result.attempts[contentOnly ? 'purged' : 'deleted'] += 1;
  }
  for await (const _key of entriesAt(content, path, options)) result.cacheEntries += 1;
  result[contentOnly || path.step !== undefined ? 'runsInPart' : 'runs'] = 1;
  return result;
}

async function requirePath(
  content: OpenedStore['content'],
  { flow, run, step, task, attempt }: RemovedPath,
  options: CallOptions,
): Promise<void> {
  const { storage } = content;
  for await (const { path, attempts } of listTasks(storage, { flow, run, step }, options)) {
    if (task !== undefined && path.task !== task) continue;
    if (attempt === undefined || attempts.has(attempt)) return;
    throw attemptNotFound(path, attempt, attempts);
  }
  if (step === undefined) {
    if (await storage.head(createdName(flow, run), options)) return;
    await requireRun(storage, flow, run, options);
    throw runNotFound(flow, run);
  }
  if (task === undefined) throw await stepNotFound(storage, { flow, run, step }, options);
  throw await taskNotFound(storage, { flow, run, step, task }, options);
}

function pinned(flow: string, run: string, reason: string | undefined): StowageError {
  const why = reason === undefined ? '' : ` (${reason})`;
  return new StowageError(
    'RUN_PINNED',
    `Run ${flow}/${run} is pinned${why}, so that nothing of it is removed. Unpin it first, or pass evenPinned: true.`,
    { details: { flow, run, reason } },
  );
}

function running({ flow, run }: RemovedPath): StowageError {
  return new StowageError(
    'RUN_RUNNING',
    `Run ${flow}/${run} has an open attempt whose owner gave a sign of life in the last 24 hours; nothing of it was removed. End it first, or wait.`,
    { details: { flow, run } },
  );
}
