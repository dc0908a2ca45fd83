import type { CallOptions, DatabaseType } from '../storage/contract.ts';
import type { IndexDatabase } from './index-database.ts';

/** How often results of a cached task were found, as its runs tell. */
export interface CacheFigures {
  /** The name of the task. */
  task: string;
  /** Results that runs made: calls that found none. */
  misses: number;
  /**
   * Results of others that runs used, each once in a run: the sum of the `cacheHits` of all runs. A hit outside of a task that is not recorded
   * leaves no trace, and does not count.
   */
  hits: number;
  /** The time that it took to make those, each time one was a hit, in milliseconds. */
  savedMs: number;
}

/** The figures of all cached tasks that the index has results of, by name. */
export async function* cacheFiguresOf(
  database: IndexDatabase,
  { signal }: CallOptions,
): AsyncGenerator<CacheFigures> {
  const text = FIGURES[database.type];
  for (const row of await database.read({ text, parameters: [] }, { signal }))
    yield {
      task: String(row.task),
      misses: Number(row.misses),
      hits: Number(row.hits),
      savedMs: Number(row.saved_ms),
    };
}

/** The step of a cached task has its name. `cross join` has SQLite begin with the results, which have a key: all of them, `> ''`, by its index. */
function figuresText(type: DatabaseType): string {
  const join = type === 'sqlite' ? 'cross join' : 'join';
  return `with made as (select id, flow, run, step, task, attempt, duration_ms from attempts where cache_key > ''),
    used as (
      select distinct m.flow, m.run, u.id, u.step, u.duration_ms from made u
      ${join} reads r on r.flow = u.flow and r.run = u.run and r.step = u.step and r.task = u.task and r.attempt = u.attempt
      ${join} attempts m on m.id = r.attempt_id where m.flow <> u.flow or m.run <> u.run),
    misses as (select step, count(*) as results from made group by step),
    hits as (select step, count(*) as results, sum(coalesce(duration_ms, 0)) as saved_ms from used group by step)
    select a.step as task, a.results as misses, coalesce(h.results, 0) as hits, coalesce(h.saved_ms, 0) as saved_ms
    from misses a left join hits h on h.step = a.step order by a.step`;
}

const FIGURES: Readonly<Record<DatabaseType, string>> = {
  sqlite: figuresText('sqlite'),
  postgres: figuresText('postgres'),
};
