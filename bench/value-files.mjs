import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dicts, muchNoise } from './values.mjs';

const MIB = 1024 * 1024;
/** The folder of the files, for this process and those that it starts. */
export const VALUES_VARIABLE = 'STOWAGE_BENCH_VALUES';

const MAKERS = {
  'noise-256': () => muchNoise(256 * MIB, 3),
  'noise-64': () => muchNoise(64 * MIB, 4),
  'floats-256': () => new Uint8Array(normalFloats(64 * MIB).buffer),
  lines: () => Buffer.from(jsonLines(480_000).join('')),
};

/** A file of large content, made when it is first asked for, so that both sides save the very same bytes. */
export function valueFile(name) {
  const folder = process.env[VALUES_VARIABLE] ?? join(tmpdir(), 'stowage-bench-values');
  const file = join(folder, name);
  if (existsSync(file)) return file;
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${file}.part`, MAKERS[name]());
  renameSync(`${file}.part`, file);
  return file;
}

/** Normally distributed, from seeded noise (Box and Muller). */
export function normalFloats(count, seed = 1) {
  const words = new Uint32Array(muchNoise(4 * count, seed).buffer);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i += 1) {
    const other = words[(i * 7 + 3) % count];
    values[i] =
      Math.sqrt(-2 * Math.log((words[i] + 1) / 2 ** 32)) * Math.cos((2 * Math.PI * other) / 2 ** 32);
  }
  return values;
}

/** Lines of JSON, of about 205 bytes each. */
export function jsonLines(count, seed = 1) {
  return dicts(count, seed).map((record) => `${JSON.stringify(record)}\n`);
}
