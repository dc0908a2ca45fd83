import { type Progress, ProgressMeter, type ProgressOptions } from '../../async/progress.ts';
import { invalidArgument, StowageError, throwIfAborted } from '../../errors.ts';
import { runNotFound } from '../../flow/run-selection.ts';
import { type CacheSigningKeys, type EntrySigner, signerOf } from '../../format/signing.ts';
import {
  ANYTHING,
  checkOptions,
  DATE,
  FUNCTION,
  type OptionTable,
  TEXT,
  wholeNumber,
} from '../../options/option-table.ts';
import { validateUserName } from '../../storage/names.ts';
import { ReadOnlyStorage } from '../../storage/read-only.ts';
import {
  checkGivenStore,
  type DecorateStorage,
  isAddress,
  type MaintenanceOptions,
  type OpenedStore,
  openForMaintenance,
} from '../opened-store.ts';
import type { Step } from './check-steps.ts';
import type { Checking } from './checking.ts';
import { problemOf } from './faults.ts';
import type { Finding, Layer, Severity } from './finding.ts';
import { Reading } from './reading.ts';

/** How far a check is. */
export interface CheckProgress extends Progress {
  /** The layer that is being checked. */
  layer: Layer;
  /** Findings so far. */
  findings: number;
  /** Passed as `resume`, another check goes on from here; `undefined` before the first content was read. */
  cursor: string | undefined;
}

/** Options of {@link checkStore}. */
export interface CheckOptions extends MaintenanceOptions, ProgressOptions<CheckProgress> {
  /** Only the runs of this flow, and the content that they need. Default: all that is in the store. */
  flowName?: string | undefined;
  /** Only this run; needs `flowName`. Default: all runs. */
  runId?: string | undefined;
  /**
   * The part of all contents that is read whole, from 0 to 1. Records, manifests and the presence and lengths of all objects are always
   * checked. Default 1.
   */
  sample?: number | undefined;
  /**
   * Which part `sample` takes: parts of following seeds lie side by side and come round, so that 20 checks of 5 % with the seeds 0 to 19
   * read everything once. Default: the days since 1970.
   */
  seed?: number | undefined;
  /** Only what was written since, by the storage's clock: records, and content. What these records need is looked for however old it is. Default: everything. */
  since?: Date | undefined;
  /** The cursor of a check that was interrupted, with the same options otherwise: contents that it read are not read again. Default: none. */
  resume?: string | undefined;
  /**
   * The ring of keys by which the signatures of entries of the cache are verified; `false`: they are not. Default: what the environment variable
   * `STOWAGE_CACHE_KEY` holds; they are not if it is not set.
   */
  signingKeys?: CacheSigningKeys | false | undefined;
  /** The time that tells what may still be under way, in milliseconds since 1970, for tests. Default: this machine's clock. */
  nowMs?: number | undefined;
}

/** What a check came to. */
export interface CheckSummary {
  /** True if the check came to its end and found nothing but notices. */
  readonly isSound: boolean;
  /** True if it came to its end. */
  readonly isComplete: boolean;
  /** Objects that were looked at. */
  readonly objects: number;
  /** Bytes that were read. */
  readonly bytesRead: number;
  /** Requests to storages, those for listings by page. */
  readonly requests: number;
  readonly findings: Readonly<Record<Severity, number>>;
  readonly sample: number;
  readonly seed: number;
  /** Where another check would go on; `undefined` before the first content was read. */
  readonly cursor: string | undefined;
}

/** A check: its findings as they come, once; and what it came to. */
export interface StoreCheck extends AsyncIterable<Finding> {
  /** As far as it has come. */
  readonly summary: CheckSummary;
}

