import { isDeepStrictEqual } from 'node:util';
import { tableFromArrays } from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Aligner, commonItems, type Gap } from '../../../src/cli/diff/alignment.ts';
import { artifactLines } from '../../../src/cli/diff/diff-lines.ts';
import { shortValue } from '../../../src/cli/diff/short-value.ts';
import { diffValues, type ValueDiff, valueDiffText } from '../../../src/cli/diff/value-diff.ts';
import { ValueIds } from '../../../src/cli/diff/value-ids.ts';
import { propertyRuns, test } from '../../property.ts';

const ALL = Number.POSITIVE_INFINITY;

/** How the values differ, as people see it. */
function linesOf(a: unknown, b: unknown, limit = ALL): string[] {
  const how = diffValues(a, b, limit);
  return artifactLines({ name: 'v', change: 'changed', how }).map(({ text }) => text);
}

function of<Kind extends ValueDiff['kind']>(kind: Kind, how: ValueDiff): ValueDiff & { kind: Kind } {
  expect(how.kind).toBe(kind);
  return how as ValueDiff & { kind: Kind };
}

/** Values of every kind that a store gives back, small enough to have parts in common. */
const anyValue: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<unknown>(null, undefined, true, 0, -0, Number.NaN, 1, 1n, '', 'a', '\0a', '1'),
    fc.constantFrom<unknown>(new Date(0), /a/g, Uint8Array.of(1), Float64Array.of(1, 2), new Error('no')),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'id', 'c d'), tie('value'), {
      maxKeys: 4,
      noNullPrototype: true,
    }),
    fc.array(tie('value'), { maxLength: 3 }).map((items) => new Set(items)),
    fc.array(fc.tuple(fc.constantFrom('x', 1, null), tie('value')), { maxLength: 3 }).map((m) => new Map(m)),
  ),
})).value;

describe('ids of values', () => {
  test.prop([anyValue, anyValue], { numRuns: propertyRuns })('are the same for equal values only', (a, b) => {
    const ids = new ValueIds();
    expect(ids.of(a) === ids.of(b)).toBe(isDeepStrictEqual(a, b));
    expect(ids.of(structuredClone(a))).toBe(ids.of(a));
  });

  it('tell where the search of a pattern goes on', () => {
    const later = Object.assign(/a/g, { lastIndex: 2 });
    const ids = new ValueIds();
    expect(ids.of(later)).not.toBe(ids.of(/a/g));
    expect(ids.of(later)).toBe(ids.of(Object.assign(/a/g, { lastIndex: 2 })));
  });

  it('do not take a text for the form of a list, or one kind for another', () => {
    const values = [[], {}, new Set(), new Map(), '\0array()', 'array()', [0], [-0], ['0'], [[0]], [0, 0]];
    const ids = new ValueIds();
    expect(new Set(values.map((value) => ids.of(value))).size).toBe(values.length);
  });
});

