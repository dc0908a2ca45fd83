import { execFile, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

/**
 * Every example of the documentation is type-checked, and run as a reader would run it: in an empty folder, with the package
 * installed. Two kinds are type-checked only, and a reader sees which: a block without an import goes on where the example
 * above it ends, and a block whose first line is `// not run: ...` needs what that line says.
 */
const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'stowage-docs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const PAGES = ['README.md', 'docs/guide.md', 'docs/cookbook.md', 'docs/errors.md', 'docs/metaflow.md'];
const REFERENCE = readdirSync(join(root, 'docs/api')).map((file) => `docs/api/${file}`);
/** What else a page may show, so that no example hides behind a word for its language that nobody knows. */
const OTHER_LANGUAGES = ['sh', 'json', 'text', 'python', 'mermaid'];

interface Block {
  language: string;
  /** The line of the page that its code begins at, from 1. */
  line: number;
  code: string;
}

interface Example extends Block {
  page: string;
  /** Of the file that it is compiled as, without its ending. */
  name: string;
  isRun: boolean;
}

function blocksOf(page: string): Block[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/^[ \t]*```(.*)\n([\s\S]*?)^[ \t]*```[ \t]*$/gm)].map((match) => ({
    language: (match[1] as string).trim(),
    line: text.slice(0, match.index).split('\n').length + 1,
    code: match[2] as string,
  }));
}

function standsAlone({ code }: Block): boolean {
  return /^import /m.test(code);
}

/** The examples of a page; in the reference the other blocks are signatures. */
function examplesOf(page: string): Example[] {
  const isReference = REFERENCE.includes(page);
  const examples: Example[] = [];
  let above: Block | undefined;
  for (const block of blocksOf(page)) {
    if (block.language !== 'js' && block.language !== 'ts') continue;
    const isWhole = standsAlone(block);
    if (isReference && !isWhole) continue;
    if (isWhole) above = block;
    const name = `${page.replaceAll('/', '-').replace('.md', '')}-${block.line}`;
    const code = isWhole ? atLine(block.line, block.code) : goingOn(above, block);
    const language = above?.language === 'ts' ? 'ts' : block.language;
    const isRun = isWhole && !block.code.startsWith('// not run: ');
    examples.push({ line: block.line, language, page, name, code, isRun });
  }
  return examples;
}

/** Code at the line where the page has it, so that errors tell the page's line. */
function atLine(line: number, code: string): string {
  return '\n'.repeat(line - 1) + code;
}

/** A block in a scope of its own, behind the example above it. */
function goingOn(above: Block | undefined, { line, code }: Block): string {
  const before = above ? atLine(above.line, above.code) : '';
  return `${before}${'\n'.repeat(line - 1 - before.split('\n').length)}{\n${code}}\nexport {};\n`;
}

/** The folder of a package that depends on this one, and on all that this one's tests have. */
function install(): void {
  const packages = readdirSync(join(root, 'node_modules')).filter((name) => !name.startsWith('.'));
  mkdirSync(join(folder, 'node_modules'));
  for (const name of packages) link(join(root, 'node_modules', name), name);
  link(root, 'stowage');
}

function link(target: string, name: string): void {
  symlinkSync(target, join(folder, 'node_modules', name), 'junction');
}

/** Compiles all examples at once; what the compiler says, by example. */
function compile(examples: readonly Example[]): Map<string, string[]> {
  const compilerOptions = {
    target: 'es2023',
    lib: ['es2023', 'esnext.disposable'],
    module: 'nodenext',
    types: ['node'],
    strict: true,
    allowJs: true,
    checkJs: true,
    skipLibCheck: true,
    rootDir: '.',
    outDir: 'compiled',
  };
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, include: ['*.mjs', '*.mts'] }),
  );
  for (const { name, language, code } of examples) writeFileSync(join(folder, `${name}.m${language}`), code);
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { stdout, stderr } = spawnSync(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], {
    cwd: folder,
    encoding: 'utf8',
  });
  if (stderr !== '') throw new Error(stderr);
  const faults = new Map<string, string[]>();
  for (const line of stdout.split('\n')) {
    const [, file, fault] = /^(\S+)\.m[jt]s(\(.*)$/.exec(line) ?? [];
    if (file === undefined) {
      if (/^error /.test(line)) throw new Error(stdout);
      continue;
    }
    faults.set(file, [...(faults.get(file) ?? []), fault as string]);
  }
  return faults;
}

/** Runs an example: JavaScript as it stands, TypeScript as it was compiled. */
function run({ name, language }: Example): Promise<string> {
  const file = language === 'js' ? join(folder, `${name}.mjs`) : join(folder, 'compiled', `${name}.mjs`);
  const cwd = join(folder, name);
  mkdirSync(cwd);
  return new Promise((resolve) => {
    execFile(process.execPath, [file], { cwd, encoding: 'utf8' }, (error, stdout, stderr) =>
      resolve(error ? `${error.message}\n${stderr}${stdout}` : 'ends well'),
    );
  });
}

const pages = [...PAGES, ...REFERENCE].filter((page) => existsSync(join(root, page)));
const examples = pages.flatMap(examplesOf);
install();
const faults = compile(examples);

describe.each(pages)('%s', (page) => {
  const own = examples.filter((example) => example.page === page);
  const toRun = own.filter(({ isRun }) => isRun);

  it('names the language of each block', () => {
    const known = ['js', 'ts', ...OTHER_LANGUAGES];
    expect(blocksOf(page).filter(({ language }) => !known.includes(language))).toEqual([]);
  });

  it.each(own)('type-checks its example at line $line', ({ name }) => {
    expect(faults.get(name) ?? []).toEqual([]);
  });

  it.concurrent.each(toRun)('runs its example at line $line', async (example) => {
    expect(await run(example)).toBe('ends well');
  });
});

it.each(['README.md', 'docs/guide.md'])('%s has examples that run', (page) => {
  expect(examples.filter((example) => example.page === page && example.isRun).length).toBeGreaterThan(0);
});
