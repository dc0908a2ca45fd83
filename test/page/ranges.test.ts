import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contentRange, rangeOf } from '../../src/page/ranges.ts';
import { test } from '../property.ts';

describe('a Range header', () => {
  test.prop([fc.nat(50), fc.nat(60), fc.nat(60)])('asks for the bytes of a slice', (size, first, last) => {
    const bytes = Array.from({ length: size }, (_, index) => index);
    const asked = rangeOf(`bytes=${first}-${last}`, size);
    if (last < first || first >= size) {
      expect(asked).toBe(last < first ? undefined : 'unsatisfiable');
      return;
    }
    if (asked === undefined || asked === 'unsatisfiable') throw new Error('there are such bytes');
    expect(bytes.slice(asked.offset, asked.offset + asked.length)).toEqual(bytes.slice(first, last + 1));
    expect(contentRange(asked, size)).toBe(`bytes ${first}-${Math.min(last, size - 1)}/${size}`);
  });

  test.prop([fc.nat(50), fc.nat(60)])('asks for the end', (size, count) => {
    const bytes = Array.from({ length: size }, (_, index) => index);
    for (const header of [`bytes=-${count}`, ...(count < size ? [`bytes=${size - count}-`] : [])]) {
      const asked = rangeOf(header, size);
      if (size === 0 || count === 0) {
        expect(asked).toBe('unsatisfiable');
        continue;
      }
      if (asked === undefined || asked === 'unsatisfiable') throw new Error('there are such bytes');
      expect(bytes.slice(asked.offset, asked.offset + asked.length)).toEqual(bytes.slice(-count));
    }
  });

  it.each([
    undefined,
    '',
    'bytes',
    'bytes=',
    'bytes=-',
    'bytes=a-b',
    'bytes=0-1,2-3',
    'lines=0-1',
    'bytes=1-0',
    'bytes=0x1-2',
  ])('of no range that is served means all: %s', (header) => expect(rangeOf(header, 10)).toBeUndefined());

  it('of huge numbers stays within the content', () => {
    expect(rangeOf('bytes=0-999999999999999', 10)).toEqual({ offset: 0, length: 10 });
    expect(rangeOf('bytes=-999999999999999', 10)).toEqual({ offset: 0, length: 10 });
    expect(rangeOf('bytes=999999999999999-', 10)).toBe('unsatisfiable');
    expect(rangeOf(`bytes=0-${'9'.repeat(400)}`, 10)).toBeUndefined();
  });
});
