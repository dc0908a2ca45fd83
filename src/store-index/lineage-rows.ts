import type { StowageError } from '../errors.ts';
import type { CallOptions, SqlRow } from '../storage/contract.ts';
import { type IndexDatabase, listParameter } from './index-database.ts';

/** So many rows are read at once. */
const PAGE = 1000;

const NAMES = ['flow', 'run', 'step', 'task', 'attempt'] as const;

/** What is asked for: the condition on `attempts a`, and the error where none meets it. */
export interface Start {
  readonly where: string;
  readonly parameters: readonly unknown[];
  /** The condition on `artifacts` where it is a content. */
  readonly key?: string;
  readonly missing: () => StowageError;
}

/** The attempts that are asked for. Of a content that very many have, one that has several beginning so may come again. */
export async function* startsOf(
  database: IndexDatabase,
  { where, parameters, key }: Start,
  options: CallOptions,
): AsyncGenerator<SqlRow> {
  const text = `select ${namesOf('a')}, a.status, a.label from attempts a where ${where}`;
  const few = await fewOf(database, text, parameters, NAMES.join(', '), options);
  if (few) {
    yield* few;
    return;
  }
  const keys = { text: `select distinct key from artifacts where ${key} order by key`, parameters };
  for (const row of await database.read(keys, options)) {
    yield* paged(database, HOLDERS, (last) => [String(row.key), last ? Number(last.id) : 0], options);
  }
}

/** The links of some attempts, by their origins. Where there are more than a page, halves of them are asked for, and at last each alone. */
export async function* linksFrom(
  database: IndexDatabase,
  direction: 'up' | 'down',
  near: readonly string[],
  options: CallOptions,
): AsyncGenerator<SqlRow> {
  const order = ['origin', ...NAMES].join(', ');
  const text = LINKS[database.type][direction];
  const few = await fewOf(database, text, [listParameter(near)], order, options);
  if (few) {
    yield* few;
  } else if (near.length > 1) {
    const half = Math.ceil(near.length / 2);
    yield* linksFrom(database, direction, near.slice(0, half), options);
    yield* linksFrom(database, direction, near.slice(half), options);
  } else {
    const [origin] = near as [string];
    const [flow, run, step, task, attempt] = origin.split('/');
    const names = [flow, run, step, task, Number(attempt)];
    const behind = {
      up: (last: SqlRow | undefined) => (last ? NAMES.map((name) => last[name]) : ['', '', '', '', -1]),
      down: (last: SqlRow | undefined) => [last ? Number(last.id) : 0],
    }[direction];
    const rows = paged(database, LINKS_OF_ONE[direction], (last) => [...names, ...behind(last)], options);
    for await (const row of rows) yield { ...row, origin };
  }
}

/** All rows of a statement in an order, where they are a page at most; else `undefined`, for no more than reading a page costs. */
async function fewOf(
  database: IndexDatabase,
  text: string,
  parameters: readonly unknown[],
  order: string,
  options: CallOptions,
): Promise<readonly SqlRow[] | undefined> {
  const few = `select * from (${text} limit ${PAGE + 1}) few order by ${order}`;
  const rows = await database.read({ text: few, parameters }, options);
  return rows.length > PAGE ? undefined : rows;
}

/** Page by page, each behind the last row of the one before. */
async function* paged(
  database: IndexDatabase,
  text: string,
  parametersBehind: (last: SqlRow | undefined) => readonly unknown[],
  options: CallOptions,
): AsyncGenerator<SqlRow> {
  let last: SqlRow | undefined;
  do {
    const rows = await database.read({ text, parameters: parametersBehind(last) }, options);
    yield* rows;
    last = rows.length < PAGE ? undefined : rows.at(-1);
  } while (last);
}

function namesOf(table: string): string {
  return NAMES.map((column) => `${table}.${column}`).join(', ');
}

