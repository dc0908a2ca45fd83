import { describe, expect, it } from 'vitest';
import { shell, shellWord } from '../../src/codec/shell-command.ts';

describe('commands of messages', () => {
  it('leave plain paths as they are', () => {
    const path = 'Train/2026-01-31T08:00:00.000Z/fit/été_1+2';
    expect(shell`stowage show ${path}`).toBe(`stowage show ${path}`);
  });

  it.each([
    ['r 1', "'r 1'"],
    ["it's", "'it'\\''s'"],
    ['$(touch x)', "'$(touch x)'"],
    ['~root', "'~root'"],
    ['=ls', "'=ls'"],
    ['a=b', 'a=b'],
    ['a\u202eb', "$'a\\u202eb'"],
    ['\u{e0041}', "$'\\U000e0041'"],
    ['', "''"],
  ])('quote %j', (word, quoted) => expect(shellWord(word)).toBe(quoted));

  it('put what would be an option behind --, and the value of one as it is', () => {
    expect(shell`stowage runs ${'-x'}`).toBe('stowage runs -- -x');
    expect(shell`stowage get -d <folder> ${'-x/r'}`).toBe('stowage get -d <folder> -- -x/r');
    expect(shell`stowage ls --store ${'-s'}`).toBe('stowage ls --store -s');
  });
});
