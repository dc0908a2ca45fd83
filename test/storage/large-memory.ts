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

/**
 * What goes up and comes down takes at most 256 MiB of memory, in a process of its own.
 *
 * @param mostMebibytes for a server that bears no more
 */
export async function expectBoundedMemory(
  address: string,
  options: OpenStorageOptions,
  way: 'artifact' | 'object' | 'plain',
  mostMebibytes = Number.POSITIVE_INFINITY,
): Promise<void> {
  const mebibytes = Math.min(MEBIBYTES, mostMebibytes);
  const args = ['--expose-gc', worker, address, JSON.stringify(options), `${mebibytes}`, way];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args);
  expect(stderr).toBe('');
  const { up, down, isSame } = JSON.parse(stdout);
  if (process.env.STOWAGE_MEMORY_MEBIBYTES) {
    console.info(
      `${way}, ${mebibytes} MiB: +${Math.round(up / MIB)} MiB up, +${Math.round(down / MIB)} MiB down`,
    );
  }
  expect(isSame).toBe(true);
  expect(up).toBeLessThan(256 * MIB);
  expect(down).toBeLessThan(256 * MIB);
}
