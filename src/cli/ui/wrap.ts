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
