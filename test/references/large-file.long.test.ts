import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { MIB } from '../content/contents.ts';

/** `npm run check-memory` takes 4 GiB. */
const MEBIBYTES = Number(process.env.STOWAGE_STREAMED_MEBIBYTES ?? 512);
const worker = join(import.meta.dirname, 'workers/large-file.mjs');

// The peak is the system's own word, which only Linux gives to a process of itself alone.
describe.runIf(existsSync('/proc/self/status'))('memory of large files', () => {
  // On disk: three times the file would take too much of the memory.
  const folder = mkdtempSync(join(tmpdir(), 'stowage-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('that are saved and downloaded is at most 256 MiB in all, however long they are', async () => {
    const made = await run('make');
    const saved = await run('save');
    rmSync(join(folder, 'source.bin'));
    const downloaded = await run('download');
    expect(downloaded.sha256).toBe(made.sha256);
    expect(saved.peakBytes).toBeLessThan(256 * MIB);
    expect(downloaded.peakBytes).toBeLessThan(256 * MIB);
  });

  async function run(way: string): Promise<{ peakBytes: number; sha256: string }> {
    const args = [worker, folder, `${MEBIBYTES}`, way];
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args);
    expect(stderr).toBe('');
    const told = JSON.parse(stdout);
    if (process.env.STOWAGE_STREAMED_MEBIBYTES)
      console.info(`${way}: peak ${Math.round(told.peakBytes / MIB)} MiB`);
    return told;
  }
});
