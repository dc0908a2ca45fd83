import { linkSync, lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LocalStorage } from '../../../src/storage/local.ts';
import { scratchFolder } from '../scratch.ts';
import { hasSmallDisks, withSmallDisk } from '../small-disk.ts';

const scratch = scratchFolder();
let count = 0;
function newFolder(): string {
  count += 1;
  const path = join(scratch, `folder ${count}`);
  mkdirSync(path);
  return path;
}

/** Asks for names below `folder` as a file system would that folds case. */
const foldingBelow = (folder: string) => ({
  lstatSync(path: string) {
    const [parent, name] = [dirname(path), basename(path)];
    const folds = parent === folder || parent.startsWith(`${folder}/`);
    const found = folds && readdirSync(parent).find((other) => other.toLowerCase() === name.toLowerCase());
    return lstatSync(found ? join(parent, found) : path);
  },
});
const encodingOf = async (path: string, folding?: string): Promise<string> =>
  (await LocalStorage.open(path, { system: folding === undefined ? {} : foldingBelow(folding) })).capabilities
    .nameEncoding;

describe('a folder', () => {
  it('is asked itself, not the one that it lies in: it may be mounted there, or shared with another system', async () => {
    const path = newFolder();
    writeFileSync(join(path, 'package.json'), '{}');
    expect(await encodingOf(path, path)).toBe('fold');
    expect(await encodingOf(join(path, 'no/such/store'), path)).toBe('fold');
    expect(await encodingOf(path)).toBe('exact');
  });

  it('that is empty is like the one that it lies in', async () => {
    const path = newFolder();
    expect(await encodingOf(path, scratch)).toBe('fold');
    expect(await encodingOf(join(path, '42/43'), scratch)).toBe('fold');
    expect(await encodingOf(path)).toBe('exact');
    expect(readdirSync(path)).toEqual([]);
  });

  it('tells by none of its entries that have no letters, or a second name', async () => {
    const path = newFolder();
    writeFileSync(join(path, '42'), '');
    writeFileSync(join(path, 'abc'), '');
    linkSync(join(path, 'abc'), join(path, 'ABC'));
    expect(await encodingOf(path)).toBe('exact');
    const linked = newFolder();
    mkdirSync(join(linked, 'abc'));
    symlinkSync('abc', join(linked, 'ABC'));
    expect(await encodingOf(linked)).toBe('exact');
  });
});

describe.skipIf(!(await hasSmallDisks()))('an empty mount', () => {
  it('that folds case, where its parent does not, is found by a folder that does not stay', async () => {
    await withSmallDisk('64k', async (mount) => {
      expect(await encodingOf(mount, mount)).toBe('fold');
      expect(await encodingOf(join(mount, 'store'), mount)).toBe('fold');
      expect(await encodingOf(mount)).toBe('exact');
      expect(await encodingOf(mount, dirname(mount))).toBe('fold');
      expect(readdirSync(mount)).toEqual([]);
    });
  });

  it('that does not fold case, where its parent does, is exact', async () => {
    await withSmallDisk('64k', async (mount) => {
      const parent = dirname(mount);
      const foldsParent = foldingBelow(parent);
      const lstat = (path: string) =>
        dirname(path) === mount ? lstatSync(path) : foldsParent.lstatSync(path);
      const storage = await LocalStorage.open(mount, { system: { lstatSync: lstat } });
      expect(storage.capabilities.nameEncoding).toBe('exact');
    });
  });
});
