import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { didYouMean, listed, suggest } from '../../src/options/suggestions.ts';
import { test } from '../property.ts';

describe('suggestions', () => {
  it('finds slips, swaps, cases and parts', () => {
    expect(suggest('metrix', ['weights', 'metrics'])).toEqual(['metrics']);
    expect(suggest('Trian', ['Train', 'Other'])).toEqual(['Train']);
    expect(suggest('ab', ['ba'])).toEqual(['ba']);
    expect(suggest('train', ['Train'])).toEqual(['Train']);
    expect(suggest('2026-01-31', ['2026-01-31T08:00:00Z', '2025-12-01T08:00:00Z'])).toEqual([
      '2026-01-31T08:00:00Z',
    ]);
    expect(suggest('abcdef', ['uvwxyz'])).toEqual([]);
  });

  test.prop([
    fc.string({ minLength: 1, maxLength: 12 }),
    fc.array(fc.string({ maxLength: 12 }), { maxLength: 9 }),
  ])('are names that there are, at most three, and the very name if it is one of them', (wanted, others) => {
    const suggested = suggest(wanted, [wanted, ...others]);
    expect(suggested).toContain(wanted);
    expect(suggested.length).toBeLessThanOrEqual(3);
    expect([wanted, ...others]).toEqual(expect.arrayContaining(suggested));
  });

  test.prop([fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 })])('go both ways', (a, b) => {
    if (a.length !== b.length) return;
    expect(suggest(a, [b]).length).toBe(suggest(b, [a]).length);
  });

  it('are told in a sentence, and long lists by their beginning', () => {
    expect(didYouMean([])).toBe('');
    expect(didYouMean(['a', 'b', 'c'])).toBe(' Did you mean a, b or c?');
    const names = Array.from({ length: 1_222 }, (_, index) => index);
    expect(listed(names)).toBe(`${names.slice(0, 20).join(', ')} and 1,202 more`);
  });
});
