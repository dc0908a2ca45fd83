import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { parseCopyName } from '../../src/content/object-names.ts';
import type { StoredContent } from '../../src/content/stored-content.ts';
import { digestHex } from '../../src/digest/blake3.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { LocalStorage } from '../../src/storage/local.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { propertyRuns } from '../property.ts';
import { scratchFolder } from '../storage/scratch.ts';
import { anyContent, anyForm } from './arbitrary-content.ts';
import { contentOf, streamOf } from './contents.ts';
import { codeOf, copiesIn, freshStore, namesOf, ObservedStorage } from './storages.ts';
import { contentOfSeed } from './workers/content-of-seed.mjs';

const folder = scratchFolder();

async function copiesOf(storage: DataStoreStorage, key: string): Promise<string[]> {
  return (await copiesIn(storage)).filter((name) => parseCopyName(name)?.key === key);
}

/** Saves contents in a process of its own, which begins when `go` is called. */
async function savingProcess(
  path: string,
  seeds: number[],
  times: number,
): Promise<() => Promise<StoredContent[]>> {
  const script = join(import.meta.dirname, 'workers', 'save-contents.mjs');
  const child = spawn(process.execPath, [script, path, seeds.join(), String(times)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (data) => {
    text += data;
  });
  const closed = once(child, 'close');
  await Promise.race([once(child.stdout, 'data'), closed]);
  return async () => {
    child.stdin.write('go\n');
    await closed;
    return JSON.parse(text.split('\n')[1] ?? 'null') as StoredContent[];
  };
}

describe('equal content is stored once', () => {
  const anySave = fc.record({ store: fc.nat(2), form: anyForm });

  test.prop([anyContent, fc.array(anySave, { minLength: 2, maxLength: 6 }), fc.boolean()], {
    numRuns: propertyRuns,
  })(
    'by sessions of any store object, one after the other, in any form',
    async (content, saves, localReads) => {
      const storage = new ObservedStorage(new MemoryStorage(), { localReads });
      const stores = [0, 1, 2].map(() => freshStore(storage));
      const copies = new Set<string>();
      for (const { store, form } of saves) {
        const [saved] = (await stores[store]?.saveBlobs([form(content)])) ?? [];
        copies.add(saved?.copy as string);
      }
      expect(await copiesIn(storage)).toEqual([...copies]);
      expect(copies.size).toBe(1);
    },
  );

  test.prop([anyContent, fc.array(anyForm, { minLength: 2, maxLength: 8 }), fc.boolean()], {
    numRuns: propertyRuns,
  })('by sessions of one store object that save at the same time', async (content, forms, localReads) => {
    const storage = new ObservedStorage(new MemoryStorage(), { localReads });
    const store = freshStore(storage);
    const saved = await Promise.all(forms.map((form) => store.saveBlobs([form(content)])));
    expect(await copiesIn(storage)).toHaveLength(1);
    expect(new Set(saved.map(([blob]) => blob?.copy)).size).toBe(1);
    expect(new Set(saved.map(([blob]) => blob?.session)).size).toBe(forms.length);
  });

  test('twice in one call', async () => {
    const storage = new MemoryStorage();
    const content = contentOf(300_000);
    const blobs = [content, content, streamOf(content, { lengths: [5000], reused: false })];
    const saved = await freshStore(storage).saveBlobs(blobs);
    expect(await copiesIn(storage)).toHaveLength(1);
    expect(saved[2]).toEqual(saved[0]);
  });

  test('as plain objects, whatever their files are named', async () => {
    const storage = new MemoryStorage();
    for (const bytes of [0, 10, 400_000]) {
      const data = contentOf(bytes, 3);
      for (const name of ['a', 'b', 'a']) await freshStore(storage).saveData([{ name, data }]);
    }
    expect(await namesOf(storage, 'plain/')).toHaveLength(3);
  });

  test('as plain objects, though copies of other kinds are found before them', async () => {
    const storage = new MemoryStorage();
    const data = contentOf(400_000);
    const store = freshStore(storage);
    await store.saveBlobs([data]);
    for (let i = 0; i < 8; i++) {
      await store.saveData([{ name: 'a', data }]);
      await freshStore(storage).saveData([{ name: 'a', data }]);
    }
    expect(await namesOf(storage, 'plain/')).toHaveLength(1);
  });

  test('as a chunked content, where a plain object has it already', async () => {
    const storage = new MemoryStorage();
    const data = contentOf(400_000);
    const [plain] = await freshStore(storage).saveData([{ name: 'a', data }]);
    const [saved] = await freshStore(storage).saveBlobs([data]);
    expect(saved?.copy).toBe(plain?.copy);
    expect(await namesOf(storage, 'packs/')).toEqual([]);
  });
});

describe('writers that cannot see each other', () => {
  test.each([10, 300_000])(
    'store objects that save %i bytes at the same time leave at most a copy each, and none once one is visible',
    async (bytes) => {
      const storage = new MemoryStorage();
      const content = contentOf(bytes);
      const stores = Array.from({ length: 6 }, () => freshStore(storage));
      await Promise.all(stores.map((store) => store.saveBlobs([content])));
      const copies = await copiesIn(storage);
      expect(copies.length).toBeLessThanOrEqual(stores.length);
      await Promise.all(stores.map((store) => store.saveBlobs([content])));
      await freshStore(storage).saveBlobs([content]);
      expect(await copiesIn(storage)).toEqual(copies);
    },
  );

  test('processes that save the same contents at the same time leave at most a copy each; later ones none', async () => {
    const path = join(folder, 'store');
    const seeds = [1, 2, 3, 4, 5, 6];
    const first = await Promise.all([0, 1, 2].map(() => savingProcess(path, seeds, 4)));
    const saved = (await Promise.all(first.map((go) => go()))).flat();
    await using storage = await LocalStorage.open(path);
    const copies = await copiesIn(storage);
    const later = await Promise.all([0, 1].map(() => savingProcess(path, seeds, 2)));
    saved.push(...(await Promise.all(later.map((go) => go()))).flat());
    expect(await copiesIn(storage)).toEqual(copies);

    const store = freshStore(storage);
    for (const seed of seeds) {
      const content = contentOfSeed(seed);
      const key = digestHex(content);
      const names = await copiesOf(storage, key);
      expect(names.length).toBeGreaterThan(0);
      expect(names.length).toBeLessThanOrEqual(3);
      for (const name of names) expect(await codeOf(store.reader.verifyCopy(name))).toBeUndefined();
      expect(Buffer.compare(await store.reader.load({ key }), content)).toBe(0);
    }
    expect(saved).toHaveLength(seeds.length * (3 * 4 + 2 * 2));
    for (const { copy } of saved) expect(copies).toContain(copy);
    expect((await namesOf(storage)).filter((name) => name.endsWith('.damaged'))).toEqual([]);
  });
});
