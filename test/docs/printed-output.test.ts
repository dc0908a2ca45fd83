import { describe, expect, it } from 'vitest';
import { brokenPromises, promisesIn } from './printed-output.ts';

const promised = [{ line: 3, comment: '2: how many there are' }];

describe('what examples promise to print', () => {
  it('is what stands behind console.log, and no remark', () => {
    const code = [
      'const x = 1; // one',
      "console.log(await get('http://x/')); // 'a' // b",
      '// the total',
      'console.log(x);',
      'for (const y of all) console.log(y); // 2',
    ];
    expect(promisesIn(code.join('\n'))).toEqual([
      { line: 2, comment: "'a' // b" },
      { line: 5, comment: '2' },
    ]);
  });

  it.each([
    ['2', '2'],
    ['2: how many there are', '2'],
    ['{ a: 1 }', '{ a: 1 }'],
    ['{ a: 1, b: 2 }', '{\n  a: 1,\n  b: 2\n}'],
    ['{ at: 2026-03-01T12:00:00.000Z }', '{ at: 2027-01-31T08:15:59.123Z }'],
    ['epoch 1 10', 'epoch 1\n 10'],
  ])('is kept: %s', (comment, text) => {
    expect(brokenPromises([{ line: 3, comment }], [{ line: 3, text }])).toEqual([]);
  });

  it.each([
    ['2', '3'],
    ['2', '20'],
    ['20', '2'],
    ['2 rows', '2'],
    ['2', ''],
  ])('is broken: %s', (comment, text) => {
    expect(brokenPromises([{ line: 3, comment }], [{ line: 3, text }])).toHaveLength(1);
  });

  it('is broken by a line that never ran', () => {
    expect(brokenPromises(promised, [{ line: 4, text: '2' }])).toHaveLength(1);
  });

  it('is broken by one call of several', () => {
    const printed = ['2', '3', '2'].map((text) => ({ line: 3, text }));
    expect(brokenPromises(promised, printed)).toEqual([
      'line 3 promises 2: how many there are, and printed 3',
    ]);
  });
});
