import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonFitter, shortText } from '../../src/views/fitted-json.ts';
import { propertyRuns, test } from '../property.ts';

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.string({ maxLength: 40 }).map((text) => `${text}\u0000"\ud800é😀`.repeat(2_000)),
);
const record = fc.dictionary(fc.string({ maxLength: 20 }), anyText, { maxKeys: 300 });
const document = fc.oneof(
  fc.jsonValue({ maxDepth: 6, stringUnit: 'binary' }),
  fc.record({ runs: fc.array(fc.record({ run: fc.string(), parameters: record }), { maxLength: 60 }) }),
  fc.record({ metadata: record, at: fc.date({ noInvalidDate: true }), none: fc.constant(undefined) }),
  fc.array(anyText, { maxLength: 500 }),
);
const bound = fc.oneof(fc.integer({ min: 4, max: 200 }), fc.integer({ min: 200, max: 200_000 }));

describe('a fitted value', () => {
  test.prop([document, bound], { numRuns: propertyRuns })(
    'takes no more bytes than it may, whatever it is',
    (value, maxBytes) => {
      const fitter = new JsonFitter();
      const fitted = fitter.fit(value, maxBytes);
      expect(bytesOf(fitted)).toBeLessThanOrEqual(maxBytes);
      const isWhole = bytesOf(value) <= maxBytes;
      if (isWhole) expect(fitted).toBe(value);
      else expect(bytesOf(fitted)).toBeLessThan(bytesOf(value));
      if (isWhole) expect(fitter.cut).toBeUndefined();
    },
  );

  test.prop([document])('has its length counted as JSON has it', (value) => {
    expect(new JsonFitter().bytesOf(value)).toBe(bytesOf(value));
  });

  test.prop([fc.array(document, { maxLength: 100 }), bound], { numRuns: propertyRuns })(
    'that is the first of several leaves out none before it, and one is there where there is room',
    (items, maxBytes) => {
      const first = new JsonFitter().firstOf(items, maxBytes);
      expect(bytesOf(first)).toBeLessThanOrEqual(Math.max(2, maxBytes));
      expect(first.length).toBeLessThanOrEqual(items.length);
      if (items.length > 0 && maxBytes >= 10) expect(first.length).toBeGreaterThan(0);
    },
  );

  it('keeps what is small whole, and shares the room among what is long', () => {
    const value = { id: 7, name: 'r1', tags: ['a', 'b'], one: 'x'.repeat(5_000), other: 'y'.repeat(9_000) };
    const fitted = new JsonFitter().fit(value, 4_000);
    expect(fitted).toMatchObject({ id: 7, name: 'r1', tags: ['a', 'b'] });
    expect(Math.abs(fitted.one.length - fitted.other.length)).toBeLessThan(10);
    expect(fitted.one).toMatch(/^x{1900,}… \(3,\d\d\d bytes more\)$/);
    expect(bytesOf(fitted)).toBeGreaterThan(3_950);
  });

  it('loses the last items of a list rather than much of each, and says how many', () => {
    const artifacts = Array.from({ length: 5_000 }, (_, index) => ({
      name: `a${index}`,
      key: 'k'.repeat(64),
    }));
    const fitter = new JsonFitter();
    const { attempts } = fitter.fit({ attempts: [{ attempt: 0, artifacts }] }, 100_000);
    const kept = attempts[0]?.artifacts ?? [];
    expect(kept).toEqual(artifacts.slice(0, kept.length));
    expect(kept.length).toBeGreaterThan(1_000);
    expect(fitter.cut).toEqual({
      texts: 0,
      lists: [{ at: 'attempts.0.artifacts', left: 5_000 - kept.length }],
    });
  });

  it('loses the last members of a map of very many', () => {
    const metadata = Object.fromEntries(
      Array.from({ length: 90_000 }, (_, index) => [`name-${index}`, index]),
    );
    const fitter = new JsonFitter();
    const fitted = fitter.fit({ attempt: 3, metadata }, 50_000);
    expect(fitted.attempt).toBe(3);
    expect(Object.entries(fitted.metadata).every(([name, value]) => metadata[name] === value)).toBe(true);
    const left = 90_000 - Object.keys(fitted.metadata).length;
    expect(fitter.cut?.lists).toEqual([{ at: 'metadata', left }]);
  });

  it('has a member __proto__ as any other', () => {
    const value = JSON.parse(`{"__proto__":"${'x'.repeat(500)}","a":1}`) as object;
    expect(Object.keys(new JsonFitter().fit(value, 200))).toEqual(['__proto__', 'a']);
  });
});

describe('a shortened text', () => {
  test.prop([anyText, fc.integer({ min: 40, max: 5_000 })])(
    'is its beginning, and tells how many bytes are left out',
    (text, maxBytes) => {
      const short = shortText(text, maxBytes);
      if (short === text) return;
      const [, beginning = '', left = ''] = /^([\s\S]*)… \(([\d,]+) bytes more\)$/.exec(short) ?? [];
      expect(text.startsWith(beginning)).toBe(true);
      expect(
        beginning.length === 0 || !/[\ud800-\udbff]$/.test(beginning) || text.length === beginning.length,
      ).toBe(true);
      expect(Number(left.replaceAll(',', ''))).toBe(Buffer.byteLength(text.slice(beginning.length)));
    },
  );
});
