import fc from 'fast-check';
import { describe, expect } from 'vitest';
import type { ShownValue } from '../../../src/views/previews/shown.ts';
import { OF_ONE, Shower } from '../../../src/views/previews/shown-value.ts';
import { test } from '../../property.ts';

/** The value that is shown whole. */
function unshown(shown: ShownValue): unknown {
  if (shown === null || typeof shown !== 'object') return shown;
  if (shown.is === 'list') return shown.items.map(unshown);
  if (shown.is === 'object')
    return Object.fromEntries(shown.members.map(([name, value]) => [name, unshown(value)]));
  if (shown.is === 'scalar') return Number(shown.text);
  throw new Error(`not of JSON: ${shown.is}`);
}

describe('a value that is shown', () => {
  test.prop([fc.jsonValue({ maxDepth: 4 })])(
    'is all there where it is small, whatever its members are called',
    (value) => {
      const shower = new Shower(OF_ONE);
      const given = { is: 'text', total: 3, items: value };
      const shown = shower.show(given);
      if (shower.isWhole) expect(unshown(JSON.parse(JSON.stringify(shown)))).toEqual(given);
      expect(JSON.stringify(shown).length).toBeLessThan(1_000_000);
    },
  );

  test('says of what was cut how much there is', () => {
    const shower = new Shower({ ...OF_ONE, members: 2, text: 3, depth: 2 });
    const shown = shower.show({ a: [1, 2, 3], t: 'wörter😀', c: 1 });
    expect(shown).toEqual({
      is: 'object',
      total: 3,
      members: [
        ['a', { is: 'list', type: 'array', total: 3, items: [1, 2] }],
        ['t', { is: 'text', total: 8, text: 'wör' }],
      ],
    });
    expect(shower.isWhole).toBe(false);
  });

  test('shows the parts beside a large one', () => {
    const shower = new Shower({ ...OF_ONE, values: 50 });
    const shown = shower.show({ large: Array.from({ length: 200 }, (_, id) => ({ id })), last: { a: 1 } });
    expect(shown).toMatchObject({
      members: [
        ['large', { total: 200 }],
        ['last', { total: 1 }],
      ],
    });
  });

  test('shows what JSON has no word for', () => {
    const shown = new Shower(OF_ONE).show([
      1n,
      Number.NaN,
      -0,
      undefined,
      new Date(0),
      new Map([[1, new Set([2])]]),
      Uint8Array.of(255),
    ]);
    expect(shown).toMatchObject({
      items: [
        { is: 'scalar', type: 'bigint', text: '1' },
        { is: 'scalar', type: 'number', text: 'NaN' },
        { is: 'scalar', type: 'number', text: '-0' },
        { is: 'scalar', type: 'undefined', text: '' },
        { is: 'scalar', type: 'Date', text: '1970-01-01T00:00:00.000Z' },
        { is: 'map', total: 1, entries: [[1, { is: 'list', type: 'Set', items: [2] }]] },
        { is: 'bytes', total: 1, base64: '/w==' },
      ],
    });
  });

  test('stays bounded, whatever the value', () => {
    const wide = Array.from({ length: 300 }, () => Array.from({ length: 300 }, () => '\0'.repeat(400)));
    expect(JSON.stringify(new Shower(OF_ONE).show(wide)).length).toBeLessThan(1_000_000);
  });
});
