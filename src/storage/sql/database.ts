import type { StowageErrorCode } from '../../errors.ts';
import type { SqlRow, StorageDatabase } from '../contract.ts';

/** A row as statements give it. */
export type Row = SqlRow;

/** A new object, whose name may be taken. */
export interface NewObject {
  readonly name: string;
  readonly body: Uint8Array;
}

/** The words in which databases differ, where one statement serves them all otherwise. Parameters are `$1`, `$2`, ... in every one. */
export interface SqlWords {
  /** The position of `part` in `text`, from 1; 0 without one. */
  position(text: string, part: string): string;
  /** So many bytes of the body, from an offset that counts from 0. */
  bytes(offset: string, length: string): string;
  /** The length of the body, in bytes. */
  length: string;
}

/**
 * A table of objects in a database: `name`, `body`, `modified` (milliseconds since 1970, by the database's clock) and `id`, which is
 * drawn from one sequence of the table at each write, so that no version comes twice. Each write is durable when its promise resolves.
 */
export interface SqlDatabase {
  /** `sqlite` or `postgres`. */
  readonly type: string;
  /** A read costs no request. */
  readonly localReads: boolean;
  readonly words: SqlWords;
  /** The address, without user and password. */
  readonly address: string;
  /**
   * Reads in one statement, which sees one state of the table. No rows where there is no table yet.
   *
   * @throws StowageError `ABORTED` as soon as `signal` is aborted
   */
  read(
    statement: string,
    parameters: readonly unknown[],
    signal: AbortSignal | undefined,
  ): Promise<readonly Row[]>;
  /** The values of the first row of what {@link read} gives, in the order of its columns, for less. */
  first(
    statement: string,
    parameters: readonly unknown[],
    signal: AbortSignal | undefined,
  ): Promise<readonly unknown[] | undefined>;
  /** Creates those of the objects whose names are free, all in one transaction. Resolves to the names that it created. */
  create(objects: readonly NewObject[]): Promise<ReadonlySet<string>>;
  /** Writes an object, and resolves to its new id; `undefined` where its id was not `ifMatch`. */
  overwrite(object: NewObject, ifMatch: string | undefined): Promise<string | undefined>;
  delete(names: readonly string[]): Promise<void>;
  /** The database for tables of others. */
  readonly tables: StorageDatabase;
  close(): Promise<void>;
  /** The meaning of an error that the database gave; `undefined` for one that is of this package already. */
  classify(error: unknown): SqlFault | undefined;
}

/** What an error of a database means, and what to do. */
export interface SqlFault {
  code: StowageErrorCode;
  /** What happened, as a clause. */
  what: string;
  remedy: string;
  /** Nobody has ever answered there: it may be the wrong place. */
  neverAnswered?: true;
}
