import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { lineOf } from '../../../src/maintenance/collection/marks.ts';
import { heldInMemory, Proposal } from '../../../src/maintenance/collection/proposal.ts';
import { SortedLines, WorkFolder } from '../../../src/maintenance/collection/sorted-lines.ts';
import { compareNames } from '../../../src/storage/name-order.ts';
import { afterThisTest } from '../../cleanups.ts';
import { test } from '../../property.ts';

const line = fc
  .record({
    place: fc.constantFrom('', 'elsewhere'),
    kind: fc.constantFrom('copy', 'pack', 'plain'),
    name: fc.nat(8).map((number) => `name-${number}`),
  })
  .map((ref) => lineOf(ref as Parameters<typeof lineOf>[0]));
const lines = fc.uniqueArray(line, { maxLength: 12 });

function workFolder(): WorkFolder {
  const folder = new WorkFolder();
  afterThisTest(() => folder.remove());
  return folder;
}

function setOf(folder: WorkFolder, given: readonly string[]): SortedLines {
  const set = new SortedLines(folder);
  for (const each of given) set.add(each);
  return set;
}

function sortedUnion(...sets: readonly (readonly string[])[]): string[] {
  return [...new Set(sets.flat())].sort(compareNames);
}

describe('a proposal', () => {
  test.prop([lines, lines, lines, fc.nat(30)])(
    'has the first of what was found, as many as may be condemned, and all that is carried',
    (dead, superseded, carried, maxCondemned) => {
      const folder = workFolder();
      const found = [setOf(folder, dead), setOf(folder, superseded)];
      const proposal = new Proposal(folder, found, setOf(folder, carried), maxCondemned);
      const all = sortedUnion(dead, superseded);
      const taken = all.slice(0, maxCondemned);
      expect([...proposal.entries.sorted()]).toEqual(sortedUnion(taken, carried));
      expect(proposal.more).toBe(all.length > maxCondemned);
      const count = (kind: string): number => taken.filter((each) => each.split('\t')[1] === kind).length;
      expect(proposal.counts).toEqual({
        copies: count('copy'),
        packs: count('pack'),
        plain: count('plain'),
      });
    },
  );

  test.prop([lines, lines, lines, lines])(
    'leaves to the final version what one of the reasons has, and nothing that was not proposed',
    (dead, carried, stillDead, judged) => {
      const folder = workFolder();
      const proposal = new Proposal(folder, [setOf(folder, dead)], setOf(folder, carried));
      const { final, spared } = proposal.judge([setOf(folder, stillDead), setOf(folder, judged)]);
      const proposed = sortedUnion(dead, carried);
      const stays = new Set([...stillDead, ...judged]);
      expect([...final.sorted()]).toEqual(proposed.filter((each) => stays.has(each)));
      expect(spared).toBe(proposed.filter((each) => !stays.has(each)).length);
    },
  );

  test.prop([lines])('is held against all that is carried, where that is little', (carried) => {
    expect(heldInMemory(setOf(workFolder(), carried))).toEqual(new Set(carried));
  });
});
