import { invalidArgument } from '../errors.ts';
import { ANYTHING, checkOptions, type OptionTable, wholeNumber } from '../options/option-table.ts';
import type { CallOptions } from '../storage/contract.ts';
import { type IndexDatabase, textOf } from './index-database.ts';

/**
 * A value in a row, or of a parameter. A whole number is a `bigint` where a number would not be exact. Dates, JSON and all else that a database has
 * are the texts that it gives.
 */
export type QueryValue = string | number | bigint | boolean | Uint8Array | null;

/** A row by the names of its columns; a second column `n` is `n:1`. */
export type QueryRow = Readonly<Record<string, QueryValue>>;

/** Options of {@link StoreIndex.query}. */
export interface QueryOptions extends CallOptions {
  /** The values of `$1`, `$2`, ... A whole number is one of 64 bits, `true` is 1 and `false` is 0. Default: none. */
  parameters?: readonly QueryValue[] | undefined;
  /** So many rows at most. Default 10,000. They are made as they are taken, and do not add up in memory. */
  limit?: number | undefined;
}

const QUERY: OptionTable<QueryOptions> = { parameters: ANYTHING, limit: wholeNumber(1) };

const DEFAULT_LIMIT = 10_000;
const MAX_BIGINT = 2n ** 63n - 1n;

/**
 * The rows of a statement that reads.
 *
 * @throws StowageError `INVALID_ARGUMENT`, at once for options; for the statement with the words of the database
 */
export function queryRows(
  database: IndexDatabase,
  sql: string,
  options: QueryOptions = {},
): AsyncGenerator<QueryRow> {
  checkOptions(options, 'query', QUERY);
  if (typeof sql !== 'string' || sql.includes('\0'))
    throw invalidArgument('A statement is a text in SQL, without the character 0.', { argument: 'sql' });
  return readRows(database, sql, boundValues(options.parameters ?? []), options);
}

async function* readRows(
  database: IndexDatabase,
  sql: string,
  parameters: unknown[],
  { limit = DEFAULT_LIMIT, signal }: QueryOptions,
): AsyncGenerator<QueryRow> {
  const text = withoutEnd(sql);
  for await (const page of database.select({ text, parameters }, { limit, signal }))
    yield* page as readonly QueryRow[];
}

/** The statement without the `;` that may end it. */
function withoutEnd(sql: string): string {
  let end = sql.length;
  while (end > 0 && /[\s;]/.test(sql[end - 1] as string)) end -= 1;
  return sql.slice(0, end);
}

/** Values as both databases take them. */
function boundValues(parameters: unknown): unknown[] {
  if (!Array.isArray(parameters))
    throw invalidArgument('parameters must be a list of values, of $1, $2 and so on.', {
      option: 'parameters',
    });
  return parameters.map((value: unknown, at) => {
    if (typeof value === 'string') return textOf(value);
    if (typeof value === 'boolean') return value ? 1 : 0;
    if (value === null || value instanceof Uint8Array || Number.isFinite(value)) return value;
    if (typeof value === 'bigint' && -MAX_BIGINT - 1n <= value && value <= MAX_BIGINT) return value;
    throw invalidArgument(
      `The parameter $${at + 1} must be a text, a finite number, a bigint of 64 bits, true or false, bytes, or null, not a value of type ${typeof value}.`,
      { option: 'parameters', parameter: at + 1 },
    );
  });
}
