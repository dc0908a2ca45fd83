import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import fc from 'fast-check';
import { beforeAll, describe, expect } from 'vitest';
import type { DamageMessage } from '../../src/content/damage.ts';
import { ContentReader } from '../../src/content/reading/content-reader.ts';
import { digestHex } from '../../src/digest/blake3.ts';
import type { StoredContent } from '../../src/format/stored-content.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { propertyRuns, test } from '../property.ts';
import { contentOf, MIB } from './contents.ts';
import {
  bodyOf,
  cloneOf,
  codeOf,
  copiesIn,
  damagesOf,
  freshStore,
  mergeInto,
  namesOf,
  ObservedStorage,
  onlyName,
  openSession,
  withFlippedBit,
} from './storages.ts';

interface Scenario {
  title: string;
  content: Uint8Array;
  /** Beginnings of the names of the objects that the content rests on. */
  objects: string[];
  save: (storage: DataStoreStorage, options?: { verifyHits?: boolean }) => Promise<StoredContent>;
}

const blobs = (title: string, content: Uint8Array, objects: string[]): Scenario => ({
  title,
  content,
  objects,
  save: async (storage, options) =>
    (await freshStore(storage, options).saveBlobs([content]))[0] as StoredContent,
});

const SCENARIOS: Scenario[] = [
  blobs('a small content, raw', contentOf(3000, 2), ['data/']),
  blobs('a small content, compressed', contentOf(20_000, 2, 'lines'), ['data/']),
  blobs('an empty content', new Uint8Array(0), ['data/']),
  blobs('a chunked content, raw', contentOf(300_000, 2), ['manifests/', 'packs/']),
  blobs('a chunked content, compressed', contentOf(300_000, 2, 'lines'), ['manifests/', 'packs/']),
  {
    title: 'a plain object',
    content: contentOf(5000, 4),
    objects: ['manifests/', 'plain/'],
    save: async (storage, options) => {
      const data = contentOf(5000, 4);
      return (await freshStore(storage, options).saveData([{ name: 'report', data }]))[0] as StoredContent;
    },
  },
];

const targets = SCENARIOS.flatMap((scenario) => scenario.objects.map((object) => ({ ...scenario, object })));

async function expectLoads(
  storage: DataStoreStorage,
  address: { key: string },
  content: Uint8Array,
): Promise<void> {
  expect(Buffer.compare(await freshStore(storage).reader.load(address), content)).toBe(0);
}

