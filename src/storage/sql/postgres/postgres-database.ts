import { orAborted } from '../../../async/next-or-aborted.ts';
import { isError, isStowageError, StowageError } from '../../../errors.ts';
import type { StorageDatabase } from '../../contract.ts';
import type { NewObject, Row, SqlDatabase, SqlFault, SqlWords } from '../database.ts';
import { codeOf } from '../sql-storage.ts';
import type { PostgresAddress } from './address.ts';
import { faultOf } from './faults.ts';
import type { PostgresPool } from './pool.ts';
import { PostgresTables } from './postgres-tables.ts';

/** The version of the tables. */
const SCHEMA_VERSION = 1;
/** A lock that is waited for longer than so many milliseconds is given up, and the call tried again. */
const LOCK_TIMEOUT_MS = 10_000;
/** Each transaction makes itself durable, whatever the server, the database or the user is set to. */
const DURABLE = `durable as materialized (
  select set_config('synchronous_commit', case current_setting('synchronous_commit') when 'remote_apply' then 'remote_apply' else 'on' end, true),
    set_config('lock_timeout', '${LOCK_TIMEOUT_MS}', true))`;
const NOW = '(extract(epoch from clock_timestamp()) * 1000)::bigint';

const WORDS: SqlWords = {
  position: (text, part) => `strpos(${text}, ${part})`,
  bytes: (offset, length) => `substring(body from ${offset}::int + 1 for ${length}::int)`,
  length: 'octet_length(body)',
};

/**
 * A table in a schema of PostgreSQL. Names compare by their bytes (`COLLATE "C"`); ids come from a sequence of the schema; `written` tells which
 * transaction wrote a row, so that a reader who catches up misses none that commits late.
 */
export class PostgresDatabase implements SqlDatabase {
  readonly type = 'postgres';
  readonly localReads = false;
  readonly words: SqlWords = WORDS;
  readonly address: string;
  readonly tables: StorageDatabase;
  readonly #schema: string;
  readonly #pool: PostgresPool;
  readonly #isOwnPool: boolean;
  #isKnown = false;
  #wasReached = false;
  #making: Promise<void> | undefined;

  /** @param isOwnPool - ended with the storage */
  constructor(address: PostgresAddress, pool: PostgresPool, isOwnPool: boolean) {
    this.address = address.plain;
    this.tables = new PostgresTables(address, pool);
    this.#schema = address.schema;
    this.#pool = pool;
    this.#isOwnPool = isOwnPool;
  }

  read(
    statement: string,
    parameters: readonly unknown[],
    signal: AbortSignal | undefined,
  ): Promise<readonly Row[]> {
    const reading = async (): Promise<readonly Row[]> =>
      (await this.#isThere()) ? this.#query(statement, parameters) : [];
    return orAborted(reading, signal);
  }

  async first(
    statement: string,
    parameters: readonly unknown[],
    signal: AbortSignal | undefined,
  ): Promise<readonly unknown[] | undefined> {
    const [row] = await this.read(statement, parameters, signal);
    return row && Object.values(row);
  }

  async create(objects: readonly NewObject[]): Promise<ReadonlySet<string>> {
    await this.#prepare();
    const values = objects.map((_, i) => `($${2 * i + 1}::text, $${2 * i + 2}::bytea)`).join(', ');
    const insert = `with ${DURABLE} insert into stowage_objects (name, body, modified)
      select v.name, v.body, ${NOW} from durable, (values ${values}) v (name, body) order by v.name
      on conflict (name) do nothing returning name`;
    const rows = await this.#query(
      insert,
      objects.flatMap(({ name, body }) => [name, bufferOf(body)]),
    );
    return new Set(rows.map(({ name }) => String(name)));
  }

  async overwrite({ name, body }: NewObject, ifMatch: string | undefined): Promise<string | undefined> {
    await this.#prepare();
    const insert = `with ${DURABLE} insert into stowage_objects (name, body, modified)
      select $1::text, $2::bytea, ${NOW} from durable
      on conflict (name) do update set body = excluded.body, modified = excluded.modified, id = excluded.id, written = excluded.written
      returning id`;
    const update = `with ${DURABLE} update stowage_objects set body = $2::bytea, modified = ${NOW},
      id = nextval('stowage_ids'), written = pg_current_xact_id() from durable where name = $1::text and id = $3::bigint returning id`;
    const [row] =
      ifMatch === undefined
        ? await this.#query(insert, [name, bufferOf(body)])
        : await this.#query(update, [name, bufferOf(body), ifMatch]);
    return row && String(row.id);
  }

