import type { AttemptView } from '../attempts/attempt-view.ts';
import { invalidArgument, StowageError } from '../errors.ts';
import { checkNameList } from './task-selection.ts';

/** The choice of artifacts that `mergeArtifacts` takes over. */
export interface MergeOptions {
  /** Only these; each must be in at least one input. Default: all that the inputs have. Not together with `exclude`. */
  include?: readonly string[] | undefined;
  /** All but these; each must be in at least one input. Default none. */
  exclude?: readonly string[] | undefined;
}

/**
 * Decides which artifacts to take from which input: of equal ones the first input's.
 *
 * @throws StowageError `ARTIFACT_CONFLICT`, `ARTIFACT_NOT_FOUND`, `INVALID_ARGUMENT`
 */
export function agreedArtifacts(
  inputs: readonly AttemptView[],
  { include, exclude }: MergeOptions,
  isSaved: (name: string) => boolean,
): Map<AttemptView, string[]> {
  if (include !== undefined) checkNameList(include, 'include');
  if (exclude !== undefined) checkNameList(exclude, 'exclude');
  if (include && exclude) {
    throw invalidArgument(
      'mergeArtifacts takes either include or exclude: the one says all that is taken, the other all that is not.',
    );
  }
  if (inputs.length === 0)
    throw invalidArgument(
      'mergeArtifacts was given no tasks to merge. Where there may be none, ask before; of tasks that were left out, `leftOut` tells why.',
    );
  const left = new Set(exclude);
  const unknown = [...left].filter((name) => !inputs.some((input) => input.has(name)));
  if (unknown.length > 0) throw notFound(unknown, 'exclude');
  const wanted = new Set(
    (include ?? inputs.flatMap((input) => input.names())).filter((name) => !left.has(name)),
  );
  const agreed = new Map<AttemptView, string[]>();
  const conflicts: Record<string, Record<string, string[]>> = Object.create(null);
  const absent: string[] = [];
  for (const name of wanted) {
    if (isSaved(name)) continue;
    const holders = inputs.filter((input) => input.has(name));
    const [first] = holders;
    if (!first) {
      absent.push(name);
      continue;
    }
    const byKey = groupByKey(name, holders);
    if (Object.keys(byKey).length > 1) conflicts[name] = byKey;
    else if (agreed.has(first)) agreed.get(first)?.push(name);
    else agreed.set(first, [name]);
  }
  if (absent.length > 0) throw notFound(absent, 'include');
  if (Object.keys(conflicts).length > 0) throw conflict({ ...conflicts });
  return agreed;
}

/** Equal bytes of different types are different values. */
function groupByKey(name: string, holders: readonly AttemptView[]): Record<string, string[]> {
  const values = new Map<string, { key: string; holders: string[] }>();
  for (const holder of holders) {
    const { key, type, encoding } = holder.entry(name);
    const value = `${encoding} ${type} ${key}`;
    const same = values.get(value) ?? { key, holders: [] };
    same.holders.push(holder.fullPathspec);
    values.set(value, same);
  }
  const shared = new Set([...values.values()].map(({ key }) => key)).size < values.size;
  return Object.fromEntries(
    [...values].map(([value, { key, holders: found }]) => [shared ? value : key, found]),
  );
}

function notFound(names: readonly string[], option: 'include' | 'exclude'): StowageError {
  return new StowageError(
    'ARTIFACT_NOT_FOUND',
    `No input has the artifacts ${names.join(', ')}, which were to be ${option === 'include' ? 'merged' : 'left out'}; correct the names in ${option}.`,
    { details: { artifacts: names } },
  );
}

function conflict(conflicts: Record<string, Record<string, string[]>>): StowageError {
  const [name, byKey] = Object.entries(conflicts)[0] as [string, Record<string, string[]>];
  const more = Object.keys(conflicts).length - 1;
  const values = Object.values(byKey).map((holders) => holders[0]);
  const others = more === 0 ? '' : `, and so do those of ${more} more`;
  return new StowageError(
    'ARTIFACT_CONFLICT',
    `The values of artifact ${name} differ between ${values.slice(0, 5).join(', ')}${values.length > 5 ? ', ...' : ''}${others}. Save the value that is to hold before merging, or leave it out with exclude.`,
    { details: { conflicts } },
  );
}
