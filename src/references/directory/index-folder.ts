import { statfsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { DiskCache } from '../../content/caches/disk-cache.ts';
import { attempted, isStowageError } from '../../errors.ts';
import { isOnNetwork } from '../../storage/local/network-file-system.ts';

const VARIABLE = 'STOWAGE_FILE_INDEX';
const MAX_BYTES = 512 * 1024 * 1024;
/**
 * More file systems of other machines, as Linux numbers them (statfs(2)): FUSE, 9P, Ceph, AFS, Lustre. Their times, as those of NFS and SMB, come
 * from another clock, or late, so that nobody can tell whether a file was written just before it was read.
 */
const OTHER_REMOTE_TYPES: ReadonlySet<number> = new Set([
  0x65735546, 0x01021997, 0x00c36400, 0x5346414f, 0x0bd00bd0,
]);

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The folder in which processes of this user remember files: what `STOWAGE_FILE_INDEX` names, none for `off`, else one in the folder that the
 * system has for caches; `undefined` also where there is none.
 */
export function indexFolder(
  environment: Environment = process.env,
  platform: NodeJS.Platform = process.platform,
): string | undefined {
  return folderForCaches(VARIABLE, 'file-index', environment, platform);
}

/** The folder of this user that a variable names, none for `off`, else one in the folder that the system has for caches; `undefined` where there is none. */
export function folderForCaches(
  variable: string,
  name: string,
  environment: Environment = process.env,
  platform: NodeJS.Platform = process.platform,
): string | undefined {
  const given = environment[variable];
  if (given) return given === 'off' ? undefined : given;
  const caches = cachesFolder(environment, platform);
  return caches === undefined ? undefined : join(caches, 'stowage', name);
}

/** As the XDG Base Directory Specification, macOS and Windows have it. */
function cachesFolder(environment: Environment, platform: NodeJS.Platform): string | undefined {
  if (platform === 'win32') return environment.LOCALAPPDATA || undefined;
  // A relative one counts for none, by the specification.
  if (environment.XDG_CACHE_HOME?.startsWith('/')) return environment.XDG_CACHE_HOME;
  const home = attempted(homedir); // an account without an entry has none
  if (!home) return undefined;
  return platform === 'darwin' ? join(home, 'Library', 'Caches') : join(home, '.cache');
}

/**
 * True where the system tells of every change of a file at once, so that one that looks as it was is as it was. False on file systems of other
 * machines, as far as {@link isOnNetwork} tells them: their clients remember for seconds how a file looked, and their clock is another. False
 * also for what is not there any more, and everywhere with `STOWAGE_FILE_INDEX=off`.
 */
export function tellsOfChanges(path: string): boolean {
  if (process.env[VARIABLE] === 'off') return false;
  const isLocal = attempted(
    () => !isOnNetwork(path, { statfsSync }) && !OTHER_REMOTE_TYPES.has(statfsSync(path).type),
  );
  return isLocal ?? false;
}

/** The cache in which files of this machine are remembered, for one store. It is opened once: each time that one is opened, all of it is looked at. */
export class IndexCache {
  #opened: Promise<DiskCache | undefined> | undefined;

  /**
   * Opens the cache in which files of `root` are remembered; `undefined` where none are.
   *
   * @throws StowageError `INVALID_ARGUMENT` for a folder that `STOWAGE_FILE_INDEX` names, and that cannot be one of a cache
   */
  async open(root: string): Promise<DiskCache | undefined> {
    if (!tellsOfChanges(root)) return undefined;
    this.#opened ??= openCache();
    try {
      return await this.#opened;
    } catch (error) {
      this.#opened = undefined; // another try may find another folder
      throw error;
    }
  }

  /** Resolves once what is too much in it is removed. */
  async close(): Promise<void> {
    // Whoever opened it was told why it could not be.
    const cache = await this.#opened?.catch(() => undefined);
    await cache?.close();
  }
}

async function openCache(): Promise<DiskCache | undefined> {
  const folder = indexFolder();
  if (folder === undefined) return undefined;
  try {
    return await DiskCache.open(folder, { maxBytes: MAX_BYTES });
  } catch (error) {
    // Nobody chose it: a home folder that is a store itself goes without.
    if (!process.env[VARIABLE] && isStowageError(error, 'INVALID_ARGUMENT')) return undefined;
    throw error;
  }
}
