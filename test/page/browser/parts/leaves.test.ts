import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseMetadata } from '../../../../src/cli/questions/metadata-conditions.ts';
import type { JsonValue } from '../../../../src/format/json-value.ts';
import { numberLeaves } from '../../../../src/page/browser/parts/leaves.ts';
import { leavesOf } from '../../../../src/store-index/metadata-leaves.ts';
import { test } from '../../../property.ts';

const metadata = fc.dictionary(
  fc.string({ maxLength: 8 }),
  fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<JsonValue>,
  {
    maxKeys: 5,
  },
);

describe('the numbers in metadata', () => {
  test.prop([metadata])('have the paths that the index has them by, and can be asked for', (of) => {
    const indexed = leavesOf(of).filter(({ number }) => number !== undefined);
    const paths = new Set(indexed.map(({ path }) => path));
    for (const leaf of numberLeaves(of)) {
      expect(Object.keys(parseMetadata([leaf]) ?? {})).toStrictEqual([leaf]);
      if (!leaf.includes('\0') && leaf.isWellFormed())
        expect(leavesOf(of).map(({ path }) => path)).toContain(leaf);
    }
    expect(paths.size === 0 || numberLeaves(of).length <= 200).toBe(true);
  });

  it('are found at every depth, in lists as well', () => {
    expect(
      numberLeaves({ auc: 1, name: 'x', loss: { train: 2, deep: { er: 3 } }, folds: [4] }),
    ).toStrictEqual([...['auc', 'loss.train', 'loss.deep.er', 'folds.0']]);
  });

  it('leave out what reads as a comparison', () => {
    expect(numberLeaves({ 'a>b': 1, 'a=': 2, 'a!': 3, ok: 4 })).toStrictEqual(['ok']);
  });
});
