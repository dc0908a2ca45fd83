import { randomBytes } from 'node:crypto';
import { invalidArgument, isError, isStowageError, messageOf } from '../../../errors.ts';
import type { SqlRow, SqlStatement } from '../../contract.ts';
import { exactNumber, refusedStatement } from '../select.ts';
import { isOfFile, sqliteCodeOf } from './faults.ts';
import type { SqliteConnection } from './library.ts';

const PAGE = 200;
/** A page ends early where its rows take longer than so many milliseconds. */
const PAGE_MS = 10;

/** Functions that SQLite marks as not for statements of others (https://www.sqlite.org/c3ref/c_deterministic.html): they write files, or load code. */
const DIRECT_ONLY = 'select distinct name from pragma_function_list where flags & 0x80000';
/** `libsql` has a table that reads files of the machine. */
const READS_FILES = /\bfsdir\b/i;

/**
 * The rows of a statement of somebody else, by pages. The connection can only read; beyond that, the statement is part of one that begins with
 * `select`, so that it can be nothing else.
 *
 * @throws StowageError `INVALID_ARGUMENT`
 */
export function* rowsOfSelect(
  connection: SqliteConnection,
  { text, parameters = [] }: SqlStatement,
  limit: number,
): Generator<SqlRow[], void> {
  try {
    const whole = `select * from (\n${text}\n) as answer limit ${limit}`;
    const statement = connection.prepare(whole);
    if (!isReadToItsEnd(connection, whole)) throw endsEarly();
    refuseFunctions(connection, whole);
    if (READS_FILES.test(text)) throw notAllowed('fsdir');
    yield* pagesOf(statement.iterate(namedParameters(text, parameters)));
  } catch (error) {
    const code = isError(error) ? sqliteCodeOf(error) : undefined;
    if (isStowageError(error) || isOfFile(code)) throw error;
    throw refusedStatement(error, { cause: code });
  }
}

/** Asks for no row behind the last: Node.js 22 would begin again with the first one. */
function* pagesOf(rows: Iterable<unknown>): Generator<SqlRow[], void> {
  let page: SqlRow[] = [];
  let endMs = performance.now() + PAGE_MS;
  for (const row of rows) {
    page.push(rowOf(row as SqlRow));
    if (page.length < PAGE && performance.now() < endMs) continue;
    yield page;
    page = [];
    endMs = performance.now() + PAGE_MS;
  }
  if (page.length > 0) yield page;
}

/**
 * Tells whether SQLite reads a statement to its end, where it stumbles over a word that makes no sense there. Behind a `;`, or in a comment that is
 * not ended, it would not, and both libraries run what stands before.
 */
function isReadToItsEnd(connection: SqliteConnection, statement: string): boolean {
  const word = `end_${randomBytes(8).toString('hex')}`;
  try {
    connection.prepare(`${statement} ${word}`);
    return false;
  } catch (error) {
    return messageOf(error).includes(word);
  }
}

/** Looks for functions in the program that SQLite makes of a statement. */
function refuseFunctions(connection: SqliteConnection, statement: string): void {
  const refused = new Set((connection.prepare(DIRECT_ONLY).all() as SqlRow[]).map(({ name }) => name));
  for (const { opcode, p4 } of connection.prepare(`explain ${statement}`).all() as SqlRow[]) {
    const [, name] = /^(?:Pure)?Func|^Agg/.test(String(opcode))
      ? (/^(.*)\(-?\d+\)$/.exec(String(p4)) ?? [])
      : [];
    if (refused.has(name)) throw notAllowed(String(name));
  }
}

function notAllowed(name: string): Error {
  return invalidArgument(
    `The statement uses ${name}, which works on files of this machine, not on the tables; leave it out.`,
    { function: name },
  );
}

function endsEarly(): Error {
  return invalidArgument(
    'The text goes on behind the end of the statement: give one statement, without ";" within, and end its comments.',
  );
}

/** Texts, names and comments, in which nothing is a parameter; then parameters. */
const TOKENS =
  /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|--[^\n]*|\/\*[\s\S]*?\*\/|[\w\u0080-\uffff][\w$\u0080-\uffff]*|([?$:@#][\w$:\u0080-\uffff]*)/g;

/** Parameters by their names. SQLite takes those that are missing for `null`. @throws StowageError `INVALID_ARGUMENT` */
function namedParameters(text: string, parameters: readonly unknown[]): Record<string, unknown> {
  const named = new Set([...text.matchAll(TOKENS)].flatMap(([, parameter]) => parameter ?? []));
  const given = new Set(parameters.map((_, at) => `$${at + 1}`));
  const wrong = [...named].find((name) => !given.has(name)) ?? [...given].find((name) => !named.has(name));
  if (wrong !== undefined) {
    const what = given.has(wrong) ? `does not use the parameter ${wrong}` : `uses the parameter ${wrong}`;
    throw invalidArgument(
      `The statement ${what}, and ${parameters.length} ${parameters.length === 1 ? 'is' : 'are'} given: they are $1, $2, ... in their order.`,
      { parameter: wrong, given: parameters.length },
    );
  }
  return Object.fromEntries(parameters.map((value, at) => [String(at + 1), boundValue(value)]));
}

/** A number is bound as one with fractions, by which `7 / $1` would be none. */
function boundValue(value: unknown): unknown {
  return Number.isSafeInteger(value) ? BigInt(value as number) : value;
}

function rowOf(row: SqlRow): SqlRow {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, cellOf(value)]));
}

function cellOf(value: unknown): unknown {
  if (typeof value === 'bigint') return exactNumber(value);
  return value instanceof ArrayBuffer || value instanceof Uint8Array ? new Uint8Array(value) : value;
}
