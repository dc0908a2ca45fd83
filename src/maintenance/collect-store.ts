import { type Progress, ProgressMeter, type ProgressOptions } from '../async/progress.ts';
import { invalidArgument, isStowageError, StowageError } from '../errors.ts';
import { ANYTHING, checkOptions, FLAG, FUNCTION, NAMES, type OptionTable } from '../options/option-table.ts';
import { folderForCaches } from '../references/directory/index-folder.ts';
import { rootOf } from '../storage/canonical-address.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import type { CollectionOptions, CollectionStep } from './collection/collect-garbage.ts';
import type { CollectionResult } from './collection/collection-result.ts';
import {
  checkGivenStore,
  type DecorateStorage,
  type MaintenanceOptions,
  type OpenedStore,
  withStore,
} from './opened-store.ts';
import { applyTo } from './retention/apply-retention.ts';
import { planOf } from './retention/plan-retention.ts';
import type { RetentionPolicy } from './retention/policy.ts';
import type { RetentionPlan, RetentionProgress, RetentionResult } from './retention/retention-plan.ts';
import { checkPolicy } from './stored-policy.ts';
import { SURELY_DEAD_MS, UnfinishedSearch } from './unfinished-writes.ts';

/** Steps of {@link collectStore}, in their order: `look` to `give-up` where there is a policy. */
export type CollectStoreStep = 'unfinished' | 'look' | 'cache' | 'count' | 'give-up' | CollectionStep;

/** Progress of {@link collectStore}. Items are those of all steps: sessions that are read, names that are deleted. */
export interface CollectStoreProgress extends Progress {
  step: CollectStoreStep;
  /** Those of the step. */
  stepItemsDone: number;
}

/** Options of {@link collectStore}. */
export interface CollectStoreOptions
  extends MaintenanceOptions,
    ProgressOptions<CollectStoreProgress>,
    Pick<CollectionOptions, 'adopt' | 'rewrite'> {
  /** Gives up runs, attempts and entries of the cache by these rules first. Default: none. That of the store: `readRetentionPolicy`. */
  policy?: RetentionPolicy | undefined;
  /** Gives up every run of the store, where the policy does. Default `false`: `INVALID_ARGUMENT` then. */
  evenEverything?: boolean | undefined;
  /** Tells what would go, and changes nothing. Default `false`. */
  dryRun?: boolean | undefined;
  /**
   * Promises that no other process writes to the store or collects it meanwhile, on any machine; reading is fine. A store on a network file
   * system (NFS, SMB) is not collected without it. Default `false`.
   */
  exclusive?: boolean | undefined;
  /**
   * The folder in which collections on this machine remember what they read of what never changes, so that the next one reads only what is
   * new. It may be lost, old or another's without harm. `false`: nothing is remembered. Default: the folder that the variable
   * `STOWAGE_COLLECTION_MEMORY` names (`off`: none), else `stowage/collections` in the user's folder for caches; none for `memory:`.
   */
  memory?: string | false | undefined;
}

/** Writes that never ended: temporary files of folders, uploads of S3. */
export interface UnfinishedResult {
  /** Those that are a day old. */
  readonly found: number;
  readonly bytes: number;
  readonly removed: number;
  /** Why others could not be looked for, or removed: at most 100 reasons. */
  readonly problems: readonly StowageError[];
}

/** What came of {@link collectStore}. */
export interface CollectStoreResult {
  readonly dryRun: boolean;
  /** What the policy would give up, in a dry run with one. What it frees comes to what nothing refers to now, which `collection` tells. */
  readonly plan?: RetentionPlan;
  /** What the policy gave up; absent in a dry run, and without one. */
  readonly retention?: RetentionResult;
  /** What nothing refers to. */
  readonly collection: CollectionResult;
  readonly unfinished: UnfinishedResult;
}

const OPTIONS: OptionTable<CollectStoreOptions> = {
  store: ANYTHING,
  openPlace: FUNCTION,
  policy: ANYTHING,
  evenEverything: FLAG,
  adopt: NAMES,
  rewrite: ANYTHING,
  memory: ANYTHING,
  dryRun: FLAG,
  exclusive: FLAG,
  onProgress: FUNCTION,
};
const MAX_TOLD = 100;

/** Does what `collectStore` of the package does, which loads it. */
export function collectStore(options: CollectStoreOptions): Promise<CollectStoreResult> {
  return collectDecorated(options);
}

/** Like {@link collectStore}. Each storage that it opens, those of places among them, is used as `decorate` gives it. */
export async function collectDecorated(
  options: CollectStoreOptions,
  decorate?: DecorateStorage,
): Promise<CollectStoreResult> {
  if (options === undefined) throw invalidArgument('collectStore takes options, at least { store }.');
  checkOptions(options, 'collectStore', OPTIONS);
  checkGivenStore(options.store, 'collectStore');
  const { memory = false } = options;
  if (memory !== false && (typeof memory !== 'string' || memory === ''))
    throw invalidArgument('collectStore takes the path of a folder as memory, or false.');
  if (options.policy !== undefined) checkPolicy(options.policy); // before anything is opened
  return withStore(options, decorate, (opened) => collect(opened, options));
}

