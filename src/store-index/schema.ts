import type { DatabaseType } from '../storage/contract.ts';

/** The version of the tables of an index. An index of another version is made anew, or refused where it is newer. */
export const SCHEMA_VERSION = 1;

/** The kind of a column: text, a whole number of 64 bits, a number with fractions. */
export type ColumnKind = 'text' | 'whole' | 'number';

/** A column of a table; `null` is allowed where it is not part of the key. */
export interface Column {
  readonly name: string;
  readonly kind: ColumnKind;
}

/** A table of the index. */
export interface Table {
  readonly name: TableName;
  readonly columns: readonly Column[];
  /** The columns that tell one row from another. Of `attempts` they are unique beside `id`, which the database draws. */
  readonly key: readonly string[];
}

/** The tables that hold what a store says. Each row of `OF_ATTEMPTS` belongs to an attempt, by `attempt_id`. */
export type TableName = (typeof TABLE_NAMES)[number];

export const TABLE_NAMES = [
  'stowage_index',
  'runs',
  'run_tags',
  'run_parents',
  'attempts',
  'artifacts',
  'metadata',
  'reads',
  'refs',
  'reports',
  'cache_entries',
  'published',
] as const;

/** The tables whose rows belong to an attempt. */
export const OF_ATTEMPTS: readonly TableName[] = ['artifacts', 'metadata', 'reads', 'refs', 'reports'];

/** `name!` is text, `name#` a whole number, `name~` a number. The key is what stands before `|`. */
const DEFINITIONS: Readonly<Record<TableName, string>> = {
  stowage_index: 'one# | schema_version# store_id! build! position! caught_up_at# full_at# is_whole#',
  runs: `flow! run! | status! created_at# finished_at# duration_ms# host! pid# error_name! error! parameters! raw_data_path! code!
    code_digest! pinned_at# pin_reason! resumes! failure! seen!`,
  run_tags: 'flow! run! tag! |',
  run_parents: 'flow! run! parent! |',
  attempts: `flow! run! step! task! attempt# | status! started_at# ended_at# duration_ms# label! host! pid# error_name! error! mark!
    session! metadata_digest! cache_key! failure! seen!`,
  artifacts: 'attempt_id# name! | type! encoding! key! bytes# stored_bytes# place! lies! object!',
  metadata: 'attempt_id# path! | number~ text!',
  reads: 'attempt_id# flow! run! step! task! attempt# |',
  refs: 'attempt_id# artifact! place! kind! name! |',
  reports: 'attempt_id# name! | title! key! bytes# place! object!',
  cache_entries: `key! | task! scope! version! flow! run! step! task_id! attempt# session! created_at# expires_at# duration_ms# bytes#
    signed_by! failure! seen!`,
  published: `name! version# | status! published_at# description! attributes! flow! run! step! task! attempt# artifact! type! encoding!
    key! bytes# session! failure! seen!`,
};

const KINDS: Readonly<Record<string, ColumnKind>> = { '!': 'text', '#': 'whole', '~': 'number' };

/** All tables, by name. */
export const TABLES: Readonly<Record<TableName, Table>> = Object.fromEntries(
  TABLE_NAMES.map((name) => [name, tableOf(name)]),
) as Record<TableName, Table>;

/** The indexes, each with the question that it answers. */
const INDEXES: readonly string[] = [
  'runs_by_time on runs (created_at)', // what ran since
  'run_tags_by_tag on run_tags (tag)',
  'run_parents_by_parent on run_parents (parent)',
  'attempts_by_time on attempts (started_at)',
  // The newest of each, without sorting all of them.
  'attempts_by_flow on attempts (flow, started_at)',
  'attempts_by_step on attempts (flow, step, started_at)',
  'attempts_by_status on attempts (status, started_at)', // what failed, what is open
  'attempts_by_cache_key on attempts (cache_key)',
  'artifacts_by_key on artifacts (key, attempt_id)', // who has this content, page by page
  'artifacts_by_name on artifacts (name)',
  'artifacts_by_type on artifacts (type)',
  'metadata_by_number on metadata (path, number)', // auc > 0.9
  'metadata_by_text on metadata (path, text)',
  'reads_by_source on reads (flow, run, step, task, attempt, attempt_id)', // who used it, page by page
  'refs_by_name on refs (name)',
  'reports_by_name on reports (name)',
  'cache_entries_by_task on cache_entries (task)',
  'cache_entries_by_source on cache_entries (flow, run, step, task_id, attempt)', // what hits return of it
  // what could not be read whole, and is read again
  ...['runs (flow, run)', 'attempts (flow, run)', 'cache_entries (key)', 'published (name, version)'].map(
    (columns) => `${columns.slice(0, columns.indexOf(' '))}_unread on ${columns} where seen = ''`,
  ),
  'published_by_source on published (flow, run, step, task, attempt)',
  'published_by_key on published (key)',
];

/** The attempts that count: of each task the latest one that was started. */
const TASKS = `create view tasks as
  select id as attempt_id, flow, run, step, task, attempt as latest_attempt, status, label, started_at, ended_at from attempts a
  where not exists (select 1 from attempts b where b.flow = a.flow and b.run = a.run and b.step = a.step and b.task = a.task
    and b.attempt > a.attempt)`;

const TYPES: Readonly<Record<DatabaseType, Readonly<Record<ColumnKind, string>>>> = {
  sqlite: { text: 'text', whole: 'integer', number: 'real' },
  // Texts compare by their bytes, as names in a store do.
  postgres: { text: 'text collate "C"', whole: 'bigint', number: 'double precision' },
};

const IDS: Readonly<Record<DatabaseType, string>> = {
  sqlite: 'id integer primary key autoincrement',
  postgres: 'id bigint generated by default as identity primary key',
};

/** The statements that make the tables, their indexes and the view `tasks`. */
export function schemaStatements(type: DatabaseType): string[] {
  const tables = TABLE_NAMES.map((name) => {
    const { columns, key } = TABLES[name];
    const parts = columns.map(
      (column) => `${column.name} ${TYPES[type][column.kind]}${key.includes(column.name) ? ' not null' : ''}`,
    );
    const isDrawn = name === 'attempts';
    if (isDrawn) parts.unshift(IDS[type]);
    parts.push(`${isDrawn ? 'unique' : 'primary key'} (${key.join(', ')})`);
    const suffix =
      type === 'postgres' ? '' : OF_ATTEMPTS.includes(name) ? ' strict, without rowid' : ' strict';
    return `create table ${name} (${parts.join(', ')})${suffix}`;
  });
  return [...tables, ...INDEXES.map((index) => `create index ${index}`), TASKS];
}

/** The statements that remove all that {@link schemaStatements} makes, of this version or an older one. */
export function dropStatements(): string[] {
  const tables = [...TABLE_NAMES].reverse();
  return ['drop view if exists tasks', ...tables.map((name) => `drop table if exists ${name}`)];
}

function tableOf(name: TableName): Table {
  const words = DEFINITIONS[name].split(/\s+/).filter((word) => word !== '');
  const end = words.indexOf('|');
  const columns = words
    .filter((word) => word !== '|')
    .map((word) => ({ name: word.slice(0, -1), kind: KINDS[word.slice(-1)] as ColumnKind }));
  return { name, columns, key: columns.slice(0, end).map((column) => column.name) };
}
