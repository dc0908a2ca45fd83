import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** A new folder in memory, where there is such a thing, that is removed after the tests of the file. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'stowage-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
