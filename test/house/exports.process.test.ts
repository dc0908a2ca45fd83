import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, posix, resolve, sep } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT, runNode } from '../package/built.ts';
import { readSources } from './imports.ts';

interface PackageJson {
  name: string;
  version: string;
  files: string[];
  bin: Record<string, string>;
  exports: Record<string, string | { types: string; default: string }>;
  dependencies: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  allowScripts: Record<string, boolean>;
}

const manifest: PackageJson = readJson('package.json');
/** The subpaths that are code: `.`, `./testing`, ... */
const subpaths = Object.entries(manifest.exports).flatMap(([subpath, target]) =>
  typeof target === 'string' ? [] : [{ subpath, ...target }],
);
const packed = filesInPackage();

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(join(ROOT, path), 'utf8')) as T;
}

function filesInPackage(): string[] {
  const options = { cwd: ROOT, encoding: 'utf8', shell: process.platform === 'win32' } as const;
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts', '--loglevel=silent'];
  const listed = JSON.parse(execFileSync('npm', args, options)) as unknown;
  // npm 12 will print an object by the package's name rather than an array.
  const [pack] = Object.values(listed as object) as { files: { path: string }[] }[];
  return pack?.files.map(({ path }) => path) ?? [];
}

/** The names of the values, not types, that a declaration file exports. */
function declaredValues(path: string): string[] {
  const text = readFileSync(path, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  const names: string[] = [];
  for (const [, list = ''] of text.matchAll(/^export \{([^}]*)\}/gm)) {
    const entries = list.split(',').map((entry) => entry.trim());
    const values = entries.filter((entry) => entry !== '' && !entry.startsWith('type '));
    names.push(...values.map((entry) => entry.split(/\s+as\s+/).at(-1) as string));
  }
  for (const [, name] of text.matchAll(/^export declare (?:const|function|class|let|enum) (\w+)/gm)) {
    names.push(name as string);
  }
  for (const [, from] of text.matchAll(/^export \* from '(\.[^']+)'/gm)) {
    const target = resolve(dirname(path), (from as string).replace(/\.[jt]s$/, '.d.ts'));
    names.push(...declaredValues(target));
  }
  return [...new Set(names)].sort();
}

