import type { SqlFault } from '../database.ts';

const DOWN: SqlFault = {
  code: 'STORAGE_UNAVAILABLE',
  what: 'the server does not answer, or ends connections',
  remedy: 'see that it runs, and try again',
};
const BUSY: SqlFault = {
  code: 'STORAGE_UNAVAILABLE',
  what: 'the server cannot do it at the moment',
  remedy: 'try again',
};
const NOT_PERMITTED: SqlFault = {
  code: 'STORAGE_NOT_PERMITTED',
  what: 'this user may not',
  remedy: 'grant it usage of the schema and its sequence, and select, insert, update and delete on the table',
};
const CREDENTIALS: SqlFault = {
  code: 'STORAGE_CREDENTIALS',
  what: 'the server refuses the user or the password',
  remedy: 'see the address, PGUSER and PGPASSWORD',
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
  '25006': { ...NOT_PERMITTED, what: 'the server may only be read', remedy: 'write to the primary' },
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
};

/** The meaning of an error of the driver. One without a code is of a connection that ended. */
export function faultOf(code: string | undefined): SqlFault {
  if (code === undefined) return DOWN;
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
