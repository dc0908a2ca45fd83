import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/promises.md'), 'utf8');
const rows = page.split('\n').flatMap((line) => {
  const match = /^\| (.+?) \| `([^`]+)`(?:: ?(.*?))? \|$/.exec(line);
  if (!match || match[1] === 'promise') return [];
  return [{ promise: match[1] as string, proof: match[2] as string, title: match[3] ?? '' }];
});
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};

describe('docs/promises.md', () => {
  it('has a row for each promise, each with a proof', () => {
    const written = page.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| ---'));
    const heads = written.filter((line) => line.startsWith('| promise |'));
    expect(rows.length).toBe(written.length - heads.length);
    expect(rows.length).toBeGreaterThan(40);
  });

  it.each(rows)('$promise', ({ proof, title }) => {
    const script = /^npm run (.+)$/.exec(proof)?.[1];
    if (script !== undefined) {
      expect(Object.keys(scripts)).toContain(script);
      return;
    }
    expect(existsSync(join(root, proof)), proof).toBe(true);
    expect(readFileSync(join(root, proof), 'utf8')).toContain(title);
  });
});
