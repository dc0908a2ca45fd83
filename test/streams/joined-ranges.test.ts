import fc from 'fast-check';
import { expect } from 'vitest';
import { joinRanges } from '../../src/streams/joined-ranges.ts';
import { propertyRuns, test } from '../property.ts';

const part = fc.record({ offset: fc.nat(1_000), length: fc.nat(60) });
const limits = fc.record({ maxGapBytes: fc.nat(40), maxBytes: fc.integer({ min: 1, max: 200 }) });

test.prop([fc.array(part), limits], { numRuns: 5 * propertyRuns })(
  'parts lie each in one joined range, which is as long as it has to be, and no two that could be one are two',
  (parts, { maxGapBytes, maxBytes }) => {
    const joined = joinRanges(parts, (one) => one, { maxGapBytes, maxBytes });
    expect(new Set(joined.flatMap(({ items }) => items))).toEqual(new Set(parts));
    expect(joined.flatMap(({ items }) => items)).toHaveLength(parts.length);
    for (const { offset, length, items } of joined) {
      expect(offset).toBe(Math.min(...items.map((one) => one.offset)));
      expect(offset + length).toBe(Math.max(...items.map((one) => one.offset + one.length)));
      // Parts that lie within a longer one come with it.
      const isOnePart = items.some((one) => one.offset === offset && one.length === length);
      expect(isOnePart || length <= maxBytes).toBe(true);
    }
    for (const [index, { offset, items }] of joined.slice(1).entries()) {
      const before = joined[index] as (typeof joined)[number];
      const isFar = offset - (before.offset + before.length) > maxGapBytes;
      const first = items[0] as (typeof items)[number];
      expect(isFar || first.offset + first.length - before.offset > maxBytes).toBe(true);
    }
  },
);