const OPTIONS: OptionTable<CheckOptions> = {
  store: ANYTHING,
  openPlace: FUNCTION,
  flowName: ANYTHING,
  runId: ANYTHING,
  sample: { expects: 'a part from 0 to 1', accepts: (value) => isPart(value) },
  seed: wholeNumber(0),
  since: DATE,
  resume: TEXT,
  signingKeys: ANYTHING,
  nowMs: wholeNumber(0),
  onProgress: FUNCTION,
};
/** Counts of storages are added up no more often. */
const TOLD_EVERY_MS = 100;
const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Checks a store, or a flow or run of it: every record, and every content against its key. Findings come as they are found. The store is
 * only read, and may be written, collected and pruned meanwhile: what is under way, and what was given up since it was listed, is no
 * finding. Memory is bounded: what is to be held against each other is sorted on disk, below the folder for temporary files.
 *
 * What nothing refers to and nothing follows cannot be missed: a run whose records are all gone, the last part of a log, the newest
 * version of the collector's log.
 *
 * @throws StowageError while it is iterated: `NO_SUCH_STORE`; `RUN_NOT_FOUND` for a flow or run that is not there; `UNSUPPORTED_FORMAT` for a store of a newer version; `ABORTED`; and what ends work on
 * a storage as a whole (`STORAGE_UNAVAILABLE`, `STORAGE_CREDENTIALS`, `NO_SUCH_BUCKET`). At the call: `INVALID_ARGUMENT`, `INVALID_NAME`
 */
export function checkStore(options: CheckOptions): StoreCheck {
  return checkDecorated(options);
}

/** Like {@link checkStore}. Each storage that it opens, those of places among them, is used as `decorate` gives it. */
export function checkDecorated(options: CheckOptions, decorate?: DecorateStorage): StoreCheck {
  checkCheckOptions(options);
  const { sample = 1, seed = Math.floor(Date.now() / DAY_MS), resume } = options;
  const signer = signerOf(options.signingKeys);
  return new RunningCheck(options, decorate, new Reading({ sample, seed, resume }), { sample, seed, signer });
}

class RunningCheck implements StoreCheck {
  readonly #options: CheckOptions;
  readonly #decorate: DecorateStorage;
  readonly #reading: Reading;
  readonly #part: { sample: number; seed: number };
  readonly #signer: EntrySigner | undefined;
  readonly #findings: Record<Severity, number> = { lost: 0, damaged: 0, unknown: 0, notice: 0 };
  #opened: OpenedStore | undefined;
  #meter: ProgressMeter<CheckProgress> | undefined;
  #objects = 0;
  #bytesTold = 0;
  #toldAtMs = 0;
  #layer: Layer = 'store';
  #isBegun = false;
  #isComplete = false;

  constructor(
    options: CheckOptions,
    decorate: DecorateStorage = (opened) => opened,
    reading: Reading,
    { signer, ...part }: { sample: number; seed: number; signer: EntrySigner | undefined },
  ) {
    this.#options = options;
    this.#decorate = (opened) => new ReadOnlyStorage(decorate(opened));
    this.#reading = reading;
    this.#part = part;
    this.#signer = signer;
  }

