import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** All exports of some files of `src/`, which no package exports: bundled into a file of their own, loaded, and removed. */
export async function loadSources(...files) {
  // Within the checkout, so that dependencies are found.
  const cache = join(ROOT, 'node_modules/.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'stowage-sources-'));
  try {
    const entry = join(folder, 'entry.ts');
    writeFileSync(
      entry,
      files.map((file) => `export * from ${JSON.stringify(join(ROOT, 'src', file))};`).join('\n'),
    );
    const bundle = await rolldown({
      input: entry,
      platform: 'node',
      external: (id) => !id.startsWith('.') && !id.startsWith(ROOT) && !id.startsWith(folder),
    });
    const file = join(folder, 'bundle.mjs');
    await bundle.write({ file, format: 'esm', codeSplitting: false });
    await bundle.close();
    return await import(pathToFileURL(file).href);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Megabytes for each second of processor time, the best of `rounds`: what else runs on the machine only slows it down. */
export function megabytesPerCpuSecond(bytes, work, rounds = 9) {
  for (let round = 0; round < 3; round += 1) work();
  let best = 0;
  for (let round = 0; round < rounds; round += 1) {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    best = Math.max(best, bytes / (user + system));
  }
  return best;
}
