import { describe, expect, it } from 'vitest';
import { cellText, columnWidths, isNumeric } from '../../../../src/page/browser/parts/cell-text.ts';
import type { ShownValue } from '../../../../src/views/previews/shown.ts';

describe('the cells of a table', () => {
  it('are one line, text without quotes', () => {
    expect(cellText('a\nb\tc')).toBe('a b c');
    expect(cellText(1.5)).toBe('1.5');
    expect(cellText({ is: 'list', type: 'Array', total: 3, items: [1, 2, 3] })).toBe('[3 items]');
    expect(cellText({ is: 'scalar', type: 'Date', text: '2026-01-01T00:00:00.000Z' })).toBe(
      '2026-01-01T00:00:00.000Z',
    );
  });

  it('are cut, and no pair of surrogates in two', () => {
    const cut = cellText(`${'x'.repeat(199)}😀`);
    expect(cut).toBe(`${'x'.repeat(199)}…`);
    expect(cellText({ is: 'text', total: 5_000_000, text: 'y'.repeat(500) })).toHaveLength(201);
  });

  it('are aligned at the right where they are numbers', () => {
    for (const type of ['int8', 'uint64', 'float32', 'decimal(10, 2)', 'Float64', 'Int32'])
      expect(isNumeric(type, [])).toBe(true);
    for (const type of ['string', 'timestamp(ms)', 'interval', 'list<int32>', undefined])
      expect(isNumeric(type, [])).toBe(false);
  });

  it('are numbers where no type says so and the first rows have nothing else', () => {
    const scalar = (type: string, text: string): ShownValue => ({ is: 'scalar', type, text });
    expect(isNumeric(undefined, [1, null, 2.5, scalar('bigint', '3'), scalar('number', 'NaN')])).toBe(true);
    expect(isNumeric(undefined, [1, 'two'])).toBe(false);
    expect(isNumeric(undefined, [scalar('Date', '2026-01-01T00:00:00.000Z')])).toBe(false);
    expect(isNumeric(undefined, [null, null])).toBe(false);
    expect(isNumeric('string', [1, 2])).toBe(false);
  });

  it('are as wide as their first rows, within bounds', () => {
    const columns = [{ name: 'a', type: 'int8' }, { name: 'long', type: 'string' }, { name: 'b' }];
    expect(columnWidths(columns, [[1, 'z'.repeat(300), null]])).toStrictEqual([5, 40, 5]);
  });
});
