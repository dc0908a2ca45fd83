import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Block, blocksOf } from './page-blocks.ts';
import { brokenPromises, promisesIn } from './printed-output.ts';
import { readerFolder, runProgram } from './reader-folder.ts';

/**
 * Every example of the documentation is type-checked, and run as a reader would run it: in an empty folder, with the package
 * installed. What a comment behind `console.log(...);` says is what it prints. Two kinds are type-checked only, and a reader sees which: a block without an import goes on where the example
 * above it ends, and a block whose first line is `// not run: ...` needs what that line says.
 */
const root = join(import.meta.dirname, '../..');
const folder = readerFolder();

const GUIDE = readdirSync(join(root, 'docs/guide')).map((file) => `docs/guide/${file}`);
const PAGES = ['README.md', ...GUIDE, 'docs/cookbook.md', 'docs/errors.md', 'docs/metaflow.md'];
const REFERENCE = readdirSync(join(root, 'docs/api')).map((file) => `docs/api/${file}`);
/** What else a page may show, so that no example hides behind a word for its language that nobody knows. */
const OTHER_LANGUAGES = ['sh', 'json', 'text', 'python', 'mermaid'];
/** What the text above an example has its reader make, by what the example calls it. */
const MADE_BEFORE: Readonly<Record<string, Record<string, string>>> = {
  "'converted'": { 'converted/r1/load/0/rows.json': '[1, 2]' },
};

interface Example extends Block {
  page: string;
  /** Of the file that it is compiled as, without its ending. */
  name: string;
  isRun: boolean;
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

/** Runs an example, JavaScript as it stands and TypeScript as it was compiled: how it ends, and what it promised and did not print. */
async function run({ name, language, code }: Example): Promise<{ ending: string; broken: string[] }> {
  const file = language === 'js' ? join(folder, `${name}.mjs`) : join(folder, 'compiled', `${name}.mjs`);
  const cwd = join(folder, name);
  mkdirSync(cwd);
  for (const [word, files] of Object.entries(MADE_BEFORE)) if (code.includes(word)) makeFiles(cwd, files);
  const { ending, printed } = await runProgram(file, cwd);
  return { ending, broken: brokenPromises(promisesIn(readFileSync(file, 'utf8')), printed) };
}

function makeFiles(cwd: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(cwd, path)), { recursive: true });
    writeFileSync(join(cwd, path), text);
  }
}

const pages = [...PAGES, ...REFERENCE].filter((page) => existsSync(join(root, page)));
const examples = pages.flatMap(examplesOf);
const faults = compile(examples);

describe.each(pages)('%s', (page) => {
  const own = examples.filter((example) => example.page === page);
  const toRun = own.filter(({ isRun }) => isRun);
  const notRun = own.filter(({ isRun }) => !isRun);

  it('names the language of each block', () => {
    const known = ['js', 'ts', ...OTHER_LANGUAGES];
    expect(blocksOf(page).filter(({ language }) => !known.includes(language))).toEqual([]);
  });

  it.each(own)('type-checks its example at line $line', ({ name }) => {
    expect(faults.get(name) ?? []).toEqual([]);
  });

  it('promises no output of an example that is not run', () => {
    const lines = blocksOf(page).filter(({ line }) => notRun.some((example) => example.line === line));
    expect(lines.flatMap(({ code }) => promisesIn(code))).toEqual([]);
  });

  it.concurrent.each(toRun)('runs its example at line $line', async (example) => {
    expect(await run(example)).toEqual({ ending: 'ends well', broken: [] });
  });
});

/** They tell what to set in other programs: rights, schedules, rules of buckets. */
const OF_SETTINGS = ['README.md', 'permissions.md', 'team-store.md'].map((file) => `docs/guide/${file}`);

it.each(['README.md', ...GUIDE.filter((page) => !OF_SETTINGS.includes(page))])(
  '%s has examples that run',
  (page) => {
    expect(examples.filter((example) => example.page === page && example.isRun).length).toBeGreaterThan(0);
  },
);
