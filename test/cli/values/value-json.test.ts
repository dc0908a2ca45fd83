import { tableFromArrays } from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ValueJson } from '../../../src/cli/values/value-json.ts';
import { test } from '../../property.ts';

/** What is longer is written in slices. */
const SLICE_LENGTH = 196_608;

describe('long strings and bytes as JSON', () => {
  test.prop([fc.string({ unit: 'binary', minLength: 1, maxLength: 50 }), fc.integer({ min: 1, max: 3 })])(
    'come back, wherever they are cut',
    (text, repeats) => {
      const long = text.repeat(Math.ceil((SLICE_LENGTH * repeats) / text.length)) + text;
      const pieces = [...new ValueJson().pieces({ long, more: [long] })];
      expect(JSON.parse(pieces.join(''))).toEqual({ long, more: [long] });
      expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(SLICE_LENGTH * 7);
    },
  );

  it('are no longer than a slice or two, though they stand in a list', () => {
    const pieces = [...new ValueJson().pieces(['a'.repeat(5 * SLICE_LENGTH)])];
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(2 * SLICE_LENGTH);
  });

  it('no slice parts a character', () => {
    const pieces = [...new ValueJson().pieces(`x${'😀'.repeat(SLICE_LENGTH)}`)];
    expect(pieces.length).toBeGreaterThan(2);
    for (const piece of pieces) expect(piece.isWellFormed()).toBe(true);
    expect(pieces.join('')).not.toContain('\\u');
  });

  it.each([0, 1, 2])('bytes come back whole (%i beyond a slice)', (beyond) => {
    const bytes = new Uint8Array(2 * SLICE_LENGTH + beyond).map((_, index) => index * 7);
    for (const value of [bytes, bytes.buffer, new DataView(bytes.buffer)]) {
      const json = new ValueJson();
      const pieces = [...json.pieces([value])];
      expect(pieces.length).toBeGreaterThan(2);
      expect(json.isExact).toBe(false);
      const [base64] = JSON.parse(pieces.join('')) as [string];
      expect(Buffer.compare(Buffer.from(base64, 'base64'), bytes)).toBe(0);
    }
  });
});

describe('JSON on one line', () => {
  test.prop([fc.jsonValue()])('is that of JSON.stringify', (value) => {
    const text = [...new ValueJson({ compact: true }).pieces(value)].join('');
    expect(text.replaceAll('-0', '0')).toBe(JSON.stringify(value).replaceAll('-0', '0'));
  });
});

describe('a table of Arrow as JSON', () => {
  it('is a list of objects, a line each', () => {
    const json = new ValueJson();
    const table = tableFromArrays({ a: [1, 2], b: ['x', null] });
    const text = [...json.pieces({ table, empty: tableFromArrays({ a: [] }) })].join('');
    expect(text).toBe('{\n  "table": [\n    {"a":1,"b":"x"},\n    {"a":2,"b":null}\n  ],\n  "empty": []\n}');
    expect(json.isExact).toBe(false);
  });

  it('comes in pieces, however many rows there are', () => {
    const table = tableFromArrays({ a: new Float64Array(20_000) });
    const pieces = [...new ValueJson().pieces(table)];
    expect(pieces.length).toBeGreaterThan(2);
    expect(JSON.parse(pieces.join(''))).toHaveLength(20_000);
  });
});
