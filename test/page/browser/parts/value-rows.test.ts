import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../../../../src/format/json-value.ts';
import {
  CHILDREN_AT_ONCE,
  lineOf,
  openAtFirst,
  parentIndex,
  shownJson,
  toggled,
  valueRows,
} from '../../../../src/page/browser/parts/value-rows.ts';
import type { ShownValue } from '../../../../src/views/previews/shown.ts';
import { test } from '../../../property.ts';

const none = new Map<string, number>();
const json = fc.jsonValue() as fc.Arbitrary<JsonValue>;

describe('the lines of a value', () => {
  test.prop([json])('each has a pointer of its own, and lies below its parent', (value) => {
    let open = none as ReadonlyMap<string, number>;
    const shown = shownJson(value);
    for (let round = 0; round < 6; round++) {
      for (const row of valueRows(shown, open)) if (row.isOpen === false) open = toggled(open, row);
    }
    const rows = valueRows(shown, open);
    expect(new Set(rows.map(({ pointer }) => pointer)).size).toBe(rows.length);
    for (const [index, { depth }] of rows.entries()) {
      const parent = parentIndex(rows, index);
      expect(parent === -1 ? 0 : (rows[parent]?.depth ?? 0) + 1).toBe(depth);
    }
  });

  test.prop([json])('an opened line closes again', (value) => {
    const shown = shownJson(value);
    const [first] = valueRows(shown, none);
    if (first?.isOpen === undefined) return;
    const open = toggled(none, first);
    const [opened] = valueRows(shown, open);
    expect(opened?.isOpen).toBe(true);
    expect(toggled(open, opened as typeof first)).toStrictEqual(none);
  });

  it('draws a hundred of many children, then a hundred more', () => {
    const shown = shownJson(Array.from({ length: 250 }, (_, index) => index));
    let open = openAtFirst(shown);
    let rows = valueRows(shown, open);
    expect(rows).toHaveLength(1 + CHILDREN_AT_ONCE + 1);
    expect(rows.at(-1)).toMatchObject({ kind: 'more', text: '150 more', position: 101, siblings: 250 });
    open = toggled(open, rows.at(-1) as (typeof rows)[0]);
    rows = valueRows(shown, open);
    expect(rows).toHaveLength(202);
    expect(rows.at(-1)?.text).toBe('50 more');
  });

  it('opens no more than a screen at first, of what is wide or deep', () => {
    let deep: JsonValue = 1;
    for (let depth = 0; depth < 90; depth++) deep = { deeper: deep };
    expect(valueRows(shownJson(deep), openAtFirst(shownJson(deep))).length).toBeLessThan(40);
    const wide = shownJson(Array.from({ length: 60 }, () => ({ a: 1, b: 2 })));
    expect(valueRows(wide, openAtFirst(wide))).toHaveLength(61);
  });

  it('marks what the answer left out, and does not take it for what can be opened', () => {
    const cut: ShownValue = { is: 'list', type: 'Array', total: 9000, items: [1, 2] };
    const rows = valueRows(cut, openAtFirst(cut));
    expect(rows.at(-1)).toMatchObject({ kind: 'cut', text: '8,998 more, left out of the preview' });
    expect(rows.at(-1)?.isOpen).toBeUndefined();
    expect(lineOf({ is: 'text', total: 5_000_000, text: 'abc' })).toBe('"abc… (5,000,000 characters)');
  });

  it('keeps an empty key, and keys that hold a slash, apart', () => {
    const shown = shownJson({ '': 1, '/': 2, '~1': 3, '~2': 4 });
    const pointers = valueRows(shown, openAtFirst(shown)).map(({ pointer }) => pointer);
    expect(new Set(pointers).size).toBe(5);
    expect(pointers).not.toContain('/');
  });

  it('shows what JSON has no word for with its kind', () => {
    const value: ShownValue = {
      is: 'object',
      total: 5,
      members: [
        ['bytes', { is: 'bytes', total: 3, base64: 'AQL/' }],
        ['big', { is: 'scalar', type: 'bigint', text: '12345678901234567890' }],
        ['nothing', { is: 'scalar', type: 'undefined', text: 'undefined' }],
        ['map', { is: 'map', total: 1, entries: [[1, 'one']] }],
        ['file', { is: 'reference', type: 'FileRef', reference: { name: 'a.csv', size: 4 } }],
      ],
    };
    const open = new Map([
      ['', CHILDREN_AT_ONCE],
      ['/map', CHILDREN_AT_ONCE],
      ['/file', CHILDREN_AT_ONCE],
    ]);
    const lines = valueRows(value, open).map(({ label, type, text }) =>
      [label, type, text].filter(Boolean).join(' '),
    );
    expect(lines).toStrictEqual([
      '{5 members}',
      'bytes bytes 3 B: 01 02 ff',
      'big bigint 12345678901234567890',
      'nothing undefined',
      'map Map {1 entries}',
      '1 "one"',
      'file FileRef a.csv',
      'name "a.csv"',
      'size 4',
    ]);
  });

  it('cuts no pair of surrogates in two', () => {
    const shown = lineOf('x'.repeat(239) + '😀'.repeat(10));
    expect(shown.isWellFormed()).toBe(true);
  });
});