describe('alignment', () => {
  const list = fc.array(fc.nat(3), { maxLength: 12 });

  /** The length of the longest common subsequence, the plain way. */
  function longestCommon(a: readonly number[], b: readonly number[]): number {
    const table = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
    const at = (i: number, j: number): number => table[i]?.[j] ?? 0;
    for (let i = a.length - 1; i >= 0; i--) {
      for (let j = b.length - 1; j >= 0; j--) {
        const row = table[i] as number[];
        row[j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
      }
    }
    return at(0, 0);
  }

  test.prop([list, list], { numRuns: propertyRuns })(
    'keeps as much as can be, and gaps make one list the other',
    (a, b) => {
      const gaps = new Aligner().align(a, b) as Gap[];
      const made: number[] = [];
      let at = 0;
      for (const { aStart, aEnd, bStart, bEnd } of gaps) {
        made.push(...a.slice(at, aStart), ...b.slice(bStart, bEnd));
        at = aEnd;
      }
      expect([...made, ...a.slice(at)]).toEqual(b);
      const kept = a.length - gaps.reduce((sum, { aStart, aEnd }) => sum + aEnd - aStart, 0);
      expect(kept).toBe(longestCommon(a, b));
    },
  );

  test.prop([
    fc.nat(6),
    fc.nat(6),
    fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 36, maxLength: 36 }),
  ])('goes through every item of a gap once, in order', (rows, columns, likenesses) => {
    const gap = { aStart: 3, aEnd: 3 + rows, bStart: 5, bEnd: 5 + columns };
    const [ofA, ofB]: [number[], number[]] = [[], []];
    new Aligner().walk(gap, (i, j) => likenesses[(i - 3) * 6 + j - 5] ?? 0, {
      removed: (i) => ofA.push(i),
      added: (j) => ofB.push(j),
      paired: (i, j) => {
        ofA.push(i);
        ofB.push(j);
      },
    });
    expect(ofA).toEqual(Array.from({ length: rows }, (_, index) => 3 + index));
    expect(ofB).toEqual(Array.from({ length: columns }, (_, index) => 5 + index));
  });

  it('gives up on lists that are too different, and on the last of many', () => {
    const numbers = (length: number, from: number): number[] =>
      Array.from({ length }, (_, index) => from + index);
    expect(new Aligner().align(numbers(600, 0), numbers(600, 1000))).toBeUndefined();
    const aligner = new Aligner();
    const lists = Array.from({ length: 30 }, () => aligner.align(numbers(490, 0), numbers(490, 1000)));
    expect(lists[0]).toHaveLength(1);
    expect(lists.at(-1)).toBeUndefined();
    expect(aligner.align(numbers(9000, 0), numbers(9009, 0))).toHaveLength(1); // costs nothing
  });

  it('counts what lists have in common, whatever the order', () => {
    expect(commonItems([1, 1, 2, 3], [3, 1, 1, 1])).toBe(3);
  });
});

