import {
  fstatSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../../src/flow-data-store.ts';
import type { LocalSystem } from '../../../src/storage/local/system.ts';
import { LocalStorage } from '../../../src/storage/local.ts';
import { noise } from '../../flow/fixtures.ts';
import { propertyRuns, test } from '../../property.ts';
import { scratchFolder } from '../scratch.ts';

const bytes = new TextEncoder().encode('x');
const folder = scratchFolder();
let count = 0;

interface Disk {
  /** What happened, in order: `file`, the path of a folder, or `link <path>`. */
  log: string[];
  /** Makes the fsync of the folder whose path ends so fail. */
  failing: string | undefined;
  system: Partial<LocalSystem>;
  root: string;
}

/** Notes every fsync and link; fsyncs run on the main thread, or all but the first in the "pool". */
function disk(inPool: boolean): Disk {
  count += 1;
  const root = join(folder, `store-${count}`);
  const names = new Map<number, string>();
  const real = { nowMs: 0 };
  const note = (fd: number): void => {
    const { ino } = fstatSync(fd);
    const what = fstatSync(fd).isDirectory() ? pathOf(root, ino) : 'file';
    names.set(fd, what);
    if (one.failing !== undefined && what === one.failing)
      throw Object.assign(new Error('EIO'), { code: 'EIO' });
    one.log.push(what);
  };
  const one: Disk = {
    log: [],
    failing: undefined,
    root,
    system: {
      nowMs: () => (real.nowMs += inPool ? 1 : 0),
      fsyncSync: note,
      fsync: async (fd) => {
        await new Promise(setImmediate);
        note(fd);
      },
      linkSync: (from, to) => {
        linkSync(from, to);
        one.log.push(`link ${to.slice(root.length + 1)}`);
      },
    },
  };
  return one;
}

/** The path of a folder within the store, `.` for the store, or `above`. */
function pathOf(root: string, ino: number): string {
  const search = (path: string, name: string): string | undefined => {
    if (statSync(path).ino === ino) return name;
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const found =
        entry.isDirectory() &&
        search(join(path, entry.name), name === '.' ? entry.name : `${name}/${entry.name}`);
      if (found) return found;
    }
    return undefined;
  };
  return search(root, '.') ?? 'above';
}

