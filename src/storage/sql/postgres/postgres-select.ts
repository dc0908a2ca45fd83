import { Buffer } from 'node:buffer';
import { inTime } from '../../../async/in-time.ts';
import { orAborted } from '../../../async/next-or-aborted.ts';
import { isStowageError } from '../../../errors.ts';
import type { SelectOptions, SqlRow, SqlStatement } from '../../contract.ts';
import { exactNumber, refusedStatement } from '../select.ts';
import { codeOf } from '../sql-storage.ts';
import type { PostgresClient, PostgresPool, PostgresRows } from './pool.ts';

const PAGE = 500;
/** The server gives up a page that takes longer than so many milliseconds, and one that is not taken for as long. */
const LIMIT_MS = 5 * 60 * 1000;
/** A server that is told to stop is waited for so many milliseconds. */
const CANCEL_MS = 2_000;

/** The statement of the user stands within one that can be nothing but a select. Behind a `;` the server reads no other one. */
const BEFORE = 'declare stowage_answer no scroll cursor for select * from (\n';

/** Values come as the server writes them, whatever the types of a pool are set to. */
const AS_TEXT: { getTypeParser(): (text: string) => string } = { getTypeParser: () => (text) => text };

/** Where a statement is answered. */
interface Answering {
  pool: PostgresPool;
  schema: string;
  /** Runs a call of the driver, and tells what it throws as an error of the database. */
  told<T>(call: () => Promise<T>): Promise<T>;
}

/**
 * The rows of a statement of somebody else, by pages, in a transaction that only reads and is never committed. The connection is closed behind it,
 * since a statement may change settings of its session, and take locks for it.
 *
 * @throws StowageError `INVALID_ARGUMENT`
 */
export async function* pagesOfSelect(
  { pool, schema, told }: Answering,
  { text, parameters = [] }: SqlStatement,
  { limit, first, signal }: SelectOptions,
): AsyncGenerator<readonly SqlRow[], void> {
  const client = await connected(pool, told, signal);
  let lost: unknown;
  client.on('error', (error) => {
    lost ??= error;
  });
  const run = <T>(call: () => Promise<T>): Promise<T> =>
    orAborted(
      () =>
        told(async () => {
          try {
            return await call();
          } catch (error) {
            const why = lost ?? error; // a connection that ended told it before
            throw isOfStatement(why) ? refusedStatement(why, detailsOf(why)) : why;
          }
        }),
      signal,
    );
  let backend: Backend | undefined;
  try {
    await run(() =>
      client.query(
        `begin isolation level repeatable read, read only; set local search_path = "${schema}"; set local lock_timeout = '10s'; set local statement_timeout = ${LIMIT_MS}; set local idle_in_transaction_session_timeout = ${LIMIT_MS}`,
      ),
    );
    const { rows } = await run(() => client.query(BACKEND));
    backend = rows[0] as Backend | undefined;
    if (first) {
      const { text: firstText, parameters: firstParameters = [] } = first.statement;
      const read = await run(() => client.query(firstText, [...firstParameters]));
      first.accept(read.rows as SqlRow[]);
    }
    const values = parameters.map(boundValue);
    await run(() => client.query({ text: `${BEFORE}${text}\n) as answer limit ${limit}`, values }));
    for (;;) {
      const page = await run(() =>
        client.query({ text: `fetch ${PAGE} from stowage_answer`, rowMode: 'array', types: AS_TEXT }),
      );
      if (page.rows.length > 0) yield rowsOf(page);
      if (page.rows.length < PAGE) return;
    }
  } finally {
    client.release(true);
    if (signal?.aborted && backend) await cancelled(pool, backend);
  }
}

/** A connection, which goes back where the call was aborted meanwhile. */
async function connected(
  pool: PostgresPool,
  told: Answering['told'],
  signal: AbortSignal | undefined,
): Promise<PostgresClient> {
  const connecting = told(() => pool.connect());
  try {
    return await orAborted(() => connecting, signal);
  } catch (error) {
    connecting.then(
      (client) => client.release(),
      () => {}, // it is what is thrown, or nobody waits for it any more
    );
    throw error;
  }
}

interface Backend {
  pid: number;
  since: string;
}

const BACKEND = 'select pid, backend_start::text as since from pg_stat_activity where pid = pg_backend_pid()';

/** The server would go on to the end of what it computes, since it looks at the connection only when it has rows. */
async function cancelled(pool: PostgresPool, { pid, since }: Backend): Promise<void> {
  const cancel = pool.query(
    'select pg_cancel_backend(pid) from pg_stat_activity where pid = $1 and backend_start = $2::text::timestamptz',
    [pid, since],
  );
  await inTime(cancel, CANCEL_MS, undefined).catch(() => {}); // its time limit ends it then
}

/** SQLSTATE of what a statement itself has wrong; not of rights, room, memory, locks and the connection. */
function isOfStatement(error: unknown): boolean {
  const code = codeOf(error);
  if (isStowageError(error) || code === undefined || !/^[0-9A-Z]{5}$/.test(code)) return false;
  return code === '08P01' || !/^(08|28|3D|40|42501|53|55|57|58|25P03|XX)/.test(code);
}

function detailsOf(error: unknown): { cause: string | undefined; position?: number } {
  const { position } = error as { position?: string };
  const at = Number(position) - BEFORE.length;
  return { cause: codeOf(error), ...(at > 0 ? { position: at } : {}) };
}

function boundValue(value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value) : value;
}

function rowsOf({ rows, fields }: PostgresRows): SqlRow[] {
  const names = namesOf(fields.map(({ name }) => name));
  return rows.map((row) =>
    Object.fromEntries(row.map((text, at) => [names[at], cellOf(text, fields[at]?.dataTypeID)])),
  );
}

/** Names of columns, each once: `n`, `n:1`, as SQLite has them. */
function namesOf(given: readonly string[]): string[] {
  const names = new Set<string>();
  for (const name of given) {
    let unique = name;
    for (let more = 1; names.has(unique); more += 1) unique = `${name}:${more}`;
    names.add(unique);
  }
  return [...names];
}

/** By the numbers that types have in every PostgreSQL (pg_type.dat). */
function cellOf(text: string | null, type: number | undefined): unknown {
  if (text === null) return null;
  switch (type) {
    case 16: // bool
      return text === 't';
    case 17: // bytea
      return new Uint8Array(Buffer.from(text.slice(2), 'hex'));
    case 20: // int8
    case 21: // int2
    case 23: // int4
    case 26: // oid
      return exactNumber(BigInt(text));
    case 700: // float4
    case 701: // float8
      return Number(text);
    case 1700: // numeric, as sums of whole numbers are
      return /^-?\d+$/.test(text) ? exactNumber(BigInt(text)) : Number(text);
    default:
      return text;
  }
}