describe.each(SCENARIOS)('$title: damage on the way', ({ content, save }) => {
  test('of each of its objects, one after the other, is read again, and nothing is marked', async () => {
    const storage = new MemoryStorage();
    const saved = await save(storage);
    const before = await namesOf(storage);
    const spoiled = new Set<string>();
    const firstOfEach = new FaultStorage(storage, (operation, name) => {
      if (operation !== 'get' || !/^(data|manifests|packs|plain)\//.test(name) || spoiled.has(name)) return;
      spoiled.add(name);
      return { kind: 'flip', bit: 777 };
    });
    for (const address of [saved, { key: saved.key }]) {
      spoiled.clear();
      await expectLoads(firstOfEach, address, content);
      expect(spoiled.size).toBeGreaterThan(0);
    }
    expect(await namesOf(storage)).toEqual(before);
  });

  test('is no reason for a writer to mark a copy, or to write another', async () => {
    for (const verifyHits of [false, true]) {
      const storage = new MemoryStorage();
      await save(storage);
      const before = await namesOf(storage);
      const spoiled = new Set<string>();
      const firstOfEach = new FaultStorage(storage, (operation, name) => {
        const isRead = operation === 'get' && /^(manifests|packs|plain|data)\//.test(name);
        if (!isRead || spoiled.has(name) || (verifyHits && spoiled.size > 0)) return;
        spoiled.add(name);
        return { kind: 'flip', bit: 777 };
      });
      const far = new ObservedStorage(firstOfEach, { localReads: false });
      const { key } = await save(far, { verifyHits });
      expect(key).toBe(digestHex(content));
      const after = await namesOf(storage);
      expect(after.filter((name) => /^(data|manifests|packs)/.test(name))).toEqual(
        before.filter((name) => /^(data|manifests|packs)/.test(name)),
      );
    }
  });

  test('of different objects, at each of two looks, is no damage for a writer that verifies what it hits', async () => {
    const storage = new MemoryStorage();
    await save(storage);
    const before = await namesOf(storage);
    const reads = new Map<string, number>();
    // The manifest when it is read to be verified, and what it names when that is done again.
    const eachOnce = new FaultStorage(storage, (operation, name) => {
      if (operation !== 'get' || !/^(manifests|packs|plain|data)\//.test(name)) return;
      const read = (reads.get(name) ?? 0) + 1;
      reads.set(name, read);
      return read === (name.startsWith('manifests/') ? 2 : 1) ? { kind: 'flip', bit: 777 } : undefined;
    });
    const far = new ObservedStorage(eachOnce, { localReads: false });
    expect((await save(far, { verifyHits: true })).key).toBe(digestHex(content));
    const stored = (names: string[]) => names.filter((name) => /^(data|manifests|packs|plain)/.test(name));
    expect(stored(await namesOf(storage))).toEqual(stored(before));
  });

  test('that never ends is damage, after a few tries', async () => {
    const storage = new MemoryStorage();
    const saved = await save(storage);
    let reads = 0;
    const always = new FaultStorage(storage, (operation, name) => {
      if (operation !== 'get' || !/^(data|manifests|packs|plain)\//.test(name)) return;
      reads += 1;
      return { kind: 'flip', bit: 100 + 8 * reads };
    });
    expect(await codeOf(freshStore(always).reader.load(saved))).toBe('CONTENT_DAMAGED');
    expect(reads).toBeGreaterThan(1);
    expect(reads).toBeLessThan(10);
  });
});

describe.each(targets)('$title: damage in $object', ({ content, object, save }) => {
  let whole: MemoryStorage;
  let saved: StoredContent;
  let target: string;

  beforeAll(async () => {
    whole = new MemoryStorage();
    saved = await save(whole);
    target = await onlyName(whole, object);
  });

  test('is seen, whichever bit is flipped and wherever it is cut; the object is marked; saving mends it', async () => {
    const body = await bodyOf(whole, target);
    for (const [index, { title, apply }] of damagesOf(body.length, Math.ceil(propertyRuns / 5)).entries()) {
      const storage = await cloneOf(whole);
      await storage.overwrite(target, apply(body));
      expect(await codeOf(freshStore(storage).reader.load({ key: saved.key })), title).toBe(
        'CONTENT_DAMAGED',
      );
      expect(await codeOf(freshStore(storage).reader.load(saved)), title).toBe('CONTENT_DAMAGED');
      const marks = (await namesOf(storage)).filter((name) => name.endsWith('.damaged'));
      expect(marks, title).toEqual([`${target}.damaged`]);
      // Saving takes longer than all the rest: each is mended where properties run often.
      if (propertyRuns < 100 && index % 4 > 0) continue;
      const again = await save(storage);
      expect(again.copy, title).not.toBe(saved.copy);
      for (const address of [{ key: saved.key }, saved, again]) await expectLoads(storage, address, content);
    }
  });

  test('that was done on its way, once, is read again, and nothing is marked', async () => {
    for (const kind of ['flip', 'truncate'] as const) {
      const storage = await cloneOf(whole);
      let reads = 0;
      const once = new FaultStorage(storage, (operation, name) => {
        if (operation !== 'get' || name !== target || reads++ > 0) return undefined;
        return kind === 'flip' ? { kind, bit: 777 } : { kind, bytes: 7 };
      });
      for (const address of [{ key: saved.key }, saved]) {
        reads = 0;
        await expectLoads(once, address, content);
        expect(reads, kind).toBeGreaterThan(1);
      }
      expect(await namesOf(storage)).toEqual(await namesOf(whole));
    }
  });

  test('is mended by saving, though no reader has found it', async () => {
    const body = await bodyOf(whole, target);
    // What cannot be seen from outside is found by verifyHits.
    for (const cut of [0, body.length >>> 1, body.length - 1]) {
      const storage = await cloneOf(whole);
      await storage.overwrite(target, body.slice(0, cut));
      const again = await save(storage);
      expect(again.copy).not.toBe(saved.copy);
      for (const address of [{ key: saved.key }, saved, again]) await expectLoads(storage, address, content);
      expect(await namesOf(storage, `${target}.damaged`)).toHaveLength(1);
    }
  });

  test('is passed over where another copy is whole', async () => {
    const other = new MemoryStorage();
    const second = await save(other);
    const body = await bodyOf(whole, target);
    for (const { title, apply } of damagesOf(body.length, 4).filter((_, index) => index % 5 === 0)) {
      const storage = await cloneOf(whole);
      await mergeInto(storage, other);
      await storage.overwrite(target, apply(body));
      for (const address of [saved, { key: saved.key }, second]) await expectLoads(storage, address, content);
      expect(await copiesIn(storage), title).toHaveLength(2);
    }
  });

  test('is found when the object is missing altogether', async () => {
    const storage = await cloneOf(whole);
    await storage.delete([target]);
    const expected = target === saved.copy ? 'CONTENT_NOT_FOUND' : 'CONTENT_DAMAGED';
    expect(await codeOf(freshStore(storage).reader.load({ key: saved.key }))).toBe(expected);
    expect(await codeOf(freshStore(storage).reader.load(saved))).toBe(expected);
    const again = await save(storage);
    for (const address of [{ key: saved.key }, saved, again]) await expectLoads(storage, address, content);
  });

  test('costs a reader without write permission the mark, not the read', async () => {
    const other = new MemoryStorage();
    await save(other);
    const storage = await cloneOf(whole);
    await mergeInto(storage, other);
    await storage.overwrite(target, withFlippedBit(await bodyOf(whole, target), 77));
    const messages: DamageMessage[] = [];
    const listener = (message: unknown): void => {
      messages.push(message as DamageMessage);
    };
    subscribe('stowage:damaged', listener);
    const readOnly = new FaultStorage(storage, (operation) =>
      operation === 'get' || operation === 'list' ? undefined : { kind: 'before' },
    );
    await expectLoads(readOnly, saved, content);
    unsubscribe('stowage:damaged', listener);
    expect(messages).toEqual([
      {
        name: target,
        uri: storage.uri(target),
        reason: expect.any(String),
        marked: false,
        error: expect.any(Error),
      },
    ]);
    expect((await namesOf(storage)).filter((name) => name.endsWith('.damaged'))).toEqual([]);
  });
});

describe('a process that found damage', () => {
  test.each([true, false])(
    'does not rely on what it knew before, in the session that is open and in the next (local reads: %s)',
    async (localReads) => {
      for (const { content, objects } of SCENARIOS.slice(0, 5)) {
        for (const object of objects) {
          const memory = new MemoryStorage();
          const store = freshStore(new ObservedStorage(memory, { localReads }));
          await store.prepareToWrite();
          const open = await openSession(store);
          const [first] = await open.put([{ bytes: content }]);
          await open.put([{ bytes: content }]);
          const target = await onlyName(memory, object);
          await memory.overwrite(target, withFlippedBit(await bodyOf(memory, target), 8 * 60));
          if (content.length > 0) {
            const code = await codeOf(store.reader.load(first as StoredContent));
            expect(code).toBe('CONTENT_DAMAGED');
            const [again] = await open.put([{ bytes: content }]);
            expect(again?.copy).not.toBe(first?.copy);
            await expectLoads(memory, first as StoredContent, content);
            const [next] = await store.saveBlobs([content]);
            expect(next?.copy).toBe(again?.copy);
          }
        }
      }
    },
  );

  test('does not reuse the chunks of a damaged pack for contents that are almost the same', async () => {
    const storage = new MemoryStorage();
    const store = freshStore(storage);
    const content = contentOf(600_000);
    await store.saveBlobs([content]);
    const pack = await onlyName(storage, 'packs/');
    await storage.overwrite(pack, withFlippedBit(await bodyOf(storage, pack), 8 * 100));
    expect(await codeOf(store.reader.load({ key: digestHex(content) }))).toBe('CONTENT_DAMAGED');
    const near = Buffer.concat([content, contentOf(1000, 3)]);
    await store.saveBlobs([near]);
    await expectLoads(storage, { key: digestHex(near) }, near);
  });

  test('hears of a pack that another process marked', async () => {
    const storage = new MemoryStorage();
    const store = freshStore(storage);
    const content = contentOf(600_000);
    await store.saveBlobs([content]);
    const pack = await onlyName(storage, 'packs/');
    await storage.overwrite(pack, withFlippedBit(await bodyOf(storage, pack), 8 * 100));
    expect(await codeOf(freshStore(storage).reader.load({ key: digestHex(content) }))).toBe(
      'CONTENT_DAMAGED',
    );
    await store.saveBlobs([content]);
    await expectLoads(storage, { key: digestHex(content) }, content);
  });
});

describe('verifyHits', () => {
  test.each(targets.filter(({ content }) => content.length > 0))(
    '$title: finds a flipped bit in $object that nobody read, and mends it, with what this process knows or without',
    async ({ content, object, save }) => {
      const whole = new MemoryStorage();
      const knowing = freshStore(whole, { verifyHits: true });
      const saved = await save(whole);
      if (object !== 'plain/') await knowing.saveBlobs([content]);
      const target = await onlyName(whole, object);
      const body = await bodyOf(whole, target);
      await whole.overwrite(target, withFlippedBit(body, 8 * 60 + 3));
      const store = object === 'plain/' ? freshStore(whole, { verifyHits: true }) : knowing;
      const [again] =
        object === 'plain/'
          ? await store.saveData([{ name: 'x', data: content }])
          : await store.saveBlobs([content]);
      expect(again?.copy).not.toBe(saved.copy);
      await expectLoads(whole, saved, content);
      await expectLoads(whole, again as StoredContent, content);
      expect(await namesOf(whole, `${target}.damaged`)).toHaveLength(1);
    },
  );

  test('finds chunks damaged that this process itself packed, and packs them anew', async () => {
    const storage = new MemoryStorage();
    const store = freshStore(storage, { verifyHits: true });
    const content = contentOf(600_000);
    await store.saveBlobs([content]);
    const pack = await onlyName(storage, 'packs/');
    await storage.overwrite(pack, withFlippedBit(await bodyOf(storage, pack), 8 * 100));
    await store.saveBlobs([content]);
    await expectLoads(storage, { key: digestHex(content) }, content);
  });
});

describe('the order of copies', () => {
  test('the recorded one needs no LIST; marked ones are tried last', async () => {
    for (const content of [contentOf(1000), contentOf(300_000)]) {
      const memory = new MemoryStorage();
      const all: StoredContent[] = [];
      for (let i = 0; i < 4; i++) {
        const other = new MemoryStorage();
        all.push((await freshStore(other).saveBlobs([content]))[0] as StoredContent);
        await mergeInto(memory, other);
      }
      const names = (await copiesIn(memory)).sort();
      const marked = names.slice(0, 3);
      for (const name of marked) await memory.create(`${name}.damaged`, new Uint8Array(0));
      const storage = new ObservedStorage(memory);
      const tried = (): string[] =>
        storage.calls.filter((call) => /^get (data|manifests)/.test(call)).map((call) => call.slice(4));
      await expectLoads(storage, { key: digestHex(content) }, content);
      expect(tried()).toEqual([names[3]]);
      storage.calls.length = 0;
      await memory.delete([names[3] as string]);
      await expectLoads(storage, { key: digestHex(content), copy: names[3] } as StoredContent, content);
      expect(tried()).toEqual([names[3], marked[0]]);
      storage.calls.length = 0;
      await expectLoads(storage, all.find(({ copy }) => copy === marked[1]) as StoredContent, content);
      expect(storage.calls.some((call) => /^list (data|manifests)/.test(call))).toBe(false);
    }
  });

  test.prop([fc.array(fc.nat(10), { minLength: 2, maxLength: 4 })], {
    numRuns: Math.ceil(propertyRuns / 2),
  })(
    'a reader goes on from where it stood, over copies whose packs are damaged in different places',
    async (places) => {
      const content = contentOf(500_000, 6);
      const storage = new MemoryStorage();
      for (const place of places) {
        const other = new MemoryStorage();
        await freshStore(other).saveBlobs([content]);
        const pack = await onlyName(other, 'packs/');
        const body = await bodyOf(other, pack);
        const bit = Math.floor((place / 11) * body.length) * 8 + 5;
        await other.overwrite(pack, withFlippedBit(body, bit));
        await mergeInto(storage, other);
      }
      const pieces: Uint8Array[] = [];
      const code = await codeOf(async () => {
        for await (const piece of new ContentReader(storage).stream({ key: digestHex(content) }))
          pieces.push(piece);
      });
      const read = Buffer.concat(pieces);
      // Whatever was given is right, also where no copy could go on.
      expect(Buffer.compare(read, content.subarray(0, read.length))).toBe(0);
      if (code === undefined) expect(read.length).toBe(content.length);
      else expect(code).toBe('CONTENT_DAMAGED');
      if (new Set(places).size === 1) expect(code).toBe('CONTENT_DAMAGED');
    },
  );

  test('answers that are cut short or turned over on the way are no right bytes', async () => {
    const memory = new MemoryStorage();
    const content = contentOf(500_000);
    const [saved] = await freshStore(memory).saveBlobs([content]);
    for (const fault of [
      { kind: 'truncate', bytes: 100 } as const,
      { kind: 'truncate', bytes: 0 } as const,
      { kind: 'flip', bit: 3001 } as const,
    ]) {
      for (const prefix of ['manifests/', 'packs/']) {
        const storage = new FaultStorage(await cloneOf(memory), (operation, name) =>
          operation === 'get' && name.startsWith(prefix) ? fault : undefined,
        );
        expect(await codeOf(freshStore(storage).reader.load(saved as StoredContent))).toBe('CONTENT_DAMAGED');
      }
    }
  });
});

describe('a record that tells another length than the content has', () => {
  test.each([0, 1, 99, 101, 5000, 1e9, 2 ** 52])(
    '%d instead of 100 bytes is damage of the record, never other bytes',
    async (bytes) => {
      const storage = new MemoryStorage();
      const [saved] = await freshStore(storage).saveBlobs([contentOf(100)]);
      const { reader } = freshStore(storage);
      const code = await codeOf(reader.load({ ...(saved as StoredContent), bytes }));
      expect(code).toBe('RECORD_DAMAGED');
      await expectLoads(storage, { key: saved?.key as string }, contentOf(100));
    },
  );

  test('of a chunked content or a plain object too; nothing is read of it, or marked', async () => {
    const storage = new MemoryStorage();
    const content = contentOf(300_000);
    const [saved] = await freshStore(storage).saveBlobs([content]);
    const [plain] = await freshStore(storage).saveData([{ name: 'x', data: contentOf(500) }]);
    const observed = new ObservedStorage(storage);
    for (const bytes of [10, 299_999, 300_001]) {
      for (const address of [saved, plain] as StoredContent[]) {
        const { reader } = freshStore(observed);
        expect(await codeOf(reader.load({ ...address, bytes }))).toBe('RECORD_DAMAGED');
        expect(await codeOf(reader.stream({ ...address, bytes }).next())).toBe('RECORD_DAMAGED');
      }
    }
    expect(observed.calls.filter((call) => /packs|plain\/|damaged/.test(call))).toEqual([]);
  });

  test('or another root: the copy is read, and is not marked where it is what its key says', async () => {
    const storage = new MemoryStorage();
    const content = contentOf(300_000);
    const [saved] = await freshStore(storage).saveBlobs([content]);
    const address = { ...(saved as StoredContent), root: digestHex(content) };
    for (const range of [undefined, { offset: 5, length: 10 }]) {
      const { reader } = freshStore(storage);
      expect(await codeOf(reader.stream(address, { range }).next())).toBe('RECORD_DAMAGED');
    }
    expect((await namesOf(storage)).filter((name) => name.endsWith('.damaged'))).toEqual([]);
  });
});

test.each(['runs/x', '../x', 'packs/0', 'data/000/'])(
  'an address that names %j, or another content’s copy, accuses nothing',
  async (foreign) => {
    const storage = new MemoryStorage();
    const [saved, other] = await freshStore(storage).saveBlobs([contentOf(100), contentOf(100, 2)]);
    for (const copy of [foreign, other?.copy as string]) {
      const address = { key: saved?.key as string, copy };
      await expectLoads(storage, address, contentOf(100));
      const absent = { key: 'ab'.repeat(32), copy };
      expect(await codeOf(freshStore(storage).reader.load(absent))).toBe('CONTENT_NOT_FOUND');
    }
    expect((await namesOf(storage)).filter((name) => name.endsWith('.damaged'))).toEqual([]);
  },
);

describe('a plain object of many parts', () => {
  const content = contentOf(17 * MIB + 4, 9, 'zeros');
  const key = digestHex(content);

  test('is found damaged, wherever that is; another copy is read instead', async () => {
    const storage = new MemoryStorage();
    const [saved] = await freshStore(storage).saveData([{ name: 'video', data: content }]);
    const plain = await onlyName(storage, 'plain/');
    await expectLoads(storage, { key }, content);
    await storage.overwrite(plain, withFlippedBit(content, 12 * MIB * 8));
    expect(await codeOf(freshStore(storage).reader.load({ key }))).toBe('CONTENT_DAMAGED');
    expect(await namesOf(storage, `${plain}.damaged`)).toHaveLength(1);
    await freshStore(storage).saveBlobs([content]);
    await expectLoads(storage, { key }, content);
    await expectLoads(storage, saved as StoredContent, content);
    await storage.overwrite(plain, content.subarray(0, 17 * MIB + 3));
    await expectLoads(storage, saved as StoredContent, content);
  });
});

test('a plain object that grew is damaged, not too large', async () => {
  const storage = new MemoryStorage();
  const content = contentOf(500);
  const [saved] = await freshStore(storage).saveData([{ name: 'x', data: content }]);
  await storage.overwrite(await onlyName(storage, 'plain/'), contentOf(501));
  expect(await codeOf(freshStore(storage).reader.load(saved as StoredContent))).toBe('CONTENT_DAMAGED');
  await freshStore(storage).saveBlobs([content]);
  await expectLoads(storage, saved as StoredContent, content);
});

test('reading is aborted before and meanwhile', async () => {
  const storage = new ObservedStorage(new MemoryStorage());
  const content = contentOf(3 * MIB);
  const [saved] = await freshStore(storage).saveBlobs([content]);
  const before = { signal: AbortSignal.abort() };
  expect(await codeOf(freshStore(storage).reader.load(saved as StoredContent, before))).toBe('ABORTED');
  const abort = new AbortController();
  storage.before = (operation, name) => {
    if (operation === 'get' && name.startsWith('packs/')) abort.abort();
  };
  const meanwhile = { signal: abort.signal };
  expect(await codeOf(freshStore(storage).reader.load(saved as StoredContent, meanwhile))).toBe('ABORTED');
  expect((await namesOf(storage)).filter((name) => name.endsWith('.damaged'))).toEqual([]);
});

test('an error of the storage is passed on, and marks nothing', async () => {
  const memory = new MemoryStorage();
  const [saved] = await freshStore(memory).saveBlobs([contentOf(300_000)]);
  const storage = new FaultStorage(memory, (operation, name) =>
    operation === 'get' && name.startsWith('packs/') ? { kind: 'before' } : undefined,
  );
  expect(await codeOf(freshStore(storage).reader.load(saved as StoredContent))).toBe('STORAGE_UNAVAILABLE');
  expect((await namesOf(memory)).filter((name) => name.endsWith('.damaged'))).toEqual([]);
});

test('damage whose mark cannot be written is still no hit for the process that found it', async () => {
  const memory = new MemoryStorage();
  const storage = new FaultStorage(memory, (operation, name) =>
    operation === 'create' && name.endsWith('.damaged') ? { kind: 'before' } : undefined,
  );
  const store = freshStore(storage);
  const content = contentOf(20_000);
  const [saved] = await store.saveBlobs([content]);
  const copy = saved?.copy as string;
  const object = await memory.get(copy);
  await memory.overwrite(copy, withFlippedBit(object?.body as Uint8Array, 8 * 100));
  expect(await codeOf(store.reader.load(saved as StoredContent))).toBe('CONTENT_DAMAGED');
  const [again] = await store.saveBlobs([content]);
  expect(again?.copy).not.toBe(copy);
  await expectLoads(storage, saved as StoredContent, content);
});

test('a range of a large plain object is verified by its part, before a byte of it is given', async () => {
  const storage = new MemoryStorage();
  const content = contentOf(20 * MIB + 5);
  const [saved] = await freshStore(storage).saveData([{ name: 'video', data: content }]);
  await storage.overwrite(await onlyName(storage, 'plain/'), withFlippedBit(content, 18 * MIB * 8));
  const read = async (offset: number, length: number): Promise<Buffer> => {
    const pieces: Uint8Array[] = [];
    const stream = freshStore(storage).reader.stream(saved as StoredContent, { range: { offset, length } });
    const code = await codeOf(async () => {
      for await (const piece of stream) pieces.push(piece);
    });
    return code === undefined ? Buffer.concat(pieces) : Buffer.from(`${code} after ${pieces.length} pieces`);
  };
  const [offset, length] = [7 * MIB, 3 * MIB];
  expect(Buffer.compare(await read(offset, length), content.subarray(offset, offset + length))).toBe(0);
  expect((await read(17 * MIB, 10)).toString()).toBe('CONTENT_DAMAGED after 0 pieces');
});

test('a copy that a newer release wrote neither hides a whole one, nor is relied on, nor is marked', async () => {
  const storage = new MemoryStorage();
  const content = contentOf(20_000);
  const [saved] = await freshStore(storage).saveBlobs([content]);
  const object = await storage.get(saved?.copy as string);
  const newer = Buffer.from(object?.body as Uint8Array);
  newer[12] = 2; // the envelope's version, under a checksum that fits
  Buffer.from(digestHex(newer.subarray(0, 40)), 'hex').copy(newer, 40, 0, 8);
  await storage.overwrite(saved?.copy as string, newer);
  expect(await codeOf(freshStore(storage).reader.load({ key: saved?.key as string }))).toBe(
    'UNSUPPORTED_FORMAT',
  );
  const [again] = await freshStore(storage).saveBlobs([content]);
  expect(again?.copy).not.toBe(saved?.copy);
  await expectLoads(storage, { key: saved?.key as string }, content);
  expect((await namesOf(storage)).filter((name) => name.endsWith('.damaged'))).toEqual([]);
});
