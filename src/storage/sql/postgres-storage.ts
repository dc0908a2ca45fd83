import { StowageError } from '../../errors.ts';
import type { DataStoreStorage } from '../contract.ts';
import { parsePostgresAddress } from './postgres/address.ts';
import type { PostgresPool } from './postgres/pool.ts';
import { PostgresDatabase } from './postgres/postgres-database.ts';
import { SqlStorage } from './sql-storage.ts';

export type { PostgresClient, PostgresPool, PostgresRows } from './postgres/pool.ts';

/** Options of {@link PostgresStorage.open} that its address does not tell. */
export interface PostgresStorageOptions {
  /** A pool of the package `pg`, which stays open. Its user, host and database count then, not those of the address. Default: one of its own. */
  pool?: PostgresPool | undefined;
  /** The most connections of its own pool. Default 8. */
  maxConnections?: number | undefined;
}

interface Pg {
  default: {
    Pool: new (config: {
      connectionString: string;
      max: number;
      connectionTimeoutMillis: number;
      allowExitOnIdle: boolean;
      application_name: string;
    }) => PostgresPool & { on(event: 'error', listener: (error: unknown) => void): void };
  };
}

const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Keeps objects in a table of PostgreSQL, from 13 on, for any number of processes on any number of machines. An object has 8 MiB at most: a flow keeps
 * what is large in a bucket or a folder (`rawDataPath`). The package `pg` is to be installed beside this one.
 *
 * What is written is durable when it is visible, by the settings of each transaction; but for a failover to a server that follows
 * asynchronously, which loses what it had not received.
 */
export class PostgresStorage extends SqlStorage implements DataStoreStorage {
  /** Use {@link PostgresStorage.open}. */
  private constructor(database: PostgresDatabase) {
    super(database);
  }

  /**
   * Opens `postgres://user:password@host:5432/database/schema`; the schema is `stowage` without one. Connects with the first call. Creates nothing:
   * schema and table are made by the first write.
   *
   * @throws StowageError `INVALID_ARGUMENT`; `STORAGE_UNSUPPORTED` where `pg` is not installed
   */
  static async open(address: string, options: PostgresStorageOptions = {}): Promise<PostgresStorage> {
    const parsed = parsePostgresAddress(address);
    const { pool, maxConnections = 8 } = options;
    if (pool) return new PostgresStorage(new PostgresDatabase(parsed, pool, false));
    let pg: Pg;
    try {
      pg = (await import('pg' as string)) as Pg;
    } catch (cause) {
      throw new StowageError(
        'STORAGE_UNSUPPORTED',
        'A store in PostgreSQL needs the package pg, which cannot be loaded here: npm install pg.',
        { details: { package: 'pg' }, cause },
      );
    }
    const own = new pg.default.Pool({
      connectionString: parsed.connection,
      max: maxConnections,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      allowExitOnIdle: true,
      application_name: 'stowage',
    });
    own.on('error', () => {}); // of an idle connection: the next call gets another one, or says what is wrong
    return new PostgresStorage(new PostgresDatabase(parsed, own, true));
  }
}
