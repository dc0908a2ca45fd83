import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ArtifactFile, filesOf } from '../../../src/cli/files/artifact-files.ts';
import type { Form } from '../../../src/cli/values/artifact-writer.ts';
import type { ArtifactInfo } from '../../../src/flow/artifact-info.ts';
import { validateUserName } from '../../../src/storage/names.ts';
import { test } from '../../property.ts';

const ENCODINGS = { text: 'string', bytes: 'bytes', value: 'msgpack', table: 'arrow' } as const;

function artifact(name: string, kind: keyof typeof ENCODINGS): ArtifactInfo {
  const type = { text: 'string', bytes: 'Uint8Array', value: 'object', table: 'Table' }[kind];
  return { name, type, encoding: ENCODINGS[kind], key: '', bytes: 1, storedBytes: 0, inline: true };
}

function fileOf(name: string, kind: keyof typeof ENCODINGS, form?: Form): string {
  return (filesOf([artifact(name, kind)], form)[0] as ArtifactFile).file;
}

const anyName = fc
  .string({
    unit: fc.constantFrom('a', 'A', 'b', '.', ':', ' ', '~', 'é', '.json', '.txt', 'con', 'nul'),
    minLength: 1,
  })
  .filter((name) => {
    try {
      return validateUserName(name, 'artifact name') === name;
    } catch {
      return false;
    }
  });
const anyArtifacts = fc.uniqueArray(
  fc
    .tuple(anyName, fc.constantFrom('text', 'bytes', 'value', 'table'))
    .map(([name, kind]) => artifact(name, kind)),
  { selector: ({ name }) => name, maxLength: 12 },
);
const anyForm = fc.option(fc.constantFrom<Form>('json', 'csv', 'text', 'bytes'), { nil: undefined });

describe('files of artifacts', () => {
  test.prop([anyArtifacts, anyForm])('are told apart by every file system', (artifacts, form) => {
    const files = filesOf(artifacts, form);
    expect(files.map((file) => file.artifact)).toEqual(artifacts.map(({ name }) => name));
    expect(new Set(files.map(({ file }) => file.toLowerCase())).size).toBe(artifacts.length);
  });

  test.prop([anyArtifacts, anyForm])('have names that every file system holds', (artifacts, form) => {
    for (const { file } of filesOf(artifacts, form)) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      expect(file).toMatch(/^[^<>:"|?*~/\\\x00-\x1f]+$/);
      expect(file).not.toMatch(/^[. ]|[. ]$/);
      expect(file).not.toMatch(/^(?:con|nul) *\./i);
      expect(file).toMatch(/\.[a-z][a-z0-9]*$/i);
    }
  });

  it.each<[string, keyof typeof ENCODINGS, string, Form?]>([
    ['metrics', 'value', 'metrics.json'],
    ['metrics.json', 'value', 'metrics.json'],
    ['cells.geojson', 'value', 'cells.geojson'],
    ['model.v2', 'value', 'model.v2.json'],
    ['table.csv', 'value', 'table.csv.json'],
    ['table.csv', 'value', 'table.csv', 'csv'],
    ['rows', 'value', 'rows.csv', 'csv'],
    ['report.html', 'text', 'report.html'],
    ['note', 'text', 'note.txt'],
    ['loss.2024', 'text', 'loss.2024.txt'],
    ['image.png', 'bytes', 'image.png'],
    ['raw', 'bytes', 'raw.bin'],
    ['weights', 'value', 'weights.bin', 'bytes'],
    ['frame', 'table', 'frame.arrows'],
    ['frame.arrow', 'table', 'frame.arrow'],
    ['frame', 'table', 'frame.json', 'json'],
    ['a:b', 'value', 'a%3Ab.json'],
    ['nul', 'value', '%6Eul.json'],
    ['.env', 'text', '%2Eenv.txt'],
  ])('%s, which is %s, is %s', (name, kind, file, form) => expect(fileOf(name, kind, form)).toBe(file));

  it('go to the artifact that has the very name, and capitals are encoded where they alone differ', () => {
    const names = ['metrics', 'metrics.json', 'Model', 'model'];
    const files = filesOf(
      names.map((name) => artifact(name, 'value')),
      undefined,
    );
    expect(files.map(({ file }) => file)).toEqual([
      'metrics.json.json',
      'metrics.json',
      '%4Dodel.json',
      'model.json',
    ]);
  });
});
