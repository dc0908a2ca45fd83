import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { sortRows } from '../../../../src/page/browser/parts/sort-rows.ts';
import { test } from '../../../property.ts';

const rows = fc.array(fc.record({ id: fc.nat(), value: fc.option(fc.integer(), { nil: undefined }) }));

describe('sorted rows', () => {
  test.prop([rows, fc.boolean()])(
    'are the same rows in order, those without a value last',
    (given, isDescending) => {
      const sorted = sortRows(given, ({ value }) => value, isDescending);
      expect(new Set(sorted)).toEqual(new Set(given));
      expect(sorted).toHaveLength(given.length);
      for (const [index, row] of sorted.slice(1).entries()) {
        const before = sorted[index]?.value;
        if (before === undefined) expect(row.value).toBeUndefined();
        else if (row.value !== undefined)
          expect(isDescending ? before >= row.value : before <= row.value).toBe(true);
      }
    },
  );

  test.prop([rows])('stay as they were where they are equal', (given) => {
    expect(sortRows(given, () => 1, true)).toEqual(given);
  });

  test('count digits in names as numbers', () => {
    expect(sortRows(['fit/10', 'fit/2', 'eval/3'], (name) => name, false)).toEqual([
      'eval/3',
      'fit/2',
      'fit/10',
    ]);
  });
});
