import { BoundedMap } from '../../../async/bounded-map.ts';
import { invalidArgument, throwIfAborted } from '../../../errors.ts';
import { ANYTHING, checkOptions, FLAG, type OptionTable } from '../../../options/option-table.ts';
import { Staging } from '../../../sessions/staging.ts';
import { rootOf } from '../../../storage/canonical-address.ts';
import { ReadOnlyStorage } from '../../../storage/read-only.ts';
import {
  closing,
  type DecorateStorage,
  type GivenStore,
  isAddress,
  isGivenStore,
  type MaintenanceOptions,
  type OpenedStore,
  openForMaintenance,
} from '../../opened-store.ts';
import { type CheckOptions, checkDecorated } from '../check-store.ts';
import type { Finding } from '../finding.ts';
import type { ComparedPart } from './compare-stores.ts';
import type { FindingsMender } from './mend-findings.ts';
import { ErasedContents, type RepairContext, type SourceStore } from './repair-context.ts';
import type { RepairStep } from './repair-steps.ts';

/** Options of {@link repairStore}. */
export interface RepairOptions
  extends MaintenanceOptions,
    Pick<
      CheckOptions,
      'flowName' | 'runId' | 'sample' | 'seed' | 'since' | 'signingKeys' | 'nowMs' | 'onProgress'
    > {
  /**
   * Stores that may have what this one lost, the first ones first: a copy that `copyStore` made, the store of which this one is a copy, or one
   * that was copied file by file. They are only read, and all that comes from them is verified. Default: none; then what is left in the
   * store itself is put together.
   */
  from?: readonly GivenStore[] | undefined;
  /** Looks for what would be mended, and changes nothing. Default `false`. */
  dryRun?: boolean | undefined;
}

const OPTIONS: OptionTable<RepairOptions> = {
  // Checked by the check, which they are passed to.
  store: ANYTHING,
  openPlace: ANYTHING,
  flowName: ANYTHING,
  runId: ANYTHING,
  sample: ANYTHING,
  seed: ANYTHING,
  since: ANYTHING,
  signingKeys: ANYTHING,
  nowMs: ANYTHING,
  onProgress: ANYTHING,
  from: {
    expects: 'a list of stores, each an address or a storage',
    accepts: (value) => Array.isArray(value) && value.every(isGivenStore),
  },
  dryRun: FLAG,
};
/** A record that was mended names content which is checked by the next round; that has no more records to mend, as a rule. */
const MAX_ROUNDS = 4;
/** So many losses are remembered as told. */
const REMEMBERED = 100_000;

/**
 * Checks a store, and mends what it finds, while others read, write and collect it. Contents are written anew in whole copies, from what the
 * damaged ones still give, from chunks in packs of other contents, or from other stores; records are put back where another store has
 * them; what is of no use is deleted or marked. What cannot be had any more is told, one artifact after the other. Nothing
 * that can be read becomes worse. A repair that was interrupted, by whatever, is finished by the next one.
 *
 * @throws StowageError while it is iterated: as `checkStore`, and what writing throws. At the call: `INVALID_ARGUMENT`, `INVALID_NAME`
 */
export function repairStore(options: RepairOptions): AsyncGenerator<RepairStep, void> {
  return repairDecorated(options);
}

/** Like {@link repairStore}. Each storage that it opens, those of places among them, is used as `decorate` gives it. */
export function repairDecorated(
  options: RepairOptions,
  decorate: DecorateStorage = (opened) => opened,
): AsyncGenerator<RepairStep, void> {
  if (options === undefined) throw invalidArgument('repairStore takes options, at least { store }.');
  checkOptions(options, 'repairStore', OPTIONS);
  return repair(options, decorate);
}

async function* repair(options: RepairOptions, decorate: DecorateStorage): AsyncGenerator<RepairStep, void> {
  const { store, from = [], openPlace, dryRun = false, signal, ...checking } = options;
  throwIfAborted(signal);
  const opened: OpenedStore[] = [];
  const open = async (given: GivenStore, isReadOnly: boolean): Promise<OpenedStore> => {
    const as: DecorateStorage = (storage) =>
      isReadOnly ? new ReadOnlyStorage(decorate(storage)) : decorate(storage);
    const usable = isReadOnly && !isAddress(given) ? new ReadOnlyStorage(given) : given;
    const one = await openForMaintenance({ store: usable, openPlace }, as, { verifyHits: true });
    opened.push(one);
    return one;
  };
  const call = { signal };
  let staging: Staging | undefined;
  let failure: unknown;
  try {
    const { content: target } = await open(store, dryRun);
    const targetId = await target.storeId(call);
    const others: SourceStore[] = [];
    for (const given of from) {
      const { content } = await open(given, true);
      others.push({ store: content, id: await content.storeId(call), uri: rootOf(content.storage) });
    }
    staging = new Staging(target, call);
    const erased = new ErasedContents({ target, options: call });
    const context: RepairContext = { target, targetId, others, staging, erased, dryRun, options: call };
    const check = (): AsyncIterable<Finding> =>
      checkDecorated({ ...checking, store, openPlace, signal }, decorate);
    yield* inRounds(context, check, options);
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    await closing(opened, async () => staging?.close(failure));
  }
}

async function* inRounds(
  context: RepairContext,
  check: () => AsyncIterable<Finding>,
  part: ComparedPart,
): AsyncGenerator<RepairStep> {
  const { FindingsMender } = await import('./mend-findings.ts');
  const told = new BoundedMap<string, true>(REMEMBERED);
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const mender = new FindingsMender(context);
    for await (const step of stepsOf(mender, check, part)) {
      if (step.outcome === 'mended') yield step;
      else if (!told.get(idOf(step))) {
        told.set(idOf(step), true);
        yield step;
      }
    }
    if (!mender.hasMendedRecords || context.dryRun) return;
  }
}

async function* stepsOf(
  mender: FindingsMender,
  check: () => AsyncIterable<Finding>,
  part: ComparedPart,
): AsyncGenerator<RepairStep> {
  yield* mender.compare(part);
  for await (const finding of check()) yield* mender.mend(finding);
  yield* mender.finish();
}

/** What is lost or left is found by each round. */
function idOf(step: RepairStep): string {
  const { outcome: kind, place, object } = step;
  const of =
    kind === 'lost' ? [step.flow, step.run, step.step, step.task, step.attempt, step.session, step.name] : [];
  return JSON.stringify([kind, place, object, ...of]);
}
