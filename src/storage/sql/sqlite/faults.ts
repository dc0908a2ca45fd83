import { isError, isStowageError } from '../../../errors.ts';
import type { SqlFault } from '../database.ts';

/** True if an error says that another process, or another call, holds the file. */
export function isBusy(error: unknown): boolean {
  return !isStowageError(error) && isError(error) && /^SQLITE_(BUSY|LOCKED)/.test(sqliteCodeOf(error) ?? '');
}

/**
 * `node:sqlite` tells the number of the code, `libsql` its name. Of codes that it does not know that is in `rawCode`, and of a file that it
 * cannot open in its words.
 */
export function sqliteCodeOf(error: Error): string | undefined {
  const { code, errcode, rawCode, message } = error as Error & Record<string, unknown>;
  const [, told] = /^ConnectionFailed\(.*: (\d+)"\)$/s.exec(message) ?? [];
  if (typeof code === 'string' && code.startsWith('SQLITE_')) return code;
  const number = told === undefined ? (errcode ?? rawCode) : Number(told);
  return typeof number === 'number' ? (NAMES[number] ?? NAMES[number & 0xff]) : undefined;
}

const NAMES: Readonly<Record<number, string>> = {
  3: 'SQLITE_PERM',
  5: 'SQLITE_BUSY',
  6: 'SQLITE_LOCKED',
  8: 'SQLITE_READONLY',
  10: 'SQLITE_IOERR',
  11: 'SQLITE_CORRUPT',
  13: 'SQLITE_FULL',
  14: 'SQLITE_CANTOPEN',
  26: 'SQLITE_NOTADB',
  522: 'SQLITE_IOERR_SHORT_READ',
};

const FAULTS: readonly (readonly [code: string, fault: SqlFault])[] = [
  [
    'SQLITE_BUSY',
    { code: 'STORAGE_UNAVAILABLE', what: 'another process holds the database', remedy: 'try again' },
  ],
  [
    'SQLITE_LOCKED',
    { code: 'STORAGE_UNAVAILABLE', what: 'another call holds the database', remedy: 'try again' },
  ],
  [
    'SQLITE_READONLY',
    {
      code: 'STORAGE_NOT_PERMITTED',
      what: 'it may only be read',
      remedy: 'have the file, and its folder, writable by this user',
    },
  ],
  [
    'SQLITE_PERM',
    { code: 'STORAGE_NOT_PERMITTED', what: 'this user may not', remedy: 'see the rights of the file' },
  ],
  [
    'SQLITE_CANTOPEN',
    {
      code: 'STORAGE_NOT_PERMITTED',
      what: 'the file cannot be opened',
      remedy: 'see that its folder is there, and that this user may read and write both',
    },
  ],
  ['SQLITE_FULL', { code: 'STORAGE_FULL', what: 'there is no room', remedy: 'make room, and try again' }],
  [
    'SQLITE_CORRUPT',
    { code: 'STORAGE_FAILED', what: 'the file is damaged', remedy: 'restore it from a copy of the store' },
  ],
  [
    'SQLITE_NOTADB',
    { code: 'NOT_A_STORE', what: 'the file is no database', remedy: 'give the store a file of its own' },
  ],
  [
    'SQLITE_IOERR_SHORT_READ',
    {
      code: 'STORAGE_FAILED',
      what: 'the file ends too early',
      remedy: 'restore it from a copy of the store',
    },
  ],
  ['SQLITE_IOERR', { code: 'STORAGE_FAILED', what: 'the disk failed', remedy: 'look at the disk' }],
];

/** True for what ails the file, or those who share it, whatever a statement says. */
export function isOfFile(code: string | undefined): boolean {
  return code !== undefined && code !== 'SQLITE_READONLY' && FAULTS.some(([name]) => code.startsWith(name));
}

/** The meaning of an error, by its code. */
export function faultOf(code: string | undefined): SqlFault {
  const known = FAULTS.find(([name]) => code?.startsWith(name));
  return known?.[1] ?? { code: 'STORAGE_FAILED', what: 'SQLite failed', remedy: 'see its words' };
}
