// Fills a disk cache that other processes share, far beyond its bound, and reads it. Prints a line once it has begun, and at
// the end, as JSON, how often it had bytes, how often they were wrong, and how large the cache was at most.
// Usage: node fill-cache.mjs FOLDER MAX_BYTES WORKER TIMES
import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DiskCache } from '../../../dist/index.js';
import { contentOfSeed } from './content-of-seed.mjs';

/** Any digest serves as a key here. */
const digestHex = (bytes) => createHash('sha256').update(bytes).digest('hex');

const [folder, maxBytes, worker, times] = process.argv.slice(2);
const cache = await DiskCache.open(folder, { maxBytes: Number(maxBytes) });

async function sizeOfFolder() {
  const names = await readdir(folder, { recursive: true });
  const sizes = names.map(async (name) => {
    const stats = await stat(join(folder, name)).catch(() => undefined); // gone meanwhile
    return stats?.isFile() ? stats.size : 0;
  });
  return (await Promise.all(sizes)).reduce((total, size) => total + size, 0);
}

let state = Number(worker) + 1;
/** Small seeds far more often than large ones, as some contents are used more than others. */
function nextSeed() {
  state = (state * 16807) % 2147483647;
  return Math.floor((state / 2147483647) ** 3 * 100);
}

let hits = 0;
let wrong = 0;
let largestBytes = 0;
for (let i = 0; i < Number(times); i++) {
  const content = contentOfSeed(nextSeed());
  const key = digestHex(content);
  const found = await cache.get(key);
  if (found) {
    hits++;
    if (digestHex(found) !== key) wrong++;
  } else {
    await cache.set(key, content);
  }
  if (i === 0) process.stdout.write('begun\n');
  if (i % 10 === 9) largestBytes = Math.max(largestBytes, await sizeOfFolder());
}
await cache.close();
process.stdout.write(`${JSON.stringify({ hits, wrong, largestBytes })}\n`);
