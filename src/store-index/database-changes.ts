import { newSessionId } from '../format/session-id.ts';
import type { CallOptions, DatabaseType, SqlRow } from '../storage/contract.ts';
import type { ChangePage, ChangeSource, ChangesOptions } from './changes.ts';
import { type IndexDatabase, type IndexWork, isInList, listParameter } from './index-database.ts';
import { type Subject, subjectId, subjectOf } from './subjects.ts';

/** A page has so many names of objects. */
const PAGE = 500;

const FOLDERS = ['cache', 'flows', 'names', 'partial', 'runs'] as const;
/** The names of objects that the index tells of, by ranges; `0` comes right after `/`. */
const TOLD = `(${FOLDERS.map((folder) => `name >= '${folder}/' and name < '${folder}0'`).join(' or ')})`;

/** Leases take no part, nor do records of an open attempt but parts of its metadata. */
const NOT_GONE = `(name >= 'cache/' and name < 'cache0' and name like '%.lease.%'
  or name >= 'partial/' and name < 'partial0' and name not like '%.metadata.%')`;

/** An erasure changes what is said of a published version, in the session that keeps it. */
const ERASED_SESSION = /^loose\/([^/.]+)\.ERASED\./;
const TOLD_OR_ERASED = `(${TOLD} or name >= 'loose/' and name < 'loose0' and name like '%.ERASED.%')`;

const TRIGGER = 'stowage_tells_gone';
const HAS_TRIGGER: Readonly<Record<DatabaseType, string>> = {
  sqlite: `select 1 from sqlite_master where type = 'trigger' and name = '${TRIGGER}'
    and exists (select 1 from sqlite_master where type = 'table' and name = 'stowage_gone')`,
  postgres: `select 1 from pg_trigger where tgname = '${TRIGGER}' and tgrelid = to_regclass('stowage_objects')
    and to_regclass('stowage_gone') is not null`,
};

/** Objects that are deleted leave their names from now on. In PostgreSQL those who delete need no rights on the table of names. */
const MAKE: Readonly<Record<DatabaseType, readonly string[]>> = {
  sqlite: [
    'create table if not exists stowage_gone (id integer primary key autoincrement, name text not null) strict',
    `create trigger if not exists ${TRIGGER} after delete on stowage_objects when ${`${TOLD} and not ${NOT_GONE}`.replaceAll('name', 'old.name')}
      begin insert into stowage_gone (name) values (old.name); end`,
  ],
  postgres: [
    "select set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)",
    'create table if not exists stowage_gone (id bigint generated always as identity primary key, name text collate "C" not null)',
    `create index if not exists stowage_objects_written on stowage_objects (written, name) where ${TOLD_OR_ERASED}`,
    `create or replace function stowage_tell_gone() returns trigger language plpgsql security definer set search_path from current
      as $tell$ begin insert into stowage_gone (name) select name from gone where ${TOLD} and not ${NOT_GONE}; return null; end $tell$`,
    `drop trigger if exists ${TRIGGER} on stowage_objects`,
    `create trigger ${TRIGGER} after delete on stowage_objects referencing old table as gone
      for each statement execute function stowage_tell_gone()`,
  ],
};

/** Up to where what is written can be told: nothing that is before it becomes visible later. */
const NOW: Readonly<Record<DatabaseType, string>> = {
  sqlite: "select coalesce((select seq from sqlite_sequence where name = 'stowage_objects'), 0) + 1 as at",
  postgres: 'select pg_snapshot_xmin(pg_current_snapshot())::text as at',
};

/** Names in the order in which they were written, behind one, and before `$3`. Exported for tests of their plans. */
export const WRITTEN: Readonly<Record<DatabaseType, string>> = {
  sqlite: `select id as at, name from stowage_objects where (id, name) > ($1, $2) and id < $3 and ${TOLD_OR_ERASED} order by id limit ${PAGE}`,
  postgres: `select written::text as at, name from stowage_objects
    where (written, name) > ($1::text::xid8, $2) and written < $3::text::xid8 and ${TOLD_OR_ERASED} order by written, name limit ${PAGE}`,
};
/** No transaction is behind this one. */
const LAST = '9223372036854775807';

/**
 * Finds what changed in a database. New objects and those that were overwritten are told by the order in which they were written: in SQLite,
 * which has one writer, by their ids; in PostgreSQL by their transactions, up to the oldest one that is open, since a transaction may begin
 * early and commit late. What was committed beyond that is told as well, and told again the next time. Deletions are told by a table of
 * names, which a trigger fills from the first catch-up on, and which a catch-up empties. A new index, and a full comparison, list the store.
 *
 * A position is `<at>.<token>`: the token is drawn for each, so that of two processes that catch up at once, one sees that the other was
 * faster, and writes nothing older over what that wrote.
 */
export class DatabaseChanges implements ChangeSource {
  readonly #database: IndexDatabase;
  readonly #listed: ChangeSource;

  /** @param listed - tells all that there is */
  constructor(database: IndexDatabase, listed: ChangeSource) {
    this.#database = database;
    this.#listed = listed;
  }

