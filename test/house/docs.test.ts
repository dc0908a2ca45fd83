import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const MAX_GUIDE_LINES = 250;

const filesIn = (folder: string, ending: RegExp): string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => ending.test(name))
    .map((name) => join(folder, name))
    .sort();

const PAGES = ['README.md', 'CHANGELOG.md', ...filesIn('docs', /\.md$/)];
const textOf = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** A page without its code, in which nothing is a link or a heading. */
function proseOf(page: string): string {
  return textOf(page).replaceAll(/^[ \t]*```[\s\S]*?^[ \t]*```[ \t]*$/gm, '');
}

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading] of proseOf(page).matchAll(/^#{1,6} +(.+)$/gm)) {
    const text = (heading as string).replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const slug = text.replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '').replaceAll(' ', '-');
    let anchor = slug;
    for (let count = 1; anchors.has(anchor); count++) anchor = `${slug}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** The links of a page that lead nowhere: to a file that is not there, or to a heading that its page has not. */
function brokenLinks(page: string): string[] {
  const prose = proseOf(page).replaceAll(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target as string)
    .filter((target) => {
      if (/^(https?|mailto):/.test(target)) return false;
      const [path, anchor] = target.split('#') as [string, string?];
      const file = path === '' ? page : join(dirname(page), path);
      if (!existsSync(join(ROOT, file))) return true;
      return anchor !== undefined && !anchorsOf(file).has(anchor);
    });
}

describe.each(PAGES)('%s', (page) => {
  it('has links that lead somewhere', () => {
    expect(brokenLinks(page)).toEqual([]);
  });
});

describe.each(filesIn('docs/guide', /\.md$/))('%s', (page) => {
  it(`has at most ${MAX_GUIDE_LINES} lines`, () => {
    expect(textOf(page).split('\n').length).toBeLessThanOrEqual(MAX_GUIDE_LINES);
  });

  it('is in the index of the guide', () => {
    const name = page.slice('docs/guide/'.length);
    if (name !== 'README.md') expect(textOf('docs/guide/README.md')).toContain(`](${name})`);
  });
});

describe('pages of docs that sources and tests name', () => {
  it('exist', () => {
    const named = [...filesIn('src', /\.ts$/), ...filesIn('test', /\.ts$/)].flatMap(
      (file) => textOf(file).match(/\bdocs\/[a-z0-9/-]+\.md\b/g) ?? [],
    );
    expect([...new Set(named)].filter((page) => !existsSync(join(ROOT, page)))).toEqual([]);
  });
});
