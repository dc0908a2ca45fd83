import type { ArtifactEntry } from '../../format/description.ts';
import type { JsonValue } from '../../format/json-value.ts';
import type { AttemptDetail, TaskView } from '../../views/attempts.ts';
import type { Reaching } from '../../views/paths.ts';
import { Changes } from './changes.ts';
import { StructureDiff } from './structure-diff.ts';
import type { ChangedParts, ValueDiff } from './value-diff.ts';
import { ValueIds } from './value-ids.ts';

/** The attempt of a task that is compared. */
export interface Side {
  path: Reaching<'flow' | 'run' | 'step' | 'task' | 'attempt'>;
  view: AttemptDetail;
}

/** The change of an artifact. */
export interface ArtifactDiff {
  name: string;
  change: 'added' | 'removed' | 'changed';
  a?: ArtifactEntry;
  b?: ArtifactEntry;
  /** The change of its value, once it was loaded. */
  how?: ValueDiff;
}

/** The difference of two attempts, of which one may be absent. */
export interface TaskDiff {
  a?: Side;
  b?: Side;
  artifacts: ArtifactDiff[];
  /** The number of artifacts that are the same. */
  same: number;
  metadata: ChangedParts;
  /** Of the errors that ended both, without stacks. */
  error: ChangedParts;
}

/** The attempt that stands for a task: one that is named, or the latest that is done, or else the latest started. */
export function sideOf({ path, attempts }: TaskView, attempt?: number): Side {
  const chosen =
    attempts.find((view) => view.attempt === attempt) ??
    attempts.findLast(({ status }) => status === 'done') ??
    attempts.at(-1);
  const view = chosen as AttemptDetail;
  return { path: { ...path, attempt: view.attempt }, view };
}

/** Compares two attempts by their descriptions: artifacts by their keys, which tell whether they are equal. */
export function diffTasks(a: Side | undefined, b: Side | undefined, limit: number): TaskDiff {
  const [ofA, ofB] = [entriesOf(a), entriesOf(b)];
  const artifacts: ArtifactDiff[] = [];
  let same = 0;
  for (const name of new Set([...ofA.keys(), ...ofB.keys()])) {
    const [was, is] = [ofA.get(name), ofB.get(name)];
    if (was && is && isSame(was, is)) same += 1;
    else if (was && is) artifacts.push({ name, change: 'changed', a: was, b: is });
    else if (was) artifacts.push({ name, change: 'removed', a: was });
    else if (is) artifacts.push({ name, change: 'added', b: is });
  }
  const metadata = a && b ? diffJson(a.view.metadata ?? {}, b.view.metadata ?? {}, limit) : NO_CHANGES;
  const error = a && b ? diffJson(errorOf(a), errorOf(b), limit) : NO_CHANGES;
  return { ...(a ? { a } : {}), ...(b ? { b } : {}), artifacts, same, metadata, error };
}

/** True if a task is on one side only, or an artifact, the status or the error differs. Metadata often holds times, and does not count. */
export function isDifferent({ a, b, artifacts, error }: TaskDiff): boolean {
  return a?.view.status !== b?.view.status || artifacts.length > 0 || error.total > 0;
}

/** What an attempt failed by, as far as it is the same wherever it happens; nothing of one that did not fail. */
function errorOf({ view: { error } }: Side): JsonValue {
  return error ? { name: error.name, message: error.message } : {};
}

/** Compares values of JSON that are at hand. */
export function diffJson(a: unknown, b: unknown, limit: number): ChangedParts {
  const changes = new Changes(limit);
  new StructureDiff(changes, new ValueIds()).compare(a, b);
  return { total: changes.total, changes: changes.shown };
}

const NO_CHANGES: ChangedParts = { total: 0, changes: [] };

function entriesOf(side: Side | undefined): Map<string, ArtifactEntry> {
  return new Map(side?.view.entries?.map((entry) => [entry.name, entry]));
}

/** The same bytes may stand for different values: a text, and a program's bytes. */
function isSame(a: ArtifactEntry, b: ArtifactEntry): boolean {
  return a.key === b.key && a.encoding === b.encoding && a.type === b.type;
}
