import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CollectionLog } from '../../src/content/writing/collection-log.ts';
import { digestHex } from '../../src/digest/blake3.ts';
import {
  collectionVersionName,
  encodeCollectionList,
  encodeCollectionVersion,
} from '../../src/format/collection-records.ts';
import { packName } from '../../src/format/content-names.ts';
import type { ContentRef } from '../../src/format/content-ref.ts';
import { encodeRecord } from '../../src/format/record.ts';
import { newSessionId } from '../../src/format/session-id.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { FaultStorage } from '../../src/storage/fault.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { test as property } from '../property.ts';
import { contentOf } from './contents.ts';
import { codeOf, damagesOf, freshStore, ObservedStorage } from './storages.ts';

const HOUR_MS = 3_600_000;
const session = newSessionId();
/** The id of a place. */
const FAR = digestHex(Buffer.from('far')).slice(0, 32);
/** The names of packs by numbers, which stand for any content. */
const pack = (number: number): string => packName(session, number);
const refs = (...numbers: number[]): ContentRef[] =>
  numbers.map((number) => ({ place: '', kind: 'pack', name: pack(number) }));

async function put(
  storage: DataStoreStorage,
  version: number,
  condemned: ContentRef[] = [],
  lists: { name: string; digest: string }[] = [],
): Promise<void> {
  const record = encodeCollectionVersion({ version, state: 'idle', session, condemned, lists });
  await storage.create(collectionVersionName(version), record);
}

async function putList(
  storage: DataStoreStorage,
  k: number,
  entries: ContentRef[],
): Promise<{ name: string; digest: string }> {
  const name = `gc/lists/${session}/${String(k).padStart(8, '0')}`;
  const body = encodeCollectionList(entries);
  await storage.create(name, body);
  return { name, digest: digestHex(body) };
}

describe('the newest version', () => {
  test('that is older than what was read before is of another time: the store was put back', async () => {
    const storage = new MemoryStorage();
    let nowMs = 0;
    const log = new CollectionLog(storage, () => nowMs);
    await put(storage, 1);
    await put(storage, 2);
    expect((await log.newest()).version).toBe(2);
    await storage.delete([collectionVersionName(2)]);
    nowMs += HOUR_MS - 1;
    expect((await log.newest()).version).toBe(2); // it is looked for by its successor
    nowMs += 1;
    expect(await codeOf(log.newest())).toBe('STORE_GONE');
    await storage.delete([collectionVersionName(1)]);
    expect(await codeOf(log.newest())).toBe('STORE_GONE');
  });

  test('is listed where the storage does not say itself that the next one is absent', async () => {
    const denied = new FaultStorage(new MemoryStorage(), (operation, name) =>
      operation === 'get' && name === collectionVersionName(2) ? { kind: 'before' } : undefined,
    );
    const storage = new ObservedStorage(denied);
    const log = new CollectionLog(storage);
    await put(storage, 1, refs(1));
    expect((await log.newest()).version).toBe(1);
    storage.calls.length = 0;
    expect((await log.newest()).version).toBe(1);
    expect(storage.calls).toEqual([`get ${collectionVersionName(2)}`, 'list gc/']);
  });

  const LOG_STEPS = fc.array(fc.constantFrom('proposed', 'read', 'hour', 'other reads'), { maxLength: 30 });
  property.prop([LOG_STEPS])('is found by each process, however many came since it looked', async (steps) => {
    const storage = new MemoryStorage();
    let nowMs = 0;
    const logs = [0, 1].map(() => new CollectionLog(storage, () => nowMs));
    let version = 0;
    for (const step of [...steps, 'read', 'other reads']) {
      if (step === 'hour') nowMs += HOUR_MS;
      else if (step === 'proposed') await put(storage, ++version, refs(version));
      else {
        const state = await (logs[step === 'read' ? 0 : 1] as CollectionLog).newest();
        expect(state.version).toBe(version);
        expect(state.isCondemned(pack(version), '')).toBe(version > 0);
      }
    }
  });

  test('of a store that was never collected is 0, idle, also where a collector has begun to write lists', async () => {
    const storage = new MemoryStorage();
    expect(await new CollectionLog(storage).newest()).toMatchObject({ version: 0, idle: true });
    await putList(storage, 0, refs(1));
    expect(await new CollectionLog(storage).newest()).toMatchObject({ version: 0, idle: true });
  });

  test('is found by one LIST of one name, whatever the digits of its number, and then by one GET', async () => {
    const storage = new ObservedStorage(new MemoryStorage());
    const log = new CollectionLog(storage);
    for (let version = 1; version <= 101; version += 1) {
      await put(storage, version);
      storage.calls.length = 0;
      expect((await log.newest()).version).toBe(version);
      const name = collectionVersionName(version);
      expect(storage.calls.slice(1)).toEqual(['list gc/', `get ${name}`]);
      storage.calls.length = 0;
      await log.newest();
      expect(storage.calls).toEqual([`get ${collectionVersionName(version + 1)}`]); // versions never change
    }
  });

  test('condemns what its entries and its lists name, at their place', async () => {
    const storage = new MemoryStorage();
    const lists = [await putList(storage, 0, refs(2, 3)), await putList(storage, 1, refs(4))];
    await put(storage, 1, [...refs(1), { place: FAR, kind: 'pack', name: pack(5) }], lists);
    const state = await new CollectionLog(storage).newest();
    const here = [1, 2, 3, 4, 5, 6].map((number) => state.isCondemned(pack(number), ''));
    expect(here).toEqual([true, true, true, true, false, false]);
    expect(state.isCondemned(pack(5), FAR)).toBe(true);
  });

  test('holds lists of 200,000 names', async () => {
    const storage = new MemoryStorage();
    const numbers = Array.from({ length: 200_000 }, (_, i) => i);
    await put(storage, 1, [], [await putList(storage, 0, refs(...numbers.slice(0, 10)))]);
    await put(
      storage,
      2,
      [],
      [
        await putList(
          storage,
          1,
          numbers.flatMap((number) => refs(number)),
        ),
      ],
    );
    const state = await new CollectionLog(storage).newest();
    expect(state.isCondemned(pack(199_999), '')).toBe(true);
  });

  test('is read again where a list is gone, because a newer one has come', async () => {
    const storage = new ObservedStorage(new MemoryStorage());
    const list = await putList(storage, 0, refs(1));
    await put(storage, 1, [], [list]);
    storage.before = async (operation, name) => {
      if (operation !== 'get' || name !== list.name) return;
      storage.before = () => {};
      await put(storage, 2, refs(26));
      await storage.delete([list.name]);
    };
    const state = await new CollectionLog(storage).newest();
    expect(state.version).toBe(2);
    expect([state.isCondemned(pack(1), ''), state.isCondemned(pack(26), '')]).toEqual([false, true]);
  });

  test('is damaged where a list is gone and nothing newer has come: nothing is saved then', async () => {
    const storage = new MemoryStorage();
    const list = await putList(storage, 0, refs(1));
    await put(storage, 1, [], [list]);
    await storage.delete([list.name]);
    expect(await codeOf(new CollectionLog(storage).newest())).toBe('RECORD_DAMAGED');
    expect(await codeOf(freshStore(storage).saveBlobs([contentOf(10)]))).toBe('RECORD_DAMAGED');
  });
});

