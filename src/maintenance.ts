import { onUse } from './async/open-files.ts';
import type { CollectStoreOptions, CollectStoreResult } from './maintenance/collect-store.ts';
import type { CopyResult } from './maintenance/copy-report.ts';
import type { CopyOptions } from './maintenance/copy-store.ts';
import type { EraseOptions, ErasingOptions } from './maintenance/erasure/erase-from-store.ts';
import type { ErasureResult } from './maintenance/erasure/erasure-report.ts';
import type { MaintenanceOptions } from './maintenance/opened-store.ts';
import type {
  ApplyRetentionOptions,
  PlanRetentionOptions,
  RemoveOptions,
  RetentionPlan,
  RetentionResult,
} from './maintenance/retention/retention-plan.ts';
import type { SavePolicyOptions, StoredPolicy } from './maintenance/stored-policy.ts';

// Programs that save and load need none of this: it is loaded by the first call.
const collectStorePart = onUse(() => import('./maintenance/collect-store.ts'));
const copyStorePart = onUse(() => import('./maintenance/copy-store.ts'));
const eraseFromStorePart = onUse(() => import('./maintenance/erasure/erase-from-store.ts'));
const planRetentionPart = onUse(() => import('./maintenance/retention/plan-retention.ts'));
const applyRetentionPart = onUse(() => import('./maintenance/retention/apply-retention.ts'));
const removePart = onUse(() => import('./maintenance/retention/remove.ts'));
const storedPolicyPart = onUse(() => import('./maintenance/stored-policy.ts'));

/**
 * Deletes what nobody needs any more: what a policy gives up, content that nothing refers to, and writes that never ended. Others may read, write and collect the
 * store meanwhile, unless `exclusive` promises that nobody does. One that was interrupted, by whatever, goes on when it is called again.
 *
 * Resolves also where something could not be deleted: see `problems` of `retention` and `unfinished`, `unconfirmed` and `undeleted` of `collection`.
 * Where another collector was faster (`collection.outcome` is `superseded`), call it again later.
 *
 * @throws StowageError `NO_SUCH_STORE`, `NOT_A_STORE`; `STORAGE_UNSUPPORTED` for a store on a network file system without `exclusive`;
 * `STORE_BUSY` with `exclusive` where somebody writes to it; `UNSUPPORTED_FORMAT`, `RECORD_DAMAGED`, `CONTENT_DAMAGED` or
 * `CONTENT_NOT_FOUND` for what may keep content alive and cannot be read; `STORAGE_FAILED` for a listing that the storage cannot have given;
 * `INVALID_ARGUMENT`, also for a policy that gives up every run without `evenEverything`; `INVALID_NAME`; `ABORTED`
 */
export async function collectStore(options: CollectStoreOptions): Promise<CollectStoreResult> {
  return (await collectStorePart()).collectStore(options);
}

/**
 * Copies a run, a flow or a whole store to another store, wherever the two lie. Only what the target lacks is written, and what is
 * read is verified. The source is only read, and may be written meanwhile: attempts that are open are left for the next
 * copy. In the target each attempt appears whole or not at all, under its own number. A copy that was interrupted, by whatever, goes on when it
 * is made again; several at once do no harm.
 *
 * An attempt that the target holds with another result is refused: it stays, and the rest is copied. Nothing is
 * ever deleted in the target but the text of logs that were scrubbed in the source.
 *
 * Resolves also where something was refused or could not be read: see `problems` of the result.
 *
 * @throws StowageError `NO_SUCH_STORE`, `NOT_A_STORE`, `RUN_NOT_FOUND` of the source; `INVALID_ARGUMENT`, `INVALID_NAME`; `ABORTED`; and
 * what ends work on a storage as a whole (`STORAGE_UNAVAILABLE`, `STORAGE_NOT_PERMITTED`, `STORAGE_FULL`, `NO_SUCH_BUCKET`, ...)
 */
export async function copyStore(options: CopyOptions): Promise<CopyResult> {
  return (await copyStorePart()).copyStore(options);
}

/**
 * Erases a content from a store: from every run of every flow, from what was saved outside tasks, from traces, checkpoints, reports and the cache.
 * Descriptions are written anew without it, and say why; loading it says `CONTENT_ERASED`. Packs that hold chunks of it are written anew, and all
 * of it is deleted. Everything else reads as before.
 *
 * It can run beside writers. What an open session has of the content can only go once that is closed: the result is `open` then, and names it;
 * {@link continueErasures} goes on, as it does after an interruption. Content that is saved again once an erasure is complete is content like any other.
 *
 * @throws StowageError `INVALID_ARGUMENT`, `INVALID_NAME`, `NO_SUCH_STORE`, `ARTIFACT_NOT_FOUND`, `CONTENT_ERASED` for an artifact that was erased, `CONTENT_NOT_FOUND`
 * for digits that begin no key; `UNSUPPORTED_FORMAT` for a store of a newer version; `ABORTED`, and what ends work on a storage as a whole
 */
