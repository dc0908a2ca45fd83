import { invalidArgument } from '../errors.ts';
import { checkOptions, type OptionTable, oneOf, TEXT, wholeNumber } from '../options/option-table.ts';
import type { CallOptions } from '../storage/contract.ts';
import { type IndexDatabase, textOf } from './index-database.ts';

/** Options of {@link StoreIndex.usage}. */
export interface UsageOptions extends CallOptions {
  /** What each row counts. Default `flow`. `all` is one row. */
  by?: 'flow' | 'run' | 'artifact' | 'all' | undefined;
  /** Only artifacts of this flow. */
  flow?: string | undefined;
  /** Only those of this run of it. Needs `flow`. */
  run?: string | undefined;
  /** So many rows at most, those with the most bytes. Default 10,000. */
  limit?: number | undefined;
}

/**
 * The bytes of artifacts of a flow, a run (`flow/run`), or of a name. A content that several artifacts have is stored once: it counts as
 * shared where artifacts outside of the row have it as well, and as own where none have; in a row it counts once either way. So
 * own bytes are those that nobody else has, and own bytes of all rows, with each shared content once, are those of `by: 'all'`.
 */
export interface Usage {
  name: string;
  attempts: number;
  artifacts: number;
  /** The sum of the sizes of the artifacts as they are loaded. */
  bytes: number;
  /** Stored bytes of what only artifacts of this row have. Values in descriptions take none. */
  ownBytes: number;
  /** Stored bytes of contents that artifacts outside of this row have as well. */
  sharedBytes: number;
}

const USAGE: OptionTable<UsageOptions> = {
  by: oneOf('flow', 'run', 'artifact', 'all'),
  flow: TEXT,
  run: TEXT,
  limit: wholeNumber(1, 1_000_000),
};

const DEFAULT_LIMIT = 10_000;

/** The row that an artifact counts in; of `all`, whether it is among those that were asked for is what tells. */
const GROUPS = {
  flow: () => 'a.flow',
  run: () => "a.flow || '/' || a.run",
  artifact: (asked: string) => `case when ${asked} then x.name else '' end`,
  all: (asked: string) => `case when ${asked} then 'all' else '' end`,
} as const;

/**
 * The stored bytes of artifacts, the largest rows first. Purged attempts have no content any more, and count nothing.
 *
 * @throws StowageError `INVALID_ARGUMENT`, at once
 */
export function usageOf(database: IndexDatabase, options: UsageOptions = {}): AsyncGenerator<Usage> {
  checkOptions(options, 'usage', USAGE);
  const { flow, run } = options;
  if (run !== undefined && flow === undefined)
    throw invalidArgument('run is counted within flow: give flow as well.', { option: 'run' });
  return readUsage(database, options);
}

async function* readUsage(
  database: IndexDatabase,
  { by = 'flow', flow, run, limit = DEFAULT_LIMIT, signal }: UsageOptions,
): AsyncGenerator<Usage> {
  const parameters: unknown[] = [];
  const p = (value: unknown): string => `$${parameters.push(value)}`;
  const terms = Object.entries({ flow, run }).flatMap(([column, value]) =>
    value === undefined ? [] : [`a.${column} = ${p(textOf(value))}`],
  );
  const asked = terms.length === 0 ? '1 = 1' : terms.join(' and ');
  const group = GROUPS[by](asked);
  const from = "artifacts x join attempts a on a.id = x.attempt_id and coalesce(a.mark, '') <> 'purged'";
  // A content is told by its key and place: its copies are one to whoever reads it. What is an attempt's own has a name of its own.
  const text = `with used as (
      select ${group} as name, x.attempt_id, x.lies, x.place, x.key, x.bytes, x.stored_bytes from ${from} where ${asked}),
    contents as (select name, place, key, max(stored_bytes) as stored from used where lies = 'shared' group by name, place, key),
    holders as (
      select x.place, x.key, min(${group}) as first, max(${group}) as last from ${from}
      where x.lies = 'shared' and x.key in (select key from contents) group by x.place, x.key),
    counted as (
      select c.name, sum(case when h.first = h.last then c.stored else 0 end) as own, sum(case when h.first = h.last then 0 else c.stored end) as shared
      from contents c join holders h on h.place = c.place and h.key = c.key group by c.name),
    sums as (
      select name, count(distinct attempt_id) as attempts, count(*) as artifacts, sum(bytes) as bytes,
        sum(case when lies = 'own' then stored_bytes else 0 end) as own from used group by name)
    select s.name, s.attempts, s.artifacts, s.bytes, s.own + coalesce(c.own, 0) as own, coalesce(c.shared, 0) as shared
    from sums s left join counted c on c.name = s.name
    order by s.own + coalesce(c.own, 0) + coalesce(c.shared, 0) desc, s.name limit ${p(limit)}`;
  for (const row of await database.read({ text, parameters }, { signal }))
    yield {
      name: String(row.name),
      attempts: Number(row.attempts),
      artifacts: Number(row.artifacts),
      bytes: Number(row.bytes),
      ownBytes: Number(row.own),
      sharedBytes: Number(row.shared),
    };
}
