import { expect, it } from 'vitest';
import { readSources, resolveImport } from './imports.ts';

it('no source has what the bundler compiles to a helper of a package that nobody installs: `using`', () => {
  const using = [...readSources()].filter(([, { text }]) => /^\s*(?:await )?using \w+ =/m.test(text));
  expect(using.map(([file]) => file)).toEqual([]);
});

/** All that a source imports, and what that imports, but for types and what is loaded on use. A line that imports nothing but types counts. */
function closureOf(source: string): string[] {
  const sources = readSources();
  const reached = new Set<string>();
  const reach = (file: string): void => {
    if (reached.has(file)) return;
    reached.add(file);
    for (const entry of sources.get(file)?.imports ?? []) {
      const target = resolveImport(file, entry);
      if (target !== undefined && entry.kind === 'static') reach(target);
    }
  };
  reach(source);
  return [...reached];
}

it('what a program imports to save and load has little of maintenance and of the index: they are loaded on use', () => {
  const loaded = closureOf('index.ts').filter((file) => /^(?:maintenance|store-index|views)\//.test(file));
  expect(loaded.sort()).toEqual([
    'maintenance/fsck/check-store.ts',
    'maintenance/fsck/faults.ts',
    'maintenance/fsck/reading.ts',
    'maintenance/fsck/repair/repair-context.ts',
    'maintenance/fsck/repair/repair-store.ts',
    'maintenance/opened-store.ts',
    'store-index/store-index.ts',
  ]);
});

it('what a program imports to save and load has nothing of directories, downloads, copies between stores, published versions and the web', () => {
  const onUse = [
    'attempts/transfer-artifacts.ts',
    'published/published-versions.ts',
    'references/directory/parts.ts',
    'references/download.ts',
    'references/http-file.ts',
  ];
  expect(onUse.filter((file) => !readSources().has(file))).toEqual([]);
  const loaded = closureOf('index.ts');
  expect(onUse.filter((file) => loaded.includes(file))).toEqual([]);
});
