import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { partOf, ticksOf } from '../../../../src/page/browser/views/time-scale.ts';
import { test } from '../../../property.ts';

describe('the marks of an axis of time', () => {
  test.prop([fc.double({ min: 0.5, max: 1e12, noNaN: true }), fc.integer({ min: 2, max: 20 })])(
    'are in order, within the whole, and no more than there is room for',
    (spanMs, most) => {
      const ticks = ticksOf(spanMs, most);
      expect(ticks[0]?.part).toBe(0);
      expect(ticks.length).toBeLessThanOrEqual(most);
      for (const [index, { part }] of ticks.entries()) {
        expect(part).toBeLessThanOrEqual(1);
        if (index > 0) expect(part).toBeGreaterThan(ticks[index - 1]?.part ?? 1);
      }
    },
  );

  test('are in steps that people count in', () => {
    expect(ticksOf(95_000, 5).map(({ text }) => text)).toEqual(['0 ms', '30.0 s', '1 min', '1 min 30 s']);
    expect(ticksOf(0, 5)).toEqual([{ text: '0 ms', part: 0 }]);
  });
});

test('a time before or behind the whole lies at its edge', () => {
  expect([0, 10, 15, 20, 99].map((ms) => partOf(ms, 10, 20))).toEqual([0, 0, 0.5, 1, 1]);
  expect(partOf(5, 5, 5)).toBe(0);
});
