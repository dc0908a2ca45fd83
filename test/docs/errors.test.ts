import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../../src/errors.ts';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/errors.md'), 'utf8');
const rows = page.split('\n').flatMap((line) => {
  const match = /^\| `([A-Z_]+)` \| (.+) \| (.+) \|$/.exec(line);
  return match ? [{ code: match[1] as string, cause: match[2] as string, remedy: match[3] as string }] : [];
});

describe('docs/errors.md', () => {
  it('has one row for each code, and no other', () => {
    expect(rows.map(({ code }) => code).sort()).toEqual([...ERROR_CODES].sort());
  });

  it.each(rows)('tells the cause and the remedy of $code', ({ cause, remedy }) => {
    expect(cause.length).toBeGreaterThan(15);
    expect(remedy.length).toBeGreaterThan(10);
  });

  it('has no code that nothing throws', () => {
    const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
    const sources = files
      .filter((file) => file.endsWith('.ts') && file !== 'errors.ts')
      .map((file) => readFileSync(join(root, 'src', file), 'utf8'))
      .join('\n');
    expect(ERROR_CODES.filter((code) => !sources.includes(`'${code}'`))).toEqual([]);
  });
});
