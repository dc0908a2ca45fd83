import { compareNames } from '../../storage/name-order.ts';
import type { UsedObject } from './content-use.ts';
import type { StoreUse } from './read-use.ts';
import type { PlannedRun, RetentionAccount, RetentionPlan } from './retention-plan.ts';

/** A run whose attempts go, and what is known of it by then. */
export type RunInAccount = Omit<PlannedRun, keyof RetentionAccount | 'keptAttempts'> & {
  /** Its number among the runs whose use was read. */
  number: number;
  logBytes: number;
};

type Bytes = Pick<RetentionAccount, 'freedBytes' | 'sharedBytes'>;
const MAX_ARTIFACTS = 1_000;

/** Tells what goes and what that frees: of objects that only what goes uses, to the level at which nothing else uses them. */
export function accountOf(
  { content, runs: uses, artifactNames }: StoreUse,
  going: readonly RunInAccount[],
): Pick<RetentionPlan, 'runs' | 'flows' | 'artifacts' | 'total'> {
  const byUnit = new Map(going.map((run) => [`g${run.number}`, run]));
  const runs = new Map<number, PlannedRun>();
  const flows = new Map<string, { flow: string } & RetentionAccount>();
  const total = nothing();
  for (const { number, logBytes, ...said } of going) {
    const { keptAttempts = 0, tasks = 0, attempts = 0, artifacts = 0 } = uses[number] ?? {};
    const flow = flows.get(said.flow) ?? { flow: said.flow, ...nothing() };
    flows.set(said.flow, flow);
    const run = { ...said, ...nothing(), keptAttempts };
    runs.set(number, run);
    for (const account of [run, flow, total]) {
      account.runs += 1;
      account.tasks += tasks;
      account.attempts += attempts;
      account.artifacts += artifacts;
      account.freedBytes += logBytes;
    }
  }
  const artifacts = new Map<string, Bytes>();
  for (const object of content.objects()) {
    const { users, goes } = usersThatGo(object, byUnit);
    if (users.length === 0) continue;
    const ofRuns = [...new Set(users.map(({ run }) => run.number))].map(
      (number) => runs.get(number) as Bytes,
    );
    const ofFlows = [...new Set(users.map(({ run }) => run.flow))].map((flow) => flows.get(flow) as Bytes);
    const ofNames = [...new Set(users.map(({ artifact }) => artifact))].flatMap((artifact) =>
      artifact === '' ? [] : [bytesOf(artifacts, artifact)],
    );
    for (const level of [ofRuns, ofFlows, ofNames, [total]]) {
      if (!goes) for (const account of level) account.sharedBytes += object.bytes;
      else if (level.length === 1 && level[0]) level[0].freedBytes += object.bytes;
    }
  }
  return {
    runs: [...runs.values()],
    flows: [...flows.values()].sort((a, b) => compareNames(a.flow, b.flow)),
    artifacts: byName(artifacts, artifactNames),
    total,
  };
}

/** Those of an object's users that go, and whether all do. */
function usersThatGo(
  { users }: UsedObject,
  going: ReadonlyMap<string, RunInAccount>,
): { users: { run: RunInAccount; artifact: string }[]; goes: boolean } {
  const those = users.flatMap(({ unit, artifact }) => {
    const run = going.get(unit);
    return run ? [{ run, artifact }] : [];
  });
  return { users: those, goes: those.length === users.length };
}

function nothing(): RetentionAccount {
  return { runs: 0, tasks: 0, attempts: 0, artifacts: 0, freedBytes: 0, sharedBytes: 0 };
}

function bytesOf(all: Map<string, Bytes>, artifact: string): Bytes {
  const bytes = all.get(artifact) ?? { freedBytes: 0, sharedBytes: 0 };
  all.set(artifact, bytes);
  return bytes;
}

function byName(all: ReadonlyMap<string, Bytes>, names: readonly string[]): RetentionPlan['artifacts'] {
  const named = [...all].map(([number, bytes]) => ({ name: names[Number(number)] ?? '', ...bytes }));
  named.sort(
    (a, b) => b.freedBytes - a.freedBytes || b.sharedBytes - a.sharedBytes || compareNames(a.name, b.name),
  );
  const rest = named.slice(MAX_ARTIFACTS);
  if (rest.length === 0) return named;
  const others = { name: '', freedBytes: 0, sharedBytes: 0 };
  for (const { freedBytes, sharedBytes } of rest) {
    others.freedBytes += freedBytes;
    others.sharedBytes += sharedBytes;
  }
  return [...named.slice(0, MAX_ARTIFACTS), others];
}
