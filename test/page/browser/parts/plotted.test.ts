import { describe, expect, it } from 'vitest';
import { lineOfVersions, measured, measuresOf } from '../../../../src/page/browser/parts/measures.ts';
import {
  exact,
  histogramOf,
  lineOfNumbers,
  textOfNumbers,
} from '../../../../src/page/browser/parts/plotted.ts';
import type { FoundAttempt } from '../../../../src/store-index/find.ts';
import type { NumbersSummary } from '../../../../src/views/previews/shown.ts';

const numbers: NumbersSummary = {
  ...{ count: 4, dtype: 'float64', nans: 1, infinities: 0, min: 1, max: 3, mean: 2 },
  first: [1, 'NaN', 2, 3],
  histogram: { edges: [1, 2, 3, 4], counts: [1, 1, 1] },
  line: { step: 1, x: [0, 1, 2, 3], low: [1, null, 2, 3], high: [1, null, 2, 3] },
};
const nothing: NumbersSummary = {
  ...{ count: 3, dtype: 'float32', nans: 3, infinities: 0, min: null, max: null, mean: null },
  first: ['NaN', 'NaN', 'NaN'],
  histogram: { edges: [], counts: [] },
  line: { step: 1, x: [0, 1, 2], low: [null, null, null], high: [null, null, null] },
};

describe('what is plotted of numbers', () => {
  it('has each bin in its middle', () => {
    expect(histogramOf(numbers)).toMatchObject({
      data: [
        [1.5, 2.5, 3.5],
        [1, 1, 1],
      ],
      xRange: [1, 4],
    });
  });

  it('leaves a gap where a number is NaN', () => {
    expect(lineOfNumbers(numbers)?.data[1]).toStrictEqual([1, null, 2, 3]);
  });

  it('lies between the lowest and the highest of many', () => {
    const many = { ...numbers, count: 4000, line: { ...numbers.line, step: 1000 } };
    expect(lineOfNumbers(many)).toMatchObject({ kind: 'band', names: ['lowest', 'highest'] });
  });

  it('is nothing of nothing but NaN, of one number, and of none', () => {
    expect(histogramOf(nothing)).toBeUndefined();
    expect(lineOfNumbers(nothing)).toBeUndefined();
    expect(lineOfNumbers({ ...numbers, count: 1 })).toBeUndefined();
  });

  it('is told in words', () => {
    expect(textOfNumbers(numbers)).toBe('4 numbers (float64), from 1 to 3, mean 2, 1 NaN');
    expect(textOfNumbers(nothing)).toBe('3 numbers (float32), none is finite, 3 NaN');
    expect(textOfNumbers({ ...nothing, count: 0, nans: 0 })).toBe('0 numbers (float32), empty');
    expect(exact('18446744073709551615')).toBe('18446744073709551615');
    expect(exact(0.1 + 0.2)).toBe('0.3');
  });
});

describe('a number over versions', () => {
  const found: FoundAttempt = {
    ...{
      pathspec: 'F/r/s/0/0',
      flow: 'F',
      run: 'r',
      step: 's',
      task: '0',
      attempt: 0,
      status: 'done',
      durationMs: 7,
    },
    artifacts: [{ name: 'model', type: 'array', key: 'k', bytes: 12 }],
    metadata: { auc: 0.5, lang: 'en' },
  };

  it('offers the value of numbers only, and the leaves of metadata', () => {
    expect(measuresOf('number', ['auc'])).toStrictEqual(['value', 'metadata auc', 'size', 'time']);
    expect(measuresOf('array', [])).toStrictEqual(['size', 'time']);
  });

  it('takes each number from where it lies, and none from a text', () => {
    const values = new Map([['F/r/s/0/0', 3]]);
    expect(measured('value', 'model', found, values)).toBe(3);
    expect(measured('metadata auc', 'model', found, values)).toBe(0.5);
    expect(measured('metadata lang', 'model', found, values)).toBeUndefined();
    expect(measured('size', 'model', found, values)).toBe(12);
    expect(measured('time', 'model', found, values)).toBe(7);
  });

  it('is no line through less than two, and names the runs', () => {
    expect(
      lineOfVersions('size', [
        { run: 'a', number: 1 },
        { run: 'b', number: undefined },
      ]),
    ).toBeUndefined();
    const line = lineOfVersions('size', [
      { run: 'a', number: 1 },
      { run: 'b', number: undefined },
      { run: 'c', number: 2 },
    ]);
    expect(line?.data).toStrictEqual([
      [0, 1, 2],
      [1, null, 2],
    ]);
    expect([0, 2, 2.5, 3].map((place) => line?.xText?.(place))).toStrictEqual(['a', 'c', '', '']);
  });
});
