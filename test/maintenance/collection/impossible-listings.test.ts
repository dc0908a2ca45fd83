import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ContentAddressedStore } from '../../../src/content-addressed-store.ts';
import { isStowageError, type StowageErrorCode } from '../../../src/errors.ts';
import { collectGarbage } from '../../../src/maintenance/collection/collect-garbage.ts';
import type { CollectionResult } from '../../../src/maintenance/collection/collection-result.ts';
import type { DataStoreStorage, ListOptions, ListPage } from '../../../src/storage/contract.ts';
import { StorageDecorator } from '../../../src/storage/decorator.ts';
import { FaultStorage } from '../../../src/storage/fault.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { errorOf, noise, objectNames, openFlow, saveTask } from '../../flow/fixtures.ts';
import { propertyRuns, test } from '../../property.ts';
import { arbitraryDeeds, carryOut, contentNames, type Deed, keptNames, markClosed } from './histories.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** What tells that an answer of the storage, or what it stores, is not as it should be. */
const REFUSALS: StowageErrorCode[] = [
  'CONTENT_DAMAGED',
  'CONTENT_NOT_FOUND',
  'RECORD_DAMAGED',
  'STORAGE_FAILED',
  'STORAGE_UNAVAILABLE',
];

/** Collects as another process does, two days later, and resolves to the error's code where it refuses. */
async function tryToCollect(storage: DataStoreStorage): Promise<CollectionResult | string> {
  const content = new ContentAddressedStore(storage);
  try {
    return await collectGarbage(content, { nowMs: Date.now() + 2 * DAY_MS });
  } catch (error) {
    if (!isStowageError(error, ...REFUSALS)) throw error;
    return error.code;
  } finally {
    await content.close();
  }
}

/** A store with something to collect, in which no attempt is open, and the content that it keeps. */
async function storeWith(deeds: readonly Deed[]): Promise<{ storage: MemoryStorage; kept: string[] }> {
  const storage = new MemoryStorage('', { localReads: false });
  const flow = await openFlow({ storage });
  const failing = await flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId: 'traced' });
  await failing.trace('load', () => noise(70_000, 4))();
  await failing.fail(new Error('next'));
  const traced = await contentNames(storage);
  await saveTask(flow, { large: noise(300_000, 9), small: noise(70_000, 8), own: noise(20_000, 5) });
  await saveTask(flow, { large: noise(300_000, 7), small: noise(70_000, 6) }, { taskId: 'dead' });
  for (const task of await carryOut(flow, deeds)) await task.done();
  await markClosed(storage, 'dead', 'DELETED');
  return { storage, kept: [...new Set([...traced, ...(await keptNames(storage))])].sort() };
}

/** Gives only part of one of its listings, as what answers in place of a storage may, and does not say so. */
class ShortListingStorage extends StorageDecorator {
  lists = 0;
  readonly #isShort: (index: number, options: ListOptions) => boolean;
  readonly #share: number;

  constructor(
    inner: DataStoreStorage,
    isShort: (index: number, options: ListOptions) => boolean,
    share: number,
  ) {
    super(inner);
    this.#isShort = isShort;
    this.#share = share;
  }