describe('damage stops saving rather than letting condemned content be relied on', () => {
  test('any bit of a version or of a list, any truncation', async () => {
    const whole = new MemoryStorage();
    const list = await putList(whole, 0, refs(2));
    await put(whole, 1, refs(1), [list]);
    for (const name of [list.name, collectionVersionName(1)]) {
      const body = (await whole.get(name))?.body as Uint8Array;
      for (const { title, apply } of damagesOf(body.length, 100)) {
        await whole.overwrite(name, apply(body));
        expect(await codeOf(new CollectionLog(whole).newest()), `${name}, ${title}`).toBe('RECORD_DAMAGED');
      }
      await whole.overwrite(name, body);
    }
    expect((await new CollectionLog(whole).newest()).version).toBe(1);
  });

  test('a list in the place of another, though each is whole', async () => {
    const storage = new MemoryStorage();
    const list = await putList(storage, 0, refs(1));
    await put(storage, 1, [], [list]);
    await storage.overwrite(list.name, encodeCollectionList(refs(2)));
    expect(await codeOf(new CollectionLog(storage).newest())).toBe('RECORD_DAMAGED');
  });

  test('a version under another one’s name', async () => {
    const storage = new MemoryStorage();
    const record = { version: 1, state: 'idle', session, condemned: [], lists: [] } as const;
    await put(storage, 1);
    await storage.create(collectionVersionName(2), encodeCollectionVersion(record));
    expect(await codeOf(new CollectionLog(storage).newest())).toBe('RECORD_DAMAGED');
  });

  test.each(['gc/!notes', 'gc/.DS_Store', 'gc/0', 'gc/00000000000x', 'gc/ 0'])(
    'a foreign object %j that hides the newest version',
    async (name) => {
      const storage = new MemoryStorage();
      await put(storage, 1, refs(1));
      await storage.create(name, new Uint8Array(0));
      expect(await codeOf(new CollectionLog(storage).newest())).toBe('RECORD_DAMAGED');
    },
  );

  test.each<[string, object]>([
    ['no list of lists', { lists: 5 }],
    ['a list that is null', { lists: [null] }],
    ['a list without a name', { lists: [{ digest: 'x' }] }],
    ['a list with a hostile name', { lists: [{ name: '../../etc/passwd', digest: 'x' }] }],
    ['a list elsewhere', { lists: [{ name: 'stowage.json', digest: 'x' }] }],
    ['no entries', { condemned: null }],
    ['an entry that is null', { condemned: [null] }],
    ['an entry of an unknown kind', { condemned: [{ place: '', kind: 'run', name: 'x' }] }],
    [
      'an entry whose name is that of no content',
      { condemned: [{ place: '', kind: 'pack', name: 'stowage.json' }] },
    ],
    ['an entry at what is no place', { condemned: [{ place: '../x', kind: 'pack', name: pack(1) }] }],
    ['an entry whose name is a number', { condemned: [{ place: '', kind: 'key', name: 5 }] }],
    ['no state', { state: undefined }],
    ['a version that is text', { version: '1' }],
  ])('a record with a good digest and %s', async (_, change) => {
    const storage = new MemoryStorage();
    const fields = {
      format: 1,
      kind: 'gc-version',
      version: 1,
      state: 'final',
      session,
      condemned: [],
      lists: [],
    };
    await storage.create(collectionVersionName(1), encodeRecord({ ...fields, ...change }));
    expect(await codeOf(new CollectionLog(storage).newest())).toBe('RECORD_DAMAGED');
  });

  test('a newer format asks for an upgrade', async () => {
    const storage = new MemoryStorage();
    await storage.create(collectionVersionName(1), encodeRecord({ format: 2, version: 1 }));
    expect(await codeOf(new CollectionLog(storage).newest())).toBe('UNSUPPORTED_FORMAT');
  });
});
