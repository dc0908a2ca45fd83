import { createRequire } from 'node:module';

export { printable, printableJson, printableLines } from '../../codec/printable-text.ts';

const ASCII = /^[\x20-\x7e]*$/;
let widthBeyondAscii: ((text: string) => number) | undefined;

/** Counts the columns of a terminal that a printable text takes. */
export function displayWidth(text: string): number {
  if (ASCII.test(text)) return text.length;
  // It takes 10 ms to load, and few names need it.
  widthBeyondAscii ??= (
    createRequire(import.meta.url)('string-width') as { default: (text: string) => number }
  ).default;
  return widthBeyondAscii(text);
}

/** A text cut in its middle to at most `width` columns: run ids and file names differ at their ends. */
export function shorten(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  if (width <= 1) return width === 1 ? '…' : '';
  const characters = charactersOf(text);
  const head = take(characters, Math.ceil(((width - 1) * 2) / 3));
  const tail = take(characters.reverse(), width - 1 - displayWidth(head.join('')));
  return `${head.join('')}…${tail.reverse().join('')}`;
}

/** As much of the beginning of a text as fits, but one character at least. */
export function takeWidth(text: string, width: number): string {
  if (ASCII.test(text)) return text.slice(0, Math.max(1, width));
  const characters = charactersOf(text);
  const fitting = take(characters, width).join('');
  return fitting === '' ? (characters[0] ?? '') : fitting;
}

/** Combining marks, and emoji that are joined, are one character with what they stand behind. */
function charactersOf(text: string): string[] {
  return Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment);
}

/** Takes as many of the first characters as fit. */
function take(characters: readonly string[], width: number): string[] {
  let used = 0;
  const end = characters.findIndex((character) => {
    used += displayWidth(character);
    return used > width;
  });
  return end === -1 ? [...characters] : characters.slice(0, end);
}
