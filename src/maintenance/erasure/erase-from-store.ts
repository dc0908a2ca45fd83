import type { ContentStore } from '../../content/content-store.ts';
import { invalidArgument } from '../../errors.ts';
import type { ContentKey } from '../../format/content-names.ts';
import type { ErasureRound } from '../../format/erasure-records.ts';
import { newSessionId, type SessionId } from '../../format/session-id.ts';
import {
  ANYTHING,
  checkOptions,
  FLAG,
  FUNCTION,
  type OptionTable,
  TEXT,
} from '../../options/option-table.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { checkKnown } from '../collection/known-folders.ts';
import { WorkFolder } from '../collection/sorted-lines.ts';
import { checkGivenStore, type MaintenanceOptions, withStore } from '../opened-store.ts';
import { keysToErase, parseErasureTarget } from './content-to-erase.ts';
import { ErasedKeys } from './erased-keys.ts';
import { labelOf } from './eraser-session.ts';
import type { Erasure, ErasureState } from './erasure.ts';
import type { ErasureContext, ErasureStep } from './erasure-context.ts';
import { ErasureLog, erasuresOfAll, openErasures } from './erasure-log.ts';
import { ErasureReport, type ErasureResult } from './erasure-report.ts';

/** How far an erasure is. */
export interface ErasureProgress {
  readonly step: ErasureStep;
  /** So many sessions, records, entries or names it has been through in this step. */
  readonly done: number;
}

/** Options that every call has which erases. */
export interface ErasingOptions extends MaintenanceOptions {
  /** Told of each step. Default: nobody. */
  onProgress?: ((progress: ErasureProgress) => void) | undefined;
}

/** Options of {@link eraseFromStore}. */
export interface EraseOptions extends ErasingOptions {
  /**
   * The content: a key, or its first digits (at least eight) where one stored content alone has them; or an artifact,
   * `flow/run/step/task[/attempt]/artifact`, whose value goes, and whatever references in it point at.
   */
  target: string;
  /** Why, which everybody is told who asks for what was erased: at most 1,000 characters. A dry run can do without. */
  reason?: string | undefined;
  /** Tells what would go, and changes nothing. Default `false`. */
  dryRun?: boolean | undefined;
}

const COMMON: OptionTable<ErasingOptions> = { store: ANYTHING, openPlace: FUNCTION, onProgress: FUNCTION };
/** A reason stands in every description. */
const MAX_REASON_LENGTH = 1_000;

/** Does what `eraseFromStore` of the package does, which loads it. */
export async function eraseFromStore(options: EraseOptions): Promise<ErasureResult> {
  checkOptions(options, 'eraseFromStore', { ...COMMON, target: TEXT, reason: TEXT, dryRun: FLAG });
  checkGivenStore(options.store, 'eraseFromStore');
  checkTarget(options);
  return withStore(options, undefined, ({ content }) => eraseIn(content, options));
}

/** Like {@link eraseFromStore}, in a store that is open. */
export async function eraseIn(
  content: ContentStore,
  options: Omit<EraseOptions, 'store' | 'openPlace'>,
): Promise<ErasureResult> {
  const { target, reason = '', dryRun = false, signal } = options;
  checkTarget(options);
  const parsed = parseErasureTarget(target);
  await checkKnown(content.storage, { signal });
  const keys = await keysToErase(content, parsed, { signal });
  const erasing = { keys, reason, dryRun, erasure: newSessionId() };
  return erase(content, erasing, options, async (erasure, log) => {
    if (dryRun) return erasure.plan();
    await content.prepareToWrite({ signal });
    await log.begin({ reason, state: 'open', keys, waitsFor: [], packs: [], left: [] });
    return erasure.run({ packs: [], left: [], isNew: true });
  });
}

/** Does what `continueErasures` of the package does, which loads it. */
export async function continueErasures(options: ErasingOptions): Promise<ErasureResult[]> {
  checkOptions(options, 'continueErasures', COMMON);
  checkGivenStore(options.store, 'continueErasures');
  return withStore(options, undefined, ({ content }) => continueIn(content, options));
}

/** Like {@link continueErasures}, in a store that is open. */
export async function continueIn(
  content: ContentStore,
  options: Omit<ErasingOptions, 'store' | 'openPlace'>,
): Promise<ErasureResult[]> {
  const { signal } = options;
  await checkKnown(content.storage, { signal });
  const results: ErasureResult[] = [];
  for (const round of await openErasures(content.storage, { signal })) {
    const { keys, reason, erasure } = round;
    const erasing = { keys, reason, dryRun: false, erasure, next: round.round + 1 };
    const result = await erase(content, erasing, options, async (each, log) => {
      await log.tellContents(round);
      return each.run(stateOf(round));
    });
    results.push(result);
  }
  return results;
}

/** One that was interrupted before it had looked at all sessions waits for none, and begins again. */
function stateOf({ waitsFor, packs, left, round }: ErasureRound): ErasureState {
  return { packs, left, ...(round === 0 ? {} : { waitsFor }) };
}

interface Erasing {
  keys: readonly ContentKey[];
  reason: string;
  dryRun: boolean;
  erasure: SessionId;
  next?: number;
}

async function erase(
  content: ContentStore,
  { keys, reason, dryRun, erasure, next = 0 }: Erasing,
  { signal, onProgress }: Pick<ErasingOptions, 'signal' | 'onProgress'>,
  work: (erasure: Erasure, log: ErasureLog) => Promise<ErasureResult>,
): Promise<ErasureResult> {
  const options: CallOptions = { signal };
  const { Erasure } = await import('./erasure.ts'); // with the collector, which others need not load
  const others = await erasuresOfAll(content.storage, keys, options);
  const folder = new WorkFolder();
  const context: ErasureContext = {
    content,
    targets: new ErasedKeys(new Map(keys.map((key) => [key, reason]))),
    report: new ErasureReport(),
    folder,
    dryRun,
    label: labelOf(erasure),
    goOn: 'Go on with it: stowage erase --continue, or continueErasures',
    harmless: new Set([erasure, ...others].map(labelOf)),
    at: new Date().toISOString(),
    options,
    progress: (step, done) => onProgress?.({ step, done }),
  };
  const log = new ErasureLog(content.storage, erasure, next, options);
  try {
    return await work(new Erasure(context, log, reason), log);
  } finally {
    folder.remove();
  }
}

function checkTarget({ target, reason, dryRun }: Pick<EraseOptions, 'target' | 'reason' | 'dryRun'>): void {
  if (typeof target !== 'string')
    throw invalidArgument('An erasure takes a target: the key of a content, or an artifact.');
  if (dryRun && reason === undefined) return;
  if (typeof reason === 'string' && reason.trim() !== '' && reason.length <= MAX_REASON_LENGTH) return;
  throw invalidArgument(
    `An erasure takes a reason, a text of at most ${MAX_REASON_LENGTH} characters: it is what everybody is told who asks for what was erased.`,
  );
}
