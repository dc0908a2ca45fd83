import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseImports, resolveImport } from './imports.ts';

const TEST = join(import.meta.dirname, '..');
const STARTS_PROCESSES = /^node:(child_process|cluster)$/;

const imports = new Map(
  readdirSync(TEST, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|mjs)$/.test(name))
    .map((name) => [name.replaceAll('\\', '/'), parseImports(readFileSync(join(TEST, name), 'utf8'))]),
);

/** All that a test file imports of `test/`, itself included, and what these import from elsewhere. */
function reachOf(file: string): { files: Set<string>; modules: Set<string> } {
  const files = new Set<string>();
  const modules = new Set<string>();
  const visit = (name: string): void => {
    if (files.has(name)) return;
    files.add(name);
    for (const entry of imports.get(name) ?? []) {
      const target = resolveImport(name, entry);
      if (target === undefined) modules.add(entry.specifier);
      else if (!target.startsWith('../')) visit(target);
    }
  };
  visit(file);
  return { files, modules };
}

const tests = [...imports.keys()].filter((name) => name.endsWith('.test.ts'));
const layerOf = (name: string): string => /\.(process|server|long)\.test\.ts$/.exec(name)?.[1] ?? 'unit';

describe('the name of a test file tells its layer', () => {
  it.each(tests.filter((name) => layerOf(name) === 'unit'))('%s starts no server and no process', (name) => {
    const { files, modules } = reachOf(name);
    expect([...files].filter((file) => file.startsWith('servers/'))).toEqual([]);
    expect([...modules].filter((module) => STARTS_PROCESSES.test(module))).toEqual([]);
  });

  it.each(tests.filter((name) => layerOf(name) === 'process'))('%s starts no server', (name) => {
    expect([...reachOf(name).files].filter((file) => file.startsWith('servers/'))).toEqual([]);
  });
});

it.each([...imports.keys()].filter((name) => !name.endsWith('.test.ts') && name !== 'setup.ts'))(
  '%s, which test files share, adds no hook when it is loaded, once for all of them',
  (name) => {
    expect(readFileSync(join(TEST, name), 'utf8')).not.toMatch(/^(?:before|after)(?:Each|All)\(/m);
  },
);

it.each([...imports.keys()].filter((name) => name.endsWith('.mjs')))(
  '%s, which no compiler checks, imports what is there',
  (name) => {
    const targets = (imports.get(name) ?? []).map((entry) => resolveImport(name, entry));
    const ours = targets.filter((target) => target !== undefined && !target.startsWith('../dist/'));
    expect(ours.filter((target) => !existsSync(join(TEST, target as string)))).toEqual([]);
  },
);