const same = (a: string, b: string): string =>
  NAMES.map((column) => `${a}.${column} = ${b}.${column}`).join(' and ');

/** The attempt whose names are the first parameters. */
const isGiven = (table: string): string =>
  NAMES.map((column, at) => `${table}.${column} = $${at + 1}`).join(' and ');

/** The pathspecs of a list as rows of names, and the list's own text as `origin`. */
const NEAR = {
  sqlite: `(select value as origin, json_extract(parts, '$[0]') as flow, json_extract(parts, '$[1]') as run, json_extract(parts, '$[2]') as step,
    json_extract(parts, '$[3]') as task, cast(json_extract(parts, '$[4]') as integer) as attempt
    from (select value, '[' || replace(json_quote(value), '/', '","') || ']' as parts from json_each($1)) split) n`,
  postgres: `(select value as origin, split_part(value, '/', 1) collate "C" as flow, split_part(value, '/', 2) collate "C" as run, split_part(value, '/', 3) collate "C" as step,
    split_part(value, '/', 4) collate "C" as task, split_part(value, '/', 5)::bigint as attempt from jsonb_array_elements_text($1::jsonb)) n`,
} as const;

/** The links of the attempts of a list: who used them, and what they used. `cross join` has SQLite begin with the list. */
function linksOfList(type: 'sqlite' | 'postgres'): { up: string; down: string } {
  const join = type === 'sqlite' ? 'cross join' : 'join';
  const on = (condition: string): string => `on ${condition}`;
  return {
    up: `select n.origin, ${namesOf('r')}, u.status, u.label, u.cache_key as source_key, case when r.step = n.step and r.task = n.task then 1 else 0 end as is_same
      from ${NEAR[type]} ${join} attempts a ${on(same('a', 'n'))} ${join} reads r ${on('r.attempt_id = a.id')} left join attempts u ${on(same('u', 'r'))}`,
    down: `select n.origin, ${namesOf('u')}, u.status, u.label, a.cache_key as source_key, case when u.step = n.step and u.task = n.task then 1 else 0 end as is_same
      from ${NEAR[type]} ${join} reads r ${on(same('r', 'n'))} ${join} attempts u ${on('u.id = r.attempt_id')} left join attempts a ${on(same('a', 'n'))}`,
  };
}

/** The statements, by database; for tests of their plans. */
export const LINKS: Readonly<Record<'sqlite' | 'postgres', { up: string; down: string }>> = {
  sqlite: linksOfList('sqlite'),
  postgres: linksOfList('postgres'),
};

/** A page of the links of one attempt, in the order of the index that has them. */
const LINKS_OF_ONE = {
  up: `select ${namesOf('page')}, u.status, u.label, u.cache_key as source_key, case when page.step = $3 and page.task = $4 then 1 else 0 end as is_same
    from (select ${namesOf('r')} from reads r where r.attempt_id = (select a.id from attempts a where ${isGiven('a')})
      and (${namesOf('r')}) > ($6, $7, $8, $9, $10) order by ${namesOf('r')} limit ${PAGE}) page
    left join attempts u on ${same('u', 'page')} order by ${namesOf('page')}`,
  down: `select u.id, ${namesOf('u')}, u.status, u.label, (select a.cache_key from attempts a where ${isGiven('a')}) as source_key,
      case when u.step = $3 and u.task = $4 then 1 else 0 end as is_same
    from (select r.attempt_id from reads r where ${isGiven('r')} and r.attempt_id > $6 order by r.attempt_id limit ${PAGE}) page
    join attempts u on u.id = page.attempt_id order by page.attempt_id`,
} as const;

/** A page of the attempts that have a content. */
const HOLDERS = `select a.id, ${namesOf('a')}, a.status, a.label
  from (select distinct attempt_id from artifacts where key = $1 and attempt_id > $2 order by attempt_id limit ${PAGE}) page
  join attempts a on a.id = page.attempt_id order by page.attempt_id`;
