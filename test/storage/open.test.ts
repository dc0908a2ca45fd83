import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { DiskCache } from '../../src/content/caches/disk-cache.ts';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import type { LocalStorage } from '../../src/storage/local.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { openStorage, registerStorage } from '../../src/storage/open.ts';
import { scratchFolder } from './scratch.ts';

const folder = scratchFolder();
const bytes = new TextEncoder().encode('x');

describe('openStorage', () => {
  it('opens a path and its file URL as the same store, and creates nothing', async () => {
    const path = join(folder, 'a b%20c');
    const byPath = await openStorage(path);
    const byUrl = await openStorage(pathToFileURL(path));
    const byText = await openStorage(pathToFileURL(path).href, { local: { fsync: false } });
    for (const storage of [byPath, byUrl, byText]) {
      expect(storage.type).toBe('local');
      expect((storage as LocalStorage).root).toBe(path);
    }
    expect(existsSync(path)).toBe(false);
    await byPath.create('x', bytes);
    expect((await byUrl.get('x'))?.body).toEqual(bytes);
    expect((await byText.get('x'))?.body).toEqual(bytes);
  });

  it.each([
    ['as a folder does where nothing is said', undefined, 30],
    ['as a folder does of what is left out', { budgetMs: 60_000, maxAttempts: undefined }, 30],
    ['as often as is said', { maxAttempts: 2 }, 2],
  ])('tries a busy folder again %s', async (_how, given, attempts) => {
    const system = {
      linkSync: () => {
        throw Object.assign(new Error('busy'), { code: 'EBUSY' });
      },
    };
    const retry = given && { ...given, sleep: async () => {} };
    const path = join(folder, `busy ${attempts} ${given === undefined}`);
    const busy = await openStorage(path, {
      local: { system },
      retry: retry ?? { sleep: async () => {} },
    } as never);
    await expect(busy.create('x', bytes)).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      details: { attempts },
    });
  });

  it.each([5, 'often', true])('refuses retries that are no options: %j', async (retry) => {
    const opening = openStorage(join(folder, 'retries'), { retry } as never);
    await expect(opening).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('takes a drive of Windows for a path', async () => {
    for (const path of ['C:\\stores', 'd:/stores', 'C:']) {
      expect((await openStorage(path)).type).toBe('local');
    }
  });

  it('opens relative paths from the current folder', async () => {
    expect(((await openStorage('.stowage')) as LocalStorage).root).toBe(join(process.cwd(), '.stowage'));
  });

  it('opens memory, fresh or by name', async () => {
    expect(await openStorage('memory:')).toBeInstanceOf(MemoryStorage);
    await (await openStorage('memory:')).create('a', bytes);
    expect(await (await openStorage('memory:')).get('a')).toBeUndefined();
    await (await openStorage('memory:open.test')).create('a', bytes);
    expect(await (await openStorage('MEMORY:open.test')).get('a')).toBeDefined();
  });

  it.each(['foo://bucket', 'foo:bar', 'xx:'])('does not know %s, and says what it knows', async (uri) => {
    await expect(openStorage(uri)).rejects.toMatchObject({
      code: 'UNKNOWN_STORAGE_SCHEME',
      message: expect.stringMatching(/file:.*memory:/),
    });
  });

  it.each([
    '',
    'file:relative',
    'file:./relative',
    'file://host/share',
    'file:///a%00b',
    undefined as unknown as string,
  ])('refuses %j', async (uri) => {
    await expect(openStorage(uri)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('a path that begins with ~', () => {
  it.each(['~', '~/x', '~\\x'])('%j is no folder called "~", which nobody means', async (path) => {
    const message = expect.stringMatching(/only a shell makes the home folder of it.*os\.homedir\(\)/);
    await expect(openStorage(path)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message });
    await expect(DiskCache.open(path)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message });
    await using flow = await FlowDataStore.open({ flowName: 'Test', storage: new MemoryStorage() });
    const file = await flow.files.fromData('a.txt', 'a');
    await expect(file.download(path)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message });
    const directory = await flow.directories.fromLocal(import.meta.dirname, { include: ['open.test.ts'] });
    await expect(directory.download(path)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message });
  });

  it.each(['s3://bucket/cache', 'file:///tmp/cache'])('%s is no folder of a DiskCache', async (address) => {
    await expect(DiskCache.open(address)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it.each(['./~/x', '~x', 'x/~'])('%j is a path like any other', async (path) => {
    expect(((await openStorage(path)) as LocalStorage).root).toBe(resolve(path));
  });
});

describe('registerStorage', () => {
  it('adds a scheme, whose factory gets the URI as it was written, and the options', async () => {
    const seen: unknown[] = [];
    registerStorage('my-fs', (uri, options) => {
      seen.push(uri, options);
      return new MemoryStorage();
    });
    await openStorage('my-fs://A/b%20c?d', { 'my-fs': 1 });
    expect(seen).toEqual(['my-fs://A/b%20c?d', { 'my-fs': 1 }]);
  });

  it.each(['', 'c', 'a:', '1a', 'a/b'])('refuses %j', (scheme) => {
    expect(() => registerStorage(scheme, () => new MemoryStorage())).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  });
});
