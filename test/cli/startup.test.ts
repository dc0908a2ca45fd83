import { expect, it } from 'vitest';
import { readSources, resolveImport } from '../house/imports.ts';

/** Everything that is loaded with these files. */
function loadedWith(entries: readonly string[]): string[] {
  const sources = readSources();
  const loaded = new Set<string>();
  const visit = (file: string): void => {
    if (loaded.has(file)) return;
    loaded.add(file);
    for (const found of sources.get(file)?.imports ?? []) {
      if (found.kind === 'static') visit(resolveImport(file, found) ?? found.specifier);
    }
  };
  for (const entry of entries) visit(entry);
  return [...loaded];
}

it('help and mistakes are answered without loading the store', () => {
  const loaded = loadedWith(['cli/main.ts', 'cli/parse.ts']);
  expect(loaded).toContain('cli/program.ts');
  const light = [
    /^cli\/(?:commands\/|ui\/|cache\/entries|collection\/policy-options|files\/write-errors|questions\/(?:asked-index|metadata-conditions)|[^/]+\.ts$)/,
    /^(?:async\/end-all|codec\/(?:printable-text|shell-command)|errors|options\/(?:figures|measures|moment-text)|storage\/names|views\/(?:artifact-texts|paths))\.ts$/,
    /^(?:commander$|node:)/,
  ];
  const heavy = loaded.filter((name) => !light.some((pattern) => pattern.test(name)));
  expect(heavy).toEqual([]);
});

it('completions are answered without loading the parser of arguments', () => {
  expect(loadedWith(['cli/main.ts', 'cli/completion/answer.ts'])).not.toContain('commander');
});
