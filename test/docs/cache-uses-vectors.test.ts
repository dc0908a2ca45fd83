import { expect, test } from 'vitest';
import vector from '../../docs/format-vectors/cache-uses.json' with { type: 'json' };
import { dayOfUses, decodeUses, encodeUses } from '../../src/format/cache-uses.ts';

test('the vector of uses reads, and is written, as it says', () => {
  expect(dayOfUses(vector.name)).toBe(vector.dayMs);
  expect(decodeUses(Buffer.from(vector.record), vector.name)).toEqual(vector.keys);
  expect(Buffer.from(encodeUses(vector.keys)).toString()).toBe(vector.record);
});
