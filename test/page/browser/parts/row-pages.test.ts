import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pagesOf, RowPages } from '../../../../src/page/browser/parts/row-pages.ts';
import { test } from '../../../property.ts';

describe('pages of rows', () => {
  test.prop([fc.nat(10_000_000), fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 100 })])(
    'the pages of a window hold its rows, and no page holds none of them',
    (from, rows, pageRows) => {
      const pages = pagesOf(from, from + rows, pageRows);
      expect(pages).toContain(Math.floor(from / pageRows));
      expect(pages).toContain(Math.floor((from + rows - 1) / pageRows));
      for (const page of pages)
        expect((page + 1) * pageRows > from && page * pageRows < from + rows).toBe(true);
    },
  );

  it('asks for nothing where nothing is seen', () => {
    expect(pagesOf(0, 0, 100)).toStrictEqual([]);
  });

  it('keeps a bounded number, and drops what was not looked at longest', () => {
    const pages = new RowPages<number>(3);
    for (let page = 0; page < 3; page++) pages.set(page, [page]);
    expect(pages.get(0)).toStrictEqual([0]);
    pages.set(3, [3]);
    expect(pages.size).toBe(3);
    expect(pages.get(1)).toBeUndefined();
    expect(pages.get(0)).toStrictEqual([0]);
  });
});
