import { expect, it } from 'vitest';
import { readSources, resolveImport } from '../house/imports.ts';

/** Everything that is loaded before a command runs. */
function loadedAtStart(entry: string): Set<string> {
  const sources = readSources();
  const loaded = new Set<string>();
  const visit = (file: string): void => {
    if (loaded.has(file)) return;
    loaded.add(file);
    for (const found of sources.get(file)?.imports ?? []) {
      if (found.kind === 'static') visit(resolveImport(file, found) ?? found.specifier);
    }
  };
  visit(entry);
  return loaded;
}

it('help and mistakes are answered without loading the store', () => {
  const loaded = [...loadedAtStart('cli/main.ts')];
  expect(loaded).toContain('cli/program.ts');
  const light = [
    /^cli\/(?:commands\/|ui\/|cache\/entries|files\/write-errors|[^/]+\.ts$)/,
    /^(?:codec\/printable-text|errors|storage\/names|views\/paths)\.ts$/,
    /^(?:commander$|node:)/,
  ];
  const heavy = loaded.filter((name) => !light.some((pattern) => pattern.test(name)));
  expect(heavy).toEqual([]);
});
