import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Runs `work` in a folder that holds at most `size` (`1m`); only root on Linux can have one. */
export async function withSmallDisk(size: string, work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'stowage-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'stowage-test', folder], { stdio: 'pipe' });
    try {
      await work(folder);
    } finally {
      execFileSync('umount', ['--lazy', folder]); // a server may have files open still
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether {@link withSmallDisk} works here; says so where it does not. */
export async function hasSmallDisks(): Promise<boolean> {
  try {
    await withSmallDisk('64k', async () => {});
    return true;
  } catch {
    console.warn('NOT TESTED here: a full disk (only root on Linux can mount a small tmpfs)');
    return false;
  }
}