describe('how values differ', () => {
  it('an error may have been saved with anything for a name and a message', () => {
    const members = { name: {}, message: Object.create(null), stack: '' };
    const odd = Object.assign(new Error('no'), members);
    expect(shortValue(odd)).toBe('Error: [Object: null prototype] {}');
    expect(linesOf({ a: odd }, { a: new Error('no') }).length).toBeGreaterThan(0);
  });

  test.prop([anyValue, anyValue], { numRuns: propertyRuns })(
    'nothing is told of equal values, and something of others',
    (a, b) => {
      const how = diffValues(a, b, ALL);
      if (isDeepStrictEqual(a, b)) expect(how).toMatchObject('total' in how ? { total: 0 } : {});
      else if (how.kind === 'parts') expect(how.total).toBeGreaterThan(0);
      expect(valueDiffText(how)).not.toMatch(/\n/);
    },
  );

  test.prop([anyValue, anyValue, fc.integer({ min: 1, max: 3 })])(
    'a limit changes what is kept, not what is counted',
    (a, b, limit) => {
      const [all, some] = [diffValues(a, b, ALL), diffValues(a, b, limit)];
      if (!('changes' in all) || !('changes' in some)) return;
      expect(some.total).toBe(all.changes.length);
      expect(some.changes).toEqual(all.changes.slice(0, limit));
    },
  );

  it('tells members by their paths', () => {
    const a = { auc: 0.91, by: { a: [1, 2, 3] }, 'odd key': null, gone: 'bye', same: { deep: [1] } };
    const b = { auc: 0.93, by: { a: [1, 2, 4] }, 'odd key': false, come: [], same: { deep: [1] } };
    expect(linesOf(a, b)).toEqual([
      '  v.auc: 0.91 -> 0.93  (+0.02)',
      '  v.by.a[2]: 3 -> 4  (+1)',
      '  v["odd key"]: null -> false',
      '- v.gone: "bye"',
      '+ v.come: []',
    ]);
    expect(linesOf(a, b, 2)).toEqual([...linesOf(a, b).slice(0, 2), '    and 3 more']);
  });

  it('lays lists side by side', () => {
    const words = ['one', 'two', 'three', 'four'];
    expect(linesOf(words, ['zero', ...words])).toEqual(['+ v[0]: "zero"']);
    expect(linesOf(words, words.slice(1))).toEqual(['- v[0]: "one"']);
    expect(linesOf(['apple', 'pear'], ['fig'])).toEqual([
      '- v[0]: "apple"',
      '- v[1]: "pear"',
      '+ v[0]: "fig"',
    ]);
    const little = [{ a: 1, b: [1], c: [1] }, 'x'];
    expect(linesOf(little, [{ a: 1, b: [2], c: [2] }]).map((line) => line.slice(0, 6))).toEqual([
      '- v[0]',
      '- v[1]',
      '+ v[0]',
    ]);
    const layers = [
      { name: 'in', size: 3 },
      { name: 'hidden', size: [64, 64] },
      { name: 'out', size: 1 },
    ];
    const deeper = [layers[0], { name: 'new', size: 8 }, { name: 'hidden', size: [64, 32] }, layers[2]];
    expect(linesOf({ layers }, { layers: deeper })).toEqual([
      '+ v.layers[1]: {"name": "new", "size": 8}',
      '  v.layers[2].size[1]: 64 -> 32  (-32)',
    ]);
  });

  it('tells long lists of numbers, and others that are too different, as a whole', () => {
    const numbers = Array.from({ length: 500 }, (_, index) => index);
    expect(
      linesOf(
        numbers,
        numbers.map((number) => number + 0.5),
      ),
    ).toEqual(['  v: 500 of 500 elements differ, the first at 0, by 0.5 at most']);
    const texts = (prefix: string): string[] => numbers.map((number) => `${prefix}${number}`);
    expect(linesOf([...texts('a'), 'x'], [...texts('b'), ...texts('c'), 'x', 'y'])).toEqual([
      '  v: 501 -> 1,002 items, 1 in both; too different to align',
    ]);
  });

  it('compares items by their place, where lists of one length are alike', () => {
    const items = (size: number): object[] =>
      Array.from({ length: 600 }, (_, index) => ({ text: [`item ${index}`], color: ['red'], size: [size] }));
    expect(linesOf(items(1), items(2), 1)).toEqual(['  v[0].size[0]: 1 -> 2  (+1)', '    and 599 more']);
  });

  it('compares maps by their keys, and sets by their members', () => {
    expect(
      linesOf(
        new Map([
          ['a', 1],
          ['b', 2],
        ]),
        new Map([
          ['b', 3],
          ['c', 4],
        ]),
      ),
    ).toEqual(['- v.get("a"): 1', '  v.get("b"): 2 -> 3  (+1)', '+ v.get("c"): 4']);
    expect(linesOf({ tags: new Set(['x', 'y']) }, { tags: new Set(['y', 'z']) })).toEqual([
      '- v.tags: "x"',
      '+ v.tags: "z"',
    ]);
  });

  it('counts the elements of typed arrays that differ', () => {
    const a = Float64Array.of(1, Number.NaN, 3, -0);
    expect(linesOf(a, Float64Array.of(1, Number.NaN, 3.5, 0))).toEqual([
      '  v: 1 of 4 elements differ, the first at 2, by 0.5 at most',
    ]);
    expect(linesOf(a, Float64Array.of(1, 2, 3, 0))).toEqual(['  v: 1 of 4 elements differ, the first at 1']);
    expect(linesOf(Float32Array.of(1, 2), Float64Array.of(1, 2))).toEqual([
      '  v: 2 elements, of equal value; Float32Array -> Float64Array',
    ]);
    expect(linesOf(BigInt64Array.of(1n, 5n), BigInt64Array.of(1n, 2n))[0]).toContain('by 3 at most');
    const long = Int32Array.from({ length: 1000 }, (_, index) => index);
    expect(linesOf(long, Int32Array.of(...long.subarray(0, 400), 7, ...long.subarray(400)))).toEqual([
      '  v: 1,000 -> 1,001 elements, 1 added at 400',
    ]);
    expect(linesOf({ w: a }, { w: Float64Array.of(1) })).toEqual([
      '  v: 4 -> 1 rows: 3 removed',
      ...['[1]', '[2]', '[3]'].map((at) => expect.stringContaining(`- v${at}: `)),
    ]);
  });

  const numbers = fc.array(fc.constantFrom(0, 1, 2, Number.NaN), { maxLength: 8 });
  test.prop([numbers, numbers, fc.constantFrom(2, ALL)], { numRuns: propertyRuns })(
    'tells the first elements of typed arrays that differ',
    (listOfA, listOfB, limit) => {
      const [a, b] = [Float32Array.from(listOfA), Float32Array.from(listOfB)];
      const how = of('numbers', diffValues(a, b, limit));
      if (how.differ !== undefined) expect(how.total).toBe(how.differ);
      expect(how.changes).toHaveLength(Math.min(how.total, limit));
      if (a.length !== b.length || limit !== ALL) return;
      const changed = [...a];
      for (const { path, b: is } of how.changes) changed[Number(path.slice(1, -1))] = is as number;
      expect(changed).toEqual([...b]);
    },
  );

  it('tells where bytes begin to differ', () => {
    const bytes = new Uint8Array(4000);
    const other = bytes.slice();
    other.set([1, 0, 2], 1000);
    expect(linesOf(bytes, other)).toEqual(['  v: 2 of 4,000 bytes differ, the first at 1,000']);
    expect(linesOf(bytes, bytes.subarray(0, 3990))).toEqual([
      '  v: 4.0 kB -> 4.0 kB, 10 bytes removed at the end',
    ]);
    expect(linesOf(new ArrayBuffer(2), Uint8Array.of(0, 1, 2))).toEqual([
      '  v: 2 B -> 3 B, different from byte 1 on',
    ]);
  });

  it('shows texts as `diff -u` does', () => {
    const text = Array.from({ length: 20 }, (_, index) => `line ${index}\n`).join('');
    const other = text.replace('line 3\n', '').replace('line 15\n', 'line fifteen\nand one\n');
    expect(linesOf(text, other)).toEqual([
      '  v: 2 lines removed, 2 added',
      '    @@ -2 +2 @@',
      '     line 1',
      '     line 2',
      '    -line 3',
      '     line 4',
      '     line 5',
      '    @@ -14 +13 @@',
      '     line 13',
      '     line 14',
      '    -line 15',
      '    +line fifteen',
      '    +and one',
      '     line 16',
      '     line 17',
    ]);
    expect(linesOf(text, other, 2)).toHaveLength(12);
    expect(linesOf(text, other, 2).at(-1)).toBe('    and 2 more');
    const long = (seed: string): string =>
      Array.from({ length: 1200 }, (_, index) => `${seed}${index}\n`).join('');
    expect(linesOf(`${long('a')}x\n`, `x\n${long('b')}`)).toEqual([
      '  v: 1,201 -> 1,201 lines, 1 in both; too different to align',
    ]);
  });

  test.prop([
    fc.array(fc.constantFrom('a', 'b', ''), { maxLength: 8 }),
    fc.array(fc.constantFrom('a', 'b', ''), { maxLength: 8 }),
  ])('texts: lines that were added less those that were removed are what there is more', (a, b) => {
    const how = diffValues(`${a.join('\n')}\n.\n.`, `${b.join('\n')}\n.\n.`, ALL);
    const { added = 0, removed = 0, ...sizes } = of('text', how);
    expect(added - removed).toBe(sizes.b - sizes.a);
    const lines = sizes.hunks.flatMap((hunk) => hunk.lines.map((line) => line[0]));
    expect(lines.filter((sign) => sign === '+')).toHaveLength(added);
    expect(lines.filter((sign) => sign === '-')).toHaveLength(removed);
  });

  it('shows where long texts on one line part', () => {
    const lead = 'the quick brown fox jumps over the lazy dog, and then goes on ';
    expect(linesOf(`${lead}running`, `${lead}sleeping`)).toEqual([
      '  v: "…d then goes on running" -> "…d then goes on sleeping"',
    ]);
  });
});

