import { beforeEach, expect, it } from 'vitest';
import type { ListOptions } from '../../src/storage/contract.ts';
import { GcsStorage } from '../../src/storage/gcs.ts';
import { compareNames } from '../../src/storage/name-order.ts';
import { describeOnFakeGcs, type GcsPlace, putBehindItsBack } from '../servers/gcs-buckets.ts';

const nothing = new Uint8Array(0);

describeOnFakeGcs('listings', (server) => {
  let place: GcsPlace;
  let storage: GcsStorage;
  beforeEach(async () => {
    place = await server.newPlace();
    storage = await GcsStorage.open({ ...place, prefix: 'store' });
    return () => storage.close();
  });

  /** Objects and folders in the order they came. */
  async function entriesOf(options: Partial<ListOptions>): Promise<string[]> {
    const entries: string[] = [];
    for await (const { objects, folders } of storage.list({ prefix: '', depth: 'one', ...options })) {
      const page = [...objects.map(({ name }) => name), ...folders].sort(compareNames);
      expect(page.length).toBeLessThanOrEqual(1000);
      entries.push(...page);
    }
    return entries;
  }

  // Cloud Storage counts objects and folders of a page together. fake-gcs-server counts only the objects, and gives with
  // each page all folders behind its beginning: this must come out in order all the same.
  it('objects and folders of many pages come in one order, each once, and more than a page goes at once', {
    timeout: 300_000,
  }, async () => {
    const all: string[] = [];
    for (let i = 0; i < 2_010; i += 1) {
      const number = String(i).padStart(5, '0');
      all.push(i % 5 === 4 ? `${number}/` : number);
    }
    const waiting = [...all];
    const work = async () => {
      for (let entry = waiting.pop(); entry; entry = waiting.pop()) {
        await storage.create(entry.endsWith('/') ? `${entry}x` : entry, nothing);
      }
    };
    await Promise.all(Array.from({ length: 32 }, work));
    expect(await entriesOf({})).toEqual(all);
    for (const [startAfter, limit] of [
      ['00003', 2],
      ['00004', 1],
      ['00004/', 1_500],
      ['00004/y', 1_500],
      ['00999', 999],
      ['00999/', 9_999],
    ] as const) {
      const expected = all.filter((entry) => entry > startAfter).slice(0, limit);
      expect(await entriesOf({ startAfter, limit }), `${limit} after ${startAfter}`).toEqual(expected);
    }
    const names = all.map((entry) => (entry.endsWith('/') ? `${entry}x` : entry));
    expect(await entriesOf({ depth: 'all' })).toEqual(names);
    expect(await storage.delete(names.slice(0, 1_010))).toEqual([]);
    expect(await entriesOf({ depth: 'all' })).toEqual(names.slice(1_010));
  });

  it('what no store could have written is left out, and does not end the listing', async () => {
    const url = server.url();
    for (const name of [
      'store',
      'store/',
      'store/a/',
      'store/a//b',
      'store/tmp/x',
      'store/b\\c',
      'storehouse/d',
    ]) {
      await putBehindItsBack(url, place.bucket, { name }, nothing);
    }
    // They all come before what is looked for.
    for (let i = 0; i < 5; i += 1)
      await putBehindItsBack(url, place.bucket, { name: `store/${i}/` }, nothing);
    await storage.create('z', nothing);
    expect(await entriesOf({ depth: 'all', limit: 1 })).toEqual(['z']);
    expect(await entriesOf({ depth: 'all' })).toEqual(['z']);
  });

  it('only what was asked for is sent', async () => {
    await storage.create('a', nothing);
    server.sessions().seen.length = 0;
    await entriesOf({ startAfter: '0', limit: 5 });
    await entriesOf({ depth: 'all', details: true });
    const queries = server.sessions().seen.map(({ path }) => new URL(path, 'http://x').searchParams);
    expect(queries.map((query) => Object.fromEntries(query))).toEqual([
      {
        prefix: 'store/',
        startOffset: 'store/0',
        delimiter: '/',
        maxResults: '6',
        fields: 'kind,nextPageToken,prefixes,items(name)',
      },
      {
        prefix: 'store/',
        maxResults: '1000',
        fields: 'kind,nextPageToken,prefixes,items(name,size,updated)',
      },
    ]);
  });
});
