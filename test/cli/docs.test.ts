import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { buildProgram } from '../../src/cli/program.ts';
import { ERROR_CODES } from '../../src/errors.ts';

const text = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');
/** The page by heading. */
const sections = new Map(text.split(/^## /m).map((section) => [section.split('\n')[0] as string, section]));
const program = buildProgram(async () => {});
/** Those of groups in place of the groups. */
const commands = program.commands.flatMap((command) =>
  command.commands.length > 0 ? command.commands : [command],
);

/** `stowage get <path> [artifact...]` */
function headingOf(command: Command): string {
  const args = command.registeredArguments.map((argument) => {
    const name = argument.name() + (argument.variadic ? '...' : '');
    return argument.required ? `<${name}>` : `[${name}]`;
  });
  return `\`${['stowage', nameOf(command), ...args].join(' ')}\``;
}

/** `cache ls` */
function nameOf(command: Command): string {
  const { parent } = command;
  return parent === null || parent === program ? command.name() : `${parent.name()} ${command.name()}`;
}

/** A row of a table that begins with the option's flags. */
function documents(section: string | undefined, flags: string): boolean {
  const shown = flags.replace(/^(-\w), /, '$1`, `');
  return section?.includes(`\n| \`${shown}\` |`) ?? false;
}

describe('docs/cli.md', () => {
  it('has a section for each command, and no other', () => {
    const documented = [...sections.keys()].filter((heading) => heading.startsWith('`'));
    expect(documented).toEqual([...commands.map(headingOf), '`stowage help [command]`']);
  });

  it.each(commands.map((command) => [nameOf(command), command] as const))(
    'names every option of %s',
    (_, command) => {
      const section = sections.get(headingOf(command));
      const missing = command.options.map(({ flags }) => flags).filter((flags) => !documents(section, flags));
      expect(missing).toEqual([]);
      const rows = section?.match(/^\| `-.*$/gm) ?? [];
      expect(rows).toHaveLength(command.options.length);
    },
  );

  it('names every option of the program', () => {
    const section = sections.get('Options of every command');
    const flags = [...program.options.map((option) => option.flags), '-h, --help'];
    expect(flags.filter((one) => !documents(section, one))).toEqual([]);
    expect(section?.match(/^\| `-.*$/gm)).toHaveLength(flags.length);
  });

  it('names every exit code, and no other', () => {
    const rows = sections.get('Exit codes')?.match(/^\| \d+ /gm) ?? [];
    expect(rows.map((row) => Number(row.slice(2)))).toEqual(Object.values(EXIT).sort((a, b) => a - b));
  });

  it('names only error codes that there are', () => {
    const own = [
      'USAGE',
      'OUTPUT_FAILED',
      'INPUT_FAILED',
      'NO_SUCH_FORM',
      'PORT_IN_USE',
      'NO_SUCH_ENTRY',
      'NOT_EXPLAINED',
      'UNEXPECTED',
    ];
    const named = [...text.matchAll(/\b[A-Z]+(?:_[A-Z]+)+\b/g)].map(([code]) => code);
    const known: readonly string[] = [...ERROR_CODES, ...own, 'NO_COLOR', 'FORCE_COLOR'];
    expect(named.filter((code) => !known.includes(code) && !code.startsWith('STOWAGE_'))).toEqual([]);
  });
});