describe.each([
  ['on the main thread', false],
  ['in the thread pool', true],
])('fsyncs %s', (_, inPool) => {
  const open = async (one: Disk) => LocalStorage.open(one.root, { system: one.system });
  const inStore = (one: Disk) => one.log.filter((entry) => entry !== 'above');

  it('sync the file before its link, then its folder and the parents of new folders', async () => {
    const one = disk(inPool);
    const storage = await open(one);
    await storage.create('a/b/c', bytes);
    expect(one.log.slice(0, 2)).toEqual(['file', 'link a/b/c']);
    expect(inStore(one).slice(2).sort()).toEqual(['.', 'a', 'a/b']);
    expect(one.log).toContain('above');
    one.log.length = 0;
    await storage.create('a/b/d', bytes);
    expect(one.log).toEqual(['file', 'link a/b/d', 'a/b']);
    one.log.length = 0;
    await storage.create('a/e/f', new Uint8Array(100_000));
    expect(one.log.slice(0, 2)).toEqual(['file', 'link a/e/f']);
    expect(one.log.slice(2).sort()).toEqual(['a', 'a/e']);
  });

  it('sync the parents of folders that another process made', async () => {
    const one = disk(inPool);
    const storage = await open(one);
    await storage.create('x', bytes);
    mkdirSync(join(one.root, 'a/b'), { recursive: true });
    one.log.length = 0;
    await storage.create('a/b/c', bytes);
    expect(one.log.slice(2).sort()).toEqual(['.', 'a', 'a/b']);
  });

  it('sync the parent of a known folder that was removed and made again', async () => {
    const one = disk(inPool);
    const storage = await open(one);
    await storage.create('a/b', bytes);
    await storage.delete(['a/b']);
    expect(readdirSync(one.root)).not.toContain('a');
    await new Promise((done) => setTimeout(done, 20));
    mkdirSync(join(one.root, 'a'));
    one.log.length = 0;
    await storage.create('a/c', bytes);
    expect(one.log.slice(2).sort()).toEqual(['.', 'a']);
    rmdirSync(join(one.root, '.stowage-tmp'));
    expect(await storage.create('a/d', bytes)).toBe(true);
  });

  it('wait for the barrier when deferred, and are all done before its link', async () => {
    const one = disk(inPool);
    const storage = await open(one);
    await storage.create('warm', bytes);
    one.log.length = 0;
    await Promise.all(
      ['a/1', 'a/2', 'b/1'].map((name) =>
        storage.create(name, bytes, { durability: 'deferred', isContent: true }),
      ),
    );
    expect(one.log.filter((entry) => entry === 'a' || entry === 'b')).toEqual([]);
    expect(one.log.filter((entry) => entry === 'file')).toHaveLength(3);
    one.log.length = 0;
    await storage.create('c/DONE', bytes, { durability: 'barrier' });
    const link = one.log.indexOf('link c/DONE');
    const before = one.log.slice(0, link);
    expect(before.filter((entry) => entry !== 'file').sort()).toEqual(['.', 'a', 'b']);
    expect(one.log.slice(link + 1).sort()).toEqual(['.', 'c']);
  });

  it('are all done when persist is the barrier, names or not', async () => {
    const one = disk(inPool);
    const storage = await open(one);
    await storage.create('warm', bytes);
    await storage.create('a/1', bytes, { durability: 'deferred', isContent: true });
    await storage.create('b/1', bytes, { durability: 'deferred', isContent: true });
    one.log.length = 0;
    await storage.persist([]);
    expect(one.log).toEqual([]);
    await storage.persist([], { durability: 'barrier' });
    expect(one.log.sort()).toEqual(['.', 'a', 'b']);
    one.log.length = 0;
    writeFileSync(join(one.root, 'b/2'), bytes);
    await storage.persist(['b/2'], { durability: 'barrier' });
    expect(one.log.sort()).toEqual(['b', 'file']);
  });

  it('are not done again for what this process made durable, whether it wrote it or found it', async () => {
    const one = disk(inPool);
    const storage = await open(one);
    await (await LocalStorage.open(one.root, { fsync: false })).create('c/found', bytes);
    await storage.create('b/deferred', bytes, { durability: 'deferred', isContent: true });
    await storage.create('b/large', new Uint8Array(100_000), { durability: 'deferred', isContent: true });
    await storage.persist(['c/found'], { durability: 'barrier' });
    one.log.length = 0;
    await storage.persist(['b/deferred', 'b/large', 'c/found'], { durability: 'barrier' });
    expect(one.log).toEqual([]);
  });

  it('are done again for what was not written as content, of which nothing is remembered', async () => {
    const one = disk(inPool);
    const storage = await open(one);
    await storage.create('a/record', bytes, { durability: 'deferred' });
    await storage.persist([], { durability: 'barrier' });
    one.log.length = 0;
    await storage.persist(['a/record'], { durability: 'barrier' });
    expect(one.log).toEqual(['file', 'a']);
  });

  it('of 20 contents that are known are those of the records alone', async () => {
    const one = disk(inPool);
    const flow = await FlowDataStore.open({ flowName: 'F', storage: await open(one) });
    const values = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`a${i}`, noise(20_480, i)]));
    const save = async (taskId: string): Promise<string[]> => {
      one.log.length = 0;
      await flow.task({ runId: 'r1', stepName: 's', taskId }, (task) => task.saveArtifacts(values));
      const synced = one.log.filter((entry) => !entry.startsWith('link '));
      return synced.map((entry) => entry.replace(/^(pins)\/.*/, '$1/<session>')).sort();
    };
    expect((await save('new')).filter((entry) => entry === 'file').length).toBeGreaterThan(20);
    expect(await save('known')).toEqual([
      // attempt.json, pins, metadata.json and DONE.
      ...['file', 'file', 'file', 'file'],
      // The folder of the task before DONE and behind it, and the one that it was made in.
      ...['flows/F/r1/s', 'flows/F/r1/s/known', 'flows/F/r1/s/known'],
      ...['pins', 'pins/<session>'],
    ]);
    await flow.close();
  });

  it.each<[string, (root: string) => void]>([
    [
      'a file of that name, length and time that was put in its place',
      (root) => {
        const { atime, mtime } = statSync(join(root, 'a/b/c'));
        writeFileSync(join(root, 'other'), bytes);
        utimesSync(join(root, 'other'), atime, mtime);
        renameSync(join(root, 'other'), join(root, 'a/b/c'));
      },
    ],
    [
      'a file that was changed where it lies',
      (root) => writeFileSync(join(root, 'a/b/c'), 'longer than before'),
    ],
    [
      'a folder with links to the same files that was put in the place of the one above it',
      (root) => {
        renameSync(join(root, 'a'), join(root, 'old'));
        mkdirSync(join(root, 'a/b'), { recursive: true });
        linkSync(join(root, 'old/b/c'), join(root, 'a/b/c'));
      },
    ],
    [
      'a folder that was moved into another one, with all that it holds',
      (root) => {
        renameSync(join(root, 'a'), join(root, 'old'));
        mkdirSync(join(root, 'a'));
        renameSync(join(root, 'old/b'), join(root, 'a/b'));
      },
    ],
    [
      'a store that was removed and copied back',
      (root) => {
        const { atime, mtime } = statSync(join(root, 'a/b/c'));
        rmSync(root, { recursive: true });
        mkdirSync(join(root, 'a/b'), { recursive: true });
        writeFileSync(join(root, 'a/b/c'), bytes);
        utimesSync(join(root, 'a/b/c'), atime, mtime);
      },
    ],
  ])('are done again for %s', async (_, change) => {
    const one = disk(inPool);
    const storage = await open(one);
    await storage.create('a/b/c', bytes);
    await storage.persist(['a/b/c'], { durability: 'barrier' });
    await new Promise((done) => setTimeout(done, 20));
    change(one.root);
    one.log.length = 0;
    await storage.persist(['a/b/c'], { durability: 'barrier' });
    expect(inStore(one)).toContain('file');
    expect(inStore(one)).toContain('a/b');
  });

  it('that failed leave nothing behind that counts as durable', async () => {
    const one = disk(inPool);
    const storage = await open(one);
    await storage.create('a/1', bytes, { durability: 'deferred', isContent: true });
    one.failing = 'a';
    await expect(storage.persist([], { durability: 'barrier' })).rejects.toThrow('EIO');
    await expect(storage.persist(['a/1'], { durability: 'barrier' })).rejects.toThrow('EIO');
    await expect(storage.close()).rejects.toThrow('EIO');
  });

  it('of barriers side by side are shared', async () => {
    const one = disk(inPool);
    const storage = await open(one);
    const names = Array.from({ length: 40 }, (_, i) => `d${i % 4}/${i}`);
    await Promise.all(
      names.map((name) => storage.create(name, bytes, { durability: 'deferred', isContent: true })),
    );
    one.log.length = 0;
    await Promise.all(names.map((_, i) => storage.create(`e/${i}`, bytes, { durability: 'barrier' })));
    const folders = one.log.filter((entry) => /^d\d$/.test(entry));
    expect(folders.length).toBeLessThanOrEqual(8);
    const firstLink = one.log.findIndex((entry) => entry.startsWith('link'));
    expect(new Set(one.log.slice(0, firstLink).filter((entry) => /^d\d$/.test(entry))).size).toBe(4);
  });

  test.prop(
    [fc.array(fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 12 })],
    {
      numRuns: propertyRuns,
    },
  )(
    'of what was deferred before a barrier began are done before its link, whatever runs beside it',
    async (tasks) => {
      const one = disk(inPool);
      const storage = await open(one);
      const pause = async (length: number): Promise<void> => {
        for (let i = 0; i < length; i += 1) await (i % 2 ? Promise.resolve() : new Promise(setImmediate));
      };
      await Promise.all(
        tasks.map(async (pauses, me) => {
          for (const [i, length] of pauses.entries()) {
            await storage.create(`d${me}-${i}/x`, bytes, { durability: 'deferred', isContent: true });
            await pause(length);
          }
          await storage.create(`done/${me}`, bytes, { durability: 'barrier' });
        }),
      );
      for (const [me, pauses] of tasks.entries()) {
        const beforeLink = one.log.slice(0, one.log.indexOf(`link done/${me}`));
        for (const i of pauses.keys()) {
          const sinceMade = beforeLink.slice(beforeLink.indexOf(`link d${me}-${i}/x`));
          expect(sinceMade).toContain(`d${me}-${i}`);
          expect(sinceMade).toContain('.');
        }
      }
    },
  );

  it('persist syncs what another instance wrote, and its folders, by the barrier', async () => {
    const one = disk(inPool);
    const other = await LocalStorage.open(one.root, { fsync: false });
    await other.create('a/b/c', bytes);
    const storage = await open(one);
    await storage.persist(['a/b/c', 'a/missing']);
    expect(one.log).toEqual([]);
    await storage.create('d', bytes, { durability: 'barrier' });
    const before = one.log.slice(0, one.log.indexOf('link d')).filter((entry) => entry !== 'above');
    expect(before.filter((entry) => entry === 'file')).toHaveLength(2);
    expect(new Set(before)).toEqual(new Set(['file', 'a/b', 'a', '.']));
  });

  it('of what was deferred are done by close', async () => {
    const one = disk(inPool);
    const storage = await open(one);
    await storage.create('a/b', bytes, { durability: 'deferred', isContent: true });
    expect(one.log).not.toContain('a');
    await storage.close();
    expect(one.log).toContain('a');
  });

  it('of a file that fail leave no object, and no file unfinished', async () => {
    for (const size of [10, 100_000]) {
      const one = disk(inPool);
      one.failing = 'file';
      const storage = await open(one);
      await expect(storage.create('a/b', new Uint8Array(size))).rejects.toMatchObject({
        code: 'STORAGE_FAILED',
        message: expect.stringMatching(/sync "a\/b" at .*\.stowage-tmp.*EIO/),
        cause: { code: 'EIO' },
      });
      expect(await storage.head('a/b')).toBeUndefined();
      expect(readdirSync(join(one.root, '.stowage-tmp'))).toEqual([]);
    }
  });

  it('of a folder that fail are not tried again, and fail every barrier that relies on it', async () => {
    const one = disk(inPool);
    const storage = await open(one);
    await storage.create('a/1', bytes);
    await storage.create('a/2', bytes, { durability: 'deferred', isContent: true });
    one.failing = 'a';
    await expect(storage.create('DONE', bytes, { durability: 'barrier' })).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
    });
    expect(await storage.head('DONE')).toBeUndefined();
    one.failing = undefined;
    one.log.length = 0;
    await expect(storage.create('DONE', bytes, { durability: 'barrier' })).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
    });
    await expect(storage.create('a/3', bytes)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    expect(one.log).not.toContain('a');
    expect(await storage.create('b/1', bytes)).toBe(true);
    await expect(storage.close()).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    expect(await (await open(one)).create('DONE', bytes, { durability: 'barrier' })).toBe(true);
  });
});

it('without fsync nothing is synced', async () => {
  const one = disk(false);
  const storage = await LocalStorage.open(one.root, { system: one.system, fsync: false });
  await storage.create('a/b', bytes);
  await storage.create('a/c', new Uint8Array(100_000), { durability: 'deferred', isContent: true });
  await storage.persist(['a/b']);
  await storage.create('a/d', bytes, { durability: 'barrier' });
  await storage.close();
  expect(one.log.filter((entry) => !entry.startsWith('link'))).toEqual([]);
});
