import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ContentAddressedStore } from '../../../src/content-addressed-store.ts';
import { isStowageError, type StowageErrorCode } from '../../../src/errors.ts';
import { collectionVersionName, encodeCollectionVersion } from '../../../src/format/collection-records.ts';
import type { ContentRef } from '../../../src/format/content-ref.ts';
import { newSessionId } from '../../../src/format/session-id.ts';
import { collectGarbage } from '../../../src/maintenance/collection/collect-garbage.ts';
import type { CollectionResult } from '../../../src/maintenance/collection/collection-result.ts';
import type { DataStoreStorage, ListOptions, ListPage } from '../../../src/storage/contract.ts';
import { StorageDecorator } from '../../../src/storage/decorator.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { errorOf, noise, objectNames, openFlow, saveTask } from '../../flow/fixtures.ts';
import { propertyRuns, test } from '../../property.ts';
import {
  arbitraryDeeds,
  carryOut,
  contentNames,
  type Deed,
  isContent,
  keptNames,
  markClosed,
} from './histories.ts';

/** What tells that something in the store is not as it should be. */
const REFUSALS: StowageErrorCode[] = [
  'CONTENT_DAMAGED',
  'CONTENT_NOT_FOUND',
  'NOT_A_STORE',
  'RECORD_DAMAGED',
  'STORAGE_FAILED',
  'UNSUPPORTED_FORMAT',
];

/** Collects as another process does, and resolves to the error's code where it refuses. */
async function tryToCollect(storage: DataStoreStorage): Promise<CollectionResult | string> {
  const content = new ContentAddressedStore(storage);
  try {
    return await collectGarbage(content);
  } catch (error) {
    if (!isStowageError(error, ...REFUSALS)) throw error;
    return error.code;
  } finally {
    await content.close();
  }
}

/** A store with something to collect, and everything that it keeps. */
async function storeWith(deeds: readonly Deed[]): Promise<{ storage: MemoryStorage; kept: string[] }> {
  const storage = new MemoryStorage('', { localReads: false });
  const flow = await openFlow({ storage });
  await saveTask(flow, { large: noise(300_000, 9), small: noise(70_000, 8) }, { taskId: 'kept' });
  await saveTask(flow, { large: noise(300_000, 7), small: noise(70_000, 6) }, { taskId: 'dead' });
  await carryOut(flow, deeds);
  await markClosed(storage, 'dead', 'DELETED');
  return { storage, kept: await keptNames(storage) };
}

const arbitraryDamage = fc.record({
  which: fc.nat(),
  at: fc.nat(),
  kind: fc.constantFrom('flipped', 'cut', 'empty', 'longer', 'another of its kind'),
});

describe('a store in which one object is damaged', () => {
  test.prop([arbitraryDeeds, arbitraryDamage, fc.boolean()], { numRuns: Math.ceil(propertyRuns / 2) })(
    'is not collected, or loses nothing that it keeps',
    async (deeds, { which, at, kind }, wasCollected) => {
      const { storage, kept } = await storeWith(deeds);
      if (wasCollected) await tryToCollect(storage);
      const names = await objectNames(storage);
      const name = names[which % names.length] as string;
      const body = (await storage.get(name))?.body as Uint8Array;
      const alike = names.filter(
        (other) => other !== name && folderAndSuffix(other) === folderAndSuffix(name),
      );
      const other = alike[at % alike.length];
      const otherBody = other === undefined ? undefined : (await storage.get(other))?.body;
      await storage.overwrite(name, damaged(body, at, kind, otherBody));
      await tryToCollect(storage);
      await tryToCollect(storage);
      const left = new Set(await contentNames(storage));
      expect(kept.filter((each) => !left.has(each))).toEqual([]);
    },
    120_000,
  );
});

function folderAndSuffix(name: string): string {
  return `${name.slice(0, name.indexOf('/'))} ${name.slice(name.lastIndexOf('.'))}`;
}

function damaged(body: Uint8Array, at: number, kind: string, other: Uint8Array | undefined): Uint8Array {
  if (kind === 'empty' || body.length === 0) return new Uint8Array(0);
  if (kind === 'cut') return body.slice(0, at % body.length);
  if (kind === 'longer') return Buffer.concat([body, Buffer.from(' ')]);
  if (kind === 'another of its kind' && other) return other;
  const changed = body.slice();
  changed[at % body.length] = (changed[at % body.length] as number) ^ (1 << (at % 8));
  return changed;
}

const word = fc.stringMatching(/^[0-9a-z.-]{1,12}$/).filter((text) => text !== '.' && text !== '..');