  override async *list(options: ListOptions): AsyncGenerator<ListPage> {
    const isShort = this.#isShort(this.lists, options);
    this.lists += 1;
    for await (const page of this.inner.list(options)) {
      if (!isShort) yield page;
      else yield { ...page, objects: page.objects.slice(0, Math.floor(page.objects.length * this.#share)) };
      if (isShort) return;
    }
  }
}

describe('a listing that is cut short', () => {
  test.prop([arbitraryDeeds, fc.nat(60), fc.constantFrom(0, 0.3, 0.5, 0.9)], {
    numRuns: Math.ceil(propertyRuns / 4),
  })(
    'once, whichever it is, has nothing deleted that the store keeps',
    async (deeds, which, share) => {
      const { storage, kept } = await storeWith(deeds);
      await tryToCollect(new ShortListingStorage(storage, (index) => index === which, share));
      const left = new Set(await contentNames(storage));
      expect(kept.filter((name) => !left.has(name))).toEqual([]);
      // The next one, which is told everything, ends it.
      expect(await tryToCollect(storage)).toMatchObject({ unconfirmed: [] });
      expect(await contentNames(storage)).toEqual(kept);
    },
    120_000,
  );

  it.each(['', 'flows/'])('always, of everything in "%s", stops a collection', async (prefix) => {
    const { storage } = await storeWith([]);
    const before = await objectNames(storage);
    const lying = new ShortListingStorage(storage, (_, options) => options.prefix === prefix, 0);
    const { message } = await errorOf(collectGarbage(new ContentAddressedStore(lying)), 'STORAGE_FAILED');
    expect(message).toMatch(/which (?:is there|cannot be)\. Nothing is deleted/);
    expect(await objectNames(storage)).toEqual(before);
  });

  it('the second time, has nothing condemned', async () => {
    const { storage } = await storeWith([]);
    let seen = 0;
    const second = (_: number, { prefix }: ListOptions): boolean => prefix === 'flows/' && ++seen === 2;
    const lying = new ShortListingStorage(storage, second, 0.5);
    const before = await contentNames(storage);
    await errorOf(collectGarbage(new ContentAddressedStore(lying)), 'STORAGE_FAILED');
    expect(await contentNames(storage)).toEqual(before);
  });
});

describe('a listing that fails', () => {
  test.prop([arbitraryDeeds, fc.nat(80)], { numRuns: Math.ceil(propertyRuns / 5) })(
    'stops a collection, wherever it is, and nothing is deleted that the store keeps',
    async (deeds, which) => {
      const { storage, kept } = await storeWith(deeds);
      let lists = 0;
      let isHit = false;
      const failing = new FaultStorage(storage, (operation) => {
        if (operation !== 'list' || lists++ !== which) return undefined;
        isHit = true;
        return { kind: 'before' };
      });
      const came = await tryToCollect(failing);
      expect(came === 'STORAGE_UNAVAILABLE').toBe(isHit);
      const left = new Set(await contentNames(storage));
      expect(kept.filter((name) => !left.has(name))).toEqual([]);
      expect(await tryToCollect(storage)).toMatchObject({ unconfirmed: [] });
      expect(await contentNames(storage)).toEqual(kept);
    },
    120_000,
  );
});

describe('what a collection tells', () => {
  it('are the bytes that it frees, before and after', async () => {
    const { storage } = await storeWith([]);
    const bytesOf = async (): Promise<number> => {
      let sum = 0;
      for (const prefix of ['data/', 'manifests/', 'packs/', 'plain/', 'values/'])
        for await (const { objects } of storage.list({ prefix, details: true }))
          for (const { bytes = 0 } of objects) sum += bytes;
      return sum;
    };
    const before = await bytesOf();
    const content = new ContentAddressedStore(storage);
    const dry = await collectGarbage(content, { dryRun: true });
    const done = await collectGarbage(content);
    expect(before - (await bytesOf())).toBeGreaterThan(300_000);
    expect(done.deletedBytes).toBe(before - (await bytesOf()));
    expect([dry.condemnedBytes, done.condemnedBytes]).toEqual([done.deletedBytes, done.deletedBytes]);
  });

  it('are the objects that could not be deleted, and the bytes of the others', async () => {
    const { storage } = await storeWith([]);
    const locked = (name: string): boolean => name.startsWith('packs/') || name.startsWith('pins/');
    const error = new Error('locked');
    const failing = new FaultStorage(storage, (operation, name) =>
      operation === 'delete' && locked(name) ? { kind: 'before', error } : undefined,
    );
    const all = (await collectGarbage(new ContentAddressedStore(storage), { dryRun: true })).condemnedBytes;
    const done = await collectGarbage(new ContentAddressedStore(failing));
    expect(done.unconfirmed).toMatchObject([{ entry: { kind: 'pack' }, error }]);
    expect(done.undeleted.length).toBeGreaterThan(0);
    for (const one of done.undeleted)
      expect(one).toMatchObject({ uri: expect.stringContaining('pins/'), error });
    expect(done.deletedBytes).toBeLessThan(all - 250_000);
    expect(done.deletedBytes).toBeGreaterThan(0);
  });
});
