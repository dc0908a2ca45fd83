import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOfSize, millisecondsOf } from '../../src/options/measures.ts';
import { errorOf } from '../flow/fixtures.ts';
import { test } from '../property.ts';

describe('an age', () => {
  test.prop([fc.nat(100_000), fc.constantFrom('s', 'min', 'h', 'd', 'w')])(
    'is its number times its unit, in milliseconds',
    (count, unit) => {
      const seconds = { s: 1, min: 60, h: 3600, d: 86_400, w: 604_800 }[unit] as number;
      expect(millisecondsOf(`${count}${unit}`, 'keepWithin')).toBe(count * seconds * 1000);
      expect(millisecondsOf(count, 'keepWithin')).toBe(count);
    },
  );

  it.each(['', '30', '30 days', '-1d', 'd', '1e3d', '9999999999999w', -1, 1.5, Number.NaN, null, {}])(
    'that is none is refused with the text: %j',
    async (age) => {
      const error = await errorOf(async () => millisecondsOf(age, 'keepWithin'), 'INVALID_ARGUMENT');
      expect(error.message).toContain('keepWithin is an age');
      if (typeof age === 'string') expect(error.message).toContain(JSON.stringify(age));
    },
  );
});

describe('a size', () => {
  it.each([
    ['0', 0],
    ['4096', 4096],
    ['500kB', 500_000],
    ['1.5 GB', 1_500_000_000],
    ['10MiB', 10_485_760],
    ['2t', 2_000_000_000_000],
    [77, 77],
  ])('%j is %d bytes', (size, bytes) => {
    expect(bytesOfSize(size, 'maxBytes')).toBe(bytes);
  });

  it.each(['', 'GB', '5 apples', '-5', '5iB', '1e9', '99999999PB', -1, 0.5, undefined])(
    'that is none is refused with the text: %j',
    async (size) => {
      const error = await errorOf(async () => bytesOfSize(size, 'maxBytes'), 'INVALID_ARGUMENT');
      expect(error.message).toContain('maxBytes is a size');
      if (typeof size === 'string') expect(error.message).toContain(JSON.stringify(size));
    },
  );
});
