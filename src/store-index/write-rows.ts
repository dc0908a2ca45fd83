import type { DatabaseType } from '../storage/contract.ts';
import { type IndexRow, type IndexWork, isInList, listParameter, putRows } from './index-database.ts';
import type { Projected } from './project.ts';
import { OF_ATTEMPTS, type TableName } from './schema.ts';
import type { AttemptSubject, EntrySubject, PublishedSubject, RunSubject } from './subjects.ts';

/** Puts what subjects are now in the place of what the index has of them. Of each subject there is one at most. */
export function* writeProjected(type: DatabaseType, projected: readonly Projected[]): IndexWork<void> {
  yield* writeAttempts(type, projected);
  yield* writeRuns(type, projected);
  const entries = projected.filter(({ subject }) => subject.kind === 'entry');
  yield* putRows(type, 'cache_entries', rowsOf(entries));
  const gone = entries.filter(({ row }) => !row).map(({ subject }) => (subject as EntrySubject).key);
  yield* remove(type, 'cache_entries', 'key', 'text', gone);
  yield* writePublished(type, projected);
}

/** The rows that are written for it, to bound a transaction. */
export function countRows({ beside }: Projected): number {
  return Object.values(beside).reduce((sum, rows) => sum + rows.length, 1);
}

function* writeAttempts(type: DatabaseType, projected: readonly Projected[]): IndexWork<void> {
  const attempts = projected.filter(({ subject }) => subject.kind === 'attempt');
  const gone = attempts.filter(({ row }) => !row).map(({ subject }) => subject as AttemptSubject);
  for (const { path, attempt } of gone) {
    const where = 'flow = $1 and run = $2 and step = $3 and task = $4 and attempt = $5';
    yield* removeAttempts(where, [path.flow, path.run, path.step, path.task, attempt]);
  }
  const there = attempts.filter(({ row }) => row);
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
  for (const { subject, row } of runs) {
    const { flow, run } = subject as RunSubject;
    for (const table of ['run_tags', 'run_parents', ...(row ? [] : ['runs'])])
      yield { text: `delete from ${table} where flow = $1 and run = $2`, parameters: [flow, run] };
    // A run without a record is none, whatever attempts are left of it.
    if (!row) yield* removeAttempts('flow = $1 and run = $2', [flow, run]);
  }
  yield* putRows(type, 'runs', rowsOf(runs));
  for (const table of ['run_tags', 'run_parents'] as const)
    yield* putRows(
      type,
      table,
      runs.flatMap(({ beside }) => beside[table] ?? []),
    );
}

function* writePublished(type: DatabaseType, projected: readonly Projected[]): IndexWork<void> {
  const published = projected.filter(({ subject }) => subject.kind === 'published');
  yield* putRows(type, 'published', rowsOf(published));
  for (const { subject, row } of published) {
    const { name, version } = subject as PublishedSubject;
    if (!row)
      yield { text: 'delete from published where name = $1 and version = $2', parameters: [name, version] };
  }
}

function* removeAttempts(where: string, parameters: readonly unknown[]): IndexWork<void> {
  for (const table of OF_ATTEMPTS)
    yield {
      text: `delete from ${table} where attempt_id in (select id from attempts where ${where})`,
      parameters,
    };
  yield { text: `delete from attempts where ${where}`, parameters };
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
