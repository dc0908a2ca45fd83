import { printable } from '../../codec/printable-text.ts';
import { complete } from './candidates.ts';
import { parseBashLine, quoteForBash } from './shell-line.ts';

/** A person who waits for a completion goes on typing after that. */
const MAX_MS = 2000;

/**
 * Answers a shell's script: a line with the kind of completion, one with the part of the word that stays (`files` and `folders` in
 * Bash: with what is typed of the file), and one for each candidate. Whatever goes wrong, there is nothing to offer.
 *
 * `bash <COMP_WORDBREAKS> <line up to the cursor>`, `zsh <word>...` or `fish <word>...`, the last word being the one at the cursor.
 */
export async function answer(
  [shell, ...args]: readonly string[],
  write: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const either = AbortSignal.any([signal, AbortSignal.timeout(MAX_MS)]);
  try {
    const lines =
      shell === 'bash' ? await answerBash(args, either) : await answerWords(args, shell === 'fish', either);
    write(`${lines.join('\n')}\n`);
  } catch {
    // The shell shows what is typed: a message would stand in the middle of it.
  }
}

async function answerBash(
  [breaks = '', line = '']: readonly string[],
  signal: AbortSignal,
): Promise<string[]> {
  const { words, current, isRedirected, quote, kept } = parseBashLine(line, breaks);
  if (isRedirected) return ['files', current.slice(kept)];
  const { kind, lead, candidates } = await complete(words, current, signal);
  if (kind !== 'words') return [kind, current.slice(Math.max(kept, lead.length))];
  const texts = candidates.map(({ value }) => {
    const text = quoteForBash((lead + value).slice(kept), quote);
    // Behind an open quote Bash puts the closing one.
    return value.endsWith('/') || quote !== '' ? text : `${text} `;
  });
  return [kind, '', ...texts];
}

async function answerWords(
  words: readonly string[],
  isWhole: boolean,
  signal: AbortSignal,
): Promise<string[]> {
  const { kind, lead, candidates } = await complete(words.slice(0, -1), words.at(-1) ?? '', signal);
  const texts = candidates.map(({ value, description }) => {
    const text = isWhole ? lead + value : value;
    return description === undefined ? text : `${text}\t${printable(description)}`;
  });
  return [kind, lead, ...texts];
}
