import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { type LogPiece, LogWindow } from '../../../../src/page/browser/views/log-window.ts';
import { test } from '../../../property.ts';

function piece(task: string, text: string): LogPiece {
  return { step: 'fit', task, attempt: 0, source: 'task', stream: 'stdout', text };
}

function textsOf(window: LogWindow): string[] {
  return window.lines.map(({ text }) => text);
}

const texts = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '\n') }), { maxLength: 20 });

describe('the lines of a log that is followed', () => {
  test.prop([texts])('are those of the whole text, however it comes in pieces', (pieces) => {
    const window = new LogWindow(1_000);
    for (const text of pieces) window.add(piece('0', text));
    const lines = pieces.join('').split('\n');
    if (lines.at(-1) === '') lines.pop();
    expect(textsOf(window)).toEqual(lines);
  });

  test.prop([texts, fc.integer({ min: 1, max: 5 })])(
    'are the last ones, numbered from the first on',
    (pieces, most) => {
      const [window, whole] = [new LogWindow(most), new LogWindow(1_000)];
      for (const text of pieces) for (const one of [window, whole]) one.add(piece('0', text));
      expect(window.lines).toEqual(whole.lines.slice(-most));
      expect(window.dropped).toBe(Math.max(0, whole.lines.length - most));
    },
  );

  test('of one task do not go on where another one wrote', () => {
    const window = new LogWindow(10);
    for (const [task, text] of [
      ['0', 'epoch '],
      ['1', 'loading\n'],
      ['0', '1\nepoch 2\n'],
    ] as const)
      window.add(piece(task, text));
    expect(textsOf(window)).toEqual(['epoch 1', 'loading', 'epoch 2']);
    expect(window.lines.map(({ log }) => log)).toEqual([
      'fit/0/0 task stdout',
      'fit/1/0 task stdout',
      'fit/0/0 task stdout',
    ]);
  });

  test('that never end are cut, so that one log takes no more memory than its lines', () => {
    const window = new LogWindow(3);
    for (let index = 0; index < 50; index += 1) window.add(piece('0', 'x'.repeat(3_000)));
    expect(window.lines).toHaveLength(3);
    expect(Math.max(...textsOf(window).map(({ length }) => length))).toBeLessThanOrEqual(4_000);
  });
});
