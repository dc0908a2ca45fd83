import { describe, expect, test } from 'vitest';
import { isStowageError } from '../../src/errors.ts';
import {
  checkFormat,
  RECORD_FORMAT,
  readArray,
  readBoolean,
  readInteger,
  readObject,
  readObjects,
  readOneOf,
  readOptional,
  readString,
  readStrings,
} from '../../src/format/record-fields.ts';

const what = 'runs/f/r/created.json';
const record = {
  format: 1,
  string: 'text',
  empty: '',
  integer: 3,
  negative: -1,
  float: 1.5,
  unsafe: 2 ** 53,
  boolean: false,
  nothing: null,
  object: { a: 1 },
  array: [1, 'two'],
  strings: ['a', 'b'],
  objects: [{ a: 1 }],
};
type Field = string;

test('reads fields of the right type', () => {
  expect(readString(record, 'string', what)).toBe('text');
  expect(readString(record, 'empty', what)).toBe('');
  expect(readInteger(record, 'integer', what)).toBe(3);
  expect(readInteger(record, 'negative', what, -5)).toBe(-1);
  expect(readBoolean(record, 'boolean', what)).toBe(false);
  expect(readOneOf(record, 'string', what, ['text', 'other'])).toBe('text');
  expect(readObject(record, 'object', what)).toEqual({ a: 1 });
  expect(readArray(record, 'array', what)).toEqual([1, 'two']);
  expect(readStrings(record, 'strings', what)).toEqual(['a', 'b']);
  expect(readObjects(record, 'objects', what)).toEqual([{ a: 1 }]);
});

describe('a field of another type is damage that names the record and the field', () => {
  const cases: [string, Field, (field: Field) => unknown][] = [
    ['string', 'integer', (field) => readString(record, field, what)],
    ['string', 'nothing', (field) => readString(record, field, what)],
    ['inherited string', 'toString', (field) => readString(record, field, what)],
    ['integer', 'string', (field) => readInteger(record, field, what)],
    ['integer', 'float', (field) => readInteger(record, field, what)],
    ['integer', 'unsafe', (field) => readInteger(record, field, what)],
    ['integer from 0', 'negative', (field) => readInteger(record, field, what)],
    ['boolean', 'nothing', (field) => readBoolean(record, field, what)],
    ['choice', 'string', (field) => readOneOf(record, field, what, ['other'])],
    ['object', 'array', (field) => readObject(record, field, what)],
    ['object', 'nothing', (field) => readObject(record, field, what)],
    ['inherited object', 'constructor', (field) => readObject(record, field, what)],
    ['array', 'object', (field) => readArray(record, field, what)],
    ['array of strings', 'array', (field) => readStrings(record, field, what)],
    ['array of objects', 'array', (field) => readObjects(record, field, what)],
    ['missing field', 'missing', (field) => readArray(record, field, what)],
    ['optional string', 'nothing', (field) => readOptional(readString, record, field, what)],
  ];
  test.each(cases)('%s: %s', (_, field, read) => {
    expect(() => read(field)).toThrow(
      expect.toSatisfy(
        (error) =>
          isStowageError(error, 'RECORD_DAMAGED') &&
          error.message.includes(what) &&
          error.message.includes(`\`${field}\``),
      ),
    );
  });
});

test('an optional field may be absent, and is checked where it is not', () => {
  expect(readOptional(readString, record, 'missing', what)).toBeUndefined();
  expect(readOptional(readString, record, 'string', what)).toBe('text');
  expect(readOptional(readInteger, record, 'negative', what, -1)).toBe(-1);
  expect(readOptional(readOneOf, record, 'string', what, ['text'])).toBe('text');
});

test('a higher format asks for an upgrade; what is no format is damage', () => {
  checkFormat(record, what);
  expect(() => checkFormat({ format: RECORD_FORMAT + 1 }, what)).toThrow(
    expect.toSatisfy(
      (error) => isStowageError(error, 'UNSUPPORTED_FORMAT') && /Upgrade Stowage/.test(error.message),
    ),
  );
  for (const format of [0, -1, 1.5, '1', null, undefined]) {
    expect(() => checkFormat({ format }, what)).toThrow(
      expect.toSatisfy((error) => isStowageError(error, 'RECORD_DAMAGED')),
    );
  }
});
