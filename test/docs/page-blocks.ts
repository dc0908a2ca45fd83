import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** A fenced block of a page. */
export interface Block {
  language: string;
  /** The line of the page that its code begins at, from 1. */
  line: number;
  code: string;
}

/** The blocks of a page, which is named as the root of the package sees it. */
export function blocksOf(page: string): Block[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/^[ \t]*```(.*)\n([\s\S]*?)^[ \t]*```[ \t]*$/gm)].map((match) => ({
    language: (match[1] as string).trim(),
    line: text.slice(0, match.index).split('\n').length + 1,
    code: match[2] as string,
  }));
}