describe('how tables differ', () => {
  const row = fc.record({
    id: fc.nat(30),
    x: fc.double({ min: -5, max: 5, noNaN: true }),
    label: fc.constantFrom('a', 'b'),
  });
  const rows = fc.uniqueArray(row, { selector: ({ id }) => id, minLength: 1, maxLength: 12 });

  test.prop([rows, rows], { numRuns: propertyRuns })(
    'rows are removed, added, changed, or the same',
    (a, b) => {
      const how = of('table', diffValues(a, b, ALL));
      const byId = new Map(b.map((one) => [one.id, one]));
      if (how.matchedBy === 'key' && how.key === 'id') {
        expect(how.removed).toBe(a.filter(({ id }) => !byId.has(id)).length);
        expect(how.changed).toBe(
          a.filter((one) => byId.has(one.id) && !isDeepStrictEqual(byId.get(one.id), one)).length,
        );
        const [x] = how.columns.filter(({ name }) => name === 'x');
        const moved = a.flatMap((one) => Math.abs(one.x - (byId.get(one.id)?.x ?? one.x)));
        expect(x?.maxDifference ?? 0).toBe(Math.max(...moved));
      }
      if (how.matchedBy) expect(a.length - (how.removed ?? 0) + (how.added ?? 0)).toBe(b.length);
      expect(how.changes).toHaveLength(how.total);
    },
  );

  const people = [
    { id: 'ann', age: 30, city: 'Rome' },
    { id: 'bob', age: 40, city: 'Oslo' },
    { id: 'eve', age: 50, city: 'Bonn' },
  ];

  it('finds rows again by a column that tells them apart', () => {
    const others = [people[2], { ...people[0], age: 31 }, { id: 'kim', age: 1, city: 'Rome' }];
    expect(linesOf(people, others)).toEqual([
      '  v: 3 rows: 1 removed, 1 added, 1 changed in age, in another order',
      '    age: 1 cell differs, by 1 at most',
      '  v[id="ann"].age: 30 -> 31  (+1)',
      '- v[id="bob"]: {"id": "bob", "age": 40, "city": "Oslo"}',
      '+ v[id="kim"]: {"id": "kim", "age": 1, "city": "Rome"}',
    ]);
  });

  it('lays rows that differ side by side', () => {
    const others = [people[2], { ...people[0], age: 31 }, { id: 'kim', age: 1, city: 'Rome' }];
    expect(of('table', diffValues(people, others, ALL)).sideBySide).toEqual({
      columns: ['id', 'age', 'city'],
      rows: [
        { change: 'changed', a: 0, b: 1, cells: [['"ann"'], ['30', '31'], ['"Rome"']] },
        { change: 'removed', a: 1, cells: [['"bob"'], ['40'], ['"Oslo"']] },
        { change: 'added', b: 2, cells: [['"kim"'], ['1'], ['"Rome"']] },
      ],
    });
    expect(of('table', diffValues(people, others, 1)).sideBySide?.rows).toHaveLength(1);
  });

  it('lays the columns side by side that differ in most rows, and counts the others', () => {
    const wide = (by: number) =>
      [0, 1].map((id) =>
        Object.fromEntries([
          ['id', id],
          ...Array.from({ length: 30 }, (_, at) => [
            `c${at}`,
            at < 20 && (id === 1 || at > 15) ? at + by : at,
          ]),
        ]),
      );
    const { sideBySide } = of('table', diffValues(wide(0), wide(1), ALL));
    expect(sideBySide?.columns).toEqual([
      ...['id', 'c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6'],
      ...['c16', 'c17', 'c18', 'c19'],
    ]);
    expect(sideBySide?.moreColumns).toBe(9);
    expect(sideBySide?.rows.map(({ cells }) => cells.filter((cell) => cell.length === 2).length)).toEqual([
      4, 11,
    ]);
  });

  test.prop([rows, rows, fc.constantFrom(3, ALL)], { numRuns: propertyRuns })(
    'lays side by side what differs, and nothing else',
    (a, b, limit) => {
      const how = of('table', diffValues(a, b, limit));
      if (!how.sideBySide) return expect(how.matchedBy).toBeUndefined();
      const { columns, rows: shown } = how.sideBySide;
      const { added = 0, removed = 0, changed = 0 } = how;
      expect(shown).toHaveLength(Math.min(added + removed + changed, limit));
      for (const { change, a: was = -1, b: is = -1, cells } of shown) {
        const [rowOfA, rowOfB] = [a[was], b[is]] as [Record<string, unknown>?, Record<string, unknown>?];
        expect(change).toBe(rowOfA ? (rowOfB ? 'changed' : 'removed') : 'added');
        expect(cells).toEqual(
          columns.map((name) => {
            const [x, y] = [rowOfA, rowOfB].map((one) => one && shortValue(one[name]));
            const isSame = Object.is(rowOfA?.[name], rowOfB?.[name]);
            return rowOfA && rowOfB && !isSame ? [x, y] : [x ?? y];
          }),
        );
      }
      return undefined;
    },
  );

  it('takes no column for one that tells rows apart, unless it does', () => {
    const twice = (x: number): object[] => [
      { id: 1, x: 1 },
      { id: 1, x },
      { id: 2, x: 3 },
    ];
    expect(linesOf(twice(2), twice(5)).at(-1)).toBe('  v[1].x: 2 -> 5  (+3)');
    // In a short table any numbers may happen to differ.
    const short = (b: number): object[] => [
      { a: 1, b: 1 },
      { a: 2, b },
    ];
    expect(linesOf(short(2), short(5)).at(-1)).toBe('  v[1].b: 2 -> 5  (+3)');
    const long = (b: number): object[] => [...Array(9).keys()].map((a) => ({ a, b: a === 7 ? b : 0 }));
    expect(linesOf(long(2), long(5)).at(-1)).toBe('  v[a=7].b: 2 -> 5  (+3)');
  });

  it('tells columns that come and go, and does not call all rows changed', () => {
    const others = people.map(({ id, age }) => ({ id, age, email: '' }));
    expect(linesOf(people, others)).toEqual(['  v: 3 rows: without city, with email']);
  });

  it('matches rows by their order, without such a column', () => {
    const points = [
      [1, 1],
      [2, 2],
      [2, 2],
      [3, 3],
    ];
    expect(
      linesOf(points, [
        [1, 1],
        [2, 2],
        [9, 9],
        [2, 2],
        [3, 4],
      ]),
    ).toEqual([
      '  v: 4 -> 5 rows: 1 added, 1 changed in 1',
      '    1: 1 cell differs, by 1 at most',
      '+ v[2]: [9, 9]',
      '  v[4][1]: 3 -> 4  (+1)',
    ]);
  });

  it('matches rows by their number, where all of them changed', () => {
    const column = (length: number, by: number) => ({
      x: Float64Array.from({ length }, (_, index) => index / 3 + by),
    });
    expect(linesOf(column(2000, 0), column(2000, 0.25), 1)).toEqual([
      '  v: 2,000 rows: 2,000 changed in x',
      '    x: 2,000 cells differ, by 0.25 at most',
      '  v[0].x: 0 -> 0.25  (+0.25)',
      '    and 1,999 more',
    ]);
    expect(linesOf(column(2000, 0), column(1999, 0.25))).toEqual([
      '  v: 2,000 -> 1,999 rows: 0 in both; too different to match',
    ]);
  });

  it('compares Arrow tables', () => {
    const a = tableFromArrays({ id: ['a', 'b'], x: Int32Array.of(1, 2) });
    const b = tableFromArrays({ id: ['a', 'b', 'c'], x: Float64Array.of(1, 2.5, 3) });
    expect(linesOf(a, b)).toEqual([
      '  v: 2 -> 3 rows: 1 added, 1 changed in x, x is Float64, and was Int32',
      '    x: 1 cell differs, by 0.5 at most',
      '  v[id="b"].x: 2 -> 2.5  (+0.5)',
      '+ v[id="c"]: {"id": "c", "x": 3}',
    ]);
  });

  it('takes rows with parts for lists', () => {
    expect(diffValues([{ a: [1] }], [{ a: [2] }], ALL).kind).toBe('parts');
  });
});

test.prop([anyValue, fc.integer({ min: 5, max: 40 })])(
  'a short value is short, and on one line',
  (value, length) => {
    const text = shortValue(value, length);
    expect(text.length).toBeLessThanOrEqual(length);
    expect(text).not.toContain('\n');
  },
);
