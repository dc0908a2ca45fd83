import { invalidArgument } from '../errors.ts';
import type { CallOptions, DatabaseType } from '../storage/contract.ts';
import type { RunView } from '../views/runs.ts';
import { hasKeyInList, type IndexDatabase, listParameter, textOf } from './index-database.ts';

/** What a run has saved, and what it did not have to run. */
export interface RunFigures {
  flow: string;
  run: string;
  /** The artifacts of its attempts, and the sum of their sizes as they are loaded. */
  artifacts: number;
  bytes: number;
  /** Stored bytes that it added: of contents that no run has which began to use them before. All runs together have each content once. */
  newBytes: number;
  /** Results of cached tasks that it made or used, each once. */
  cachedResults: number;
  /** Those of them that other runs made. A hit outside of a task that is not recorded leaves no trace, and does not count. */
  cacheHits: number;
}

/** A run with its figures; without where the index does not have it yet. */
export interface FiguredRun extends RunView {
  figures?: Omit<RunFigures, 'flow' | 'run'>;
}

/** So many runs are asked for at once. SQLite computes an answer without a pause. */
const AT_ONCE = 10;

/**
 * The figures of runs, in no order. A run that the index does not have has none. Purged attempts have no content any more, and count no
 * artifacts.
 *
 * @throws StowageError `INVALID_ARGUMENT`, at once
 */
export function figuresOf(
  database: IndexDatabase,
  runs: readonly { flow: string; run: string }[],
  { signal }: CallOptions,
): AsyncGenerator<RunFigures> {
  const isRun = (one: unknown): boolean => {
    const { flow, run } = (one ?? {}) as Record<string, unknown>;
    return typeof flow === 'string' && typeof run === 'string';
  };
  if (!Array.isArray(runs) || !runs.every(isRun))
    throw invalidArgument('figures takes a list of runs: { flow, run }.', { argument: 'runs' });
  return readFigures(
    database,
    runs.map(({ flow, run }) => [textOf(flow), textOf(run)] as const),
    { signal },
  );
}

async function* readFigures(
  database: IndexDatabase,
  runs: readonly (readonly [string, string])[],
  options: CallOptions,
): AsyncGenerator<RunFigures> {
  const text = FIGURES[database.type];
  for (let at = 0; at < runs.length; at += AT_ONCE) {
    const parameters = [listParameter(runs.slice(at, at + AT_ONCE))];
    for (const row of await database.read({ text, parameters }, options))
      yield {
        flow: String(row.flow),
        run: String(row.run),
        artifacts: Number(row.artifacts),
        bytes: Number(row.bytes),
        newBytes: Number(row.new_bytes),
        cachedResults: Number(row.made) + Number(row.hits),
        cacheHits: Number(row.hits),
      };
  }
}

/** The first of several runs has the least: by the time of its attempt, and of one time by its name. */
function stampOf(table: string, time: string): string {
  return `(1000000000000000 + ${time}) || ' ' || ${table}.flow || '/' || ${table}.run`;
}

/**
 * `cross join` has SQLite begin with the runs. A content that very many have is gone through once for all runs, and not at all for those
 * that the attempts at both ends of the index show not to be the first: it has attempts in the order in which they were read, as a rule.
 */
function figuresText(type: DatabaseType): string {
  const join = type === 'sqlite' ? 'cross join' : 'join';
  const isThere = "coalesce(a.mark, '') <> 'purged'";
  const holders = `artifacts x ${join} attempts a on a.id = x.attempt_id and ${isThere}`;
  const isSame = "x.lies = 'shared' and x.key = c.key and x.place = c.place";
  const time = 'coalesce(a.started_at, 0)';
  const atEnd = (order: string): string =>
    `(select ${time} from ${holders} where ${isSame} order by x.attempt_id${order} limit 1)`;
  const parts = Object.entries({ s: 'sums', n: 'news', m: 'made', h: 'hits' });
  return `with asked as (select flow, run from runs where ${hasKeyInList(type, 'runs', ['flow', 'run'], '$1')}),
    mine as (select a.* from asked q ${join} attempts a on a.flow = q.flow and a.run = q.run),
    used as (
      select a.flow, a.run, ${time} as time, x.lies, x.place, x.key, x.bytes, x.stored_bytes
      from mine a ${join} artifacts x on x.attempt_id = a.id where ${isThere}),
    sums as (
      select flow, run, count(*) as artifacts, sum(bytes) as bytes, sum(case when lies = 'own' then stored_bytes else 0 end) as own
      from used group by flow, run),
    contents as (
      select flow, run, place, key, max(stored_bytes) as stored, min(time) as since from used where lies = 'shared' group by flow, run, place, key),
    candidates as materialized (select * from contents c where ${atEnd('')} >= since and ${atEnd(' desc')} >= since),
    firsts as (
      select c.place, c.key, min(${stampOf('a', time)}) as stamp
      from (select distinct place, key from candidates) c ${join} artifacts x on ${isSame} ${join} attempts a on a.id = x.attempt_id and ${isThere} group by c.place, c.key),
    news as (
      select c.flow, c.run, sum(c.stored) as bytes from candidates c join firsts f on f.place = c.place and f.key = c.key and f.stamp = ${stampOf('c', 'c.since')}
      group by c.flow, c.run),
    made as (select flow, run, count(*) as results from mine where cache_key is not null group by flow, run),
    hits as (
      select m.flow, m.run, count(distinct u.id) as results from mine m ${join} reads r on r.attempt_id = m.id
      ${join} attempts u on u.flow = r.flow and u.run = r.run and u.step = r.step and u.task = r.task and u.attempt = r.attempt
      where u.cache_key is not null and (u.flow <> m.flow or u.run <> m.run) group by m.flow, m.run)
    select q.flow, q.run, coalesce(s.artifacts, 0) as artifacts, coalesce(s.bytes, 0) as bytes,
      coalesce(s.own, 0) + coalesce(n.bytes, 0) as new_bytes, coalesce(m.results, 0) as made, coalesce(h.results, 0) as hits
    from asked q ${parts.map(([name, part]) => `left join ${part} ${name} on ${name}.flow = q.flow and ${name}.run = q.run`).join(' ')}`;
}

const FIGURES: Readonly<Record<DatabaseType, string>> = {
  sqlite: figuresText('sqlite'),
  postgres: figuresText('postgres'),
};
