import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { clearProgress, ProgressLine, showsProgress } from '../../../src/cli/ui/progress.ts';
import { workOnItems } from '../../../src/cli/ui/progress-line.ts';

class Terminal extends Writable {
  readonly isTTY = true;
  readonly columns = 60;
  text = '';
  override _write(piece: Buffer, _encoding: string, done: () => void): void {
    this.text += piece.toString();
    done();
  }
}

const work = () => workOnItems('reading', 1, 2, 'tasks');
const LINE = '\rreading  [============>           ]   50 %  1 of 2 tasks\x1b[K';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
  for (const [name, value] of Object.entries({ CI: '', TERM: 'xterm', NO_COLOR: '1', FORCE_COLOR: '' }))
    vi.stubEnv(name, value);
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.useRealTimers();
});

describe('a line of progress in a terminal', () => {
  it('comes after 400 ms, is written over itself, and is taken away at the end for good', () => {
    const terminal = new Terminal();
    const line = new ProgressLine(terminal, { json: false, color: true });
    line.update(work);
    expect(terminal.text).toBe('');
    vi.advanceTimersByTime(400);
    line.update(work);
    line.update(work);
    vi.advanceTimersByTime(100);
    line.update(work);
    expect(terminal.text).toBe(LINE + LINE);
    line.end();
    expect(terminal.text).toBe(`${LINE}${LINE}\r\x1b[K`);
    vi.advanceTimersByTime(100);
    line.update(work);
    line.end();
    clearProgress();
    expect(terminal.text).toBe(`${LINE}${LINE}\r\x1b[K`);
  });

  it('makes room for other lines, and comes back', () => {
    const terminal = new Terminal();
    const line = new ProgressLine(terminal, { json: false, color: true });
    vi.advanceTimersByTime(400);
    line.update(work);
    clearProgress();
    clearProgress();
    vi.advanceTimersByTime(100);
    line.update(work);
    line.end();
    expect(terminal.text).toBe(`${LINE}\r\x1b[K${LINE}\r\x1b[K`);
  });

  it('has colours, unless somebody wants none', () => {
    const paintedWith = (color: boolean, noColor: string): boolean => {
      vi.stubEnv('NO_COLOR', noColor);
      const terminal = new Terminal();
      const line = new ProgressLine(terminal, { json: false, color });
      vi.advanceTimersByTime(400);
      line.update(work);
      line.end();
      expect(terminal.text).toContain('============>');
      return terminal.text.includes('\x1b[36m');
    };
    expect([paintedWith(true, ''), paintedWith(true, '1'), paintedWith(false, '')]).toEqual([
      true,
      false,
      false,
    ]);
  });
});

it.each<[string, boolean, Parameters<typeof showsProgress>]>([
  ['a terminal', true, [{ isTTY: true }, false, { TERM: 'xterm' }]],
  ['a terminal where CI is off', true, [{ isTTY: true }, false, { TERM: 'xterm', CI: 'false' }]],
  ['a pipe', false, [{}, false, { TERM: 'xterm' }]],
  ['a terminal with --json', false, [{ isTTY: true }, true, { TERM: 'xterm' }]],
  ['a terminal in CI', false, [{ isTTY: true }, false, { TERM: 'xterm', CI: 'true' }]],
  ['a terminal that cannot take a line back', false, [{ isTTY: true }, false, { TERM: 'dumb' }]],
])('%s: progress is shown: %s', (_, isShown, given) => {
  expect(showsProgress(...given)).toBe(isShown);
});

it('what is not shown is not even asked for', () => {
  const line = new ProgressLine(new Terminal(), { json: true, color: true });
  vi.advanceTimersByTime(1_000);
  line.update(() => {
    throw new Error('asked');
  });
  line.end();
});
