import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'stowage-docs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The JavaScript examples of a page that stand alone, with the line each begins at. */
function examplesOf(page: string): { line: number; code: string }[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/```js\n(import [\s\S]*?)```/g)].map((match) => ({
    line: text.slice(0, match.index).split('\n').length + 1,
    code: match[1] as string,
  }));
}

/** The example as it stands, but for where the package lies. */
function pointAtBuild(code: string): string {
  const url = (path: string) => JSON.stringify(pathToFileURL(join(root, 'dist', path)).href);
  return code
    .replaceAll("'stowage/testing'", url('testing/index.js'))
    .replaceAll("'stowage'", url('index.js'));
}

for (const page of ['README.md', 'docs/guide.md']) {
  const examples = examplesOf(page);

  describe(page, () => {
    it('has examples', () => expect(examples.length).toBeGreaterThan(0));

    it.each(examples)('runs its example at line $line', ({ line, code }) => {
      const file = join(folder, `${page.replaceAll('/', '-')}-${line}.mjs`);
      writeFileSync(file, pointAtBuild(code));
      const { status, stdout, stderr } = spawnSync(process.execPath, [file], {
        cwd: folder,
        encoding: 'utf8',
      });
      expect(`${status}${status === 0 ? '' : stderr + stdout}`).toBe('0');
    });
  });
}
