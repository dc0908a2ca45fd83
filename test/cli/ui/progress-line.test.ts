import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coloured } from '../../../src/cli/ui/paint.ts';
import { progressLine, workOnBytes, workOnItems } from '../../../src/cli/ui/progress-line.ts';
import { displayWidth } from '../../../src/cli/ui/terminal-text.ts';
import { propertyRuns, test } from '../../property.ts';

const at = {
  bytesDone: 420_000_000,
  bytesTotal: 1_000_000_000,
  bytesPerSecond: 58_000_000,
  elapsedMs: 7_000,
};

const works = fc.record({
  title: fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('結果のモデル', 'a\x1b[2Jb\r\n', '👩‍👩‍👧 film'),
  ),
  share: fc.option(fc.double({ min: 0, max: 1.5, noNaN: true }), { nil: undefined }),
  facts: fc.array(fc.constantFrom('12.0 MB of 1.0 GB', '58.0 MB/s', '3 min 20 s left', '12 attempts'), {
    minLength: 1,
    maxLength: 4,
  }),
});

describe('a line of progress', () => {
  test.prop([works, fc.integer({ min: 10, max: 200 })], { numRuns: propertyRuns * 4 })(
    'is never wider than the terminal, and holds nothing that moves its cursor',
    (work, width) => {
      const line = progressLine(work, width);
      expect(displayWidth(line)).toBeLessThanOrEqual(width);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      expect(line).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
      // Colours take no room.
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      expect(progressLine(work, width, coloured).replace(/\x1b\[\d+m/g, '')).toBe(line);
    },
  );

  it('gives up the last facts first, then the bar, and then cuts the title', () => {
    const work = workOnBytes('model', at);
    expect([90, 70, 60, 44, 29, 20].map((width) => progressLine(work, width))).toEqual([
      'model  [==========>             ]   42 %  420 MB of 1.0 GB, 58.0 MB/s, 10 s left',
      'model  [==========>             ]   42 %  420 MB of 1.0 GB, 58.0 MB/s',
      'model  [======>        ]   42 %  420 MB of 1.0 GB, 58.0 MB/s',
      'model  [====>     ]   42 %  420 MB of 1.0 GB',
      'mo…l   42 %  420 MB of 1.0 GB',
      '42 %  420 MB …1.0 GB',
    ]);
  });

  it('has no bar where nobody knows how much there is, and says no time that it cannot know', () => {
    const { bytesTotal: _, ...unknown } = at;
    expect(progressLine(workOnBytes('film', { ...unknown, bytesTotal: undefined }), 80)).toBe(
      'film  420 MB, 58.0 MB/s',
    );
    expect(progressLine(workOnBytes('film', { ...at, elapsedMs: 1_000 }), 80)).not.toContain('left');
    expect(progressLine(workOnBytes('film', { ...at, bytesPerSecond: 0 }), 80)).not.toMatch(/left|\/s/);
    expect(progressLine(workOnItems('reading', 512, undefined, 'cache entries'), 80)).toBe(
      'reading  512 cache entries',
    );
    expect(progressLine(workOnItems('reading', 512, 1_024, 'tasks'), 80)).toBe(
      'reading  [============>           ]   50 %  512 of 1,024 tasks',
    );
  });

  it('is full only once all is done', () => {
    const lineAt = (bytesDone: number): string => progressLine(workOnBytes('film', { ...at, bytesDone }), 90);
    expect(lineAt(999_999_999)).toContain('[=======================>]   99 %');
    expect(lineAt(1_000_000_000)).toContain('[========================]  100 %');
  });
});
