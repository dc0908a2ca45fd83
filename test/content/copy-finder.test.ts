import { describe, expect, test } from 'vitest';
import type { SavedBlob } from '../../src/content-addressed-store.ts';
import { digestHex } from '../../src/digest/blake3.ts';
import {
  type CollectionVersion,
  collectionVersionName,
  encodeCollectionList,
  encodeCollectionVersion,
} from '../../src/format/collection-records.ts';
import type { ContentRef } from '../../src/format/content-ref.ts';
import { decodeRecord } from '../../src/format/record.ts';
import { newSessionId } from '../../src/format/session-id.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { contentOf } from './contents.ts';
import {
  bodyOf,
  codeOf,
  copiesIn,
  freshStore,
  namesOf,
  ObservedStorage,
  onlyName,
  openSession,
} from './storages.ts';

const ATTEMPT = '.attempt.json';
const SMALL = contentOf(1000, 5);
const LARGE = contentOf(300_000, 5);

/** The pins of a session, or of all, in the order in which they were made: those of attempt.json come first. */
async function pinsIn(storage: DataStoreStorage, session = ''): Promise<string[]> {
  const pinned: string[] = [];
  const attempts = (await namesOf(storage, `loose/${session}`)).filter((name) => name.endsWith(ATTEMPT));
  for (const name of [...attempts, ...(await namesOf(storage, `pins/${session}`))]) {
    const { pins, entries = pins } = decodeRecord(await bodyOf(storage, name), name);
    pinned.push(...(entries as ContentRef[]).map(({ kind, name }) => `${kind} ${name}`));
  }
  return pinned;
}

/** Writes the next version of a collector's log. */
async function writeVersion(
  storage: DataStoreStorage,
  version: number,
  state: CollectionVersion['state'],
  names: readonly string[] = [],
  { inList = false }: { inList?: boolean } = {},
): Promise<void> {
  const session = newSessionId();
  const kind = (name: string): ContentRef['kind'] =>
    name.startsWith('packs/') ? 'pack' : name.startsWith('plain/') ? 'plain' : 'copy';
  const entries = names.map((name) => ({ place: '', kind: kind(name), name }));
  const list = encodeCollectionList(entries);
  const listName = `gc/lists/${session}/00000000`;
  if (inList) await storage.create(listName, list);
  const record = encodeCollectionVersion({
    version,
    state,
    session,
    condemned: inList ? [] : entries,
    lists: inList ? [{ name: listName, digest: digestHex(list) }] : [],
  });
  expect(await storage.create(collectionVersionName(version), record)).toBe(true);
}

async function expectLoads(storage: DataStoreStorage, content: Uint8Array): Promise<void> {
  const blob = await freshStore(storage).reader.load({ key: digestHex(content) });
  expect(Buffer.compare(blob, content)).toBe(0);
}

