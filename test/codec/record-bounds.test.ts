import { expect, test } from 'vitest';
import { digestHex } from '../../src/digest/blake3.ts';
import { decodeRecord, encodeRecord, MAX_RECORD_DEPTH, MAX_RECORD_OBJECTS } from '../../src/format/record.ts';
import { codeOf } from '../content/storages.ts';

function signed(body: string): Uint8Array {
  return Buffer.from(`${body},"digest":"${digestHex(Buffer.from(body))}"}`);
}

/** A record whose member is an array in an array in an array ... */
const nested = (levels: number): string => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}`;

test('a record is as deep as the most that is written, and no deeper', async () => {
  const most = MAX_RECORD_DEPTH - 1;
  expect(decodeRecord(signed(nested(most)), 'r')).toHaveProperty('a');
  for (const levels of [most + 1, 10_000, 1_000_000]) {
    expect(await codeOf(() => decodeRecord(signed(nested(levels)), 'r'))).toBe('RECORD_DAMAGED');
  }
});

test('brackets in strings do not count, whatever is escaped there', () => {
  const text = `[{"\\${'[{'.repeat(MAX_RECORD_DEPTH)}\\`;
  const record = { [text]: [text, { [text]: text }] };
  expect(decodeRecord(encodeRecord(record), 'r')).toEqual(record);
});

test('64 MiB of empty arrays are refused before they are built', async () => {
  const body = Buffer.alloc(64 * 1024 * 1024, '[],');
  body.write('{"a":[');
  const before = process.memoryUsage().heapUsed;
  const record = Buffer.concat([body, Buffer.from(`,"digest":"${digestHex(body)}"}`)]);
  expect(await codeOf(() => decodeRecord(record, 'r'))).toBe('RECORD_DAMAGED');
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(50 * 1024 * 1024);
  expect(body.length / 3).toBeGreaterThan(2 * MAX_RECORD_OBJECTS);
});

test('what no reader takes is not written', async () => {
  let deep: unknown = 0;
  for (let level = 0; level < MAX_RECORD_DEPTH; level++) deep = [deep];
  expect(await codeOf(() => encodeRecord({ deep }))).toBe('INVALID_ARGUMENT');
  for (let level = 0; level < 100_000; level++) deep = [deep];
  expect(await codeOf(() => encodeRecord({ deep }))).toBe('INVALID_ARGUMENT');
});
