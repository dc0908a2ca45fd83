import { basename, resolve } from 'node:path';
import { onUse, untilFilesCanBeOpened } from '../async/open-files.ts';
import { type ProgressOptions, withProgress } from '../async/progress.ts';
import { checkRawDataPath, type RawDataPathOptions } from '../content/places/raw-data-path.ts';
import { invalidArgument, throwIfAborted } from '../errors.ts';
import { HERE } from '../format/content-ref.ts';
import {
  ANYTHING,
  checkOptions,
  NAMES,
  type OptionTable,
  PROGRESS_OPTIONS,
} from '../options/option-table.ts';
import type { CallOptions } from '../storage/contract.ts';
import { validateUserName } from '../storage/names.ts';
import { DirectoryRef } from './directory/directory-ref.ts';
import type { TreeOptions } from './directory/walk-tree.ts';
import type { FileKeeper } from './file-keeper.ts';
import { checkGivenDigest } from './given-digest.ts';
import { localPath } from './uris.ts';

const directoryParts = onUse(() => import('./directory/parts.ts'));

/** Options of saving a directory. */
export interface SaveDirectoryOptions extends CallOptions, TreeOptions, RawDataPathOptions, ProgressOptions {
  /** The name of the directory. Default: that at the end of its path. */
  name?: string | undefined;
  /** The digest by which it counts in cache keys. Default: that of its entries. */
  digest?: string | undefined;
}

const OPTIONS: OptionTable<SaveDirectoryOptions> = {
  ...PROGRESS_OPTIONS,
  name: ANYTHING,
  digest: ANYTHING,
  rawDataPath: ANYTHING,
  include: NAMES,
  exclude: NAMES,
  ignoreFiles: NAMES,
};

/** Makes references to directories. What is saved is kept as files are ({@link Files}). */
export class Directories {
  readonly #keeper: FileKeeper;

  /** @internal */
  constructor(keeper: FileKeeper) {
    this.#keeper = keeper;
  }

  /**
   * Saves a folder of this machine, with all that is in it and below it: small files together, large ones each, and a listing. Files that are
   * as this process has read them before are not read again; of folders of 256 files or 16 MiB, nor those that another process of this user has
   * read (`STOWAGE_FILE_INDEX`); on file systems of other machines each is read each time. Links within the folder are followed; empty folders are nothing.
   *
   * @throws StowageError `REFERENCE_NOT_FOUND`; `REFERENCE_UNREADABLE` for what is no folder, for pipes, sockets and devices in it, and for what
   * may not be read; `REFERENCE_CHANGED` where a file is written to meanwhile; `INVALID_ARGUMENT` for links that lead out of the folder, and
   * more than 500,000 files; `INVALID_NAME` for names that not every system holds; in a task `ATTEMPT_CLOSED`
   */
  async fromLocal(path: string | URL, options: SaveDirectoryOptions = {}): Promise<DirectoryRef> {
    checkOptions<SaveDirectoryOptions>(options, 'directories.fromLocal', OPTIONS);
    const { digest, signal, rawDataPath, onProgress, include, exclude, ignoreFiles } = options;
    if (typeof digest === 'function')
      throw invalidArgument('The digest of a directory is a text; a function makes that of a file.');
    checkGivenDigest(digest);
    checkRawDataPath(rawDataPath);
    const root = resolve(localPath(path, 'directories.fromLocal takes a folder'));
    const name = validateUserName(options.name ?? basename(root), 'directory name');
    // As they are now: the rest is loaded first.
    const selection = {
      include: include && [...include],
      exclude: exclude && [...exclude],
      ignoreFiles: ignoreFiles && [...ignoreFiles],
    };
    throwIfAborted(signal);
    const { store } = this.#keeper;
    return withProgress(onProgress, 'directories.fromLocal', async (progress) => {
      const { saveDirectory, walkTree } = await directoryParts();
      await untilFilesCanBeOpened(); // what is small is read without waiting
      const found = { root, selection, files: await walkTree(root, selection, { signal }) };
      const { result, session } = await this.#keeper.keep({ signal, rawDataPath }, async (keeping) => {
        const saved = await saveDirectory(found, store, keeping, progress);
        return { result: saved, contents: saved.contents };
      });
      const { files, size, entries, listing, contents } = result;
      const places = new Map(contents.map(({ key, place = HERE }) => [key, place]));
      const others = contents.filter(({ key }) => key !== listing).map(({ key }) => key);
      const parts = new Uint8Array(Buffer.from(others.sort().join(''), 'hex'));
      const facts = { name, files, size, digest, entries, listing, parts };
      return new DirectoryRef(facts, { store, session, placeOf: (key) => places.get(key) ?? HERE });
    });
  }
}
