import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { buildProgram } from '../../src/cli/program.ts';

/** What is no command: the text that the table of the chunker is derived from. */
const SEEDS = ['gear'];
const SOURCES = fileURLToPath(new URL('../../src', import.meta.url));

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
