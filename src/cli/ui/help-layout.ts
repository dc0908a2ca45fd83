import { type Command, Help, type HelpConfiguration } from 'commander';
import { wrapWords } from './wrap.ts';

/** Narrower terminals get descriptions below what they describe, where they would stand beside it. */
const NARROW = 64;
const INDENT = '  ';

/** Lays out help: no line is wider than the terminal. */
export const HELP_LAYOUT: HelpConfiguration = {
  showGlobalOptions: true,
  minWidthToWrap: 1,
  formatItem(term, termWidth, description, helper) {
    if ((helper.helpWidth ?? NARROW) >= NARROW)
      return Help.prototype.formatItem.call(this, term, termWidth, description, helper);
    return description === '' ? INDENT + term : `${INDENT}${term}\n${INDENT}${INDENT}${description}`;
  },
  formatHelp(command, helper) {
    const { helpWidth = NARROW } = helper;
    return fitted(Help.prototype.formatHelp.call(this, command, helper), helpWidth);
  },
};

/** Pairs of an example and what it shows, side by side or one below the other. */
export function exampleLines(examples: readonly (readonly [string, string])[], width: number): string {
  const widest = Math.max(...examples.map(([example]) => example.length));
  const beside = examples.map(([example, meaning]) => `${INDENT}${example.padEnd(widest)} ${meaning}`);
  if (beside.every((line) => line.length <= width)) return beside.join('\n');
  const below = examples.map(([example, meaning]) => `${INDENT}${example}\n${INDENT}${INDENT}${meaning}`);
  return fitted(below.join('\n'), width);
}

/** The width of a command's help. */
export function helpWidthOf(command: Command, isError: boolean): number {
  const { getOutHelpWidth, getErrHelpWidth } = command.configureOutput();
  return (isError ? getErrHelpWidth?.() : getOutHelpWidth?.()) ?? 80;
}

/** Wraps the lines that are too wide, below where they begin. Help is ASCII. */
export function fitted(text: string, width: number): string {
  return text
    .split('\n')
    .flatMap((line) => {
      if (line.length <= width) return [line];
      const [indent = ''] = /^ */.exec(line) ?? [];
      const room = Math.max(1, width - indent.length);
      const words = line
        .trim()
        .split(/ +/)
        .flatMap((word) => parted(word, room));
      return wrapWords(words, room, (text) => text.length).map((one) => indent + one);
    })
    .join('\n');
}

/** A form of a path that is too wide goes on behind a slash. */
function parted(word: string, width: number): string[] {
  if (word.length <= width) return [word];
  const at = word.lastIndexOf('/', width - 1) + 1;
  return at === 0 ? [word] : [word.slice(0, at), ...parted(word.slice(at), width)];
}