export async function eraseFromStore(options: EraseOptions): Promise<ErasureResult> {
  return (await eraseFromStorePart()).eraseFromStore(options);
}

/**
 * Goes on with all erasures of a store that are not complete: they were interrupted, had to wait for open sessions, or could not delete something.
 * Resolves to what came of each.
 *
 * @throws StowageError as {@link eraseFromStore}
 */
export async function continueErasures(options: ErasingOptions): Promise<ErasureResult[]> {
  return (await eraseFromStorePart()).continueErasures(options);
}

/**
 * Tells what a policy gives up of a store, and what that would free: by flow, run and artifact. Changes nothing. Reads what all sessions of the store use, as a
 * collection does, where anything goes. Memory is bounded but for a few hundred bytes for each run.
 *
 * @throws StowageError `NO_SUCH_STORE`, `NOT_A_STORE`, `UNSUPPORTED_FORMAT`; `INVALID_ARGUMENT` and `INVALID_NAME` for a policy that is none; `ABORTED`
 */
export async function planRetention(options: PlanRetentionOptions): Promise<RetentionPlan> {
  return (await planRetentionPart()).planRetention(options);
}

/**
 * Gives up what a policy gives up of a store, or what a plan of it showed: marks attempts, then deletes their descriptions, values, logs and partial records, entries
 * of the cache, and the records of runs of which nothing else is left. It deletes no content that attempts share: a collection does, which follows. Writers and readers,
 * other retentions and collections may go on meanwhile: readers are told `ATTEMPT_DELETED` or `CONTENT_PURGED`.
 *
 * One that ended early, by whatever, is finished by the next. What cannot be deleted is told (`problems`) and left to the next; all else goes.
 *
 * @throws StowageError `INVALID_ARGUMENT` for a policy that is none, or one that gives up every run of the store without `evenEverything`; `NO_SUCH_STORE`, `NOT_A_STORE`,
 * `UNSUPPORTED_FORMAT`; `ABORTED`; and what ends work on a storage as a whole
 */
export async function applyRetention(options: ApplyRetentionOptions): Promise<RetentionResult> {
  return (await applyRetentionPart()).applyRetention(options);
}

/**
 * Removes a run, a step or a task, with all attempts, or one attempt, or their content alone, as `applyRetention` does, and the entries of the cache that name them. Of an artifact
 * it removes the content from the attempts of the task: they stay, and loading it says `CONTENT_ERASED`; other runs keep what is equal. What it frees is freed
 * by the collection that follows.
 *
 * @throws StowageError `RUN_NOT_FOUND`, `STEP_NOT_FOUND`, `TASK_NOT_FOUND`, `ATTEMPT_NOT_FOUND`, `ARTIFACT_NOT_FOUND`; `RUN_RUNNING` where an attempt of it is open, and its owner gave a sign of life in the last
 * 24 hours; `RUN_PINNED`; `INVALID_ARGUMENT`, `INVALID_NAME` for what is no path; `NO_SUCH_STORE`, `NOT_A_STORE`, `UNSUPPORTED_FORMAT`; `ABORTED`
 */
export async function removeFromStore(options: RemoveOptions): Promise<RetentionResult> {
  return (await removePart()).removeFromStore(options);
}

/**
 * Reads the retention policy that was saved with a store, which `stowage gc` goes by; `undefined` where there is none.
 *
 * @throws StowageError `NO_SUCH_STORE`; `RECORD_DAMAGED`; `UNSUPPORTED_FORMAT` for one with rules that this version does not know;
 * `INVALID_ARGUMENT`
 */
export async function readRetentionPolicy(options: MaintenanceOptions): Promise<StoredPolicy | undefined> {
  return (await storedPolicyPart()).readRetentionPolicy(options);
}

/**
 * Saves a retention policy with a store. It deletes nothing: whoever runs `stowage gc --yes` without rules of his own deletes by it.
 *
 * @throws StowageError `NO_SUCH_STORE`; `INVALID_ARGUMENT`, `INVALID_NAME` for what is no policy
 */
export async function saveRetentionPolicy(options: SavePolicyOptions): Promise<void> {
  return (await storedPolicyPart()).saveRetentionPolicy(options);
}
