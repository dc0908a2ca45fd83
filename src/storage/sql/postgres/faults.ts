import { messageOf } from '../../../errors.ts';
import type { SqlFault } from '../database.ts';
import { codeOf } from '../sql-storage.ts';

const DOWN: SqlFault = {
  code: 'STORAGE_UNAVAILABLE',
  what: 'the server does not answer, or ends connections',
  remedy: 'see that it runs, and try again',
};
const NEVER_ANSWERED: SqlFault = {
  code: 'STORAGE_UNAVAILABLE',
  what: 'nothing has ever answered there',
  remedy: 'see the address, and that its server runs',
  neverAnswered: true,
};
const BUSY: SqlFault = {
  code: 'STORAGE_UNAVAILABLE',
  what: 'the server cannot do it at the moment',
  remedy: 'try again',
};
const NOT_PERMITTED: SqlFault = {
  code: 'STORAGE_NOT_PERMITTED',
  what: 'this user may not',
  remedy:
    'grant it usage of the schema and its sequence, and select, insert, update and delete on the table; whoever makes the store needs create on the database',
};
const CREDENTIALS: SqlFault = {
  code: 'STORAGE_CREDENTIALS',
  what: 'the server refuses the user or the password',
  remedy: 'see the address, PGUSER and PGPASSWORD',
};

/** An address that leads to no host. */
const NO_HOST: SqlFault = {
  code: 'STORAGE_FAILED',
  what: 'there is no host of that name',
  remedy: 'correct the address',
};
/** A certificate, or a key, that the address names. */
const FILE: SqlFault = {
  code: 'STORAGE_FAILED',
  what: 'a file that the address names cannot be read',
  remedy: 'see sslrootcert, sslcert and sslkey in it',
};
const TLS: SqlFault = {
  code: 'STORAGE_FAILED',
  what: 'TLS failed',
  remedy: 'see sslmode in the address, and the certificate of the server',
};

/** By SQLSTATE (PostgreSQL 15, appendix A), whole or its class; and by the codes of Node.js for connections. */
const FAULTS: Readonly<Record<string, SqlFault>> = {
  '08': DOWN,
  '57P': DOWN,
  '57014': {
    code: 'STORAGE_FAILED',
    what: 'the server ended the statement',
    remedy: 'ask for less of it at a time',
  },
  '25P03': {
    code: 'STORAGE_FAILED',
    what: 'the server waited too long for the rows to be taken',
    remedy: 'ask again, and take them sooner',
  },
  '40': BUSY,
  '53': BUSY,
  '55': BUSY,
  '53100': { code: 'STORAGE_FULL', what: 'the server has no room', remedy: 'make room, and try again' },
  '28': CREDENTIALS,
  '42501': NOT_PERMITTED,
  '25006': {
    ...NOT_PERMITTED,
    what: 'it may only be read',
    remedy: 'write to the primary, and by a user whose default_transaction_read_only is off',
  },
  '3D000': {
    code: 'NO_SUCH_BUCKET',
    what: 'there is no such database',
    remedy: 'create it first: createdb',
  },
  ECONNREFUSED: DOWN,
  ECONNRESET: DOWN,
  EPIPE: DOWN,
  ETIMEDOUT: DOWN,
  EHOSTUNREACH: DOWN,
  ENETUNREACH: DOWN,
  EAI_AGAIN: DOWN,
  ENOTFOUND: NO_HOST,
  ENOENT: FILE,
  EACCES: FILE,
};
/** Codes of Node.js, and of its OpenSSL. */
const OF_TLS =
  /^(CERT_|ERR_TLS|ERR_SSL|ERR_OSSL|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|HOSTNAME_MISMATCH|EPROTO$)/;
/** What a wrong address comes to as well as a server that does not run. */
const UNREACHABLE = /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN|ETIMEDOUT)$/;

/** Errors of the driver that have no code, by their words. Any other one is of a connection that ended. */
const WITHOUT_CODE: readonly (readonly [words: RegExp, fault: SqlFault])[] = [
  [/^SASL: /, CREDENTIALS], // also where no password was given
  [
    /does not support SSL/,
    {
      code: 'STORAGE_FAILED',
      what: 'the server takes no encrypted connections',
      remedy: 'have it take them, or leave sslmode out of the address',
    },
  ],
];

/**
 * The meaning of an error of the driver.
 *
 * @param wasReached - the server has answered before
 */
export function faultOf(error: unknown, wasReached = true): SqlFault {
  const code = codeOf(error);
  if (code === undefined) {
    const words = messageOf(error);
    return WITHOUT_CODE.find(([pattern]) => pattern.test(words))?.[1] ?? DOWN;
  }
  if (wasReached && code === 'ENOTFOUND') return DOWN;
  if (!wasReached && UNREACHABLE.test(code)) return NEVER_ANSWERED;
  if (OF_TLS.test(code)) return TLS;
  return (
    FAULTS[code] ??
    FAULTS[code.slice(0, 3)] ??
    FAULTS[code.slice(0, 2)] ?? {
      code: 'STORAGE_FAILED',
      what: 'the server refused it',
      remedy: 'see its words',
    }
  );
}
