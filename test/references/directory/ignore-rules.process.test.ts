import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { walkTree } from '../../../src/references/directory/walk-tree.ts';
import { scratchFolder } from '../../flow/fixtures.ts';
import { test } from '../../property.ts';

const hasGit = spawnSync('git', ['--version']).status === 0;

const part = fc.constantFrom('a', 'b', 'ab', 'a.log', 'b.log', '[x]', 'x y', '#h', '!n', 'A');
const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const piece = fc.constantFrom(
  ...[
    'a',
    'b',
    'ab',
    '*',
    '**',
    '?',
    '*.log',
    '/',
    '/',
    '[ab]',
    '[!a]',
    '[a-c]',
    '[]x]',
    '\\[x]',
    '\\*',
    'x y',
    ' ',
    '\\ ',
    '[[:alpha:]]',
  ],
);
const line = fc
  .tuple(fc.constantFrom('', '', '', '!', '#', '\\#', '\\!', '/'), fc.array(piece, { maxLength: 5 }))
  .map(([begin, pieces]) => begin + pieces.join(''));
const lines = fc.array(line, { maxLength: 5 });

/** The files that git would add. */
function ofGit(root: string): string[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  });
  return listed.split('\0').filter((name) => name !== '');
}

describe.skipIf(!hasGit)('ignore files', () => {
  test.prop([fc.uniqueArray(path, { minLength: 1, maxLength: 12 }), lines, lines], { numRuns: 20 })(
    'leave out what git leaves out',
    async (paths, top, inner) => {
      const root = scratchFolder();
      execFileSync('git', ['init', '-q', root]);
      execFileSync('git', ['-C', root, 'config', 'core.excludesFile', '/dev/null']);
      const files = paths.filter((one) => !paths.some((other) => other.startsWith(`${one}/`)));
      for (const file of files) {
        mkdirSync(join(root, dirname(file)), { recursive: true });
        writeFileSync(join(root, file), '');
      }
      writeFileSync(join(root, '.gitignore'), top.join('\n'));
      mkdirSync(join(root, 'in/a'), { recursive: true });
      for (const file of ['in/a/b', 'in/ab', 'in/a.log']) writeFileSync(join(root, file), '');
      writeFileSync(join(root, 'in/.gitignore'), inner.join('\n'));
      const found = await walkTree(root, { ignoreFiles: ['.gitignore'], exclude: ['.git'] }, {});
      expect(found.map(({ path: one }) => one).sort()).toEqual(ofGit(root).sort());
    },
  );
});
