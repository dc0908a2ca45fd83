import { describe, expect, it } from 'vitest';
import { BoundedMap } from '../../src/async/bounded-map.ts';

describe('BoundedMap', () => {
  it('forgets what was used longest ago, and only that', () => {
    const map = new BoundedMap<string, number>(2);
    map.set('a', 1);
    map.set('b', 2);
    expect(map.get('a')).toBe(1);
    map.set('c', 3);
    expect([map.get('a'), map.get('b'), map.get('c')]).toEqual([1, undefined, 3]);
    map.set('c', 4);
    expect([map.get('a'), map.get('c')]).toEqual([1, 4]);
    map.delete('a');
    expect(map.get('a')).toBeUndefined();
  });
});
