import { taskNotFound } from '../../attempts/unreadable-attempts.ts';
import { EntryReader } from '../../cache/entry-reader.ts';
import { invalidArgument, StowageError } from '../../errors.ts';
import { requireRun, runNotFound, stepNotFound } from '../../flow/run-selection.ts';
import { listTasks } from '../../format/attempt-files.ts';
import { entryName } from '../../format/cache-names.ts';
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
import { validateUserName } from '../../storage/names.ts';
import { openPlaces } from '../collection/places.ts';
import { listSessions } from '../collection/session-listing.ts';
import { SortedLines, WorkFolder } from '../collection/sorted-lines.ts';
import { EntriesToCopy } from '../entries-to-copy.ts';
import { checkGivenStore, type DecorateStorage, type OpenedStore, withStore } from '../opened-store.ts';
import { newResult, noteProblem } from './apply-retention.ts';
import { giveUp } from './give-up.ts';
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

/** What is removed: a run, a step of it, or a task. */
interface RemovedPath {
  flow: string;
  run: string;
  step?: string;
  task?: string;
}

/**
 * Removes a run, a step or a task, with all attempts, or their content alone, as `applyRetention` does, and the entries of the cache that name them. What it frees is freed
 * by the collection that follows.
 *
 * @throws StowageError `RUN_NOT_FOUND`, `STEP_NOT_FOUND`, `TASK_NOT_FOUND`; `RUN_RUNNING` where an attempt of it is open, and its owner gave a sign of life in the last
 * 24 hours; `RUN_PINNED`; `INVALID_ARGUMENT`, `INVALID_NAME` for what is no path; `NO_SUCH_STORE`, `NOT_A_STORE`, `UNSUPPORTED_FORMAT`; `ABORTED`
 */
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
  const path = parsePath(options.path);
  return withStore(options, decorate, (opened) => removeAt(opened, path, options));
}

async function removeAt(
  { content }: Pick<OpenedStore, 'content'>,
  path: RemovedPath,
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
    if (dryRun) return await countAt(content, path, contentOnly, { signal });
    await content.prepareToWrite({ signal });
    const { places } = await openPlaces(content, [], { signal });
    const state = await giveUp(
      {
        content,
        folder,
        places: [...places.values()],
        storeNowMs: nowMs ?? (await storeTimeMs(storage, { signal })),
        counts: result,
        onProblem: (error, at) => noteProblem(result, error, at),
        options: { signal },
      },
      { ...path, contentOnly, kept: new SortedLines(folder) },
    );
    if (state === 'running') throw running(path);
    if (state === 'gone') result.runs = 1;
    else result.runsInPart = 1;
    for await (const key of entriesAt(content, path, { signal })) {
      const [failure] = await storage.delete([entryName(key)], { signal });
      if (failure) noteProblem(result, failure.error, { name: failure.name });
      else result.cacheEntries += 1;
    }
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
  for await (const { files } of listSessions(content.storage, options, [prefixOf(path)])) {
    if (files.has('deleted') || (contentOnly && files.has('purged'))) continue;
    result.attempts[contentOnly ? 'purged' : 'deleted'] += 1;
  }
  for await (const _key of entriesAt(content, path, options)) result.cacheEntries += 1;
  result[contentOnly || path.step !== undefined ? 'runsInPart' : 'runs'] = 1;
  return result;
}

/** The keys of entries that name attempts at a path. Those of cached tasks lie where the ids of these tell. */
async function* entriesAt(
  content: OpenedStore['content'],
  { flow, run, step, task }: RemovedPath,
  options: CallOptions,
): AsyncGenerator<string, void> {
  const entries = new EntriesToCopy(flow, run);
  for await (const { path } of listTasks(content.storage, { flow, run, step }, options)) {
    if (task === undefined || path.task === task) entries.noteTask(path.task);
  }
  const reader = new EntryReader(content, undefined);
  for await (const key of entries.keysIn(content.storage, options)) {
    const found = await reader.find(key, options);
    if (!found || 'problem' in found || !entries.has(found.entry)) continue;
    const { source } = found.entry;
    if ((step ?? source.step) === source.step && (task ?? source.task) === source.task) yield key;
  }
}

async function requirePath(
  content: OpenedStore['content'],
  { flow, run, step, task }: RemovedPath,
  options: CallOptions,
): Promise<void> {
  const { storage } = content;
  for await (const found of listTasks(storage, { flow, run, step }, options)) {
    if (task === undefined || found.path.task === task) return;
  }
  if (step === undefined) {
    if (await storage.head(createdName(flow, run), options)) return;
    await requireRun(storage, flow, run, options);
    throw runNotFound(flow, run);
  }
  if (task === undefined) throw await stepNotFound(storage, { flow, run, step }, options);
  throw await taskNotFound(storage, { flow, run, step, task }, options);
}

function prefixOf({ flow, run, step, task }: RemovedPath): string {
  return `flows/${[flow, run, step, task].filter((part) => part !== undefined).join('/')}/`;
}

function parsePath(path: unknown): RemovedPath {
  const parts = typeof path === 'string' ? path.split('/') : [];
  if (parts.length < 2 || parts.length > 4) {
    throw invalidArgument(
      `What is removed is named by its path, <flow>/<run>, <flow>/<run>/<step> or <flow>/<run>/<step>/<task>, not ${JSON.stringify(path) ?? String(path)}.`,
      { path: String(path) },
    );
  }
  const [flow = '', run = '', step, task] = parts;
  validateUserName(flow, 'flow name');
  validateUserName(run, 'run id');
  if (step !== undefined) validateUserName(step, 'step name');
  if (task !== undefined) validateUserName(task, 'task id');
  return { flow, run, ...(step === undefined ? {} : { step }), ...(task === undefined ? {} : { task }) };
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