  get summary(): CheckSummary {
    const counts = this.#opened?.counted.map((counted) => counted.snapshot()) ?? [];
    const { lost, damaged, unknown } = this.#findings;
    return {
      isSound: this.#isComplete && lost + damaged + unknown === 0,
      isComplete: this.#isComplete,
      objects: this.#objects,
      bytesRead: counts.reduce((sum, { get }) => sum + get.bytes, 0),
      requests: counts.reduce((sum, { requests }) => sum + requests, 0),
      findings: { ...this.#findings },
      ...this.#part,
      cursor: this.#reading.cursor,
    };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Finding, void> {
    if (this.#isBegun) throw invalidArgument('A check gives its findings once; call checkStore again.');
    this.#isBegun = true;
    const { signal, store } = this.#options;
    throwIfAborted(signal);
    // One that was given is not closed, and not written either.
    const given = isAddress(store) ? store : new ReadOnlyStorage(store);
    const opened = await openForMaintenance({ ...this.#options, store: given }, this.#decorate);
    this.#opened = opened;
    this.#meter = this.#newMeter();
    const checking = await this.#begin(opened);
    let isThrown = true;
    try {
      if (checking.isPart) await ensureThere(checking);
      const { STEPS } = await import('./check-steps.ts');
      for (const step of STEPS) {
        if (checking.isPart && !step.isOfPart) continue;
        this.#layer = step.layer;
        this.#tell();
        for await (const finding of checkStep(step, checking, signal)) {
          this.#findings[finding.severity] += 1;
          yield finding;
        }
      }
      this.#isComplete = true;
      this.#tell();
      this.#meter?.succeed();
      isThrown = false;
    } finally {
      this.#meter?.stop();
      checking.folder.remove();
      await opened.close().catch((error: unknown) => {
        if (!isThrown) throw error; // else what ended the check is what is told
      });
    }
  }

  async #begin({ content }: OpenedStore): Promise<Checking> {
    const { Checking } = await import('./checking.ts');
    const { flowName: flow, runId: run, since, nowMs = Date.now(), signal } = this.#options;
    const choice = { scope: { flow, run }, sinceMs: since?.getTime(), nowMs, signer: this.#signer };
    const onObject = (): void => {
      this.#objects += 1;
      if (performance.now() - this.#toldAtMs >= TOLD_EVERY_MS) this.#tell();
    };
    return new Checking(content, choice, this.#reading, onObject, { signal });
  }

  #tell(): void {
    this.#toldAtMs = performance.now();
    if (!this.#meter) return;
    const { bytesRead } = this.summary;
    this.#meter.add(bytesRead - this.#bytesTold);
    this.#bytesTold = bytesRead;
  }

  #newMeter(): ProgressMeter<CheckProgress> | undefined {
    const { onProgress } = this.#options;
    if (!onProgress) return undefined;
    return new ProgressMeter(onProgress, 'checkStore', (progress) => {
      const { objects, findings, cursor } = this.summary;
      const found = Object.values(findings).reduce((sum, count) => sum + count, 0);
      return { ...progress, itemsDone: objects, layer: this.#layer, findings: found, cursor };
    });
  }
}

/** The findings of a step; where a listing of it fails, the rest of it is not known, and others go on. */
async function* checkStep(
  { layer, check }: Step,
  checking: Checking,
  signal: AbortSignal | undefined,
): AsyncGenerator<Finding, void> {
  try {
    for await (const finding of check(checking)) {
      throwIfAborted(signal);
      yield finding;
    }
  } catch (error) {
    if (layer === 'store') throw error;
    const fault = problemOf(error);
    checking.isIncomplete = true;
    const message = `The layer ${layer} could not be checked to its end. ${fault.error.message}`;
    yield checking.found({ layer, object: '', concerns: [] }, 'unreadable', message);
  }
}

/** A name that was mistyped is no sound run. */
async function ensureThere(checking: Checking): Promise<void> {
  const { content, storage, choice, call } = checking;
  for (const folder of ['runs/', 'flows/']) {
    for await (const page of storage.list({ prefix: checking.prefixOf(folder), limit: 1, ...call }))
      if (page.objects.length > 0) return;
  }
  if (!(await content.isThereToRead(call))) await content.prepareToRead(call); // which says so
  const { flow = '', run } = choice.scope;
  if (run !== undefined) throw runNotFound(flow, run);
  throw new StowageError(
    'RUN_NOT_FOUND',
    `Flow ${flow} has no runs in the store. See what there is with: stowage ls`,
    { details: { flow } },
  );
}

function isPart(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value <= 1;
}

function checkCheckOptions(options: CheckOptions): void {
  if (options === undefined) throw invalidArgument('checkStore takes options, at least { store }.');
  checkOptions(options, 'checkStore', OPTIONS);
  const { store, flowName, runId } = options;
  checkGivenStore(store, 'checkStore');
  if (flowName !== undefined) validateUserName(flowName, 'flow name');
  if (runId !== undefined) validateUserName(runId, 'run id');
  if (runId !== undefined && flowName === undefined) throw invalidArgument('A runId needs its flowName.');
}
