import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeApi } from '../../.ci/api-reference.mjs';
import { scratchFolder } from '../flow/fixtures.ts';

interface Reference {
  /** Each page, by the name of its file. */
  texts: Map<string, string>;
  faults: string[];
}

const root = join(import.meta.dirname, '../..');
const docs = join(root, 'docs');
const reference: Reference = describeApi();

describe('docs/api', () => {
  it('has the pages that the sources make, and no other (npm run docs writes them)', () => {
    expect(readdirSync(join(docs, 'api')).sort()).toEqual([...reference.texts.keys()].sort());
  });

  it.each([...reference.texts])(
    '%s is what the docstrings of the sources say (npm run docs)',
    (file, text) => {
      expect(readFileSync(join(docs, 'api', file), 'utf8')).toBe(text);
    },
  );

  it('explains all that users can call and name', () => {
    expect(reference.faults).toEqual([]);
  });
});

/** The reference of a package of these sources. */
function referenceOf(sources: Record<string, string>): Reference {
  const folder = scratchFolder();
  const files = {
    'tsconfig.json': '{ "compilerOptions": { "module": "nodenext", "strict": true } }',
    'docs/errors.md': '## What was passed in\n\n| `INVALID_NAME` | ... |\n',
    'src/testing/index.ts': 'export {};\n',
    ...sources,
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return describeApi(folder);
}

describe('the reference of a package', () => {
  const { texts, faults } = referenceOf({
    'src/index.ts': `export { Shelf } from './flow/shelf.ts';
export type { Book } from './flow/book.ts';
export type * from './flow/options.ts';
`,
    'src/flow/options.ts': `/** What every call takes. */
export interface Options {
  /** Ends it. Default: none. */
  signal?: AbortSignal | undefined;
}
export const LIMIT = 3;
`,
    'src/flow/book.ts': `interface Author { name: string }
/** A book. */
export class Book {
  /** For the shelf. */
  constructor(readonly title: string) {}
  author(): Author { return { name: '' } }
}
`,
    'src/flow/shelf.ts': `import type { Book } from './book.ts';
import type { Options } from './options.ts';
abstract class Furniture {
  /** Puts it elsewhere. */
  move(): void {}
}
/** Keeps books; see {@link Shelf.add} and {@link Library}. */
export class Shelf extends Furniture {
  #count = 0;
  private secret = '';
  /** For the library. @internal */
  readonly inner: unknown;
  /**
   * Adds a book.
   *
   * @param place counted from the left
   * @throws StowageError \`INVALID_NAME\`, \`NO_SUCH_CODE\`
   */
  async add(book: Book, place = 0, options: Options = {}): Promise<void> { this.#place() }
  #place(): void { this.#count += this.secret.length }
}
`,
  });
  const page = texts.get('flow.md');

  it('has signatures, parameters, codes and links', () => {
    expect(page).toContain(`### Shelf.add()

\`\`\`ts
add(book: Book, place: number = 0, options?: Options): Promise<void>
\`\`\`

Adds a book.

- \`place\` counted from the left

**Throws** [\`INVALID_NAME\`](../errors.md#what-was-passed-in), \`NO_SUCH_CODE\`

Types: [\`Book\`](#book), [\`Options\`](#options)`);
    expect(page).toContain('Keeps books; see [`Shelf.add`](#shelfadd) and');
    expect(page).toContain('| `signal?` | `AbortSignal` | Ends it. Default: none. |');
  });

  it('has what a class inherits from a base that is not exported', () => {
    expect(page).toContain('### Shelf.move()');
  });

  it('has nothing private or internal, and no constructor or value that is exported as a type', () => {
    expect(page).not.toMatch(/secret|inner|#place|#count|For the shelf|LIMIT/);
  });

  it('tells what the docstrings lack', () => {
    expect(faults).toEqual([
      'Book.author has no docstring',
      'Book.author names the type Author, which is not exported',
      'Shelf links to Library, which is not in the reference',
      'Shelf throws NO_SUCH_CODE, which docs/errors.md does not know',
    ]);
  });
});