describe('objects of others in the folders of a store', () => {
  test.prop(
    [
      arbitraryDeeds,
      fc.array(
        fc.tuple(
          fc.constantFrom(
            'data',
            'manifests',
            'packs',
            'plain',
            'values',
            'pins',
            'beats',
            'flows',
            'loose',
            'gc/lists',
          ),
          fc.array(word, { minLength: 1, maxLength: 4 }),
          fc.constantFrom('', '.damaged', '.json'),
        ),
        { minLength: 1, maxLength: 8 },
      ),
    ],
    { numRuns: Math.ceil(propertyRuns / 2) },
  )(
    'stay, and keep nothing from being collected',
    async (deeds, names) => {
      const { storage, kept } = await storeWith(deeds);
      const foreign = [...new Set(names.map(([folder, words, end]) => `${folder}/${words.join('/')}${end}`))];
      for (const name of foreign) await storage.create(name, Buffer.from('of somebody else'));
      expect(await tryToCollect(storage)).toMatchObject({ outcome: 'collected' });
      const left = await objectNames(storage);
      expect(foreign.filter((name) => !left.includes(name))).toEqual([]);
      expect(left.filter((name) => isContent(name) && !foreign.includes(name))).toEqual(kept);
    },
    120_000,
  );
});

describe('a log that lies', () => {
  const lies = fc.record({
    state: fc.constantFrom('idle', 'proposed', 'final'),
    entries: fc.array(
      fc.record({
        place: fc.constantFrom('', '\t', 'a'.repeat(32), '../..'),
        kind: fc.constantFrom('copy', 'pack', 'plain', 'key'),
        which: fc.nat(),
      }),
      { minLength: 1, maxLength: 5 },
    ),
  });

  test.prop([lies], { numRuns: propertyRuns })(
    'has no record deleted, whatever it names',
    async ({ state, entries }) => {
      const { storage } = await storeWith([]);
      const records = (await objectNames(storage)).filter(
        (name) => !isContent(name) && !/^(pins|beats)\//.test(name),
      );
      const condemned = entries.map(({ place, kind, which }): ContentRef => {
        return { place, kind: kind as ContentRef['kind'], name: records[which % records.length] as string };
      });
      const version = { version: 1, state: state as 'idle', session: newSessionId(), condemned, lists: [] };
      await storage.create(collectionVersionName(1), encodeCollectionVersion(version));
      expect(await tryToCollect(storage)).toBe('RECORD_DAMAGED');
      const left = await objectNames(storage);
      expect(records.filter((name) => !left.includes(name))).toEqual([]);
    },
  );

  it.each([
    ['a list that is not there', { lists: [{ name: `gc/lists/${newSessionId()}/00000000`, digest: 'x' }] }],
    ['a list that is none', { lists: [{ name: 'stowage.json', digest: 'x' }] }],
    ['another version', { version: 7 }],
    ['a state that nobody knows', { state: 'done' as 'idle' }],
  ])('stops a collection, which changes nothing: %s', async (_what, lie) => {
    const { storage } = await storeWith([]);
    const record = { version: 1, state: 'idle' as const, session: newSessionId(), condemned: [], lists: [] };
    await storage.create(collectionVersionName(1), encodeCollectionVersion({ ...record, ...lie }));
    const before = await objectNames(storage);
    expect(await tryToCollect(storage)).toBe('RECORD_DAMAGED');
    expect(await objectNames(storage)).toEqual(before);
  });

  it('or a gap in it, stops a collection', async () => {
    const { storage } = await storeWith([]);
    const record = {
      version: 3,
      state: 'proposed',
      session: newSessionId(),
      condemned: [],
      lists: [],
    } as const;
    await storage.create(collectionVersionName(3), encodeCollectionVersion(record));
    expect(await tryToCollect(storage)).toBe('RECORD_DAMAGED');
  });

  it('and has come to its end, stops a collection', async () => {
    const { storage } = await storeWith([]);
    const last = 999_999_999_999;
    const record = {
      version: last,
      state: 'idle',
      session: newSessionId(),
      condemned: [],
      lists: [],
    } as const;
    await storage.create(collectionVersionName(last), encodeCollectionVersion(record));
    const before = await objectNames(storage);
    const { message } = await errorOf(collectGarbage(new ContentAddressedStore(storage)), 'RECORD_DAMAGED');
    expect(message).toContain('gc/');
    expect(await objectNames(storage)).toEqual(before);
  });
});

/** Lists the names of each page the other way round, as a broken server may. */
class BackwardStorage extends StorageDecorator {
  override async *list(options: ListOptions): AsyncGenerator<ListPage> {
    for await (const page of this.inner.list(options))
      yield { ...page, objects: [...page.objects].reverse() };
  }
}

describe('a listing that is out of order', () => {
  test.prop([arbitraryDeeds], { numRuns: Math.ceil(propertyRuns / 5) })(
    'has nothing deleted that the store keeps',
    async (deeds) => {
      const { storage, kept } = await storeWith(deeds);
      await errorOf(collectGarbage(new ContentAddressedStore(new BackwardStorage(storage))));
      const left = new Set(await contentNames(storage));
      expect(kept.filter((name) => !left.has(name))).toEqual([]);
    },
    120_000,
  );
});
