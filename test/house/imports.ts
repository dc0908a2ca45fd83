import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One import or re-export of a source file. */
export interface Import {
  /** As it is written: `./run.ts`, `node:fs`, `@msgpack/msgpack`. */
  specifier: string;
  kind: 'static' | 'type' | 'dynamic';
}

const SRC = join(dirname(fileURLToPath(import.meta.url)), '../../src');

/** Statements begin a line, because Biome formats them so; none holds a quote or a semicolon before its specifier. */
const STATIC = /^(?:import|export)\b(\s+type\b)?(?:[^'"`;]*?\bfrom\b)?\s*(['"])([^'"\n]+)\2/gm;
const DYNAMIC = /\bimport\(\s*(['"])([^'"\n]+)\1\s*,?\s*\)/g;
const COMMENT_LINE = /^\s*(?:\/\/|\/\*|\*).*$/gm;

/** The imports of a TypeScript source in the form that Biome gives it. TypeScript 7 has no compiler API to ask. */
export function parseImports(source: string): Import[] {
  const code = source.replace(COMMENT_LINE, '');
  const found: Import[] = [];
  for (const [, type, , specifier = ''] of code.matchAll(STATIC)) {
    found.push({ specifier, kind: type ? 'type' : 'static' });
  }
  for (const [, , specifier = ''] of code.matchAll(DYNAMIC)) found.push({ specifier, kind: 'dynamic' });
  return found;
}

/** All source files with their imports, by their path below `src/`, `/`-separated. */
export function readSources(): Map<string, { text: string; imports: Import[] }> {
  const names = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  return new Map(
    names.sort().map((name) => {
      const text = readFileSync(join(SRC, name), 'utf8');
      return [name.split(sep).join('/'), { text, imports: parseImports(text) }];
    }),
  );
}

/** The file below `src/` that a relative specifier means; `undefined` for packages and Node's own modules. */
export function resolveImport(file: string, { specifier }: Import): string | undefined {
  return specifier.startsWith('.') ? posix.join(posix.dirname(file), specifier) : undefined;
}
