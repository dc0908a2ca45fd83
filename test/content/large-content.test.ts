import { describe, expect, test } from 'vitest';
import { createHasher, digestHex } from '../../src/digest/blake3.ts';
import type { StoredContent } from '../../src/format/stored-content.ts';
import { LocalStorage } from '../../src/storage/local.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { scratchFolder } from '../storage/scratch.ts';
import { contentOf, KIB, MIB } from './contents.ts';
import {
  bodyOf,
  codeOf,
  copiesIn,
  freshStore,
  manifestIn,
  namesOf,
  ObservedStorage,
  openSession,
} from './storages.ts';

const folder = scratchFolder();

describe('chunks that are stored already', () => {
  test('are not stored again for near-equal contents of one process, and their packs are named', async () => {
    const storage = new MemoryStorage();
    const store = freshStore(storage);
    const content = contentOf(4 * MIB, 3);
    const [first] = await store.saveBlobs([content]);
    const stored = (await bodyOf(storage, (await namesOf(storage, 'packs/'))[0] as string)).length;
    const edited = Buffer.concat([
      content.subarray(0, 2 * MIB),
      contentOf(100, 5),
      content.subarray(2 * MIB),
    ]);
    const [second] = await store.saveBlobs([edited]);
    const packs = (await manifestIn(storage, second as StoredContent)).packs;
    expect(packs.map(({ name }) => name)).toContain(
      (await manifestIn(storage, first as StoredContent)).packs[0]?.name,
    );
    const fresh = packs.filter(({ name }) => name.includes(`/${second?.session}/`));
    expect(fresh).toHaveLength(1);
    expect(fresh[0]?.bytes).toBeLessThan(stored / 5);
    expect(
      Buffer.compare(await freshStore(storage).reader.load({ key: second?.key as string }), edited),
    ).toBe(0);
  });

  test('in several packs of one content: all are pinned by one request, and looked at by one LIST', async () => {
    const memory = new MemoryStorage();
    const storage = new ObservedStorage(memory);
    const store = freshStore(storage);
    const content = contentOf(34 * MIB, 4);
    await store.saveBlobs([content]);
    const packs = await namesOf(memory, 'packs/');
    expect(packs).toHaveLength(3);
    storage.calls.length = 0;
    const [edited] = await store.saveBlobs([Buffer.concat([contentOf(100, 6), content])]);
    const { packs: named } = await manifestIn(memory, edited as StoredContent);
    expect(named.map(({ name }) => name)).toEqual(expect.arrayContaining(packs));
    const asked = storage.calls.filter((call) => /^(create pins|(get gc|list packs))/.test(call));
    const session = packs[0]?.split('/')[1];
    // The key of the new content is pinned by attempt.json, before the one look for it.
    expect(asked).toEqual([
      expect.stringMatching(/^get gc\//),
      expect.stringMatching(/^create pins\/.*\/00000000\.json$/),
      expect.stringMatching(/^get gc\//),
      `list packs/${session}/`,
    ]);
  });

  test('in packs of one content, of which one is gone: the others are reused, and only what it held is stored again', async () => {
    const storage = new MemoryStorage();
    const store = freshStore(storage);
    const content = contentOf(34 * MIB, 4);
    await store.saveBlobs([content]);
    const packs = await namesOf(storage, 'packs/');
    await storage.delete([packs[1] as string]);
    const near = Buffer.concat([content, contentOf(100, 6)]);
    const [saved] = await store.saveBlobs([near]);
    const named = (await manifestIn(storage, saved as StoredContent)).packs;
    expect(named.map(({ name }) => name)).toEqual(expect.arrayContaining([packs[0], packs[2]]));
    expect(named.map(({ name }) => name)).not.toContain(packs[1]);
    const loaded = await freshStore(storage).reader.load({ key: digestHex(near) });
    expect(Buffer.compare(loaded, near)).toBe(0);
  });

  test('in a pack of the same session are reused without a look: the session protects what bears its name', async () => {
    const storage = new ObservedStorage(new MemoryStorage());
    const store = freshStore(storage);
    const content = contentOf(1 * MIB, 4);
    const contents = [content, Buffer.concat([content, contentOf(100, 6)])];
    const [first, second] = await store.saveBlobs(contents);
    expect(await namesOf(storage, 'packs/')).toHaveLength(2);
    const pack = (await manifestIn(storage, first as StoredContent)).packs[0];
    expect((await manifestIn(storage, second as StoredContent)).packs[0]).toEqual(pack);
    expect(storage.calls.filter((call) => /^list packs/.test(call))).toEqual(['list packs/']); // the one above
    for (const bytes of contents) {
      const loaded = await freshStore(storage).reader.load({ key: digestHex(bytes) });
      expect(Buffer.compare(loaded, bytes)).toBe(0);
    }
  });

  test('within one content are stored once', async () => {
    const storage = new MemoryStorage();
    const half = contentOf(1 * MIB, 8);
    const content = Buffer.concat([half, half, half]);
    await freshStore(storage).saveBlobs([content]);
    const [pack] = await namesOf(storage, 'packs/');
    expect((await bodyOf(storage, pack as string)).length).toBeLessThan(1.6 * MIB);
    expect(Buffer.compare(await freshStore(storage).reader.load({ key: digestHex(content) }), content)).toBe(
      0,
    );
  });

  test.each<[string, (storage: MemoryStorage, pack: string) => Promise<unknown>]>([
    ['gone', (storage, pack) => storage.delete([pack])],
    ['marked', (storage, pack) => storage.create(`${pack}.damaged`, new Uint8Array(0))],
    [
      'cut short',
      async (storage, pack) => storage.overwrite(pack, (await bodyOf(storage, pack)).subarray(0, 500)),
    ],
    ['empty', (storage, pack) => storage.overwrite(pack, new Uint8Array(0))],
  ])(
    'are stored again where their pack is %s, and the manifests that name it are no hits',
    async (_, harm) => {
      const storage = new MemoryStorage();
      const store = freshStore(storage);
      const content = contentOf(600_000);
      const [first] = await store.saveBlobs([content]);
      const [pack] = await namesOf(storage, 'packs/');
      await harm(storage, pack as string);
      const near = Buffer.concat([content, contentOf(10, 3)]);
      const saved = [...(await store.saveBlobs([near])), ...(await store.saveBlobs([content]))];
      for (const blob of saved) {
        const { packs } = await manifestIn(storage, blob);
        expect(packs.map(({ name }) => name)).not.toContain(pack);
      }
      for (const bytes of [near, content]) {
        const { reader } = freshStore(storage);
        expect(Buffer.compare(await reader.load({ key: digestHex(bytes) }), bytes)).toBe(0);
      }
      expect(Buffer.compare(await freshStore(storage).reader.load(first as StoredContent), content)).toBe(0);
    },
  );
});

describe('bytes that are changed while they are saved', () => {
  interface Way {
    title: string;
    content: Uint8Array;
    /** Which bytes are changed. Default: the first, one in the middle, the last. */
    places?: number[];
    /** At which calls of the storage they are changed. Default: at each. */
    during?: RegExp;
    local?: boolean;
    prepare?: (
      storage: MemoryStorage | LocalStorage,
      store: ReturnType<typeof freshStore>,
    ) => Promise<unknown>;
    save: (store: ReturnType<typeof freshStore>, bytes: Uint8Array) => Promise<StoredContent[]>;
  }
  const asBlob: Way['save'] = (store, bytes) => store.saveBlobs([bytes]);
  const WAYS: Way[] = [
    { title: 'a small content', content: contentOf(3000), save: asBlob },
    { title: 'a chunked content', content: contentOf(500_000), save: asBlob },
    {
      title: 'a content of two packs, in the chunk that no longer fits into the first',
      content: contentOf(17 * MIB),
      places: [16 * MIB - 10_000],
      during: /^create packs/,
      save: asBlob,
    },
    {
      title: 'a plain object',
      content: contentOf(3000),
      save: (store, data) => store.saveData([{ name: 'x', data }]),
    },
    {
      title: 'a large plain object on a local storage',
      content: contentOf(3 * MIB),
      local: true,
      save: (store, data) => store.saveData([{ name: 'x', data }]),
    },
    {
      title: 'a content whose chunks are known, in a pack that is gone',
      content: contentOf(500_000),
      prepare: async (storage, store) => {
        await store.saveBlobs([Buffer.concat([contentOf(500_000), contentOf(70_000, 2)])]);
        await storage.delete(await namesOf(storage, 'packs/'));
      },
      save: asBlob,
    },
  ];

  /** Saves, and lets `change` change the bytes at the storage call of this number; tells how many calls there were. */
  async function saveWhileChanging(way: Way, callToChangeAt: number, place: number): Promise<number> {
    const path = `${folder}/${way.title}-${callToChangeAt}-${place}`;
    const inner = way.local ? await LocalStorage.open(path, { fsync: false }) : new MemoryStorage();
    const storage = new ObservedStorage(inner);
    const store = freshStore(storage);
    await store.prepareToWrite();
    await way.prepare?.(inner, store);
    const bytes = new Uint8Array(way.content);
    let calls = 0;
    storage.before = (operation, name) => {
      if (way.during?.test(`${operation} ${name}`) === false || calls++ !== callToChangeAt) return;
      const change = (): void => {
        bytes[place] = (bytes[place] as number) ^ 0xff;
      };
      // What is written in the background changes after the call began.
      if (way.local && operation === 'create' && name.startsWith('plain/')) setImmediate(change);
      else change();
    };
    let saved: StoredContent[] = [];
    const code = await codeOf(async () => {
      saved = await way.save(store, bytes);
    });
    const label = `${way.title}, call ${callToChangeAt}, byte ${place}`;
    if (code !== undefined) expect(code, label).toBe('INVALID_ARGUMENT');
    const { reader } = freshStore(inner);
    // Every copy of this save is whole, and what was returned is what was passed, before or after the change.
    for (const name of await copiesIn(inner)) {
      if (way.prepare && !saved.some(({ copy }) => copy === name)) continue;
      expect(await codeOf(reader.verifyCopy(name)), label).toBeUndefined();
    }
    for (const { key } of saved) expect(digestHex(await reader.load({ key })), label).toBe(key);
    await inner.close();
    return calls;
  }

  test.each(WAYS)('$title: refused or right, at whichever call of the storage it happens', async (way) => {
    const last = way.content.length - 1;
    for (const place of way.places ?? [0, last >>> 1, last]) {
      let calls = 1;
      for (let call = 0; call < calls; call++) calls = await saveWhileChanging(way, call, place);
      expect(calls).toBeGreaterThan(1);
    }
  });

  test('transferred while its digest is taken: refused, and nothing stays', async () => {
    const storage = new MemoryStorage();
    const store = freshStore(storage);
    await store.prepareToWrite();
    const bytes = new Uint8Array(contentOf(16 * MIB));
    const saving = codeOf(store.saveBlobs([bytes]));
    setImmediate(() => structuredClone(bytes.buffer, { transfer: [bytes.buffer] }));
    expect(await saving).toBe('INVALID_ARGUMENT');
    expect(await copiesIn(storage)).toEqual([]);
    expect(await namesOf(storage, 'packs/')).toEqual([]);
  });

  test('at any turn of the event loop’s microtasks', async () => {
    const content = contentOf(300_000);
    for (let turns = 0; turns < 120; turns += 3) {
      const storage = new MemoryStorage();
      const store = freshStore(storage);
      await store.prepareToWrite();
      const bytes = new Uint8Array(content);
      const saving = codeOf(store.saveBlobs([bytes]));
      for (let turn = 0; turn < turns; turn++) await null;
      bytes.fill(0);
      const code = await saving;
      if (code !== undefined) expect(code).toBe('INVALID_ARGUMENT');
      for (const name of await copiesIn(storage)) {
        expect(await codeOf(freshStore(storage).reader.verifyCopy(name)), `turn ${turns}`).toBeUndefined();
      }
    }
  });
});

describe('memory', () => {
  test('chunks that compress a thousandfold are not unfolded all at once: fetched together by their content too', async () => {
    const memory = new MemoryStorage();
    async function* sparse(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 192; i++) {
        const piece = Buffer.alloc(256 * KIB);
        piece.writeUInt32LE(i + 1, 9);
        yield piece;
      }
    }
    const [saved] = await freshStore(memory).saveBlobs([sparse()]);
    const storage = new ObservedStorage(memory);
    const hasher = createHasher();
    for await (const piece of freshStore(storage).streamBlob(saved as StoredContent)) hasher.update(piece);
    expect(hasher.digestHex()).toBe(saved?.key);
    const fetches = storage.calls.filter((call) => call.startsWith('get packs/')).length;
    expect((saved?.storedBytes as number) / MIB).toBeLessThan(1);
    expect((saved?.bytes as number) / fetches / MIB).toBeLessThanOrEqual(16);
  });

  test('a stream is saved in packs of about 16 MiB, which never hold more than 64', async () => {
    const storage = new MemoryStorage();
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 40; i++) yield contentOf(1 * MIB, i + 1);
    }
    const [saved] = await freshStore(storage).saveBlobs([pieces()]);
    const { packs, bytes } = await manifestIn(storage, saved as StoredContent);
    expect(bytes).toBe(40 * MIB);
    expect(packs.map(({ bytes }) => Math.round(bytes / MIB))).toEqual([16, 16, 8]);
  });

  test('a session may pack after it failed: nothing of the failure is used', async () => {
    const storage = new MemoryStorage();
    const store = freshStore(storage);
    await store.prepareToWrite();
    const writer = await openSession(store);
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield contentOf(1 * MIB);
      throw new Error('lost');
    }
    await expect(writer.putStream(failing())).rejects.toThrow('lost');
    const content = contentOf(1 * MIB);
    await writer.put([{ bytes: content }]);
    expect(Buffer.compare(await freshStore(storage).reader.load({ key: digestHex(content) }), content)).toBe(
      0,
    );
  });
});
