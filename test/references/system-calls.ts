import fs from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { vi } from 'vitest';
import { afterThisTest } from '../cleanups.ts';

/** The types of file systems, as Linux numbers them (statfs(2)). */
export const FILE_SYSTEMS = { nfs: 0x6969, smb: 0xfe534d42, fuse: 0x65735546 };

/** The paths at or below `root` that this process opens from now on, whichever call it uses. */
export function openedBelow(root: string): string[] {
  const opened: string[] = [];
  const note = (path: unknown): void => {
    if (isBelow(root, path)) opened.push(String(path));
  };
  const { open } = promises;
  const { openSync } = fs;
  const spies = [
    vi.spyOn(promises, 'open').mockImplementation((path, ...more) => {
      note(path);
      return open(path, ...more);
    }),
    vi.spyOn(fs, 'openSync').mockImplementation((path, ...more) => {
      note(path);
      return openSync(path, ...more);
    }),
  ];
  untilTheTestEnds(spies);
  return opened;
}

/** Has the system say of all at or below `root` that it lies on a file system of this type; nothing else of it changes. */
export function liesOn(root: string, type: number): void {
  const { statfsSync } = fs;
  const answer = ((path: fs.PathLike) => {
    const stats = statfsSync(path);
    return isBelow(root, path) ? { ...stats, type } : stats;
  }) as typeof statfsSync;
  untilTheTestEnds([vi.spyOn(fs, 'statfsSync').mockImplementation(answer)]);
}

/** Has the system find each file below `root` by the other case of its name as well, as one that folds case does. */
export function foldsCaseBelow(root: string): void {
  const { lstatSync } = fs;
  const answer = ((path: string) => {
    const known = isBelow(root, path) ? fs.readdirSync(dirname(path)) : [];
    const other = known.find((name) => name.toLowerCase() === basename(path).toLowerCase());
    return lstatSync(other === undefined ? path : join(dirname(path), other));
  }) as typeof lstatSync;
  untilTheTestEnds([vi.spyOn(fs, 'lstatSync').mockImplementation(answer)]);
}

function untilTheTestEnds(spies: readonly { mockRestore(): void }[]): void {
  syncBuiltinESMExports();
  afterThisTest(() => {
    for (const spy of spies) spy.mockRestore();
    syncBuiltinESMExports();
  });
}

function isBelow(root: string, path: unknown): boolean {
  return path === root || String(path).startsWith(`${root}/`);
}
