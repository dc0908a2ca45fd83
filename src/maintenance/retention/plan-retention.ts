import { mapBounded } from '../../async/bounded-work.ts';
import {
  ANYTHING,
  checkOptions,
  FUNCTION,
  type OptionTable,
  wholeNumber,
} from '../../options/option-table.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { openPlaces } from '../collection/places.ts';
import { Cursor, type SortedLines, WorkFolder } from '../collection/sorted-lines.ts';
import { checkGivenStore, type DecorateStorage, type OpenedStore, withStore } from '../opened-store.ts';
import { accountOf, type RunInAccount } from './account.ts';
import { chooseRetention, countKept } from './choose-retention.ts';
import type { JudgedRun } from './choose-runs.ts';
import { attemptBaseOf, attemptLine, compareRuns, KeptAttempts } from './kept-attempts.ts';
import { readPolicy } from './policy.ts';
import type { PlanRetentionOptions, RetentionPlan } from './retention-plan.ts';

const OPTIONS: OptionTable<PlanRetentionOptions> = {
  store: ANYTHING,
  openPlace: FUNCTION,
  policy: ANYTHING,
  onProgress: FUNCTION,
  nowMs: wholeNumber(0),
};
const CONCURRENCY = 16;

/** Does what `planRetention` of the package does, which loads it. */
export function planRetention(options: PlanRetentionOptions): Promise<RetentionPlan> {
  return planDecorated(options, undefined);
}

/** Like {@link planRetention}. Storages that it opens are used as `decorate` gives them. */
export async function planDecorated(
  options: PlanRetentionOptions,
  decorate: DecorateStorage | undefined,
): Promise<RetentionPlan> {
  checkOptions<PlanRetentionOptions>(options, 'planRetention', OPTIONS);
  checkGivenStore(options?.store, 'planRetention');
  readPolicy(options.policy); // before anything is opened
  return withStore(options, decorate, (opened) => planOf(opened, options));
}

/** The plan for a store that is open. */
export async function planOf(
  { content }: Pick<OpenedStore, 'content'>,
  {
    policy,
    nowMs = Date.now(),
    onProgress = () => {},
    signal,
  }: Omit<PlanRetentionOptions, 'store' | 'openPlace'>,
): Promise<RetentionPlan> {
  const folder = new WorkFolder();
  try {
    const { places } = await openPlaces(content, [], { signal });
    const choice = await chooseRetention(content, folder, {
      policy: readPolicy(policy),
      places: [...places.values()],
      nowMs,
      silentAtMs: nowMs,
      isCounted: true,
      onProgress,
      signal,
    });
    const going = goingOf(choice.judged);
    const logBytes = new Map<number, number>();
    const kept = new KeptAttempts(choice.cache.keptAttempts, folder);
    const byName = going.toSorted((a, b) => compareRuns(a.run.stored, b.run.stored));
    await mapBounded(byName, CONCURRENCY, async ({ number, run }) => {
      logBytes.set(number, await logBytesOf(content.storage, run, kept.of(run.stored), { signal }));
    });
    kept.close();
    const inAccount = going.map(
      (each): RunInAccount => ({ ...plannedOf(each), logBytes: logBytes.get(each.number) ?? 0 }),
    );
    return {
      storeId: await content.storeId({ signal }),
      policy,
      plannedAt: new Date(nowMs).toISOString(),
      ...(choice.use ? accountOf(choice.use, inAccount.reverse()) : NOTHING),
      kept: countKept(choice.judged),
      abandoned: abandonedOf(choice.judged),
      cache: choice.cache.counts,
      warnings: choice.warnings,
      deletesEverything: isEverything(choice.judged),
    };
  } finally {
    folder.remove();
  }
}

const NOTHING: Pick<RetentionPlan, 'runs' | 'flows' | 'artifacts' | 'total'> = {
  runs: [],
  flows: [],
  artifacts: [],
  total: { runs: 0, tasks: 0, attempts: 0, artifacts: 0, freedBytes: 0, sharedBytes: 0 },
};

/** The runs of which something goes, with their numbers; what was given up already is not given up again. */
export function goingOf(judged: readonly JudgedRun[]): { number: number; run: JudgedRun }[] {
  return judged.flatMap((run, number) => {
    const { open, closed, purged } = run.stored;
    const isDone = run.rules.contentOnly && open === 0 && closed === purged;
    return run.goes && !isDone ? [{ number, run }] : [];
  });
}

/** The runs that processes left open. */
export function abandonedOf(judged: readonly JudgedRun[]): { flow: string; run: string }[] {
  return judged.flatMap(({ stored: { flow, run, finished, isRecorded }, facts }) =>
    facts?.status === 'abandoned' && !finished && isRecorded ? [{ flow, run }] : [],
  );
}

/** True where runs go, and none stays whole. */
export function isEverything(judged: readonly JudgedRun[]): boolean {
  return judged.length > 0 && judged.every(({ goes }) => goes) && goingOf(judged).length > 0;
}

function plannedOf({
  number,
  run: { stored, facts, rules, goes = 'age' },
}: {
  number: number;
  run: JudgedRun;
}): Omit<RunInAccount, 'logBytes'> {
  return {
    number,
    flow: stored.flow,
    run: stored.run,
    createdAt: new Date(stored.createdAtMs).toISOString(),
    status: facts?.status ?? 'open',
    reason: goes,
    contentOnly: rules.contentOnly,
  };
}

/** The bytes of the logs that go with a run. One LIST. */
async function logBytesOf(
  storage: OpenedStore['storage'],
  { stored: { flow, run }, rules }: JudgedRun,
  keptAttempts: SortedLines,
  { signal }: CallOptions,
): Promise<number> {
  if (rules.contentOnly) return 0;
  const kept = new Cursor(keptAttempts.sorted());
  let bytes = 0;
  try {
    for await (const page of storage.list({ prefix: `logs/${flow}/${run}/`, details: true, signal })) {
      for (const object of page.objects) {
        if (!kept.has(attemptLine(attemptBaseOf(object.name)))) bytes += object.bytes ?? 0;
      }
    }
  } finally {
    kept.close();
  }
  return bytes;
}
