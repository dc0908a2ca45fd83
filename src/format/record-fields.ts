import { StowageError } from '../errors.ts';
import { type DecodedRecord, decodeRecord } from './record.ts';

/** The format of records that this version of Stowage writes, and the newest it reads. */
export const RECORD_FORMAT = 1;

/** A message shows so much of a wrong value, in UTF-16 units. */
const MAX_SHOWN = 200;

type Fields = Readonly<Record<string, unknown>>;

/** The subject of a record: members that it must have, with these values, where it lies. */
export type RecordSubject = Readonly<Record<string, string | number | boolean>>;

/**
 * The fields of a record, verified: its digest, its format, its kind, and that it is of `subject`, so that one which came to lie
 * where another belongs is not taken for that.
 *
 * @param what - the record's name, for errors.
 * @throws StowageError `RECORD_DAMAGED`, `UNSUPPORTED_FORMAT`
 */
export function readRecord(
  bytes: Uint8Array,
  what: string,
  kind: string,
  subject: RecordSubject = {},
): DecodedRecord {
  const record = decodeRecord(bytes, what);
  checkIdentity(record, what, kind, subject);
  return record;
}

/** Checks format, kind and subject of a record whose bytes are verified. */
export function checkIdentity(record: Fields, what: string, kind: string, subject: RecordSubject): void {
  checkFormat(record, what);
  if (fieldOf(record, 'kind') !== kind) throw misplaced(record, what, 'kind', kind);
  for (const field of Object.keys(subject)) {
    const expected = subject[field];
    if (fieldOf(record, field) !== expected) throw misplaced(record, what, field, expected);
  }
}

/**
 * Checks a record's field `format`.
 *
 * @throws StowageError `UNSUPPORTED_FORMAT` where a newer Stowage wrote it; `RECORD_DAMAGED` where it is no format.
 */
export function checkFormat(record: Fields, what: string): void {
  const format = readInteger(record, 'format', what);
  if (format > RECORD_FORMAT) {
    throw new StowageError(
      'UNSUPPORTED_FORMAT',
      `${what} has format ${format}; this version of Stowage reads up to ${RECORD_FORMAT}. Upgrade Stowage to read it.`,
      { details: { record: what, format } },
    );
  }
  if (format !== RECORD_FORMAT) throw wrong(what, 'format', `${RECORD_FORMAT}`);
}

/*
 * Each reader returns one field of a record, or of an object inside it, and throws RECORD_DAMAGED, naming the record
 * and the field, where it is missing or of another type.
 */

export function readString(record: Fields, field: string, what: string): string {
  const value = fieldOf(record, field);
  if (typeof value !== 'string') throw wrong(what, field, 'a string');
  return value;
}

/** A time as ISO 8601, which every reader can parse. */
export function readTime(record: Fields, field: string, what: string): string {
  const text = readString(record, field, what);
  if (text.length > 40 || Number.isNaN(Date.parse(text))) throw wrong(what, field, 'a time');
  return text;
}

/** An integer that is exact in a JavaScript number, from `min` (default 0) on. */
export function readInteger(record: Fields, field: string, what: string, min = 0): number {
  const value = fieldOf(record, field);
  if (!Number.isSafeInteger(value) || (value as number) < min) {
    throw wrong(what, field, `an integer from ${min} on`);
  }
  return value as number;
}

export function readBoolean(record: Fields, field: string, what: string): boolean {
  const value = fieldOf(record, field);
  if (typeof value !== 'boolean') throw wrong(what, field, 'true or false');
  return value;
}

/** One of a closed set of strings. */
export function readOneOf<const T extends string>(
  record: Fields,
  field: string,
  what: string,
  choices: readonly T[],
): T {
  const value = fieldOf(record, field);
  if (!choices.includes(value as T)) throw wrong(what, field, `one of ${choices.join(', ')}`);
  return value as T;
}

export function readObject(record: Fields, field: string, what: string): Record<string, unknown> {
  const value = fieldOf(record, field);
  if (!isObject(value)) throw wrong(what, field, 'an object');
  return value;
}

export function readArray(record: Fields, field: string, what: string): unknown[] {
  const value = fieldOf(record, field);
  if (!Array.isArray(value)) throw wrong(what, field, 'an array');
  return value;
}

export function readStrings(record: Fields, field: string, what: string): string[] {
  const values = readArray(record, field, what);
  if (!values.every((value) => typeof value === 'string')) throw wrong(what, field, 'an array of strings');
  return values;
}

export function readObjects(record: Fields, field: string, what: string): Record<string, unknown>[] {
  const values = readArray(record, field, what);
  if (!values.every(isObject)) throw wrong(what, field, 'an array of objects');
  return values;
}

/**
 * A field that may be absent: `undefined` then, else what `read` makes of it.
 *
 * @example `readOptional(readString, record, 'parent', what)`
 */
export function readOptional<T, Rest extends unknown[]>(
  read: (record: Fields, field: string, what: string, ...rest: Rest) => T,
  record: Fields,
  field: string,
  what: string,
  ...rest: Rest
): T | undefined {
  return Object.hasOwn(record, field) ? read(record, field, what, ...rest) : undefined;
}

function fieldOf(record: Fields, field: string): unknown {
  return Object.hasOwn(record, field) ? record[field] : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function misplaced(record: Fields, what: string, field: string, expected: unknown): StowageError {
  const value = fieldOf(record, field);
  const found = typeof value === 'string' ? JSON.stringify(value.slice(0, MAX_SHOWN)) : describeKind(value);
  return new StowageError(
    'RECORD_DAMAGED',
    `${what} is the record of something else: its field \`${field}\` is ${found}, where ${JSON.stringify(expected)} belongs. Restore it from a copy of the store.`,
    { details: { record: what, field, isOther: true } },
  );
}

function describeKind(value: unknown): string {
  if (value === undefined) return 'missing';
  return typeof value === 'object' ? 'no such thing' : String(value);
}

function wrong(what: string, field: string, expected: string): StowageError {
  return new StowageError(
    'RECORD_DAMAGED',
    `${what} is damaged: its field \`${field}\` is not ${expected}. Restore it from a copy of the store.`,
    {
      details: { record: what, field },
    },
  );
}
