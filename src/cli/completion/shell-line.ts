/** The command line as it stands before the cursor. */
export interface ShellLine {
  /** The words before the one at the cursor, without the program's name and without redirections. */
  words: string[];
  /** The word at the cursor, as far as it is typed; empty for a new one. */
  current: string;
  /** True if the shell itself uses that word: the target of a redirection. */
  isRedirected: boolean;
  /** The quote that is open at the cursor. */
  quote: '' | '"' | "'";
  /** The characters of the current word that Bash (rather: readline) keeps as they are. It replaces only what follows the last break. */
  kept: number;
}

/** Characters that `"..."` does not take literally behind a backslash. */
const ESCAPED_IN_QUOTES = /["\\$`]/;

/**
 * Reads a command of Bash up to the cursor. Quotes and backslashes are undone; variables and substitutions stay as they are.
 *
 * @param breaks COMP_WORDBREAKS: where readline lets a word begin anew, as at `:` in `Train/2026-01-31T08:00`
 */
export function parseBashLine(line: string, breaks: string): ShellLine {
  const words: string[] = [];
  let current: string | undefined;
  let [quote, kept, isRedirected]: [ShellLine['quote'], number, boolean] = ['', 0, false];
  const endWord = (): void => {
    if (current !== undefined && !isRedirected) words.push(current);
    if (current !== undefined) isRedirected = false;
    [current, kept] = [undefined, 0];
  };
  for (let index = 0; index < line.length; index++) {
    const character = line.charAt(index);
    const next = line.charAt(index + 1);
    if (quote === "'" || (quote === '"' && character !== '\\')) {
      if (character !== quote) current = (current ?? '') + character;
      else [quote, kept] = ['', (current ?? '').length];
    } else if (character === '\\') {
      const isLiteral = quote === '"' && !ESCAPED_IN_QUOTES.test(next);
      current = (current ?? '') + (isLiteral ? `\\${next}` : next);
      index += 1;
    } else if (character === '"' || character === "'") {
      current ??= '';
      [quote, kept] = [character, current.length];
    } else if (/\s/.test(character)) {
      endWord();
    } else if (character === '<' || character === '>') {
      if (/^\d*$/.test(current ?? '')) current = undefined; // the number of a stream
      endWord();
      isRedirected = true;
    } else {
      current = (current ?? '') + character;
      if (breaks.includes(character)) kept = current.length;
    }
  }
  return { words: words.slice(1), current: current ?? '', isRedirected, quote, kept };
}

/** A text as Bash takes it literally, behind an open quote or none. */
export function quoteForBash(text: string, quote: ShellLine['quote']): string {
  if (quote === "'") return text.replaceAll("'", "'\\''");
  if (quote === '"') return text.replace(/["\\$`]/g, '\\$&');
  return text.replace(/[^\p{L}\p{N}_@%+=:,./^-]/gu, '\\$&');
}
