import { mkdtempSync, opendirSync, rmdirSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { LocalSystem } from './system.ts';

/** The most entries of a folder that are asked for by another case: each tells, unless it has no letters or vanishes. */
const MAX_ASKED = 64;
/** A folder that is made where nothing else tells, and removed at once. */
const PROBE = '.stowage-probe-';

/**
 * True if the folder at `root`, or else the nearest one above it that exists, answers to names in the other case as well: its own entries
 * tell. An empty one is like that above it, but for one where a file system is mounted, in which a folder is made and removed to see.
 */
export function foldsCase(root: string, system: Pick<LocalSystem, 'lstatSync'>): boolean {
  const byDefault = process.platform === 'win32' || process.platform === 'darwin';
  let known: string[] = [];
  for (let path = root; ; path = dirname(path)) {
    const stats = askFor(path, statSync);
    if (stats) {
      const told = foldsWithin(path, known, system);
      if (told !== undefined) return told;
      if (askFor(dirname(path), statSync)?.dev !== stats.dev) return tryOut(path, system) ?? byDefault;
      known = [basename(path)];
    }
    if (path === dirname(path)) return byDefault;
  }
}

/** Asks for names in a folder by their other case: the known ones first, as reading the folder costs more. `undefined` where none tells. */
function foldsWithin(
  folder: string,
  known: readonly string[],
  { lstatSync }: Pick<LocalSystem, 'lstatSync'>,
): boolean | undefined {
  for (const name of namesIn(folder, known)) {
    const swapped = swapCase(name);
    const stats = swapped === name ? undefined : askFor(join(folder, name), lstatSync);
    if (!stats) continue;
    const other = askFor(join(folder, swapped), lstatSync);
    if (other?.ino !== stats.ino || other.dev !== stats.dev) return false;
    if (stats.isDirectory() || stats.nlink === 1) return true; // else it may be a second name
  }
  return undefined;
}

function tryOut(folder: string, system: Pick<LocalSystem, 'lstatSync'>): boolean | undefined {
  try {
    const probe = mkdtempSync(join(folder, PROBE));
    try {
      return foldsWithin(folder, [basename(probe)], system);
    } finally {
      rmdirSync(probe);
    }
  } catch {
    return undefined; // where nothing can be made, there will be no store
  }
}

function* namesIn(folder: string, known: readonly string[]): Generator<string> {
  yield* known;
  yield* entriesOf(folder);
}

function entriesOf(folder: string): string[] {
  const names: string[] = [];
  try {
    const entries = opendirSync(folder);
    try {
      while (names.length < MAX_ASKED) {
        const entry = entries.readSync();
        if (!entry) break;
        names.push(entry.name);
      }
    } finally {
      entries.closeSync();
    }
  } catch {} // a folder that may be passed, but not be read, or is none
  return names;
}

function askFor(path: string, stat: (path: string) => Stats): Stats | undefined {
  try {
    return stat(path);
  } catch {
    return undefined;
  }
}

function swapCase(text: string): string {
  return text.replace(/[a-z]/gi, (letter) => {
    const upper = letter.toUpperCase();
    return upper === letter ? letter.toLowerCase() : upper;
  });
}
