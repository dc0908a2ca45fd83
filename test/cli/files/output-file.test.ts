import {
  chmodSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { toFile } from '../../../src/cli/files/output-file.ts';
import { scratchFolder } from '../fixture.ts';

const folder = scratchFolder();
const { signal } = new AbortController();

describe('a file that is not to be replaced', () => {
  it('is not, though it appears while the other is written', async () => {
    const path = join(folder, 'late');
    const writing = toFile(
      path,
      signal,
      async (sink) => {
        await sink.write('ours');
        writeFileSync(path, 'theirs');
      },
      { overwrite: false },
    );
    await expect(writing).rejects.toMatchObject({
      code: 'OUTPUT_FAILED',
      message: `${path} cannot be written: it exists already; --force replaces it.`,
    });
    expect(readFileSync(path, 'utf8')).toBe('theirs');
    expect(readdirSync(folder)).toEqual(['late']);
  });
});

it('a name may be as long as the file system lets it', async () => {
  const path = join(folder, 'x'.repeat(255));
  await toFile(path, signal, (sink) => sink.write('whole'), { overwrite: false });
  expect(readFileSync(path, 'utf8')).toBe('whole');
});

describe.runIf(process.platform !== 'win32')('a file that is replaced', () => {
  const place = scratchFolder();

  it('hands on its permissions, which keep others from reading it', async () => {
    const path = join(place, 'private');
    writeFileSync(path, 'old');
    chmodSync(path, 0o600);
    await toFile(path, signal, (sink) => sink.write('new'));
    expect([readFileSync(path, 'utf8'), statSync(path).mode & 0o777]).toEqual(['new', 0o600]);
  });

  it('is the one that a link leads to, if links are to be followed', async () => {
    const [path, link] = [join(place, 'real'), join(place, 'link')];
    writeFileSync(path, 'old');
    symlinkSync('real', link);
    await toFile(link, signal, (sink) => sink.write('new'), { followLinks: true });
    expect([lstatSync(link).isSymbolicLink(), readFileSync(path, 'utf8')]).toEqual([true, 'new']);
    await toFile(link, signal, (sink) => sink.write('newest'));
    expect([lstatSync(link).isSymbolicLink(), readFileSync(path, 'utf8')]).toEqual([false, 'new']);
  });
});

it('a path that ends in a slash is no file', async () => {
  const path = `${join(folder, 'none')}/`;
  await expect(toFile(path, signal, (sink) => sink.write('x'))).rejects.toMatchObject({
    message: `${path} cannot be written: it is a folder; name a file in it.`,
  });
});
