import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { BlobNames } from '../../src/storage/azure/blob-names.ts';
import { AzureStorage } from '../../src/storage/azure.ts';
import { compareNames } from '../../src/storage/name-order.ts';
import { isObjectSegment } from '../../src/storage/names.ts';
import { propertyRuns, test } from '../property.ts';
import { clientOf, useAzurite } from '../servers/azure-containers.ts';

/** Of the characters that Azure treats in ways of its own, and neighbours of theirs. */
const character = fc.constantFrom(
  'a',
  '.',
  '%',
  '2',
  '5',
  'E',
  '-',
  '0',
  '!',
  '～',
  '😀',
  '\u{e000}',
  '\u{ffee}',
);
const segment = fc.string({ unit: character, minLength: 1, maxLength: 8 }).filter(isObjectSegment);
const name = fc.array(segment, { minLength: 1, maxLength: 3 }).map((segments) => segments.join('/'));
/** Names that are each other's neighbours, in one order or the other. */
const neighbour = fc
  .array(fc.constantFrom('a', 'a.', 'a..', 'a%2E', 'a%252E', 'a😀', 'a～', 'a-', 'a&', '😀.', '～.'), {
    minLength: 1,
    maxLength: 2,
  })
  .map((segments) => segments.join('/'));

describe('names of blobs', () => {
  const names = new BlobNames('p./%2E');

  it('keep all but the dots that Azure would cut off', () => {
    const plain = new BlobNames('');
    expect(plain.keyOf('a.b/c..d/.e')).toBe('a.b/c..d/.e');
    expect(plain.keyOf('v1.')).toBe('v1%2E');
    expect(plain.keyOf('v1../...')).toBe('v1.%2E/..%2E');
    expect(plain.keyOf('v1%2E/100%/%2e')).toBe('v1%252E/100%/%2e');
    expect(names.keyOf('a')).toBe('p%2E/%252E/a');
  });

  test.prop([name], { numRuns: propertyRuns })('come back, and no segment ends in a dot', (given) => {
    const blobName = names.keyOf(given);
    expect(blobName).not.toMatch(/\.(\/|$)/);
    expect(names.nameOf(blobName)).toBe(given);
    expect(names.folderOf(`${blobName}/`)).toBe(`${given}/`);
  });

  test.prop([name, fc.nat()], { numRuns: propertyRuns })(
    'begin with what their prefixes become',
    (given, cut) => {
      const prefix = given.slice(0, cut % (given.length + 1));
      if (prefix !== '' && !prefix.endsWith('/') && !isObjectSegment(prefix.split('/').at(-1) as string))
        return;
      expect(names.keyOf(given).startsWith(names.prefixOf(prefix))).toBe(true);
    },
  );

  it('that no store writes are nobody’s', () => {
    for (const foreign of [
      'p%2E/%252E/a.',
      'p%2E/%252E/a./b',
      'p%2E/%252E/',
      'p%2E/%252E/tmp/a',
      'p%2E/%252E/a//b',
    ]) {
      expect(names.nameOf(foreign), foreign).toBeUndefined();
    }
    expect(names.folderOf('p%2E/%252E/a./')).toBeUndefined();
  });

  it('that dots make too long are refused', () => {
    const long = `${'./'.replace('.', `${'d'.repeat(3)}.`).repeat(190)}${'x'.repeat(70)}`;
    expect(() => new BlobNames('').keyOf(long)).toThrow(
      expect.objectContaining({ code: 'INVALID_NAME', message: expect.stringMatching(/1024.*dots/) }),
    );
  });

  it('of more segments than Azure takes are refused before anything is sent', () => {
    const names = new BlobNames('p/q');
    const fits = Array.from({ length: 252 }, () => 's').join('/');
    expect(names.keyOf(fits)).toBe(`p/q/${fits}`);
    expect(() => names.keyOf(`${fits}/s`)).toThrow(
      expect.objectContaining({ code: 'INVALID_NAME', message: expect.stringMatching(/255 segments.*254/) }),
    );
  });
});

describe('a listing', () => {
  const azurite = useAzurite();
  let storage: AzureStorage;
  beforeAll(async () => {
    storage = await AzureStorage.open({ ...(await azurite.newPlace()), prefix: 'x.' });
    return () => storage.close();
  });

  let runs = 0;
  test.prop(
    [
      fc.uniqueArray(neighbour, { minLength: 1, maxLength: 8 }),
      fc.constantFrom('all' as const, 'one' as const),
      fc.integer({ min: 1, max: 5 }),
      fc.nat(),
      fc.nat(),
    ],
    { numRuns: propertyRuns },
  )(
    'is in the order of names, whatever their blobs are called, in pages of any size',
    async (given, depth, limit, cut, at) => {
      // No object is named like a folder of others.
      const objects = given.filter((one) => !given.some((other) => other.startsWith(`${one}/`)));
      runs += 1;
      const base = `run${runs}/`;
      for (const object of objects) await storage.create(base + object, new Uint8Array(1));
      const one = objects[at % objects.length] as string;
      const prefix = one
        .slice(0, cut % (one.length + 1))
        .replace(/[^/]*$/, (begun) => (isObjectSegment(begun) ? begun : ''));
      for (const startAfter of [undefined, base + one]) {
        const expected = entries(objects, prefix, depth)
          .map((entry) => base + entry)
          .filter((entry) => startAfter === undefined || compareNames(entry, startAfter) > 0);
        for (const most of [undefined, limit]) {
          const listed: string[] = [];
          for await (const page of storage.list({ prefix: base + prefix, depth, startAfter, limit: most })) {
            listed.push(
              ...[...page.objects.map((object) => object.name), ...page.folders].sort(compareNames),
            );
          }
          expect(listed).toEqual(expected.slice(0, most));
        }
      }
    },
    180_000,
  );

  it('leaves out what no store writes', async () => {
    const place = await azurite.newPlace();
    const client = clientOf(place);
    for (const foreign of ['tmp/x', 'a//b', 'a/', 'c./d', 'real']) {
      await client.getBlockBlobClient(foreign).upload('x', 1);
    }
    const other = await AzureStorage.open(place);
    const listed: unknown[] = [];
    for await (const page of other.list({ prefix: '' })) listed.push(...page.objects);
    expect(listed).toEqual([{ name: 'real' }]);
    await other.close();
  });
});

/** What a listing gives, worked out in the simplest way. */
function entries(objects: readonly string[], prefix: string, depth: 'all' | 'one'): string[] {
  const found = objects
    .filter((object) => object.startsWith(prefix))
    .map((object) => {
      const slash = depth === 'one' ? object.indexOf('/', prefix.length) : -1;
      return slash < 0 ? object : object.slice(0, slash + 1);
    });
  return [...new Set(found)].sort(compareNames);
}
