import type { CacheFile, DiskCacheFolder } from './disk-cache-folder.ts';

/** Unfinished writes of this age belong to nobody any more. */
const STALE_MS = 60 * 60 * 1000;
const MINUTE_MS = 60 * 1000;

/** Goal of an eviction. */
export interface EvictionTarget {
  /** Bytes that may stay. */
  keepBytes: number;
  nowMs: number;
  /** Told of what could not be looked at or removed; the rest goes on. */
  onFailure: (error: unknown) => void;
}

/**
 * Looks at all files of a cache, removes what crashed writers left, and then the entries used longest ago until the others take up
 * at most `keepBytes`.
 *
 * Two looks rather than a list of all entries: the first adds up sizes by the minute of use, and takes the same memory for
 * a million entries as for a hundred; the second removes, and sees what was used meanwhile. Any number of processes may do this
 * at once: at worst they remove more than they had to.
 */
export async function makeRoom(folder: DiskCacheFolder, target: EvictionTarget): Promise<void> {
  const bytesOfMinute = new Map<number, number>();
  let total = 0;
  for await (const file of folder.files(target.onFailure)) {
    if (file.isTemporary) {
      const isStale = target.nowMs - file.modifiedAtMs > STALE_MS;
      if (isStale && (await remove(folder, file, target))) continue;
    } else {
      const minute = minuteOf(file);
      bytesOfMinute.set(minute, (bytesOfMinute.get(minute) ?? 0) + file.sizeBytes);
    }
    total += file.sizeBytes;
  }
  if (total > target.keepBytes) await evict(folder, bytesOfMinute, total - target.keepBytes, target);
}

/** Removes at least `excess` bytes of the oldest entries: all of the older minutes, and as many as it takes of the last one. */
async function evict(
  folder: DiskCacheFolder,
  bytesOfMinute: ReadonlyMap<number, number>,
  excess: number,
  target: EvictionTarget,
): Promise<void> {
  let lastMinute = Number.NEGATIVE_INFINITY;
  let ofLastMinute = excess;
  for (const [minute, bytes] of [...bytesOfMinute].sort(([a], [b]) => a - b)) {
    lastMinute = minute;
    if (bytes >= ofLastMinute) break;
    ofLastMinute -= bytes;
  }
  for await (const file of folder.files(target.onFailure)) {
    const minute = minuteOf(file);
    if (file.isTemporary || minute > lastMinute) continue;
    if (minute === lastMinute && ofLastMinute <= 0) continue;
    const isGone = await remove(folder, file, target);
    if (isGone && minute === lastMinute) ofLastMinute -= file.sizeBytes;
  }
}

function minuteOf({ modifiedAtMs }: CacheFile): number {
  return Math.floor(modifiedAtMs / MINUTE_MS);
}

async function remove(
  folder: DiskCacheFolder,
  { path }: CacheFile,
  { onFailure }: EvictionTarget,
): Promise<boolean> {
  try {
    await folder.remove(path);
    return true;
  } catch (error) {
    onFailure(error);
    return false;
  }
}
