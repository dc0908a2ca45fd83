import { BoundedWork } from '../../async/bounded-work.ts';
import { isOfOneRecord } from '../../attempts/run-listing.ts';
import { invalidArgument, throwIfAborted } from '../../errors.ts';
import { entryName, evictedName } from '../../format/cache-names.ts';
import { abandonRun } from '../../format/run-ends.ts';
import { readRunPin } from '../../format/run-pins.ts';
import { isStoreName } from '../../format/store-names.ts';
import {
  ANYTHING,
  checkOptions,
  FLAG,
  FUNCTION,
  type OptionTable,
  wholeNumber,
} from '../../options/option-table.ts';
import { openPlaces } from '../collection/places.ts';
import { WorkFolder } from '../collection/sorted-lines.ts';
import { checkGivenStore, type DecorateStorage, type OpenedStore, withStore } from '../opened-store.ts';
import { remainsOfCache } from './cache-remains.ts';
import { chooseRetention, type RetentionChoice } from './choose-retention.ts';
import type { JudgedRun } from './choose-runs.ts';
import { type GivingUp, giveUp } from './give-up.ts';
import { compareRuns, KeptAttempts } from './kept-attempts.ts';
import { abandonedOf, goingOf, isEverything } from './plan-retention.ts';
import { readPolicy } from './policy.ts';
import type { ApplyRetentionOptions, RetentionPlan, RetentionResult } from './retention-plan.ts';
import { storeTimeMs } from './store-clock.ts';

const OPTIONS: OptionTable<ApplyRetentionOptions> = {
  store: ANYTHING,
  openPlace: FUNCTION,
  policy: ANYTHING,
  plan: ANYTHING,
  evenEverything: FLAG,
  concurrency: wholeNumber(1, 64),
  onProgress: FUNCTION,
  nowMs: wholeNumber(0),
};
const DEFAULT_CONCURRENCY = 4;
const MAX_PROBLEMS = 100;
const BATCH = 500;
const EMPTY = new Uint8Array(0);

/** Does what `applyRetention` of the package does, which loads it. */
export function applyRetention(options: ApplyRetentionOptions): Promise<RetentionResult> {
  return applyDecorated(options, undefined);
}

/** Like {@link applyRetention}. Storages that it opens are used as `decorate` gives them. */
export async function applyDecorated(
  options: ApplyRetentionOptions,
  decorate: DecorateStorage | undefined,
): Promise<RetentionResult> {
  checkOptions<ApplyRetentionOptions>(options, 'applyRetention', OPTIONS);
  checkGivenStore(options?.store, 'applyRetention');
  readPolicy(policyOf(options)); // before anything is opened
  return withStore(options, decorate, (opened) => applyTo(opened, options));
}

/** Gives up what a policy gives up of a store that is open. */
export async function applyTo(
  { content }: Pick<OpenedStore, 'content'>,
  options: Omit<ApplyRetentionOptions, 'store' | 'openPlace'>,
): Promise<RetentionResult> {
  const { plan, nowMs, evenEverything = false, onProgress = () => {}, signal } = options;
  const folder = new WorkFolder();
  try {
    await content.prepareToWrite({ signal });
    if (plan && plan.storeId !== (await content.storeId({ signal }))) {
      throw invalidArgument('The plan is one of another store; make one of this store.', {
        storeId: plan.storeId,
      });
    }
    const storeNowMs = nowMs ?? (await storeTimeMs(content.storage, { signal }));
    const { places } = await openPlaces(content, [], { signal });
    const owned = [...places.values()];
    const choice = await chooseRetention(content, folder, {
      policy: readPolicy(policyOf(options)),
      places: owned,
      nowMs: plan ? Date.parse(plan.plannedAt) : storeNowMs,
      silentAtMs: storeNowMs,
      isCounted: false,
      onProgress,
      signal,
    });
    if (isEverything(choice.judged) && !evenEverything) throw everything(choice.judged.length);
    const result = newResult();
    const giving: GivingUp = {
      content,
      folder,
      places: owned,
      storeNowMs,
      counts: result,
      onProblem: (error, at) => noteProblem(result, error, at),
      options: { signal },
    };
    return await new Application(giving, choice, result, options).run();
  } finally {
    folder.remove();
  }
}

