import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { scratchFolder } from '../storage/scratch.ts';
import { MIB } from './contents.ts';

/** `npm run check-memory` saves 4 GiB. */
const STREAMED_MEBIBYTES = Number(process.env.STOWAGE_STREAMED_MEBIBYTES ?? 512);
const worker = join(import.meta.dirname, 'workers/large-value.mjs');
const folder = scratchFolder();

// The peak is the system's own word, which only Linux gives to a process of itself alone.
describe.runIf(existsSync('/proc/self/status'))('memory of large values', () => {
  it('of a typed array of 256 MiB that is saved is at most 64 MiB over the value', async () => {
    const { overValueBytes } = await run('typed', 256);
    expect(overValueBytes).toBeLessThan(64 * MIB);
  });

  it('of a stream, saved and loaded, is at most 256 MiB in all, however long it is', async () => {
    const saved = await run('stream', STREAMED_MEBIBYTES);
    const loaded = await run('load', STREAMED_MEBIBYTES);
    expect(loaded.bytes).toBe(STREAMED_MEBIBYTES * MIB);
    expect(saved.peakBytes).toBeLessThan(256 * MIB);
    expect(loaded.peakBytes).toBeLessThan(256 * MIB);
  });
});

async function run(way: string, mebibytes: number): Promise<Record<string, number>> {
  const args = ['--expose-gc', worker, join(folder, 'store'), `${mebibytes}`, way];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args);
  expect(stderr).toBe('');
  const figures = JSON.parse(stdout);
  const told = Object.entries<number>(figures).map(
    ([name, bytes]) => `${name} ${Math.round(bytes / MIB)} MiB`,
  );
  if (process.env.STOWAGE_STREAMED_MEBIBYTES) console.info(`${way}: ${told.join(', ')}`);
  return figures;
}
