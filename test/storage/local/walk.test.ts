import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LocalStorage } from '../../../src/storage/local.ts';
import { compareNames } from '../../../src/storage/name-order.ts';
import type { NameEncoding } from '../../../src/storage/names.ts';
import { test } from '../../property.ts';
import { scratchFolder } from '../scratch.ts';

const folder = scratchFolder();
let count = 0;
function newPath(): string {
  count += 1;
  return join(folder, `store ${count}`);
}

async function listed(storage: LocalStorage, prefix: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { objects } of storage.list({ prefix })) names.push(...objects.map(({ name }) => name));
  return names;
}

describe.each<NameEncoding>(['exact', 'fold'])('with the encoding %s', (encoding) => {
  // Names that are encoded in part, at their first or last character, or that are those of devices.
  const parts = [
    'con',
    'CON',
    'aux.x',
    'a',
    'ab',
    'abc',
    'A',
    'é',
    'e',
    '.',
    'a.',
    '~',
    '%',
    ' ',
    '-',
    '_',
    '0',
  ];
  const segment = fc
    .array(fc.constantFrom(...parts), { minLength: 1, maxLength: 3 })
    .map((some) => some.join(''))
    .filter((text) => text !== '.' && text !== '..' && text.normalize('NFC') === text);
  test.prop([fc.uniqueArray(segment, { minLength: 1, maxLength: 12 }), fc.nat(), fc.nat()], { numRuns: 200 })(
    'a prefix finds what begins so, wherever in a segment it ends, and nothing else',
    async (segments, which, length) => {
      const storage = await LocalStorage.open(newPath(), { names: encoding, fsync: false });
      const names = segments.map((each) => `data/${each}`);
      for (const name of names) await storage.create(name, new Uint8Array(1));
      const chosen = [...(names[which % names.length] as string)];
      const prefix = chosen.slice(0, length % (chosen.length + 1)).join('');
      expect(await listed(storage, prefix)).toEqual(
        names.filter((name) => name.startsWith(prefix)).sort(compareNames),
      );
    },
  );
});

it('what does not begin as the prefix does is not looked at', async () => {
  const path = newPath();
  mkdirSync(join(path, 'data/abc'), { recursive: true });
  writeFileSync(join(path, 'data/abc/abc1.x'), '');
  // Whoever looks at it fails.
  symlinkSync('zzz', join(path, 'data/abc/zzz'));
  const storage = await LocalStorage.open(path);
  expect(await listed(storage, 'data/abc/abc1.')).toEqual(['data/abc/abc1.x']);
  await expect(listed(storage, 'data/abc/')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
});