describe('what package.json exports', () => {
  it('is more than nothing', () => {
    expect(subpaths.map(({ subpath }) => subpath)).toEqual(expect.arrayContaining(['.', './testing']));
  });

  it.each(subpaths)('$subpath exists, built and packed', ({ types, default: script }) => {
    for (const target of [types, script]) {
      expect(existsSync(join(ROOT, target)), target).toBe(true);
      expect(packed).toContain(target.replace('./', ''));
    }
  });

  it.each(subpaths)(
    '$subpath can be imported by name and gives what it declares',
    async ({ subpath, types }) => {
      const specifier = subpath.replace('.', manifest.name);
      const script = `console.log(JSON.stringify(Object.keys(await import(${JSON.stringify(specifier)}))))`;
      const { code, stdout, stderr } = await runNode(['--input-type=module', '--eval', script]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      const declared = declaredValues(join(ROOT, types));
      expect(declared.length).toBeGreaterThan(0);
      expect((JSON.parse(stdout) as string[]).sort()).toEqual(declared);
    },
  );
});

/** The packages that a declaration file names, and those of all declarations that it imports. */
function packagesOf(path: string, seen: Set<string> = new Set()): string[] {
  if (seen.has(path)) return [];
  seen.add(path);
  const text = readFileSync(path, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  return [...text.matchAll(/(?:from |import\()['"]([^'"]+)['"]/g)].flatMap(([, from = '']) => {
    if (!from.startsWith('.')) return from.startsWith('node:') ? [] : [from];
    return packagesOf(resolve(dirname(path), from.replace(/\.[jt]s$/, '.d.ts')), seen);
  });
}

describe('what a program that uses the package type-checks', () => {
  it.each(subpaths)('$subpath names no type of a library that may be missing', ({ types }) => {
    const seen = new Set<string>();
    expect(packagesOf(join(ROOT, types), seen)).toEqual([]);
    expect(seen.size).toBeGreaterThan(2);
  });
});

describe('the command', () => {
  const commands = Object.entries(manifest.bin);

  it('is called as the package is', () => {
    expect(commands.map(([name]) => name)).toEqual([manifest.name]);
  });

  it.each(commands)('%s begins with a shebang, is packed, and runs', async (_name, target) => {
    expect(packed).toContain(target);
    expect(readFileSync(join(ROOT, target), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
    const { code, stdout } = await runNode([target, '--version']);
    expect({ code, version: stdout.trim() }).toEqual({ code: 0, version: manifest.version });
  });
});

/** The page's own script is bundled into one file, with what it imports, and declares nothing. */
const isOfPage = (file: string): boolean => file.startsWith('page/browser/');
const PAGE = ['page/index.html', 'page/licenses.txt', 'page/page.css', 'page/page.js'];

describe('the build', () => {
  const built = readdirSync(join(ROOT, 'dist'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.[a-z]+$/.test(name))
    .map((name) => name.split(sep).join('/'));

  it('holds a declaration for every source', () => {
    const sources = [...readSources().keys()].filter((file) => !isOfPage(file));
    const expected = sources.map((file) => file.replace(/\.ts$/, '.d.ts'));
    expect(expected.length).toBeGreaterThan(160);
    expect(
      expected.filter((file) => !built.includes(file)),
      'not built: npm run build',
    ).toEqual([]);
  });

  it('holds the page', () => {
    expect(PAGE.filter((file) => !built.includes(file) || !packed.includes(`dist/${file}`))).toEqual([]);
  });

  it('holds nothing that has no source', () => {
    const isChunk = (file: string): boolean => /^chunks\/[\w-]+\.js$/.test(file);
    const stale = built.filter(
      (file) =>
        !isChunk(file) &&
        !PAGE.includes(file) &&
        !existsSync(join(ROOT, 'src', file.replace(/(\.d\.ts|\.js)$/, '.ts'))),
    );
    expect(stale, 'left over: rm -r dist && npm run build').toEqual([]);
  });

  it('imports few files with the package, since each costs a third of a millisecond', () => {
    const reached = new Set<string>();
    const reach = (file: string): void => {
      if (reached.has(file)) return;
      reached.add(file);
      const text = readFileSync(join(ROOT, 'dist', file), 'utf8');
      for (const [, from] of text.matchAll(/^(?:import|export)[^'"]*from ["'](\.[^"']+)["'];?$/gm)) {
        reach(posix.join(dirname(file), from as string));
      }
    };
    reach('index.js');
    expect(reached.size).toBeGreaterThan(1);
    expect(reached.size).toBeLessThan(20);
  });
});

describe('the package', () => {
  it('holds what `files` names, and neither sources nor tests', () => {
    for (const entry of manifest.files) {
      const name = entry.replace(/^!/, '');
      const isThere = packed.some((path) => path === name || path.startsWith(`${name}/`));
      expect(isThere, entry).toBe(name === entry);
    }
    expect(packed).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'package.json']));
    expect(packed.filter((path) => /^(src|test|bench|\.ci)\/|\.test\.|\.tgz$/.test(path))).toEqual([]);
  });

  it('depends on all that its sources import', () => {
    const known = {
      ...manifest.dependencies,
      ...manifest.optionalDependencies,
      ...manifest.peerDependencies,
    };
    const sources = [...readSources()].filter(([file]) => !isOfPage(file));
    const required = sources.flatMap(([file, { text, imports }]) => {
      const byRequire = [...text.matchAll(/\brequire\w*\('([^'.][^']*)'\)/g)].map(
        (found) => found[1] as string,
      );
      const specifiers = [...imports.map(({ specifier }) => specifier), ...byRequire];
      return specifiers
        .filter((specifier) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
        .map((specifier) => ({ file, name: /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] as string }));
    });
    expect(required.map(({ name }) => name)).toContain('@msgpack/msgpack');
    expect(
      required.filter(({ name }) => builtinModules.includes(name)),
      'write node:...',
    ).toEqual([]);
    expect(required.filter(({ name }) => !(name in known))).toEqual([]);
  });

  it('says of every install script whether it may run', () => {
    const installed = readJson<{ packages: Record<string, { hasInstallScript?: boolean }> }>(
      'node_modules/.package-lock.json',
    );
    const scripted = Object.entries(installed.packages).filter(
      ([, { hasInstallScript }]) => hasInstallScript,
    );
    const names = scripted.map(([path]) => path.replace(/^.*node_modules\//, ''));
    expect(names).toContain('blake3');
    expect(names.filter((name) => !(name in manifest.allowScripts))).toEqual([]);
  });
});
