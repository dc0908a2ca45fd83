import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect } from 'vitest';
import { printable } from '../../src/codec/printable-text.ts';
import { shell } from '../../src/codec/shell-command.ts';
import { test } from '../property.ts';

const folder = mkdtempSync(join(tmpdir(), 'stowage-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Names, as a store may hold them. */
const anyName = fc.string({
  minLength: 1,
  unit: fc.oneof(
    fc.constantFrom(
      ' ',
      "'",
      '"',
      '$',
      '(',
      ')',
      '`',
      ';',
      '&',
      '|',
      '<',
      '>',
      '*',
      '~',
      '!',
      '#',
      '=',
      '\\',
      '-',
    ),
    fc.constantFrom('$(touch x)', '`touch x`', ';touch x;', 'é', '漢', '👩‍👩‍👧', 'a', '1', '/', ':'),
  ),
});

/** What a shell makes of a command: its words. */
function wordsIn(program: string, command: string): string[] {
  const { stdout } = spawnSync(program, ['-c', `stowage() { printf '%s\\0' "$@"; }\n${command}`], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
  });
  return stdout.split('\0').slice(0, -1);
}

describe('a command of a message, pasted into a shell', () => {
  test.prop([anyName, anyName], { numRuns: 40 })('names what it should, and runs nothing else', (a, b) => {
    const command = printable(shell`stowage show --store ${a} ${b}`);
    for (const program of ['sh', 'bash']) {
      const last = b.startsWith('-') ? ['--', b] : [b];
      expect(wordsIn(program, command), command).toEqual(['show', '--store', a, ...last]);
    }
    expect(readdirSync(folder)).toEqual([]);
  });

  const invisible = fc.string({
    minLength: 1,
    unit: fc.constantFrom('\u202e', '\u200b', '\u{e0041}', "'", '\\', 'a', 'é'),
  });
  test.prop([invisible], { numRuns: 30 })('names in Bash what a terminal must not get raw', (name) => {
    expect(wordsIn('bash', printable(shell`stowage show ${name}`))).toEqual(['show', name]);
  });
});