  async *changes({ position, full = false, signal }: ChangesOptions): AsyncGenerator<ChangePage> {
    const options = { signal };
    await this.#makeTrigger(options);
    const [from = ''] = position.split('.');
    // Before anything is read: what is written meanwhile is told the next time.
    const now = await this.#now(options);
    // A database that was restored may count anew.
    const isAhead = from !== '' && BigInt(from) > BigInt(now);
    if (full || from === '' || isAhead) {
      yield* this.#listed.changes({ position, full: full || isAhead, signal });
      // A listing shows all that is committed.
      yield { subjects: [], position: positionAt(now) };
    } else {
      yield* this.#unread(options);
      yield* this.#written(from, now, true, options);
      if (this.#database.type === 'postgres') yield* this.#written(now, LAST, false, options);
    }
    yield* this.#gone(now, options);
  }

  async *#written(
    from: string,
    end: string,
    isKept: boolean,
    { signal }: CallOptions,
  ): AsyncGenerator<ChangePage> {
    const text = WRITTEN[this.#database.type];
    for (let [at, name] = [from, '']; ; ) {
      const rows = await this.#database.read({ text, parameters: [at, name, end] }, { signal });
      const last = rows.at(-1);
      if (!last) return;
      const isEnd = rows.length < PAGE;
      [at, name] = [String(last.at), String(last.name)];
      const subjects = once([...subjectsOf(rows), ...(await this.#erasedVersions(rows, { signal }))]);
      yield { subjects, isSettled: isKept, ...(isKept ? { position: positionAt(isEnd ? end : at) } : {}) };
      if (isEnd) return;
    }
  }

  /** The versions in the index that sessions keep which were erased from. One that comes into it later is read as it is. */
  async #erasedVersions(rows: readonly SqlRow[], { signal }: CallOptions): Promise<Subject[]> {
    const sessions = rows.flatMap(({ name }) => ERASED_SESSION.exec(String(name))?.[1] ?? []);
    if (sessions.length === 0) return [];
    const text = `select name, version from published where ${isInList(this.#database.type, 'session', '$1', 'text')}`;
    const parameters = [listParameter(sessions)];
    const versions = await this.#database.read({ text, parameters }, { signal });
    return versions.map(({ name, version }) => ({
      kind: 'published',
      name: String(name),
      version: Number(version),
    }));
  }

  async *#gone(now: string, { signal }: CallOptions): AsyncGenerator<ChangePage> {
    const { type } = this.#database;
    const text = `select id, name from stowage_gone order by id limit ${PAGE}`;
    const remove = `delete from stowage_gone where ${isInList(type, 'id', '$1', 'whole')}`;
    for (;;) {
      const rows = await this.#database.read({ text }, { signal });
      if (rows.length === 0) return;
      const ids = listParameter(rows.map(({ id }) => Number(id)));
      // A new position tells another catch-up, which may have read one of them before it was deleted.
      yield {
        subjects: subjectsOf(rows),
        position: positionAt(now),
        afterwards: [{ text: remove, parameters: [ids] }],
      };
      if (rows.length < PAGE) return;
    }
  }

  /** Subjects that could not be read when they were told: nothing tells of them again. */
  async *#unread({ signal }: CallOptions): AsyncGenerator<ChangePage> {
    const read = (text: string): Promise<readonly SqlRow[]> => this.#database.read({ text }, { signal });
    const runs = await read("select flow, run from runs where seen = ''");
    const attempts = await read("select flow, run, step, task, attempt from attempts where seen = ''");
    const entries = await read("select key from cache_entries where seen = ''");
    const published = await read("select name, version from published where seen = ''");
    const subjects: Subject[] = [
      ...attempts.map(
        ({ flow, run, step, task, attempt }): Subject => ({
          kind: 'attempt',
          path: { flow: String(flow), run: String(run), step: String(step), task: String(task) },
          attempt: Number(attempt),
        }),
      ),
      ...runs.map(({ flow, run }): Subject => ({ kind: 'run', flow: String(flow), run: String(run) })),
      ...entries.map(({ key }): Subject => ({ kind: 'entry', key: String(key) })),
      ...published.map(
        ({ name, version }): Subject => ({ kind: 'published', name: String(name), version: Number(version) }),
      ),
    ];
    if (subjects.length > 0) yield { subjects };
  }

  async #now({ signal }: CallOptions): Promise<string> {
    const [row] = await this.#database.read({ text: NOW[this.#database.type] }, { signal });
    return String(row?.at);
  }

  async #makeTrigger({ signal }: CallOptions): Promise<void> {
    const { type } = this.#database;
    const [there] = await this.#database.read({ text: HAS_TRIGGER[type] }, { signal });
    if (there) return;
    await this.#database.write(
      function* (): IndexWork<void> {
        if (type === 'postgres')
          yield {
            text: "select pg_advisory_xact_lock(hashtextextended('stowage_gone ' || current_schema(), 0))",
          };
        const [isMade] = yield { text: HAS_TRIGGER[type] };
        if (!isMade) for (const text of MAKE[type]) yield { text };
      },
      { signal },
    );
  }
}

function positionAt(at: string): string {
  return `${at}.${newSessionId()}`;
}

function subjectsOf(rows: readonly SqlRow[]): Subject[] {
  return once(rows.flatMap(({ name }) => subjectOf(String(name)) ?? []));
}

/** Each thing once. */
function once(subjects: readonly Subject[]): Subject[] {
  return [...new Map(subjects.map((subject) => [subjectId(subject), subject])).values()];
}
