import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { propertyRuns, test } from '../property.ts';
import { anyContent, anyForm } from './arbitrary-content.ts';
import { contentOf, streamOf } from './contents.ts';
import { copiesIn, freshStore, namesOf, ObservedStorage } from './storages.ts';

describe('equal content is stored once', () => {
  const anySave = fc.record({ store: fc.nat(2), form: anyForm });

  test.prop([anyContent, fc.array(anySave, { minLength: 2, maxLength: 6 }), fc.boolean()], {
    numRuns: Math.ceil(propertyRuns / 2),
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
    numRuns: Math.ceil(propertyRuns / 2),
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
});
