import { existsSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** `f_type` of a tmpfs on Linux. */
const TMPFS_MAGIC = 0x01021994;

/**
 * A folder for stores, on a tmpfs where there is one: a disk would measure itself, not the software. It goes when
 * `dispose` is called.
 */
export function openScratch() {
  const isTmpfs = isOnTmpfs('/dev/shm');
  const folder = mkdtempSync(join(isTmpfs ? '/dev/shm' : tmpdir(), 'stowage-bench-'));
  let count = 0;
  return {
    folder,
    fileSystem: isTmpfs
      ? 'tmpfs (/dev/shm)'
      : 'NOT a tmpfs: the folder for temporary files, on whatever disk it lies',
    /** Runs `work` with the path of a folder that does not exist yet, and removes what it left there. */
    async withFolder(work) {
      count += 1;
      const path = join(folder, String(count));
      try {
        return await work(path);
      } finally {
        rmSync(path, { recursive: true, force: true });
      }
    },
    /** The path of a folder that `make` filled when its name was first asked for; it stays. */
    async keepFolder(name, make) {
      const path = join(folder, name);
      if (!existsSync(path)) await make(path);
      return path;
    },
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function isOnTmpfs(path) {
  try {
    return statfsSync(path).type === TMPFS_MAGIC;
  } catch {
    return false;
  }
}
