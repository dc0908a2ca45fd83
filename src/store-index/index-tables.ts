import { invalidArgument, isError, isStowageError, messageOf, StowageError } from '../errors.ts';
import { newSessionId } from '../format/session-id.ts';
import type { CallOptions, DatabaseType, SqlRow } from '../storage/contract.ts';
import { type IndexDatabase, type IndexWork, putRows } from './index-database.ts';
import { dropStatements, SCHEMA_VERSION, schemaStatements } from './schema.ts';

/** What an index says of itself. */
export interface IndexState {
  /** The store that it is of. */
  storeId: string;
  /** Drawn when its tables were made: another one has other rows. */
  build: string;
  /** How far a source of changes has told; `''` at first. */
  position: string;
  /** True once all of the store was in it. */
  isWhole: boolean;
  /** When it was caught up last, and by `full`, in milliseconds since 1970; `undefined` before. */
  caughtUpAtMs: number | undefined;
  fullAtMs: number | undefined;
}

const EXISTS: Readonly<Record<DatabaseType, string>> = {
  sqlite: "select 1 from sqlite_master where name = 'stowage_index'",
  postgres: "select 1 where to_regclass('stowage_index') is not null",
};

/** Reads what an index says of itself; `undefined` where there is none, or one of older tables. @throws StowageError `UNSUPPORTED_FORMAT` */
export async function readState(
  database: IndexDatabase,
  options: CallOptions,
): Promise<IndexState | undefined> {
  const [there] = await database.read({ text: EXISTS[database.type] }, options);
  if (!there) return undefined;
  return stateOf(await database.read({ text: 'select * from stowage_index' }, options), database.address);
}

/** True while an index is the one that was made as `build`. */
export async function isBuild(
  database: IndexDatabase,
  build: string,
  options?: CallOptions,
): Promise<boolean> {
  const [row] = await database.read({ text: 'select build from stowage_index' }, options);
  return row?.build === build;
}

/**
 * Makes the tables where there are none, or older ones, in one transaction.
 *
 * @param anew - drops what there is
 * @throws StowageError `INVALID_ARGUMENT` for the index of another store, and where tables of another program have the names of its own;
 * `UNSUPPORTED_FORMAT`
 */
export async function prepareTables(
  database: IndexDatabase,
  storeId: string,
  options: CallOptions & { anew: boolean },
): Promise<IndexState> {
  try {
    return await makeTables(database, storeId, options);
  } catch (error) {
    throw isTaken(error) ? ofAnotherProgram(database.address, error) : error;
  }
}

function makeTables(
  database: IndexDatabase,
  storeId: string,
  { anew, signal }: CallOptions & { anew: boolean },
): Promise<IndexState> {
  const { type, address } = database;
  const build = newSessionId();
  return database.write(
    function* (): IndexWork<IndexState> {
      // Two that come first make the tables one after the other.
      if (type === 'postgres')
        yield {
          text: "select pg_advisory_xact_lock(hashtextextended('stowage_index ' || current_schema(), 0))",
        };
      const [there] = yield { text: EXISTS[type] };
      const rows = there ? yield { text: 'select * from stowage_index' } : [];
      const state = there && stateOf(rows, address);
      const found = rows[0]?.store_id;
      if (there && found !== storeId) throw ofAnotherStore(address, String(found), storeId);
      if (state && !anew) return state;
      if (there) for (const text of dropStatements()) yield { text };
      for (const text of schemaStatements(type)) yield { text };
      const made = {
        one: 1,
        schema_version: SCHEMA_VERSION,
        store_id: storeId,
        build,
        position: '',
        is_whole: 0,
      };
      yield* putRows(type, 'stowage_index', [made]);
      return { storeId, build, position: '', isWhole: false, caughtUpAtMs: undefined, fullAtMs: undefined };
    },
    { signal },
  );
}

/** True where a table, or an index of one, has a name already: SQLSTATE `duplicate_table`; of SQLite its words. */
function isTaken(error: unknown): boolean {
  if (isStowageError(error) || !isError(error)) return false;
  return (error as Error & { code?: unknown }).code === '42P07' || /already exists$/.test(error.message);
}

function ofAnotherProgram(address: string, error: unknown): StowageError {
  return new StowageError(
    'INVALID_ARGUMENT',
    `There is no room for an index in ${address}: another program has a table of the same name there (${messageOf(error)}). Rename or move that one; the store needs a schema, or a file, of its own.`,
    { details: { address }, ...(isError(error) ? { cause: error } : {}) },
  );
}

/** The one row of `stowage_index`; `undefined` of older tables. */
function stateOf([row]: readonly SqlRow[], address: string): IndexState | undefined {
  if (!row || !/^\d+$/.test(String(row.schema_version)))
    throw ofAnotherProgram(address, 'stowage_index tells no version');
  if (Number(row.schema_version) < SCHEMA_VERSION) return undefined;
  if (Number(row.schema_version) > SCHEMA_VERSION) {
    throw new StowageError(
      'UNSUPPORTED_FORMAT',
      `The index in ${address} was made by a newer release of Stowage (tables of version ${row.schema_version}); install that, or name another file.`,
      { details: { address, version: Number(row.schema_version) } },
    );
  }
  return {
    storeId: String(row.store_id),
    build: String(row.build),
    position: String(row.position),
    isWhole: Number(row.is_whole) === 1,
    caughtUpAtMs: row.caught_up_at === null ? undefined : Number(row.caught_up_at),
    fullAtMs: row.full_at === null ? undefined : Number(row.full_at),
  };
}

/** The error for an index of another store. */
export function ofAnotherStore(address: string, found: string, storeId: string): StowageError {
  return invalidArgument(
    `The index in ${address} is of another store (${found}, not ${storeId}); name another file, or remove that one.`,
    { address, found, storeId },
  );
}
