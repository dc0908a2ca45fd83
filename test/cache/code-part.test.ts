import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
import { FilePart } from '../../src/cache/code-part.ts';
import { isStowageError } from '../../src/errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'stowage-file-part-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'prompt.txt');

it('a file that stays as it is is read once, and one that was changed a moment ago each time', async () => {
  writeFileSync(file, 'one');
  let nowMs = statSync(file).ctimeMs + 50;
  const part = new FilePart(file, () => nowMs);
  const first = await part.read();
  expect(part.known()).toBeUndefined();
  nowMs += 3_000;
  expect(await part.read()).toBe(first);
  expect(part.known()).toBe(first);
  writeFileSync(file, 'three');
  expect(part.known()).toBeUndefined();
  expect(await part.read()).not.toBe(first);
});

it('a file whose times are put back is read again', async () => {
  writeFileSync(file, 'one');
  const { atime, mtime } = statSync(file);
  const part = new FilePart(file, () => Date.now() + 5_000);
  const digest = await part.read();
  expect(part.known()).toBe(digest);
  await sleep(20); // the clock of the file system has moved on
  writeFileSync(file, 'two');
  utimesSync(file, atime, mtime);
  expect(part.known()).toBeUndefined();
  expect(await part.read()).not.toBe(digest);
});

it('a file that is changed while it is read is read again', async () => {
  writeFileSync(file, 'a'.repeat(1_000_000));
  const part = new FilePart(file);
  const [reading, shared] = [part.read(), part.read()];
  writeFileSync(file, 'two');
  expect(await reading).toBe(await new FilePart(file).read());
  expect(await shared).toBe(await reading);
});

it('a reading ends with its signal', async () => {
  const aborted = await new FilePart(file).read(AbortSignal.abort()).catch((error: unknown) => error);
  expect(isStowageError(aborted, 'ABORTED')).toBe(true);
});

it('a pipe, device or folder is refused, and not waited for', async () => {
  for (const path of ['/dev/null', folder]) {
    await expect(new FilePart(path).read()).rejects.toThrow('is a folder, pipe or device, not a file');
  }
});
