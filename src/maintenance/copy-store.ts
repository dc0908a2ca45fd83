import { BoundedMap } from '../async/bounded-map.ts';
import { BoundedWork } from '../async/bounded-work.ts';
import { KeyLocks } from '../async/key-locks.ts';
import type { ProgressOptions } from '../async/progress.ts';
import { type ListedRun, listRuns } from '../attempts/run-listing.ts';
import type { TaskCacheOptions } from '../cache/task-cache.ts';
import { isWithin, type OpenPlace } from '../content/places/places.ts';
import type { ContentAddressedStore } from '../content-addressed-store.ts';
import { invalidArgument, isStowageError, StowageError, throwIfAborted } from '../errors.ts';
import { runNotFound } from '../flow/run-selection.ts';
import { listTasks } from '../format/attempt-files.ts';
import { signerOf } from '../format/signing.ts';
import {
  ANYTHING,
  checkOptions,
  FLAG,
  FUNCTION,
  type OptionTable,
  wholeNumber,
} from '../options/option-table.ts';
import { Staging } from '../sessions/staging.ts';
import { canonicalAddress, rootOf } from '../storage/canonical-address.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { validateUserName } from '../storage/names.ts';
import type { CopyContext } from './copy-context.ts';
import { type CopyProgress, CopyReport, type CopyResult } from './copy-report.ts';
import type { RunToCopy } from './copy-run.ts';
import { EntriesToCopy } from './entries-to-copy.ts';
import {
  closing,
  type DecorateStorage,
  type GivenStore,
  isAddress,
  isGivenStore,
  type OpenedStore,
  openForMaintenance,
} from './opened-store.ts';

/** Options of {@link copyStore}. */
export interface CopyOptions
  extends CallOptions,
    ProgressOptions<CopyProgress>,
    Pick<TaskCacheOptions, 'signingKeys'> {
  /** The store to read: an address as `openStorage` takes it, or a storage, which stays open. */
  from: GivenStore;
  /** The store to write, which is made where there is none: an address, or a storage, which stays open. */
  to: GivenStore;
  /** Only the runs of this flow. Default: all flows, what was saved outside tasks, and published versions. */
  flowName?: string | undefined;
  /** Only this run; needs `flowName`. Default: all runs. */
  runId?: string | undefined;
  /**
   * Opens the places elsewhere at which content of the source lies (`rawDataPath`). Default: as for a flow, with credentials of the
   * environment for those that are trusted with them. In the target all content lies in the store itself.
   */
  openPlace?: OpenPlace | undefined;
  /** The number of tasks copied at a time: more wait less, and hold more in memory. Default 4. */
  concurrency?: number | undefined;
  /** Reads and compares, and writes nothing. Default `false`. */
  dryRun?: boolean | undefined;
}

const OPTIONS: OptionTable<CopyOptions> = {
  from: ANYTHING,
  to: ANYTHING,
  flowName: ANYTHING,
  runId: ANYTHING,
  openPlace: FUNCTION,
  signingKeys: ANYTHING,
  concurrency: wholeNumber(1),
  dryRun: FLAG,
  onProgress: FUNCTION,
};
const DEFAULT_CONCURRENCY = 4;
/** So many large contents are remembered as written. */
const REMEMBERED = 10_000;
/** So many runs may wait for their last tasks while the next ones are begun. */
const RUNS_AT_ONCE = 16;

/** Does what `copyStore` of the package does, which loads it. */
export function copyStore(options: CopyOptions): Promise<CopyResult> {
  return copyDecorated(options, (opened) => opened);
}

/** Like {@link copyStore}. Each storage that it opens, those of places among them, is used as `decorate` gives it. */
export async function copyDecorated(options: CopyOptions, decorate: DecorateStorage): Promise<CopyResult> {
  checkCopyOptions(options);
  throwIfAborted(options.signal);
  const { from, to, openPlace } = options;
  const source = await openForMaintenance({ store: from, openPlace }, decorate);
  return closing([source], async () => {
    const target = await openForMaintenance({ store: to }, decorate);
    return closing([target], async () => {
      const identities = { from: identityOf(from, source.storage), to: identityOf(to, target.storage) };
      refuseNested(source.storage, target.storage, identities);
      return copyBetween(source, target, { ...options, identities });
    });
  });
}

interface CopyBetweenOptions extends CopyOptions {
  identities: Identities;
}

/** The places where the two stores lie, whatever their addresses are. */
interface Identities {
  from: string;
  to: string;
}

