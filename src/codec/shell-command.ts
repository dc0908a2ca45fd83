import { printable } from './printable-text.ts';

/** Words that every shell takes as they are. */
const PLAIN = /^[\p{L}\p{N}_@%+:,./-][\p{L}\p{N}_@%+=:,./-]*$/u;

/**
 * A command of a message, which people copy into their shell: `` shell`stowage show ${path}` ``. Each value becomes one word, quoted
 * where it has to be, whatever stands in a name; one that begins with `-` stands behind `--`, so that it is no option. What is written
 * around the values stays as it is.
 */
export function shell(text: TemplateStringsArray, ...values: readonly string[]): string {
  let command = text[0] as string;
  let endsOptions = false;
  for (const [index, value] of values.entries()) {
    const isOfOption = /--?[\w-]+ $/.test(command);
    if (value.startsWith('-') && !isOfOption && !endsOptions) {
      command += '-- ';
      endsOptions = true;
    }
    command += shellWord(value) + text[index + 1];
  }
  return command;
}

/** A value as one word of a shell. */
export function shellWord(value: string): string {
  if (PLAIN.test(value)) return value;
  if (printable(value) === value) return `'${value.replaceAll("'", String.raw`'\''`)}'`;
  // Messages escape what a terminal must not get: here the shell undoes it (Bash, zsh, ksh).
  return `$'${Array.from(value, escaped).join('')}'`;
}

function escaped(character: string): string {
  if (character === "'" || character === '\\') return `\\${character}`;
  if (printable(character) === character) return character;
  const code = (character.codePointAt(0) as number).toString(16);
  return code.length > 4 ? `\\U${code.padStart(8, '0')}` : `\\u${code.padStart(4, '0')}`;
}