  async delete(names: readonly string[]): Promise<void> {
    const remove = `with ${DURABLE} delete from stowage_objects using durable where name in (select unnest($1::text[]) order by 1)`;
    if (await this.#isThere()) await this.#query(remove, [names]);
  }

  async close(): Promise<void> {
    if (this.#isOwnPool) await this.#pool.end();
  }

  classify(error: unknown): SqlFault | undefined {
    return isStowageError(error) ? undefined : faultOf(error, this.#wasReached);
  }

  async #query(statement: string, parameters: readonly unknown[] = []): Promise<readonly Row[]> {
    const text = statement.replaceAll(/\bstowage_(objects|ids|schema)\b/g, `"${this.#schema}".stowage_$1`);
    const { rows } = await this.#pool.query(text, [...parameters]);
    this.#wasReached = true;
    return rows as Row[];
  }

  /** Makes the tables where there are none, once: all processes that come at the same time wait for each other. */
  async #prepare(): Promise<void> {
    if (this.#isKnown || (await this.#isThere())) return;
    this.#making ??= this.#make().finally(() => {
      this.#making = undefined;
    });
    await this.#making;
  }

  /** True if the tables are there, which is asked until they are. */
  async #isThere(): Promise<boolean> {
    this.#isKnown ||= await this.#isOurs();
    return this.#isKnown;
  }

  async #make(): Promise<void> {
    const schema = `"${this.#schema}"`;
    // One string without parameters is one transaction.
    await this.#pool.query(`
      set local synchronous_commit = on;
      select pg_advisory_xact_lock(hashtextextended('stowage ${this.#schema}', 0));
      create schema if not exists ${schema};
      create sequence if not exists ${schema}.stowage_ids;
      create table if not exists ${schema}.stowage_objects (
        name text collate "C" primary key,
        body bytea not null,
        modified bigint not null,
        id bigint not null default nextval('${schema}.stowage_ids'),
        written xid8 not null default pg_current_xact_id()
      ) with (fillfactor = 80);
      alter table ${schema}.stowage_objects alter body set storage external;
      create table if not exists ${schema}.stowage_schema (version int not null);
      insert into ${schema}.stowage_schema select ${SCHEMA_VERSION} where not exists (select 1 from ${schema}.stowage_schema);
    `);
    await this.#isThere();
  }

  /** False where there are no tables. @throws StowageError for those of another program, or a newer release */
  async #isOurs(): Promise<boolean> {
    let rows: readonly Row[];
    try {
      rows = await this.#query(
        "select version, current_setting('server_encoding') as encoding, to_regclass('stowage_objects') as objects from stowage_schema",
      );
    } catch (error) {
      if (isAbsent(error)) return this.#isFree();
      throw codeOf(error) === NO_COLUMN ? this.#foreign('stowage_schema', error) : error;
    }
    const [told] = rows;
    if (!told || !/^\d+$/.test(String(told.version)) || told.objects === null)
      throw this.#foreign('stowage_schema');
    if (told.encoding !== 'UTF8') {
      throw new StowageError(
        'STORAGE_UNSUPPORTED',
        `${this.address} has the encoding ${told.encoding}, and names need UTF8; create the database with ENCODING 'UTF8'.`,
        { details: { address: this.address, encoding: told.encoding } },
      );
    }
    if (Number(told.version) > SCHEMA_VERSION) {
      throw new StowageError(
        'UNSUPPORTED_FORMAT',
        `${this.address} was made by a newer release of Stowage (tables of version ${told.version}); install that.`,
        { details: { address: this.address, version: told.version } },
      );
    }
    return true;
  }

  /** False. @throws StowageError where another program has the name of our table: ours are made together, and seen so by one statement */
  async #isFree(): Promise<false> {
    const names = ['stowage_objects', 'stowage_schema'];
    const rows = await this.#query(
      'select relname from pg_class where relnamespace = (select oid from pg_namespace where nspname = $1) and relname = any ($2)',
      [this.#schema, names],
    );
    const [taken, ...others] = rows;
    if (taken && others.length === 0) throw this.#foreign(String(taken.relname));
    return false;
  }

  #foreign(table: string, cause?: unknown): StowageError {
    return new StowageError(
      'NOT_A_STORE',
      `${this.address} has a table ${table} of another program; give the store a schema of its own: postgres://host/database/schema.`,
      { details: { address: this.address, table }, ...(cause === undefined ? {} : { cause }) },
    );
  }
}

/** SQLSTATE `undefined_column`. */
const NO_COLUMN = '42703';

/** No table, no schema. */
function isAbsent(error: unknown): boolean {
  return isError(error) && ['42P01', '3F000'].includes(codeOf(error) ?? '');
}

/** The driver takes other views for text. */
function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
