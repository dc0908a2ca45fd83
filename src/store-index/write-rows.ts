import type { DatabaseType } from '../storage/contract.ts';
import {
  hasKeyInList,
  type IndexRow,
  type IndexWork,
  isInList,
  listParameter,
  putRows,
} from './index-database.ts';
import type { Projected } from './project.ts';
import { OF_ATTEMPTS, type TableName } from './schema.ts';
import type { AttemptSubject, RunSubject, Subject } from './subjects.ts';

/** The keys of runs and of attempts. */
const RUN = ['flow', 'run'] as const;
const ATTEMPT = [...RUN, 'step', 'task', 'attempt'] as const;

/** Rows of an attempt `a` in other tables. */
const ROWS = OF_ATTEMPTS.map((table) => `(select count(*) from ${table} where attempt_id = a.id)`).join(
  ' + ',
);
/** So many attempts are looked at to be removed by one transaction. */
const AT_ONCE = 200;

type Key = readonly (string | number)[];

/**
 * Removes attempts that are gone, and those of runs that are gone, of about so many rows together: a run may have had very many. A run
 * without a record is none, whatever attempts are left of it.
 *
 * @returns true once none is left
 */
export function* removeGoneAttempts(
  type: DatabaseType,
  projected: readonly Projected[],
  most: number,
): IndexWork<boolean> {
  for (const [columns, keys] of [
    [RUN, goneOf(projected, 'run', runKey)],
    [ATTEMPT, goneOf(projected, 'attempt', attemptKey)],
  ] as const) {
    if (keys.length === 0) continue;
    const isOne = hasKeyInList(type, 'attempts', columns, '$1', AT_ONCE);
    const text = `select id, ${ROWS} as beside from attempts a where ${isOne} limit ${AT_ONCE}`;
    const found = yield { text, parameters: [listParameter(keys)] };
    const ids: number[] = [];
    let rows = 0;
    for (const { id, beside } of found) {
      if (rows >= most) break;
      ids.push(Number(id));
      rows += 1 + Number(beside);
    }
    for (const table of OF_ATTEMPTS) yield* remove(type, table, 'attempt_id', 'whole', ids);
    yield* remove(type, 'attempts', 'id', 'whole', ids);
    if (ids.length < found.length || found.length === AT_ONCE) return false;
  }
  return true;
}

/**
 * Puts what subjects are now in the place of what the index has of them, once {@link removeGoneAttempts} has left no attempts that are
 * gone. Of each subject there is one at most.
 */
export function* writeProjected(type: DatabaseType, projected: readonly Projected[]): IndexWork<void> {
  yield* writeAttempts(type, projected);
  yield* writeRuns(type, projected);
  const entries = projected.filter(({ subject }) => subject.kind === 'entry');
  yield* putRows(type, 'cache_entries', rowsOf(entries));
  yield* removeKeys(
    type,
    'cache_entries',
    ['key'],
    goneOf(entries, 'entry', ({ key }) => [key]),
  );
  const published = projected.filter(({ subject }) => subject.kind === 'published');
  yield* putRows(type, 'published', rowsOf(published));
  const gone = goneOf(published, 'published', ({ name, version }) => [name, version]);
  yield* removeKeys(type, 'published', ['name', 'version'], gone);
}

/** The rows that are written for it, to bound a transaction. */
export function countRows({ beside }: Projected): number {
  return Object.values(beside).reduce((sum, rows) => sum + rows.length, 1);
}

function* writeAttempts(type: DatabaseType, projected: readonly Projected[]): IndexWork<void> {
  const goneRuns = new Set(goneOf(projected, 'run', runKey).map((key) => key.join('/')));
  const there = projected.filter(
    ({ subject, row }) => subject.kind === 'attempt' && row && !goneRuns.has(runKey(subject.path).join('/')),
  );
  const ids = yield* putRows(type, 'attempts', rowsOf(there));
  for (const table of OF_ATTEMPTS) {
    yield* remove(type, table, 'attempt_id', 'whole', ids);
    const rows = there.flatMap(({ beside }, at) =>
      (beside[table] ?? []).map((row) => ({ attempt_id: ids[at] as number, ...row })),
    );
    yield* putRows(type, table, rows);
  }
}

function* writeRuns(type: DatabaseType, projected: readonly Projected[]): IndexWork<void> {
  const runs = projected.filter(({ subject }) => subject.kind === 'run');
  const keys = runs.map(({ subject }) => runKey(subject as RunSubject));
  yield* putRows(type, 'runs', rowsOf(runs));
  yield* removeKeys(type, 'runs', RUN, goneOf(runs, 'run', runKey));
  for (const table of ['run_tags', 'run_parents'] as const) {
    yield* removeKeys(type, table, RUN, keys);
    yield* putRows(
      type,
      table,
      runs.flatMap(({ beside }) => beside[table] ?? []),
    );
  }
}

function runKey({ flow, run }: Pick<RunSubject, 'flow' | 'run'>): Key {
  return [flow, run];
}

function attemptKey({ path: { flow, run, step, task }, attempt }: AttemptSubject): Key {
  return [flow, run, step, task, attempt];
}

/** The keys of subjects of a kind that are gone. */
function goneOf<K extends Subject['kind']>(
  projected: readonly Projected[],
  kind: K,
  keyOf: (subject: Extract<Subject, { kind: K }>) => Key,
): Key[] {
  return projected.flatMap(({ subject, row }) =>
    subject.kind === kind && !row ? [keyOf(subject as Extract<Subject, { kind: K }>)] : [],
  );
}

function* removeKeys(
  type: DatabaseType,
  table: TableName,
  columns: readonly string[],
  keys: readonly Key[],
): IndexWork<void> {
  if (keys.length === 0) return;
  const text = `delete from ${table} where ${hasKeyInList(type, table, columns, '$1')}`;
  yield { text, parameters: [listParameter(keys)] };
}

function* remove(
  type: DatabaseType,
  table: TableName,
  column: string,
  kind: 'text' | 'whole',
  values: readonly (string | number)[],
): IndexWork<void> {
  if (values.length === 0) return;
  const text = `delete from ${table} where ${isInList(type, column, '$1', kind)}`;
  yield { text, parameters: [listParameter(values)] };
}

function rowsOf(projected: readonly Projected[]): IndexRow[] {
  return projected.flatMap(({ row }) => (row ? [row] : []));
}
