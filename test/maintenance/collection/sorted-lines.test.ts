import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Cursor, SortedLines, union, WorkFolder } from '../../../src/maintenance/collection/sorted-lines.ts';
import { compareNames } from '../../../src/storage/name-order.ts';
import { afterThisTest } from '../../cleanups.ts';
import { test } from '../../property.ts';

function workFolder(): WorkFolder {
  const folder = new WorkFolder();
  afterThisTest(() => folder.remove());
  return folder;
}

const line = fc.string({ unit: 'binary' }).map((text) => text.replace(/[\n\ud800-\udfff]/g, '～'));

describe('sorted lines', () => {
  test.prop([fc.array(line), fc.array(line), fc.integer({ min: 1, max: 5 })])(
    'come back in the order of names, each once, from memory and from files',
    (first, second, maxLines) => {
      const folder = workFolder();
      const sets = [first, second].map((lines) => {
        const set = new SortedLines(folder, { maxLines });
        for (const each of lines) set.add(each);
        expect([...set.sorted()]).toEqual([...new Set(lines)].sort(compareNames));
        expect(set.isEmpty).toBe(lines.length === 0);
        return set;
      });
      expect([...union(...sets)]).toEqual([...new Set([...first, ...second])].sort(compareNames));
    },
  );

  test.prop([fc.uniqueArray(line), fc.uniqueArray(line)])(
    'are found by a cursor that is asked in their order',
    (lines, asked) => {
      const cursor = new Cursor([...lines].sort(compareNames));
      for (const each of [...asked].sort(compareNames)) expect(cursor.has(each)).toBe(lines.includes(each));
    },
  );

  it('can be read while more is added, and merged', () => {
    const set = new SortedLines(workFolder(), { maxLines: 2 });
    for (let i = 0; i < 100; i++) set.add(String(i).padStart(4, '0'));
    const seen: string[] = [];
    for (const each of set.sorted()) {
      seen.push(each);
      for (let i = 0; i < 3; i++) set.add(`0000${each}${i}`);
    }
    expect(seen).toHaveLength(100);
    expect([...set.sorted()]).toHaveLength(400);
  });
});
