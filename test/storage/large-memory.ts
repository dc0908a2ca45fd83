import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import type { OpenStorageOptions } from '../../src/storage/open.ts';

/** `npm run check-memory` sends 2 GiB. */
const MEBIBYTES = Number(process.env.STOWAGE_MEMORY_MEBIBYTES ?? 128);
const MIB = 1024 * 1024;
const worker = join(import.meta.dirname, 'workers/one-large-content.mjs');

/** The ways that a large content goes: as an artifact in chunks and packs; and at full length as an object, and as a plain file. */
export const WAYS: ('artifact' | 'object' | 'plain')[] = process.env.STOWAGE_MEMORY_MEBIBYTES
  ? ['artifact', 'object', 'plain']
  : ['artifact'];

/** What is up and down has taken at most 256 MiB of memory each way, in a process of its own. */
export async function expectBoundedMemory(
  address: string,
  options: OpenStorageOptions,
  way: 'artifact' | 'object' | 'plain',
): Promise<void> {
  const args = ['--expose-gc', worker, address, JSON.stringify(options), `${MEBIBYTES}`, way];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args);
  expect(stderr).toBe('');
  const { up, down, isSame } = JSON.parse(stdout);
  if (process.env.STOWAGE_MEMORY_MEBIBYTES) {
    console.info(
      `${way}, ${MEBIBYTES} MiB: +${Math.round(up / MIB)} MiB up, +${Math.round(down / MIB)} MiB down`,
    );
  }
  expect(isSame).toBe(true);
  expect(up).toBeLessThan(256 * MIB);
  expect(down).toBeLessThan(256 * MIB);
}