async function collect(opened: OpenedStore, options: CollectStoreOptions): Promise<CollectStoreResult> {
  const { dryRun = false, exclusive = false, adopt, rewrite, signal } = options;
  // Most programs never collect, and import none of it.
  const { collectGarbage } = await import('./collection/collect-garbage.ts');
  if (exclusive) {
    const { refuseOpenSessions } = await import('./exclusive.ts');
    if (!dryRun) await refuseOpenSessions(opened.storage, { signal });
  } else {
    await refuseSeenLate(opened, { signal });
  }
  const progress = new StepProgress(options.onProgress);
  try {
    const onProgress = progress.at;
    // First: the first write to a folder removes some of them by itself.
    const unfinished = await removeUnfinished(opened, dryRun, progress, { signal });
    const retained = await retain(opened, options, progress);
    const collection = await collectGarbage(opened.content, {
      dryRun,
      adopt,
      rewrite,
      memory: memoryOf(opened.storage, options),
      signal,
      onProgress,
    });
    progress.succeed();
    return { dryRun, ...retained, collection, unfinished };
  } finally {
    progress.stop();
  }
}

function memoryOf({ type }: DataStoreStorage, { memory }: CollectStoreOptions): string | undefined {
  if (memory !== undefined) return memory === false ? undefined : memory;
  return type === 'memory' ? undefined : folderForCaches('STOWAGE_COLLECTION_MEMORY', 'collections');
}

/** Plans what a policy gives up, or gives it up. */
async function retain(
  opened: OpenedStore,
  { policy, dryRun, evenEverything, signal }: CollectStoreOptions,
  progress: StepProgress,
): Promise<Pick<CollectStoreResult, 'plan' | 'retention'>> {
  if (policy === undefined) return {};
  const onProgress = ({ step, done }: RetentionProgress): void =>
    progress.at(step === 'delete' ? 'give-up' : step, done);
  if (dryRun) return { plan: await planOf(opened, { policy, onProgress, signal }) };
  return { retention: await applyTo(opened, { policy, evenEverything, onProgress, signal }) };
}

/** @throws StowageError `STORAGE_UNSUPPORTED` where the store, or a place of it, may show late what others write */
async function refuseSeenLate({ storage, content }: OpenedStore, options: CallOptions): Promise<void> {
  if (storage.capabilities.seenLate) throw seenLate(storage);
  for (const { id, problem } of await content.places(options)) {
    if (problem) continue;
    try {
      const place = await content.at(id, options);
      if (place.storage.capabilities.seenLate) throw seenLate(place.storage);
    } catch (error) {
      // Nothing is deleted where nobody gets.
      if (!isStowageError(error, 'PLACE_UNREACHABLE', 'PLACE_NOT_TRUSTED')) throw error;
    }
  }
}

function seenLate(storage: DataStoreStorage): StowageError {
  const where = rootOf(storage);
  return new StowageError(
    'STORAGE_UNSUPPORTED',
    `${where} lies on a network file system (NFS or SMB), where a machine may see only after a while what another one wrote: what somebody saves just now could be taken for dead. Nothing was deleted. Collect it while nothing else writes to it, and say so: { exclusive: true }.`,
    { details: { where, remedy: 'exclusive' } },
  );
}

async function removeUnfinished(
  { content }: OpenedStore,
  dryRun: boolean,
  progress: StepProgress,
  { signal }: CallOptions,
): Promise<UnfinishedResult> {
  const problems: StowageError[] = [];
  const onProblem = (error: StowageError): void => {
    if (problems.length < MAX_TOLD) problems.push(error);
  };
  const search = new UnfinishedSearch(content, { olderThanMs: SURELY_DEAD_MS, signal, onProblem });
  let [found, bytes, removed] = [0, 0, 0];
  for await (const { write, remove } of search.find()) {
    found += 1;
    bytes += write.bytes ?? 0;
    progress.at('unfinished', found);
    if (dryRun) continue;
    try {
      await remove({ signal });
      removed += 1;
    } catch (error) {
      if (!isStowageError(error) || error.code === 'ABORTED') throw error;
      onProblem(error);
    }
  }
  return { found, bytes, removed, problems };
}

/** Tells a listener of one step after the other. */
class StepProgress {
  readonly #meter: ProgressMeter<CollectStoreProgress> | undefined;
  #step: CollectStoreStep = 'unfinished';
  #done = 0;

  constructor(listener: CollectStoreOptions['onProgress']) {
    const complete = (progress: Progress): CollectStoreProgress => ({
      ...progress,
      step: this.#step,
      stepItemsDone: this.#done,
    });
    this.#meter = listener && new ProgressMeter(listener, 'collectStore', complete);
  }

  readonly at = (step: CollectStoreStep, done: number): void => {
    if (step !== this.#step) this.#done = 0;
    this.#step = step;
    for (; this.#done < done; this.#done++) this.#meter?.itemDone();
  };

  succeed(): void {
    this.#meter?.succeed();
  }

  stop(): void {
    this.#meter?.stop();
  }
}