describe('the writer’s protocol, step by step', () => {
  test.each([true, false])(
    'a small content: open with its pin, read the log, only then look (reads are local: %s)',
    async (localReads) => {
      const memory = new MemoryStorage();
      await freshStore(memory).saveBlobs([SMALL]);
      const storage = new ObservedStorage(memory, { localReads });
      const [saved] = await freshStore(storage).saveBlobs([SMALL]);
      const { session, key, copy } = saved as SavedBlob;
      const order = [
        storage.indexOf(/^create loose\/.*\.attempt\.json$/),
        storage.indexOf(/^get gc\//),
        storage.indexOf(/^list data\//),
        storage.indexOf(/^create loose\/.*\.metadata\.json$/),
        storage.indexOf(/^create loose\/.*\.DONE$/),
      ];
      expect(order.every((index) => index >= 0)).toBe(true);
      expect(order).toEqual([...order].sort((a, b) => a - b));
      expect(storage.indexOf(/^(get|list) (data|manifests)\//)).toBe(order[2]);
      expect(await pinsIn(memory, session)).toEqual([`key ${key}`]);
      expect(storage.indexOf(new RegExp(`^create ${copy}$`))).toBe(-1);
    },
  );

  test('a large content: its key is pinned, the log read, and only then its copy and packs are looked at, without a pin of theirs', async () => {
    const memory = new MemoryStorage();
    await freshStore(memory).saveBlobs([LARGE]);
    const pack = await onlyName(memory, 'packs/');
    const storage = new ObservedStorage(memory);
    const [saved] = await freshStore(storage).saveBlobs([LARGE]);
    const { session, key, copy } = saved as SavedBlob;
    expect(await pinsIn(memory, session)).toEqual([`key ${key}`]);
    const order = [
      storage.indexOf(/^create loose\/.*\.attempt\.json$/),
      storage.indexOf(/^get gc\//),
      storage.indexOf(new RegExp(`^get ${copy}$`)),
      storage.indexOf(new RegExp(`^list ${pack}$`)),
    ];
    expect(order).toEqual([...order].sort((x, y) => x - y));
    expect(storage.indexOf(/packs\//)).toBe(order[3]);
  });

  test('a plain object: its key is pinned, the log read, and only then it is looked at', async () => {
    const memory = new MemoryStorage();
    await freshStore(memory).saveData([{ name: 'x', data: LARGE }]);
    const plain = await onlyName(memory, 'plain/');
    const storage = new ObservedStorage(memory);
    const [saved] = await freshStore(storage).saveData([{ name: 'y', data: LARGE }]);
    expect(saved?.uri).toBe(memory.uri(plain));
    expect(await pinsIn(memory, saved?.session)).toEqual([`key ${saved?.key}`]);
    const logRead = storage.indexOf(/^get gc\//);
    expect(logRead).toBeGreaterThan(storage.indexOf(/^create pins\//));
    expect(storage.indexOf(new RegExp(` ${plain}`))).toBeGreaterThan(logRead);
  });

  test('a pack that is condemned when the key was pinned is no hit, though the copy that names it is not', async () => {
    const memory = new MemoryStorage();
    await freshStore(memory).saveBlobs([LARGE]);
    const pack = await onlyName(memory, 'packs/');
    const condemned = [{ place: '', kind: 'pack' as const, name: pack }];
    const version = { version: 1, state: 'final' as const, session: newSessionId(), condemned, lists: [] };
    await memory.create(collectionVersionName(1), encodeCollectionVersion(version));
    await freshStore(memory).saveBlobs([LARGE]);
    expect(await namesOf(memory, 'packs/')).toHaveLength(2);
    expect(await namesOf(memory, 'manifests/')).toHaveLength(2);
  });

  test('a pack of a hit is pinned, and looked at anew, before its chunks serve another content', async () => {
    const memory = new MemoryStorage();
    const store = freshStore(memory);
    await store.saveBlobs([LARGE]);
    const pack = await onlyName(memory, 'packs/');
    const [saved] = await store.saveBlobs([LARGE, Buffer.concat([LARGE, Buffer.from('more')])]);
    expect(await pinsIn(memory, (saved as SavedBlob).session)).toContain(`pack ${pack}`);
  });

  test('what this process knows is pinned with its packs before the log is read, and is not looked at in the network', async () => {
    const memory = new MemoryStorage();
    const storage = new ObservedStorage(memory, { localReads: false });
    const store = freshStore(storage);
    await store.saveBlobs([LARGE]);
    const pack = await onlyName(memory, 'packs/');
    storage.calls.length = 0;
    const [saved] = await store.saveBlobs([LARGE]);
    expect(await pinsIn(memory, saved?.session)).toEqual([`key ${saved?.key}`, `pack ${pack}`]);
    expect(storage.indexOf(/^get gc\//)).toBeGreaterThan(storage.indexOf(/\.attempt\.json$/));
    expect(storage.calls.filter((call) => /data\/|manifests\/|packs\//.test(call))).toEqual([]);
  });

  test('what another session of this process wrote meanwhile is relied on by the pin of its key', async () => {
    const storage = new ObservedStorage(new MemoryStorage(), { localReads: false });
    const store = freshStore(storage);
    const saved = await Promise.all([0, 1, 2].map(() => store.saveBlobs([LARGE])));
    const pack = await onlyName(storage, 'packs/');
    const packOwner = pack.split('/')[1];
    for (const [blob] of saved) {
      if (blob?.session === packOwner) continue;
      // Who comes to the chunks once they are remembered pins their pack as well.
      const [first, ...more] = await pinsIn(storage, blob?.session);
      expect([first, ...more.filter((pin) => pin !== `pack ${pack}`)]).toEqual([`key ${blob?.key}`]);
      expect(blob?.copy).toBe(saved.find(([first]) => first?.session === packOwner)?.[0]?.copy);
    }
  });

  test('a chunk of another session is reused only once its pack is pinned, the log read, and the pack looked at', async () => {
    const storage = new ObservedStorage(new MemoryStorage());
    const store = freshStore(storage);
    await store.saveBlobs([LARGE]);
    const pack = await onlyName(storage, 'packs/');
    storage.calls.length = 0;
    const [near] = await store.saveBlobs([Buffer.concat([LARGE, contentOf(100_000, 9)])]);
    expect(await pinsIn(storage, near?.session)).toContain(`pack ${pack}`);
    const pinned = storage.indexOf(/^create pins\/.*\/00000000/);
    expect(pinned).toBeGreaterThan(0);
    const logRead = storage.indexOf(/^get gc\//, pinned);
    expect(storage.indexOf(new RegExp(` ${pack}`))).toBeGreaterThan(logRead);
    expect(logRead).toBeGreaterThan(pinned);
  });

  test('a hit is made durable before DONE', async () => {
    const memory = new MemoryStorage();
    await freshStore(memory).saveBlobs([SMALL, LARGE]);
    const persisted: string[] = [];
    const storage = new ObservedStorage(memory);
    storage.persist = async (names) => {
      expect(storage.indexOf(/DONE/)).toBe(-1);
      persisted.push(...names);
    };
    await freshStore(storage).saveBlobs([SMALL, LARGE]);
    const relied = [...(await copiesIn(memory)), await onlyName(memory, 'packs/')];
    expect(persisted.sort()).toEqual(relied.sort());
  });

  test('nothing is pinned twice in a session', async () => {
    const storage = new ObservedStorage(new MemoryStorage());
    const store = freshStore(storage);
    await store.prepareToWrite();
    const writer = await openSession(store);
    for (let i = 0; i < 3; i++) await writer.put([{ bytes: SMALL }, { bytes: LARGE }]);
    const pins = await pinsIn(storage);
    expect(new Set(pins).size).toBe(pins.length);
  });
});

describe('what the newest version condemns', () => {
  const states: CollectionVersion['state'][] = ['proposed', 'final', 'idle'];
  const cases = states.flatMap((state) => [
    { state, inList: false },
    { state, inList: true },
  ]);

  test.each(cases)('a small copy is no hit: $state, in a list: $inList', async ({ state, inList }) => {
    const storage = new MemoryStorage();
    const knowing = freshStore(storage);
    const [first] = await knowing.saveBlobs([SMALL]);
    await writeVersion(storage, 1, state, [first?.copy as string], { inList });
    const [second] = await knowing.saveBlobs([SMALL]);
    expect(second?.copy).not.toBe(first?.copy);
    const [third] = await freshStore(storage).saveBlobs([SMALL]);
    expect(third?.copy).toBe(second?.copy);
    await storage.delete([first?.copy as string]);
    await expectLoads(storage, SMALL);
  });

  test.each(cases)(
    'a pack: the manifest is no hit, no chunk is reused: $state, in a list: $inList',
    async ({ state, inList }) => {
      for (const localReads of [true, false]) {
        const storage = new ObservedStorage(new MemoryStorage(), { localReads });
        const knowing = freshStore(storage);
        const [first] = await knowing.saveBlobs([LARGE]);
        const pack = await onlyName(storage, 'packs/');
        await writeVersion(storage, 1, state, [pack], { inList });
        const [second] = await knowing.saveBlobs([LARGE]);
        expect(second?.copy).not.toBe(first?.copy);
        const [third] = await freshStore(storage).saveBlobs([LARGE]);
        expect(third?.copy).toBe(second?.copy);
        await storage.delete([pack]);
        await expectLoads(storage, LARGE);
      }
    },
  );

  test.each(cases)('a plain object is no hit: $state, in a list: $inList', async ({ state, inList }) => {
    const storage = new MemoryStorage();
    const knowing = freshStore(storage);
    const [first] = await knowing.saveData([{ name: 'x', data: LARGE }]);
    const plain = await onlyName(storage, 'plain/');
    await writeVersion(storage, 1, state, [plain], { inList });
    const [second] = await knowing.saveData([{ name: 'x', data: LARGE }]);
    expect(second?.uri).not.toBe(first?.uri);
    await storage.delete([plain]);
    await expectLoads(storage, LARGE);
  });

  test('condemned at another place, the name means nothing here', async () => {
    const storage = new MemoryStorage();
    const [first] = await freshStore(storage).saveBlobs([SMALL]);
    const condemned = [{ place: 'e'.repeat(32), kind: 'copy', name: first?.copy as string } as const];
    const record = { version: 1, state: 'final', session: newSessionId(), condemned, lists: [] } as const;
    await storage.create(collectionVersionName(1), encodeCollectionVersion(record));
    const [second] = await freshStore(storage).saveBlobs([SMALL]);
    expect(second?.copy).toBe(first?.copy);
  });

  test('a version that appears while the key is pinned counts for the copy and its packs', async () => {
    const storage = new ObservedStorage(new MemoryStorage());
    const [first] = await freshStore(storage).saveBlobs([LARGE]);
    const pack = await onlyName(storage, 'packs/');
    storage.before = async (operation, name) => {
      if (operation !== 'create' || !name.endsWith(ATTEMPT)) return;
      storage.before = () => {};
      await writeVersion(storage, 1, 'proposed', [pack, first?.copy as string]);
    };
    const [second] = await freshStore(storage).saveBlobs([LARGE]);
    expect(second?.copy).not.toBe(first?.copy);
    await storage.delete([pack, first?.copy as string]);
    await expectLoads(storage, LARGE);
  });

  test('what is gone between the listing and the look is no hit', async () => {
    const storage = new ObservedStorage(new MemoryStorage());
    for (const content of [SMALL, LARGE]) {
      const [first] = await freshStore(storage).saveBlobs([content]);
      storage.before = async (operation, name) => {
        if (operation !== 'get' || name !== first?.copy) return;
        storage.before = () => {};
        await storage.delete([name]);
      };
      const [second] = await freshStore(storage).saveBlobs([content]);
      expect(second?.copy).not.toBe(first?.copy);
      await expectLoads(storage, content);
    }
  });
});

describe('what this process knows', () => {
  test('is dropped when the version changes, even if nothing is condemned', async () => {
    const memory = new MemoryStorage();
    const storage = new ObservedStorage(memory, { localReads: false });
    const store = freshStore(storage);
    for (const content of [SMALL, LARGE]) await store.saveBlobs([content]);
    await writeVersion(memory, 1, 'idle');
    for (const content of [SMALL, LARGE]) {
      storage.calls.length = 0;
      await store.saveBlobs([content]);
      expect(storage.indexOf(/^list (data|manifests)\//)).toBeGreaterThan(0);
      storage.calls.length = 0;
      await store.saveBlobs([content]);
      expect(storage.indexOf(/^list (data|manifests)\//)).toBe(-1); // learned anew, under the new version
    }
  });

  test('was collected meanwhile: it is written again', async () => {
    const memory = new MemoryStorage();
    const storage = new ObservedStorage(memory, { localReads: false });
    const store = freshStore(storage);
    const saved = [...(await store.saveBlobs([SMALL])), ...(await store.saveBlobs([LARGE]))];
    const dead = [...saved.map(({ copy }) => copy), await onlyName(memory, 'packs/')];
    await writeVersion(memory, 1, 'proposed', dead);
    await writeVersion(memory, 2, 'final', dead);
    await memory.delete(dead);
    await writeVersion(memory, 3, 'idle');
    await store.saveBlobs([SMALL]);
    await store.saveBlobs([LARGE]);
    await expectLoads(memory, SMALL);
    await expectLoads(memory, LARGE);
  });

  test('is not learned while a collection is under way', async () => {
    const memory = new MemoryStorage();
    const storage = new ObservedStorage(memory, { localReads: false });
    const store = freshStore(storage);
    await store.saveBlobs([]);
    await writeVersion(memory, 1, 'proposed');
    await store.saveBlobs([SMALL]);
    storage.calls.length = 0;
    await store.saveBlobs([SMALL]);
    expect(storage.indexOf(/^list data\//)).toBeGreaterThan(0);
  });

  test('is looked at all the same where reads are local: what somebody deleted is written again', async () => {
    const storage = new MemoryStorage();
    const store = freshStore(storage);
    for (const content of [SMALL, LARGE]) {
      const [first] = await store.saveBlobs([content]);
      await storage.delete([first?.copy as string]);
      await store.saveBlobs([content]);
      await expectLoads(storage, content);
    }
  });
});

describe('rely, for work that is closed again after a fence', () => {
  test('finds a copy again, pins it, and tells what is gone or condemned', async () => {
    const storage = new MemoryStorage();
    const [small, large] = await freshStore(storage).saveBlobs([SMALL, LARGE]);
    const writer = await openSession(freshStore(storage));
    expect((await writer.rely([small as SavedBlob]))[0]?.copy).toBe(small?.copy);
    expect((await writer.rely([large as SavedBlob]))[0]?.copy).toBe(large?.copy);
    const pack = await onlyName(storage, 'packs/');
    expect(await pinsIn(storage, writer.id)).toEqual([`key ${small?.key}`, `key ${large?.key}`]);
    await writeVersion(storage, 1, 'proposed', [small?.copy as string, pack]);
    const next = await openSession(freshStore(storage));
    expect((await next.rely([small as SavedBlob]))[0]).toBeUndefined();
    expect((await next.rely([large as SavedBlob]))[0]).toBeUndefined();
  });
});

test('a copy whose name lies about its content is no hit, and is marked', async () => {
  const storage = new MemoryStorage();
  const [other] = await freshStore(storage).saveBlobs([contentOf(999, 8)]);
  const body = await bodyOf(storage, other?.copy as string);
  const key = digestHex(SMALL);
  const liar = `data/${key.slice(0, 3)}/${key}.${newSessionId()}-00000000.${body.length}`;
  await storage.create(liar, body);
  const [saved] = await freshStore(storage).saveBlobs([SMALL]);
  expect(saved?.copy).not.toBe(liar);
  expect(await namesOf(storage, `${liar}.damaged`)).toHaveLength(1);
  expect(await codeOf(freshStore(storage).reader.load({ key }))).toBeUndefined();
});
