import { setTimeout as sleep } from 'node:timers/promises';
import { orAborted } from '../../../async/next-or-aborted.ts';
import { isStowageError, StowageError, throwIfAborted } from '../../../errors.ts';
import type { CallOptions, SelectOptions, SqlRow, SqlStatement, StorageDatabase } from '../../contract.ts';
import { codeOf, wordsOf } from '../sql-storage.ts';
import type { PostgresAddress } from './address.ts';
import { faultOf } from './faults.ts';
import type { PostgresClient, PostgresPool } from './pool.ts';
import { pagesOfSelect } from './postgres-select.ts';

/** A transaction that was in the way of another is run again so often. */
const MAX_TRIES = 10;
const MAX_WAIT_MS = 500;
/** SQLSTATE of what another transaction did: a serialization failure, a deadlock, a lock that was waited for too long. */
const IN_THE_WAY: readonly unknown[] = ['40001', '40P01', '55P03'];

/** Tables beside those of a store, in its schema of PostgreSQL. */
export class PostgresTables implements StorageDatabase {
  readonly type = 'postgres';
  readonly address: string;
  readonly #schema: string;
  readonly #pool: PostgresPool;

  constructor(address: PostgresAddress, pool: PostgresPool) {
    this.address = address.plain;
    this.#schema = address.schema;
    this.#pool = pool;
  }

  async read(statement: SqlStatement, { signal }: CallOptions = {}): Promise<readonly SqlRow[]> {
    throwIfAborted(signal);
    return orAborted(() => this.#inTransaction('read', 'begin read only', (run) => run(statement)), signal);
  }

  select(statement: SqlStatement, options: SelectOptions): AsyncGenerator<readonly SqlRow[], void> {
    const told = <T>(call: () => Promise<T>): Promise<T> => this.#told('read', call);
    return pagesOfSelect({ pool: this.#pool, schema: this.#schema, told }, statement, options);
  }

  async write<T>(
    work: () => Generator<SqlStatement, T, readonly SqlRow[]>,
    { signal }: CallOptions = {},
  ): Promise<T> {
    const transaction = (): Promise<T> =>
      this.#inTransaction('write', 'begin', async (run) => {
        const statements = work();
        let next = statements.next();
        while (!next.done) {
          throwIfAborted(signal);
          next = statements.next(await run(next.value));
        }
        return next.value;
      });
    for (let tries = 1; ; tries += 1) {
      throwIfAborted(signal);
      try {
        return await transaction();
      } catch (error) {
        const cause = isStowageError(error) ? error.details.cause : undefined;
        if (!IN_THE_WAY.includes(cause) || tries === MAX_TRIES) throw error;
      }
      await sleep(Math.random() * MAX_WAIT_MS);
    }
  }

  /** What `work` throws by itself is thrown as it is: only errors of the driver are told as those of the database. */
  async #inTransaction<T>(
    operation: string,
    begin: string,
    work: (run: (statement: SqlStatement) => Promise<readonly SqlRow[]>) => Promise<T>,
  ): Promise<T> {
    const client = await this.#told(operation, () => this.#pool.connect());
    const query = (text: string, parameters?: unknown[]): ReturnType<PostgresClient['query']> =>
      this.#told(operation, () => client.query(text, parameters));
    let isBroken = false;
    // The next statement, or the commit, says why.
    const breakOff = (): void => {
      isBroken = true;
    };
    client.on('error', breakOff);
    try {
      await query(`${begin}; set local search_path = "${this.#schema}"; set local lock_timeout = '10s'`);
      const result = await work(async ({ text, parameters = [] }) => {
        const { rows } = await query(text, [...parameters]);
        return rows as SqlRow[];
      });
      await query('commit');
      return result;
    } catch (error) {
      await client.query('rollback').catch(() => {
        isBroken = true; // what ended the transaction is what is told
      });
      throw error;
    } finally {
      client.off('error', breakOff);
      client.release(isBroken);
    }
  }

  async #told<T>(operation: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      const code = codeOf(error);
      // Of class 42 and 22 is what a statement itself has wrong.
      if (isStowageError(error) || (code !== undefined && /^(42(?!501)|22)/.test(code))) throw error;
      const { code: meaning, what, remedy } = faultOf(error);
      throw new StowageError(
        meaning,
        `Cannot ${operation} tables in ${this.address}: ${what} (${wordsOf(error)}); ${remedy}.`,
        { details: { operation, address: this.address, cause: code }, cause: error },
      );
    }
  }
}
