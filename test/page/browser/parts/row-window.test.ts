import fc from 'fast-check';
import { describe, expect } from 'vitest';
import {
  listHeight,
  type RowList,
  rowAfterKey,
  rowAtEdge,
  rowWindow,
  scrollTopAt,
  scrollTopFor,
} from '../../../../src/page/browser/parts/row-window.ts';
import { test } from '../../../property.ts';

const lists = fc.record({
  count: fc.oneof(fc.nat(50), fc.nat(3_000_000)),
  rowHeight: fc.integer({ min: 16, max: 60 }),
  viewHeight: fc.integer({ min: 60, max: 3_000 }),
});
const scrolled = fc.tuple(lists, fc.double({ min: 0, max: 1, noNaN: true }));

function topAt(list: RowList, part: number): number {
  return part * Math.max(0, listHeight(list) - list.viewHeight);
}

describe('the rows that are drawn', () => {
  test.prop([scrolled])('fill what is seen, and leave the height of the list as it is', ([list, part]) => {
    const top = topAt(list, part);
    const { from, to, above, below } = rowWindow(list, top);
    const drawn = (to - from) * list.rowHeight;
    expect(from).toBeGreaterThanOrEqual(0);
    expect(to).toBeLessThanOrEqual(list.count);
    expect(above + drawn + below).toBeCloseTo(Math.max(listHeight(list), drawn), 3);
    expect(above).toBeLessThanOrEqual(top + 0.001);
    const end = Math.min(top + list.viewHeight, listHeight(list));
    expect(above + drawn).toBeGreaterThanOrEqual(end - 0.001);
  });

  test.prop([scrolled])('are as many as a view has, however long the list', ([list, part]) => {
    const { from, to } = rowWindow(list, topAt(list, part));
    expect(to - from).toBeLessThanOrEqual(Math.ceil(list.viewHeight / list.rowHeight) + 18);
  });

  test.prop([scrolled, fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })])(
    'have every row among them, as a whole, where one scrolls to it',
    ([list, part], which) => {
      fc.pre(list.count > 0);
      const row = Math.floor(which * list.count);
      const top = scrollTopFor(list, topAt(list, part), row);
      const { from, to, above } = rowWindow(list, top);
      expect(row).toBeGreaterThanOrEqual(from);
      expect(row).toBeLessThan(to);
      const y = above + (row - from) * list.rowHeight - top;
      expect(y).toBeGreaterThanOrEqual(-0.1);
      expect(y + list.rowHeight).toBeLessThanOrEqual(list.viewHeight + 0.1);
    },
  );

  test('begin with the first and end with the last', () => {
    const list = { count: 1_000_000, rowHeight: 28, viewHeight: 560 };
    expect(rowWindow(list, 0).from).toBe(0);
    expect(rowWindow(list, listHeight(list) - 560).to).toBe(1_000_000);
  });
});

describe('the row at the upper edge', () => {
  test.prop([lists, fc.nat()])(
    'is the one that was scrolled to, unless the list ends before',
    (list, from) => {
      fc.pre(list.count > 0);
      const row = from % list.count;
      const last = Math.max(0, list.count - list.viewHeight / list.rowHeight);
      const found = rowAtEdge(list, scrollTopAt(list, row));
      if (row <= last) expect(found).toBe(row);
      else expect(found).toBe(Math.round(last));
    },
  );
});

describe('a key', () => {
  test.prop([lists, fc.nat(), fc.constantFrom('ArrowDown', 'ArrowUp', 'PageDown', 'PageUp', 'Home', 'End')])(
    'leads to a row that there is',
    (list, from, key) => {
      fc.pre(list.count > 0);
      const row = rowAfterKey(list, from % list.count, key) as number;
      expect(row).toBeGreaterThanOrEqual(0);
      expect(row).toBeLessThan(list.count);
    },
  );

  test('that is no step leads nowhere', () => {
    expect(rowAfterKey({ count: 9, rowHeight: 28, viewHeight: 280 }, 3, 'x')).toBeUndefined();
  });

  test('of a page goes on by one row less than is seen, so that one stays to go on from', () => {
    const list = { count: 100, rowHeight: 28, viewHeight: 280 };
    expect(rowAfterKey(list, 3, 'PageDown')).toBe(12);
    expect(rowAfterKey(list, 12, 'PageUp')).toBe(3);
  });
});
