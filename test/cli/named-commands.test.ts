import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { buildProgram } from '../../src/cli/program.ts';

/** What is no command: texts that the table of the chunker, and the digest of an address, are derived from. */
const SEEDS = ['gear', 'uri'];
const SOURCES = fileURLToPath(new URL('../../src', import.meta.url));

/** Names of commands alone, and a sentence about one: nothing of these comes from a store. */
const NO_STORED_NAMES = [
  `cli/parse.ts: stowage help \${names.join`,
  `cli/commands/put.ts: stowage put was \${String`,
];

/** Commands that a text puts values into by itself. */
function unquotedCommands(text: string): string[] {
  const withoutQuoted = text.replace(/\bshell`(?:[^`$]|\$\{(?:[^{}`]|\{[^{}]*\}|`[^`]*`)*\}|\$)*`/g, '');
  const inTemplate = /(?<=[`\s(])stowage [a-z][a-z -]*(?:<[\w-]+>[ \w-]*)*\$\{[\w.]+/g;
  // 'stowage ls ' + path, and its like.
  const joined = /(['"])stowage [a-z][a-z -]* \1\s*[+,]|\.concat\(['"]stowage /g;
  return [...(withoutQuoted.match(inTemplate) ?? []), ...(withoutQuoted.match(joined) ?? [])];
}

describe('commands that messages build', () => {
  it('are found', () => {
    const source = (text: string): string => text.replaceAll('§', '$');
    const found = [
      'throw error(`no run; see: stowage runs §{flow}`)',
      '`stowage get §{path} -d <folder>`',
      '`stowage get -d <folder> §{path}`',
      "'stowage ls ' + path",
      "['stowage ls ', path].join('')",
    ];
    for (const text of found) expect(unquotedCommands(source(text)), text).toHaveLength(1);
    const fine = [
      '`See: §{shell`stowage runs §{flow}`}`',
      'shell`stowage ls §{formatStorePath({ flow, run })}`',
      '`See: stowage ls`',
    ];
    for (const text of fine) expect(unquotedCommands(source(text)), text).toEqual([]);
  });

  it('are quoted for the shell, all by one function', () => {
    let quoted = 0;
    const unquoted: string[] = [];
    for (const file of readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.ts')) continue;
      const code = readFileSync(`${SOURCES}/${file}`, 'utf8').replace(/^\s*(?:\/\/|\/\*|\*).*$/gm, '');
      quoted += code.match(/\bshell`stowage /g)?.length ?? 0;
      unquoted.push(...unquotedCommands(code).map((command) => `${file}: ${command}`));
    }
    expect(quoted).toBeGreaterThan(7);
    expect(unquoted.filter((one) => !NO_STORED_NAMES.includes(one))).toEqual([]);
  });
});

it('every command that a message or comment tells people to run exists', () => {
  const commands = [
    'help',
    ...SEEDS,
    ...buildProgram(async () => {}).commands.map((command) => command.name()),
  ];
  const named: { command: string; file: string }[] = [];
  for (const file of readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const text = readFileSync(`${SOURCES}/${file}`, 'utf8');
    // In backquotes, or behind what leads to it: `with: stowage show`.
    for (const [, command] of text.matchAll(
      /(?:`|: |\b(?:with|by|run|call|see|use) )stowage ([a-z][a-z-]*)/gi,
    ))
      named.push({ command: command as string, file });
  }
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter(({ command }) => !commands.includes(command))).toEqual([]);
});
