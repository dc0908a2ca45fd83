import { expect, test } from 'vitest';
import { PackFinder } from '../../src/content/writing/pack-finder.ts';
import { SessionPins } from '../../src/content/writing/session-pins.ts';
import { HERE } from '../../src/format/content-ref.ts';
import type { StoredContent } from '../../src/format/stored-content.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { contentOf } from './contents.ts';
import { codeOf, freshStore, manifestIn, ObservedStorage, openSession } from './storages.ts';

test('a save that is aborted while it looks at packs ends no other one that waits for the same look', async () => {
  const storage = new ObservedStorage(new MemoryStorage(), { localReads: false });
  const store = freshStore(storage);
  const [saved] = await (await openSession(store)).put([{ bytes: contentOf(2_000_000, 7) }]);
  const { packs } = await manifestIn(storage, saved as StoredContent);

  const abort = new AbortController();
  let looks = 0;
  storage.before = (operation, name) => {
    if (operation !== 'list' || !name.startsWith('packs/')) return;
    looks += 1;
    if (looks === 1) abort.abort();
  };
  const finder = new PackFinder(await store.at(HERE, {}), new SessionPins(storage));
  // The second call joins the first at once, before anything can come to the storage.
  const aborted = codeOf(finder.mayUsePacks(packs, { signal: abort.signal }));
  const kept = finder.mayUsePacks(packs, {});
  expect(await aborted).toBe('ABORTED');
  expect(await kept).toBe(true);
  expect(looks).toBe(2);
});
