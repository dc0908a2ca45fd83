/** Scripts whose letters are joined, or kept apart, by an invisible character between them. */
const JOINING_SCRIPTS = [
  ...['Arabic', 'Syriac', 'Mongolian', 'Devanagari', 'Bengali', 'Gurmukhi', 'Gujarati', 'Oriya', 'Tamil'],
  ...['Telugu', 'Kannada', 'Malayalam', 'Sinhala', 'Khmer', 'Myanmar'],
].map((script) => String.raw`\p{Script=${script}}`);

/** Invisible characters that shape the one they stand behind: in emoji, and in scripts that need them. There they stay. */
const SHAPING = [
  String.raw`(?<=\p{Extended_Pictographic})[\ufe0e\ufe0f]`,
  String.raw`(?<=[0-9#*])\ufe0f(?=\u20e3)`,
  String.raw`(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f])\u200d(?=\p{Extended_Pictographic})`,
  // The tags of a flag, as of Scotland.
  String.raw`(?<=\u{1f3f4}[\u{e0020}-\u{e007e}]{0,8})[\u{e0020}-\u{e007f}]`,
  String.raw`(?<=[${JOINING_SCRIPTS.join('')}])[\u200c\u200d](?=[\p{L}\p{M}])`,
  String.raw`(?<=\p{Script=Mongolian})[\u180b-\u180f]`,
  String.raw`(?<=\p{Script=Han})[\ufe00-\ufe02\u{e0100}-\u{e01ef}]`,
].join('|');

/**
 * Characters that a terminal must not get raw: control characters (C0, DEL, C1), line and paragraph separators, halves of characters,
 * those that turn the direction of text around, and those that take no width. The last two can make one name look like another.
 */
const UNSAFE = String.raw`[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\ufff9-\ufffb]|(?!${SHAPING})\p{Default_Ignorable_Code_Point}`;
let unsafe: RegExp | undefined;
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
const ASCII = /^[\x20-\x7e]*$/;
const ASCII_LINES = /^[\x20-\x7e\n]*$/;

/** Made when it is first needed: it has so many scripts that making it takes a millisecond of each start. */
function unsafeCharacters(): RegExp {
  unsafe ??= new RegExp(UNSAFE, 'gu');
  return unsafe;
}

/** A stored name or value on one line, every unsafe character as an escape: `\n`, `\x1b`, `\u202e`. */
export function printable(text: string): string {
  return ASCII.test(text) ? text : text.replace(unsafeCharacters(), escapeCharacter);
}

/** Text of several lines: line ends and tabs stay, every other unsafe character becomes an escape. */
export function printableLines(text: string): string {
  if (ASCII_LINES.test(text)) return text;
  return text.replace(unsafeCharacters(), (character) =>
    character === '\n' || character === '\t' ? character : escapeCharacter(character),
  );
}

/** JSON, or a piece of it, that stays the same document: every unsafe character but line ends as an escape of JSON. */
export function printableJson(json: string): string {
  if (ASCII_LINES.test(json)) return json;
  return json.replace(unsafeCharacters(), (character) =>
    character === '\n' ? character : character.split('').map(escapeUnit).join(''),
  );
}

function escapeCharacter(character: string): string {
  const short = SHORT[character];
  if (short) return short;
  const code = character.codePointAt(0) as number;
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`;
  return code > 0xffff ? `\\u{${code.toString(16)}}` : escapeUnit(character);
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
