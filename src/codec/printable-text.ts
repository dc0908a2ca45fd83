/**
 * Characters that a terminal must not get raw: control characters (C0, DEL, C1), line and paragraph separators, and those that turn the
 * direction of text around, which can make one name look like another.
 */
const UNSAFE = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
const ASCII = /^[\x20-\x7e]*$/;

/** A stored name or value on one line, every unsafe character as an escape: `\n`, `\x1b`, `\u202e`. */
export function printable(text: string): string {
  return ASCII.test(text) ? text : text.replace(UNSAFE, escapeCharacter);
}

/** Text of several lines: line ends and tabs stay, every other unsafe character becomes an escape. */
export function printableLines(text: string): string {
  return text.replace(UNSAFE, (character) =>
    character === '\n' || character === '\t' ? character : escapeCharacter(character),
  );
}

function escapeCharacter(character: string): string {
  const code = character.charCodeAt(0);
  const short = SHORT[character];
  if (short) return short;
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`;
}