async function copyBetween(
  from: OpenedStore,
  to: OpenedStore,
  copying: CopyBetweenOptions,
): Promise<CopyResult> {
  const { flowName, runId, identities, concurrency, dryRun = false, onProgress, signal } = copying;
  const signer = signerOf(copying.signingKeys); // before anything is copied
  const ending = new AbortController();
  const options = { signal: signal ? AbortSignal.any([signal, ending.signal]) : ending.signal };
  const { content: source } = from;
  const { content: target } = to;
  const sourceId = await source.storeId(options);
  const runs = await runsOf(source.storage, flowName, runId, options);
  const targetId = await prepareTarget(target, dryRun, options);
  if (sourceId === targetId && identities.from === identities.to) throw sameStore(from.storage);

  // Most programs never copy, and import none of it.
  const { copyRun } = await import('./copy-run.ts');
  const { copyLooseSessions } = await import('./copy-loose.ts');
  const { copyPublished } = await import('./copy-published.ts');
  const { copyCacheEntries } = await import('./copy-cache.ts');
  const report = new CopyReport(from.counted, to.counted, onProgress);
  const staging = new Staging(target, options);
  const context: CopyContext = {
    source,
    target,
    sourceId,
    targetId,
    staging,
    report,
    turns: new KeyLocks(),
    written: new BoundedMap(REMEMBERED),
    entries: new EntriesToCopy(flowName, runId),
    keptSessions: new Set(),
    dryRun,
    options,
  };
  report.runs = runs.length;
  // Whatever ends the copy ends what goes on beside it.
  const onFailure = (error: unknown): void => ending.abort(error);
  const tasks = new BoundedWork(concurrency ?? DEFAULT_CONCURRENCY, onFailure);
  const finishing = new BoundedWork(RUNS_AT_ONCE, onFailure);
  try {
    for (const run of runs) {
      const finish = await copyRun(context, run, tasks);
      await finishing.begin(finish);
    }
    if (flowName === undefined) {
      await copyPublished(context, tasks);
      await tasks.finish();
      await copyLooseSessions(context, tasks);
    }
    await tasks.finish();
    await finishing.finish();
    // Behind the attempts that they name.
    await copyCacheEntries(context, signer, tasks);
    await tasks.finish();
  } catch (error) {
    ending.abort(error);
    await tasks.settle();
    await finishing.settle();
    await staging.close(error);
    report.progress?.stop();
    throw ending.signal.reason; // what came first: the rest may be no more than its consequence
  }
  await staging.close();
  report.progress?.succeed();
  return report.result(dryRun);
}

/** Oldest first. */
async function runsOf(
  storage: DataStoreStorage,
  flow: string | undefined,
  run: string | undefined,
  options: CallOptions,
): Promise<RunToCopy[]> {
  if (flow !== undefined && run !== undefined) {
    if (await storage.head(`runs/${flow}/${run}/created.json`, options)) return [{ flow, run }];
    for await (const _task of listTasks(storage, { flow, run }, options)) return [{ flow, run }];
    throw runNotFound(flow, run);
  }
  const runs: ListedRun[] = await listRuns(storage, flow, options);
  if (runs.length === 0 && flow !== undefined) throw flowNotFound(flow);
  return runs.reverse().map(({ flow: flowName, run: runId }) => ({ flow: flowName, run: runId }));
}

/** The target's id; it is made where there is none, unless nothing is to be written. */
async function prepareTarget(
  target: ContentAddressedStore,
  dryRun: boolean,
  options: CallOptions,
): Promise<string | undefined> {
  if (!dryRun) await target.prepareToWrite(options);
  try {
    return await target.storeId(options);
  } catch (error) {
    if (dryRun && isStowageError(error, 'NO_SUCH_STORE')) return undefined;
    throw error;
  }
}

function checkCopyOptions(options: CopyOptions): void {
  if (options === undefined) throw invalidArgument('copyStore takes options, at least { from, to }.');
  checkOptions(options, 'copyStore', OPTIONS);
  const { from, to, flowName, runId } = options;
  if (!isGivenStore(from) || !isGivenStore(to)) {
    throw invalidArgument(
      'copyStore takes { from, to }: two addresses of stores, or storages that were opened.',
    );
  }
  if (flowName !== undefined) validateUserName(flowName, 'flow name');
  if (runId !== undefined) validateUserName(runId, 'run id');
  if (runId !== undefined && flowName === undefined) throw invalidArgument('A runId needs its flowName.');
}

/** The place where a store lies. For a storage that no address finds again, its own text for its objects. */
function identityOf(given: CopyOptions['from'], storage: DataStoreStorage): string {
  const root = rootOf(storage);
  // Two of the same name that none of them has are told apart by the ids of their stores alone.
  if (storage.type === 'memory') return root;
  return canonicalAddress(isAddress(given) ? String(given) : root, storage).identity;
}

/** A store inside another one would lie in its listings. */
function refuseNested(source: DataStoreStorage, target: DataStoreStorage, { from, to }: Identities): void {
  if (!isWithin(from, to) && !isWithin(to, from)) return;
  const [inner, outer] = isWithin(from, to) ? [source, target] : [target, source];
  throw invalidArgument(
    `${rootOf(inner)} lies inside ${rootOf(outer)}; name two stores of which neither is inside the other.`,
  );
}

function sameStore(storage: DataStoreStorage): StowageError {
  const uri = storage.uri('stowage.json').replace(/\/stowage\.json$/, '');
  return invalidArgument(`${uri} is both the source and the target; name two stores.`, { uri });
}

function flowNotFound(flow: string): StowageError {
  return new StowageError(
    'RUN_NOT_FOUND',
    `Flow ${flow} has no runs in the source. See what there is with: stowage ls`,
    {
      details: { flow },
    },
  );
}
