import { describe, expect, it } from 'vitest';
import { lineageRows } from '../../../../src/page/browser/parts/lineage-rows.ts';
import type { LineageLink } from '../../../../src/store-index/lineage.ts';

const start: LineageLink = { direction: 'start', depth: 0, pathspec: 'F/r/a/0/0', status: 'done' };

function up(from: string, pathspec: string, isRepeated?: true): LineageLink {
  return { direction: 'up', depth: 1, from, pathspec, use: 'read', ...(isRepeated ? { isRepeated } : {}) };
}

describe('the lines of a lineage', () => {
  it('has each attempt below the one that used it, and follows one that is told again no further', () => {
    const links = [
      start,
      up('F/r/a/0/0', 'F/r/b/0/0'),
      up('F/r/a/0/0', 'F/r/c/0/0'),
      up('F/r/b/0/0', 'F/r/d/0/0'),
      up('F/r/c/0/0', 'F/r/d/0/0', true),
      up('F/r/d/0/0', 'F/r/b/0/0', true), // a circle
    ];
    const { rows, left } = lineageRows(links, 'up');
    expect(rows.map(({ depth, link }) => `${depth} ${link.pathspec.split('/')[2]}`)).toStrictEqual([
      ...['1 b', '2 d', '3 b', '1 c', '2 d'],
    ]);
    expect(left).toBe(0);
    expect(lineageRows(links, 'down').rows).toStrictEqual([]);
  });

  it('is bounded in lines and depth, and counts what it leaves out', () => {
    const wide = Array.from({ length: 1000 }, (_, index) => up('F/r/a/0/0', `F/r/b/${index}/0`));
    expect(lineageRows([start, ...wide], 'up').left).toBe(700);
    const deep = Array.from({ length: 30 }, (_, index) => up(`F/r/a/${index}/0`, `F/r/a/${index + 1}/0`));
    expect(lineageRows([start, ...deep], 'up')).toMatchObject({ rows: { length: 12 }, left: 18 });
  });
});
