import { existsSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DiskCache } from '../../src/content/caches/disk-cache.ts';
import { scratchFolder } from '../storage/scratch.ts';
import { KIB } from './contents.ts';

/** What a file takes up at least. */
export const BLOCK = 4 * KIB;
export const HOUR_MS = 60 * 60 * 1000;

const scratch = scratchFolder();
let folders = 0;

/** The path of a folder that is not there yet. */
export function newFolder(): string {
  return join(scratch, String(folders++));
}

/** Where a cache keeps an entry. */
export function pathOf(folder: string, key: string): string {
  return join(folder, key.slice(0, 2), `${key}.cached`);
}

/** Puts a file, and the folders that it needs. */
export function put(path: string, bytes: Uint8Array = new Uint8Array(1), ageMs = 0): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  age(path, ageMs);
  return path;
}

/** Has a file look as if it was written so long ago. */
export function age(path: string, ageMs: number): void {
  const seconds = (Date.now() - ageMs) / 1000;
  utimesSync(path, seconds, seconds);
}

/** All files below a folder, without those that links lead to. */
export function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const files: string[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) files.push(...filesIn(path));
    else if (entry.isFile()) files.push(path);
  }
  return files.sort();
}

/** What the files of a folder take up; one may vanish meanwhile. */
export function sizeOf(folder: string): number {
  const sizes = filesIn(folder).map((path) => statSync(path, { throwIfNoEntry: false })?.size ?? 0);
  return sizes.reduce((total, size) => total + Math.max(1, Math.ceil(size / BLOCK)) * BLOCK, 0);
}

/** Has a cache look at its folder, as each one does when it is opened. */
export async function look(folder: string, maxBytes: number): Promise<void> {
  await (await DiskCache.open(folder, { maxBytes })).close();
}

/** Compares bytes as bytes: element by element it takes seconds. */
export function isSame(found: Uint8Array | undefined, bytes: Uint8Array): boolean {
  return found !== undefined && Buffer.compare(found, bytes) === 0;
}
