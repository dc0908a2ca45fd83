import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { type NewFolder, toNewFolder } from '../../../src/cli/files/new-folder.ts';
import { scratchFolder } from '../fixture.ts';

const scratch = scratchFolder();
let folder: string;
let count = 0;

beforeEach(async () => {
  folder = join(scratch, String(count++));
  await mkdir(folder);
});

async function fill(files: NewFolder): Promise<{ files: number; bytes: number }> {
  await files.write('a.txt', 'héllo');
  await Promise.all([files.append('sub/b.txt', 'one'), files.append('sub/c.txt', '1')]);
  await files.append('sub/b.txt', 'two');
  return { files: files.files, bytes: files.bytes };
}

const all = async (): Promise<string[]> => (await readdir(folder, { recursive: true })).sort();

describe('a new folder', () => {
  it.each(['', 'is there, and empty'])('has all files, and is told how many: %s', async (isThere) => {
    const out = join(folder, 'out');
    if (isThere) await mkdir(out, { mode: 0o700 });
    expect(await toNewFolder(out, fill)).toEqual({ files: 3, bytes: 13 });
    expect(await all()).toEqual(['out', 'out/a.txt', 'out/sub', 'out/sub/b.txt', 'out/sub/c.txt']);
    expect(await readFile(join(out, 'sub/b.txt'), 'utf8')).toBe('onetwo');
    if (isThere) expect((await stat(out)).mode & 0o777).toBe(0o700);
  });

  it.each(['', 'is there, and empty'])('is not seen before it is whole: %s', async (isThere) => {
    const out = join(folder, 'out');
    if (isThere) await mkdir(out);
    await toNewFolder(out, async (files) => {
      await fill(files);
      const seen = (await all()).filter((name) => !name.includes('.part'));
      expect(seen).toEqual(isThere ? ['out'] : []);
    });
  });

  it.each(['', 'is there, and empty'])('leaves nothing where its work fails: %s', async (isThere) => {
    const out = join(folder, 'out');
    if (isThere) await mkdir(out);
    const failing = toNewFolder(out, async (files) => {
      await fill(files);
      throw new Error('failed');
    });
    await expect(failing).rejects.toThrow('failed');
    expect(await all()).toEqual(isThere ? ['out'] : []);
  });

  it('is not begun where there is something already', async () => {
    await writeFile(join(folder, 'file'), '');
    await mkdir(join(folder, 'full/of'), { recursive: true });
    await symlink('nowhere', join(folder, 'link'));
    const before = await all();
    for (const [name, reason] of [
      ['full', 'is not empty'],
      ['file', 'it is no folder'],
      ['file/below', 'its folder is a file'],
      ['link', 'it is no folder'],
      ['none/below', 'its folder does not exist'],
    ] as const) {
      const making = toNewFolder(join(folder, name), () => expect.fail('was begun'));
      await expect(making, name).rejects.toMatchObject({
        code: 'OUTPUT_FAILED',
        message: expect.stringContaining(reason),
      });
    }
    expect(await all()).toEqual(before);
  });

  it.each(['', 'is there, and empty'])(
    'replaces nothing that somebody puts in its place meanwhile: %s',
    async (isThere) => {
      const out = join(folder, 'out');
      if (isThere) await mkdir(out);
      const making = toNewFolder(out, async (files) => {
        await fill(files);
        await mkdir(out, { recursive: true });
        await writeFile(join(out, 'a.txt'), 'own');
      });
      await expect(making).rejects.toMatchObject({ code: 'OUTPUT_FAILED' });
      expect(await all()).toEqual(['out', 'out/a.txt']);
      expect(await readFile(join(out, 'a.txt'), 'utf8')).toBe('own');
    },
  );

  it('tells a file that cannot be written by the name of the folder', async () => {
    const out = join(folder, 'out');
    const making = toNewFolder(out, (files) => files.write('x'.repeat(300), ''));
    await expect(making).rejects.toMatchObject({ code: 'OUTPUT_FAILED', details: { path: out } });
    expect(await all()).toEqual([]);
  });
});
