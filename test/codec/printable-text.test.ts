import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printable, printableJson, printableLines } from '../../src/codec/printable-text.ts';
import { test } from '../property.ts';

/** Control characters, what turns text around, and what takes no width, wherever it stands. */
const NEVER =
  /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\u00ad\u3164]/u;
const anyText = fc.string({
  unit: fc.oneof(
    fc.constantFrom('\x1b', '\x9b', '\x7f', '\n', '\t', '\u200b', '\u202e', '\u200d', '\ufe0f', '\ud800'),
    fc.constantFrom('1', 'a', '"', '\\', '漢', '👩', '👍🏽', 'م', 'क', '\u{e0041}', '\u{1f3f4}'),
    fc.string(),
  ),
});

describe('printable text', () => {
  test.prop([anyText])('holds nothing that a terminal must not get', (text) => {
    expect(printable(text)).not.toMatch(NEVER);
    expect(printableLines(text).replace(/[\n\t]/g, '')).not.toMatch(NEVER);
    expect(printableJson(JSON.stringify(text, null, 2)).replaceAll('\n', '')).not.toMatch(NEVER);
  });

  test.prop([fc.jsonValue(), anyText])('as JSON is the same document', (value, text) => {
    const document = { [text]: value, list: [text] };
    expect(JSON.parse(printableJson(JSON.stringify(document, null, 2)))).toEqual(
      JSON.parse(JSON.stringify(document)),
    );
  });

  test.prop([anyText])('made printable twice is the same text', (text) => {
    expect(printable(printable(text))).toBe(printable(text));
  });

  it.each([
    ['a name that looks like another', 'a\u200bb', 'a\\u200bb'],
    ['a joiner that joins nothing', 'a\u200db', 'a\\u200db'],
    ['a selector that selects nothing', 'a\ufe0f1\ufe0f', 'a\\ufe0f1\\ufe0f'],
    ['text hidden in tags', 'a\u{e0041}', 'a\\u{e0041}'],
    ['a filler', '\u3164', '\\u3164'],
    ['a soft hyphen', 'a\u00adb', 'a\\xadb'],
    ['half a character', 'a\ud800', 'a\\ud800'],
    ['text that is turned around', '\u202egnp.exe', '\\u202egnp.exe'],
    ['C1 controls', '\x9b31m', '\\x9b31m'],
  ])('escapes %s', (_, text, shown) => expect(printable(text)).toBe(shown));

  it.each([
    '👩‍👩‍👧',
    '❤️',
    '1️⃣',
    '🏳️‍🌈',
    '👍🏽',
    '🏴\u{e0067}\u{e0062}\u{e007f}',
    'می‌خواهم',
    'क्‍ष',
    '葛\u{e0100}',
    'e\u0301',
    '한글',
  ])('leaves %s as it is', (text) => expect(printable(text)).toBe(text));
});
