import { artifactView } from '../../views/attempts.ts';
import type {
  ArtifactDiffJson,
  BriefComparisonJson,
  ChangeJson,
  ChangesJson,
  ComparisonJson,
  HowJson,
  SideJson,
  TaskDiffJson,
} from '../../views/comparison-json.ts';
import { formatStorePath } from '../../views/paths.ts';
import { ValueJson } from '../values/value-json.ts';
import type { PathChange } from './changes.ts';
import type { ComparedRuns, Comparison } from './comparison.ts';
import { shortValue } from './short-value.ts';
import type { ArtifactDiff, Side, TaskDiff } from './task-diff.ts';
import { type ChangedParts, type ValueDiff, valueDiffText } from './value-diff.ts';

/** A part that is longer as JSON is given as the text that people see. */
const MAX_JSON_LENGTH = 2000;

/** One side of a comparison, in `--json`. */
export function comparisonJson({
  a,
  b,
  kind,
  runs,
  tasks,
  more,
  same,
  isDifferent: different,
}: Comparison): ComparisonJson {
  return {
    a: formatStorePath(a),
    b: formatStorePath(b),
    kind,
    different,
    ...(runs ? { run: partsJson(runs.changes) } : {}),
    ...(kind === 'tasks' ? {} : { same }),
    tasks: tasks.map(taskDiffJson),
    ...(more > 0 ? { more } : {}),
  };
}

/** Two runs that were compared by their own records, in `--json`. */
export function briefComparisonJson(
  { a, b }: Pick<Comparison, 'a' | 'b'>,
  { changes, ...runs }: ComparedRuns,
): BriefComparisonJson {
  return { a: formatStorePath(a), b: formatStorePath(b), kind: 'runs', runs, run: partsJson(changes) };
}

function taskDiffJson({ a, b, artifacts, same, metadata, error }: TaskDiff): TaskDiffJson {
  return {
    ...(a ? { a: sideJson(a) } : {}),
    ...(b ? { b: sideJson(b) } : {}),
    change: a && b ? 'changed' : a ? 'removed' : 'added',
    same,
    artifacts: artifacts.map(artifactDiffJson),
    metadata: partsJson(metadata),
    error: partsJson(error),
  };
}

function partsJson({ total, changes }: ChangedParts): ChangesJson {
  return { total, changes: changes.map(changeJson) };
}

function sideJson({ path, view }: Side): SideJson {
  return { path: formatStorePath(path), status: view.status };
}

function artifactDiffJson({ name, change, a, b, how }: ArtifactDiff): ArtifactDiffJson {
  return {
    name,
    change,
    ...(a ? { a: artifactView(a) } : {}),
    ...(b ? { b: artifactView(b) } : {}),
    ...(how ? { how: howJson(how) } : {}),
  };
}

function howJson(how: ValueDiff): HowJson {
  const text = valueDiffText(how);
  return 'changes' in how ? { ...how, ...partsJson(how), text } : { ...how, text };
}

function changeJson({ path, change, a, b, note }: PathChange): ChangeJson {
  return {
    path,
    change,
    ...(change === 'added' ? {} : valueMember('a', a)),
    ...(change === 'removed' ? {} : valueMember('b', b)),
    ...(note === undefined ? {} : { note }),
  };
}

/** The value as JSON; or as text in a member of another name, where it is long, or JSON has no word for it. */
function valueMember(name: 'a' | 'b', value: unknown): Pick<ChangeJson, 'a' | 'b' | 'aText' | 'bText'> {
  const json = new ValueJson({ compact: true });
  let text = '';
  for (const piece of json.pieces(value)) {
    text += piece;
    if (text.length > MAX_JSON_LENGTH) break;
  }
  const isWhole = text.length <= MAX_JSON_LENGTH && json.isExact;
  return isWhole ? { [name]: JSON.parse(text) } : { [`${name}Text`]: shortValue(value) };
}
