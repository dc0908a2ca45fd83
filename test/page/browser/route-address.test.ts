import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { namesIn, numberIn, refined, routeOf, textOfNames } from '../../../src/page/browser/route-address.ts';
import { test } from '../../property.ts';

const name = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => text.isWellFormed());

describe('what is chosen, in an address', () => {
  test.prop([fc.array(name)])('has each name, whatever is in it', (names) => {
    const route = { view: 'task', path: ['F', 'r', 's', '0'], query: { show: 'x' } };
    const { query, ...rest } = routeOf(refined(route, { open: textOfNames(names) }));
    expect(namesIn(query.open ?? '')).toEqual(names);
    expect({ ...rest, show: query.show }).toEqual({ view: 'task', path: route.path, show: 'x' });
  });

  it('is nothing where it means nothing', () => {
    expect(namesIn('%')).toEqual([]);
    for (const text of ['', '-1', '1.5', 'x', '9'.repeat(16)]) expect(numberIn(text)).toBeUndefined();
    expect(numberIn('4500')).toBe(4500);
  });
});
