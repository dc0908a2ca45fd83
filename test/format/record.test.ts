import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { digestHex } from '../../src/digest/blake3.ts';
import { isStowageError, type StowageErrorCode } from '../../src/errors.ts';
import { decodeRecord, encodeRecord } from '../../src/format/record.ts';
import { test } from '../property.ts';

const throws = (code: StowageErrorCode, call: () => unknown): void => {
  expect(call).toThrow(expect.toSatisfy((error) => isStowageError(error, code), `is ${code}`));
};

/** A record around any body, with a digest that matches it. */
function signed(body: string | Uint8Array): Uint8Array {
  const bytes = Buffer.from(body as string);
  return Buffer.concat([bytes, Buffer.from(`,"digest":"${digestHex(bytes)}"}`)]);
}

const hasPrototypeKey = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (Object.hasOwn(value, '__proto__') || Object.values(value).some(hasPrototypeKey));

const fields = fc
  .dictionary(fc.string({ unit: 'binary' }), fc.jsonValue(), { minKeys: 1 })
  .filter((fields) => !Object.hasOwn(fields, 'digest') && !hasPrototypeKey(fields))
  .map((fields) => JSON.parse(JSON.stringify(fields)) as Record<string, unknown>);

test.prop([fields])('decoding gives back the fields, in their order', (fields) => {
  const decoded = decodeRecord(encodeRecord(fields), 'a record');
  expect(JSON.stringify(decoded)).toBe(JSON.stringify(fields));
});

test.prop([fields])('a record is JSON, whose last member is the digest of all before it', (fields) => {
  const bytes = encodeRecord(fields);
  const text = Buffer.from(bytes).toString();
  const body = text.slice(0, text.lastIndexOf(',"digest":'));
  expect(JSON.parse(text)).toEqual({ ...fields, digest: digestHex(Buffer.from(body)) });
});

test('the bytes of a record are those of the format', () => {
  expect(Buffer.from(encodeRecord({ format: 1, name: 'é' })).toString()).toBe(
    `{"format":1,"name":"é","digest":"${digestHex(Buffer.from('{"format":1,"name":"é"'))}"}`,
  );
});

describe('damage', () => {
  const bytes = encodeRecord({ format: 1, name: 'an é', list: [1, { a: null }] });

  test('a flipped bit at every position is seen', () => {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >>> 3] = (flipped[bit >>> 3] as number) ^ (1 << (bit & 7));
      throws('RECORD_DAMAGED', () => decodeRecord(flipped, 'a record'));
    }
  });

  test('a truncation at every length, and a byte too many, are seen', () => {
    for (let length = 0; length < bytes.length; length++) {
      throws('RECORD_DAMAGED', () => decodeRecord(bytes.subarray(0, length), 'a record'));
    }
    throws('RECORD_DAMAGED', () => decodeRecord(Buffer.concat([bytes, Buffer.from('\n')]), 'a record'));
  });

  test('the error names the record', () => {
    expect(() => decodeRecord(Buffer.from('{}'), 'f/r/s/t/0.DONE')).toThrow(
      /^f\/r\/s\/t\/0\.DONE is damaged/,
    );
  });

  test('a digest in capitals is no digest', () => {
    const text = Buffer.from(bytes).toString();
    const at = text.length - 66;
    const capitals = text.slice(0, at) + text.slice(at).toUpperCase();
    throws('RECORD_DAMAGED', () => decodeRecord(Buffer.from(capitals), 'a record'));
  });

  test('a view in a larger buffer is read, not the buffer', () => {
    const around = Buffer.concat([Buffer.alloc(3, 'x'), bytes, Buffer.alloc(3, 'x')]);
    expect(decodeRecord(around.subarray(3, -3), 'a record')).toMatchObject({ format: 1, name: 'an é' });
  });
});

describe('bytes whose digest is right, but which are no record', () => {
  test.each([
    ['no member', '{'],
    ['an array', '[1'],
    ['an object before whose brace a space stands', ' {"a":1'],
    ['broken JSON', '{"a":1]'],
    ['an open string', '{"a":"b'],
    ['two values', '{"a":1}{"b":2'],
    ['a byte order mark', '\ufeff{"a":1'],
    ['a bare word', '{"a":undefined'],
  ])('%s', (_, body) => {
    throws('RECORD_DAMAGED', () => decodeRecord(signed(body), 'a record'));
  });

  test('invalid UTF-8 is not replaced, but seen', () => {
    for (const invalid of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0xaf]]) {
      const body = Buffer.concat([Buffer.from('{"a":"'), Buffer.from(invalid), Buffer.from('"')]);
      throws('RECORD_DAMAGED', () => decodeRecord(signed(body), 'a record'));
    }
  });

  test.each([
    '{"__proto__":{"admin":true}',
    '{"a":[{"b":{"__proto__":1}}]',
    '{"\\u005f_proto__":1',
    '{"a":{"__\\u0070roto__":1}',
    '{"a":{"__prot\\u006F__":1}',
  ])('a key __proto__, however it is spelled: %s', (body) => {
    throws('RECORD_DAMAGED', () => decodeRecord(signed(body), 'a record'));
  });

  test('nesting a million deep is damage or a value, never a crash', () => {
    const body = `{"__proto__x":${'['.repeat(1e6)}${']'.repeat(1e6)}`;
    try {
      decodeRecord(signed(body), 'a record');
    } catch (error) {
      expect(error).toSatisfy((error) => isStowageError(error, 'RECORD_DAMAGED'));
    }
  });
});

test('damage is told with what to do about it', () => {
  const record = encodeRecord({ a: 1 });
  record[3] = 98;
  expect(() => decodeRecord(record, 'a record')).toThrow(
    'a record is damaged: its digest does not match its bytes. Restore it from a copy of the store.',
  );
});

test('strings that only speak of __proto__ are fine', () => {
  const fields = { a: '__proto__', b: ['\u0001', { x__proto__: 1 }] };
  expect(decodeRecord(encodeRecord(fields), 'a record')).toEqual(fields);
});

test.each([
  ['nothing', {}],
  ['only undefined', { a: undefined }],
  ['an array', [1]],
  ['a field digest', { a: 1, digest: 2 }],
  ['a key __proto__', JSON.parse('{"a":{"__proto__":1}}')],
])('%s cannot be a record', (_, fields) => {
  throws('INVALID_ARGUMENT', () => encodeRecord(fields));
});
