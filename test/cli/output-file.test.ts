import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { toFile } from '../../src/cli/output-file.ts';
import { scratchFolder } from './fixture.ts';

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
      message: `${path} cannot be written: it exists already.`,
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