/** A result of which nothing was done yet. */
export function newResult(): RetentionResult {
  return {
    dryRun: false,
    runs: 0,
    runsInPart: 0,
    attempts: { deleted: 0, purged: 0 },
    artifacts: 0,
    abandoned: { runs: 0, attempts: 0 },
    codeSessions: 0,
    cacheEntries: 0,
    objects: 0,
    left: [],
    problems: [],
    problemCount: 0,
  };
}

/** Keeps the first problems, and counts all. */
export function noteProblem(
  result: RetentionResult,
  error: Error,
  at: { flow?: string; run?: string; name?: string },
): void {
  result.problemCount += 1;
  if (result.problems.length < MAX_PROBLEMS) result.problems.push({ ...at, error });
}

class Application {
  readonly #giving: GivingUp;
  readonly #choice: RetentionChoice;
  readonly #result: RetentionResult;
  readonly #options: Omit<ApplyRetentionOptions, 'store' | 'openPlace'>;

  constructor(
    giving: GivingUp,
    choice: RetentionChoice,
    result: RetentionResult,
    options: Omit<ApplyRetentionOptions, 'store' | 'openPlace'>,
  ) {
    this.#giving = giving;
    this.#choice = choice;
    this.#result = result;
    this.#options = options;
  }

  async run(): Promise<RetentionResult> {
    const { judged, cache } = this.#choice;
    await this.#abandon();
    await this.#evict();
    const going = this.#chosen(new Set(goingOf(judged).map(({ run }) => run)));
    const begun = judged.filter((run) => run.stored.begun > 0 && !going.has(run));
    const work = new BoundedWork(this.#options.concurrency ?? DEFAULT_CONCURRENCY);
    const kept = new KeptAttempts(cache.keptAttempts, this.#giving.folder);
    const { onProgress = () => {} } = this.#options;
    let done = 0;
    try {
      for (const run of [...going, ...begun].sort((a, b) => compareRuns(a.stored, b.stored))) {
        const ofRun = kept.of(run.stored);
        await work.begin(async () => {
          await this.#giveUpRun(run, going.has(run), ofRun);
          done += 1;
          onProgress({ step: 'delete', done, total: going.size + begun.length });
        });
      }
      await work.finish();
    } finally {
      kept.close();
      await work.settle();
    }
    await this.#deleteRemains();
    return this.#result;
  }

  /** What is left of the records of runs whose deletion ended early, and hints of flows without runs, which tell of content that is about to go. */
  async #deleteRemains(): Promise<void> {
    const { storage } = this.#giving.content;
    const { options } = this.#giving;
    const flows = new Set<string>();
    let oldestRunMs = Number.POSITIVE_INFINITY;
    let run: { folder: string; names: string[] } = { folder: '', names: [] };
    const endRun = async (): Promise<void> => {
      const [, flow = ''] = run.folder.split('/');
      if (run.names.includes(`${run.folder}created.json`)) flows.add(flow);
      else if (!(await storage.head(`${run.folder}created.json`, options))) await this.#delete(run.names);
    };
    for await (const { objects } of storage.list({ prefix: 'runs/', details: true, ...options })) {
      for (const { name, modifiedAtMs = 0 } of objects) {
        if (name.endsWith('/created.json')) oldestRunMs = Math.min(oldestRunMs, modifiedAtMs);
        const folder = name.slice(0, name.lastIndexOf('/') + 1);
        if (folder !== run.folder) {
          if (run.names.length > 0) await endRun();
          run = { folder, names: [] };
        }
        if (isStoreName(name)) run.names.push(name);
      }
    }
    if (run.names.length > 0) await endRun();
    for await (const { folders } of storage.list({ prefix: 'hints/', depth: 'one', ...options })) {
      for (const folder of folders) {
        if (flows.has(folder.slice('hints/'.length, -1))) continue;
        for await (const { objects } of storage.list({ prefix: folder, ...options }))
          await this.#delete(objects.map(({ name }) => name));
      }
    }
    const { usesSinceMs } = this.#choice.cache;
    const { storeNowMs } = this.#giving;
    for await (const names of remainsOfCache(storage, { oldestRunMs, usesSinceMs, storeNowMs }, options))
      await this.#delete(names);
  }

  async #delete(names: readonly string[]): Promise<void> {
    if (names.length === 0) return;
    const failures = await this.#giving.content.storage.delete(names, this.#giving.options);
    for (const { name, error } of failures) noteProblem(this.#result, error, { name });
  }

  async #giveUpRun(
    { stored: { flow, run }, rules }: JudgedRun,
    goes: boolean,
    kept: ReturnType<KeptAttempts['of']>,
  ): Promise<void> {
    const { content, options } = this.#giving;
    const what = { flow, run, kept, contentOnly: goes && rules.contentOnly, onlyBegun: !goes };
    try {
      if (goes && (await readRunPin(content.storage, flow, run, options))?.pinned) {
        this.#result.left.push({ flow, run, why: 'pinned' });
        return;
      }
      const state = await giveUp(this.#giving, what);
      if (state === 'running') this.#result.left.push({ flow, run, why: 'running' });
      else if (state === 'gone') this.#result.runs += 1;
      else if (goes) this.#result.runsInPart += 1;
    } catch (error) {
      if (!isOfOneRecord(error)) throw error;
      noteProblem(this.#result, error, { flow, run });
    }
  }

  /** Closes runs that their processes left open, if they are silent by the store's clock. */
  async #abandon(): Promise<void> {
    const { content, options } = this.#giving;
    const { plan } = this.#options;
    const named = plan && new Set(plan.abandoned.map(idOf));
    for (const run of abandonedOf(this.#choice.judged)) {
      if (named && !named.has(idOf(run))) continue;
      throwIfAborted(options.signal);
      try {
        if (await abandonRun(content.storage, run.flow, run.run, options)) this.#result.abandoned.runs += 1;
      } catch (error) {
        if (!isOfOneRecord(error)) throw error;
        noteProblem(this.#result, error, run);
      }
    }
  }

  /** Deletes entries of the cache. Of those that would be good for longer it is noted, so that no attempt's result is found again. */
  async #evict(): Promise<void> {
    const { content, options } = this.#giving;
    const { storage } = content;
    let batch: { key: string; isExpired: boolean }[] = [];
    const flush = async (): Promise<void> => {
      const keys = batch.map(({ key }) => entryName(key));
      for (const { key, isExpired } of batch) {
        if (!isExpired) await storage.overwrite(evictedName(key), EMPTY, options);
      }
      batch = [];
      if (keys.length === 0) return;
      const failures = await storage.delete(keys, options);
      this.#result.cacheEntries += keys.length - failures.length;
      for (const { name, error } of failures) noteProblem(this.#result, error, { name });
    };
    for (const line of this.#choice.cache.evicted.sorted()) {
      const [key = '', why] = line.split('\t');
      batch.push({ key, isExpired: why === 'expired' });
      if (batch.length >= BATCH) await flush();
    }
    await flush();
  }

  /** Those of a plan, if there is one; what it names and does not go any more is told. */
  #chosen(going: ReadonlySet<JudgedRun>): ReadonlySet<JudgedRun> {
    const { plan } = this.#options;
    if (!plan) return going;
    const byId = new Map(this.#choice.judged.map((run) => [idOf(run.stored), run]));
    const chosen = new Set<JudgedRun>();
    for (const { flow, run: id } of plan.runs) {
      const run = byId.get(idOf({ flow, run: id }));
      if (run && going.has(run)) chosen.add(run);
      else this.#result.left.push({ flow, run: id, why: whyLeft(run) });
    }
    return chosen;
  }
}

function whyLeft(run: JudgedRun | undefined): RetentionResult['left'][number]['why'] {
  if (!run) return 'gone';
  return run.stays === 'pinned' || run.stays === 'running' ? run.stays : 'kept';
}

function idOf({ flow, run }: { flow: string; run: string }): string {
  return `${flow}/${run}`;
}

function policyOf({
  policy,
  plan,
}: {
  policy?: unknown;
  plan?: RetentionPlan | undefined;
}): RetentionPlan['policy'] {
  if (policy !== undefined && plan !== undefined && policy !== plan.policy)
    throw invalidArgument('applyRetention takes a plan, which has its policy, or a policy; not both.');
  return (policy ?? plan?.policy) as RetentionPlan['policy'];
}

function everything(runs: number): Error {
  return invalidArgument(
    `The policy gives up every run of the store (${runs}). If that is meant, pass evenEverything: true; look at it before with planRetention.`,
    { runs },
  );
}
