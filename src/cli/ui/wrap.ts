import { displayWidth, printable, takeWidth } from './terminal-text.ts';

/** The words in lines of at most `width` columns; one that is wider has a line of its own, and stays whole. */
export function wrapWords(
  words: readonly string[],
  width: number,
  widthOf: (text: string) => number,
): string[] {
  const lines: string[] = [];
  let line: string | undefined;
  for (const word of words) {
    if (line === undefined) {
      line = word;
    } else if (widthOf(line) + 1 + widthOf(word) <= width) {
      line += ` ${word}`;
    } else {
      lines.push(line);
      line = word;
    }
  }
  return line === undefined ? lines : [...lines, line];
}

/**
 * A stored text whole, made printable, in lines of at most `width` columns; of one with more than `maxLines`, so many and `…`. What
 * goes on from the line above is indented by `hang` more.
 */
export function wrapText(
  text: string,
  width: number,
  { maxLines = Number.POSITIVE_INFINITY, hang = 0 }: { maxLines?: number; hang?: number } = {},
): string[] {
  const lines: string[] = [];
  for (const stored of text.split(/\r?\n/)) {
    // A line that is long beyond measure is not split into words to its end.
    const line = Number.isFinite(maxLines) ? stored.slice(0, (maxLines + 1) * width * 2) : stored;
    const [indent = ''] = /^ {0,8}/.exec(line) ?? [];
    const room = width - indent.length - hang;
    const shown = printable(line.slice(indent.length));
    const wrapped = room < LEAST_PART ? wrapLine(shown, width, 0) : wrapLine(shown, room, hang);
    for (const [index, one] of wrapped.entries()) {
      if (lines.length === maxLines) return [...lines.slice(0, -1), '…'];
      const lead = room < LEAST_PART ? '' : indent + ' '.repeat(index === 0 ? 0 : hang);
      lines.push((lead + one).trimEnd());
    }
  }
  return lines;
}

/** Part of a word that is too long for any line stands at the end of the one before only if so many columns are left. */
const LEAST_PART = 10;

/** One line in several, the first of which is wider by `more`; words that are too long are parted. */
function wrapLine(text: string, width: number, more: number): string[] {
  const lines: string[] = [];
  let [line, used] = ['', -more];
  for (const [index, word] of text.split(' ').entries()) {
    let rest = word;
    const gap = index === 0 ? 0 : 1;
    const left = width - used - gap;
    if (displayWidth(rest) <= left) {
      line += ' '.repeat(gap) + rest;
      used += gap + displayWidth(rest);
      continue;
    }
    if (displayWidth(rest) > width && left >= LEAST_PART) {
      const part = takeWidth(rest, left);
      line += ' '.repeat(gap) + part;
      rest = rest.slice(part.length);
    }
    if (line !== '') lines.push(line);
    while (displayWidth(rest) > width) {
      const part = takeWidth(rest, width);
      lines.push(part);
      rest = rest.slice(part.length);
    }
    [line, used] = [rest, displayWidth(rest)];
  }
  return [...lines, line];
}
