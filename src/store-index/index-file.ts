import { closeSync, mkdirSync, openSync, readSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { invalidArgument, isStowageError, StowageError } from '../errors.ts';
import { folderForCaches } from '../references/directory/index-folder.ts';
import { refuseHome } from '../storage/home-folder.ts';
import { localError } from '../storage/local/errors.ts';
import { SqliteFile, type SqliteKind } from '../storage/sql/sqlite/sqlite-file.ts';

/** Names the folder of indexes in the place of the one in the user's folder of caches. */
const VARIABLE = 'STOWAGE_INDEXES';

/** Its tables are made, and told by their version, as those of an index in a store's own database. */
const INDEX: SqliteKind = {
  applicationId: 0x53_74_69_78, // `Stix`
  version: 1,
  schema: [],
  noun: 'the index',
  foreign: 'INVALID_ARGUMENT',
  damaged: 'remove it, and it is made anew',
  isSynced: false,
};

/** Bytes of SQLite's header, and where the application's id lies in them (https://www.sqlite.org/fileformat2.html, 1.3). */
const HEADER_BYTES = 100;
const APPLICATION_ID_AT = 68;

/**
 * The path of the index of a store in a folder or a bucket, where none is given.
 *
 * @throws StowageError `INVALID_ARGUMENT` where this user has no folder for caches
 */
export function defaultIndexPath(storeId: string): string {
  const folder = folderForCaches(VARIABLE, 'indexes');
  if (folder !== undefined) return join(folder, `${storeId}.db`);
  throw invalidArgument(
    `There is no folder for the index: ${VARIABLE} is "off", or this user has no home folder. Name a file by path (--index), or a folder by ${VARIABLE}.`,
  );
}

/** A file of SQLite that holds an index of one store, and nothing else. */
export class IndexFile {
  readonly path: string;
  readonly database: SqliteFile;
  /** The path was not chosen by anybody: whatever lies there is an index, though it cannot be read. */
  readonly #isOwnPlace: boolean;

  private constructor(database: SqliteFile, isOwnPlace: boolean) {
    this.path = database.path;
    this.database = database;
    this.#isOwnPlace = isOwnPlace;
  }

  /**
   * Loads SQLite; makes and opens nothing.
   *
   * @param path - default: {@link defaultIndexPath}
   * @throws StowageError `STORAGE_UNSUPPORTED` where there is no SQLite
   */
  static async load(path: string | undefined, storeId: string): Promise<IndexFile> {
    if (path !== undefined) refuseHome(path);
    const absolute = resolve(path ?? defaultIndexPath(storeId));
    return new IndexFile(await loadLibrary(absolute), path === undefined);
  }

  /** Makes the folder of a path that nobody chose. */
  makeFolder(): void {
    if (!this.#isOwnPlace) return;
    const folder = dirname(this.path);
    told('make', folder, () => mkdirSync(folder, { recursive: true, mode: 0o700 }));
  }

  /** Removes a file that is damaged, or whose place was taken by another, so that it is made anew; `false` where it may be somebody else's. */
  async discard(): Promise<boolean> {
    await this.database.close();
    if (!this.#isOwnPlace && !this.#isOurs()) return false;
    for (const suffix of ['', '-wal', '-shm'])
      told('remove', this.path, () => rmSync(this.path + suffix, { force: true }));
    return true;
  }

  /** True if the header says so, whatever became of the rest; and of no file. */
  #isOurs(): boolean {
    const header = Buffer.alloc(HEADER_BYTES);
    let file: number;
    try {
      file = openSync(this.path, 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
      throw error;
    }
    try {
      readSync(file, header, 0, HEADER_BYTES, 0);
    } finally {
      closeSync(file);
    }
    return header.readUInt32BE(APPLICATION_ID_AT) === INDEX.applicationId;
  }
}

/** Does what a user may not be allowed to. */
function told(operation: string, path: string, work: () => void): void {
  try {
    work();
  } catch (cause) {
    const error = localError(cause, { operation, name: basename(path), path });
    if (!isStowageError(error)) throw error;
    const { code, message, details } = error;
    throw new StowageError(
      code,
      `${message} Or name a file for the index by path (--index), or a folder by ${VARIABLE}.`,
      { details, cause },
    );
  }
}

async function loadLibrary(path: string): Promise<SqliteFile> {
  try {
    return await SqliteFile.load(path, INDEX);
  } catch (cause) {
    if (!(cause instanceof StowageError) || cause.code !== 'STORAGE_UNSUPPORTED') throw cause;
    throw new StowageError(
      'STORAGE_UNSUPPORTED',
      'An index of a folder or a bucket is a file of SQLite: that needs Node.js from 22.13 on, which has SQLite, or the package libsql (npm install libsql). All else works without.',
      { details: cause.details, cause },
    );
  }
}
