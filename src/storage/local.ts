import { statSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { mapBounded } from '../async/bounded-work.ts';
import { afterTurn } from '../async/turns.ts';
import { invalidArgument, isStowageError, StowageError, throwIfAborted } from '../errors.ts';
import { checkBody } from '../streams/body-stream.ts';
import { closedError, listLimit } from './checks.ts';
import type {
  CallOptions,
  CreateOptions,
  DataStoreStorage,
  DeleteFailure,
  FilledObject,
  FindUnfinishedOptions,
  GetOptions,
  ListOptions,
  ListPage,
  ObjectInfo,
  OverwriteOptions,
  PersistOptions,
  ReadTarget,
  StorageCapabilities,
  StoredObject,
  TransferOptions,
  UnfinishedWrite,
  UnfinishedWrites,
} from './contract.ts';
import { refuseHome } from './home-folder.ts';
import { pagesOf } from './list-pages.ts';
import { claimVersion, dropClaims } from './local/claim.ts';
import { Durability } from './local/durability.ts';
import { removeEmptyFolders } from './local/empty-folders.ts';
import { codeOf, localError, type Target } from './local/errors.ts';
import { nameEncodingOf, STORE_RECORD } from './local/name-encoding.ts';
import { isOnNetwork } from './local/network-file-system.ts';
import { headFile, isFolder, readFile, readFileInto, versionOf } from './local/reader.ts';
import { type LocalSystem, REAL_SYSTEM } from './local/system.ts';
import { findTmp, isUnfinishedName, TMP_FOLDER } from './local/tmp-folder.ts';
import { walk } from './local/walk.ts';
import { Writer } from './local/writer.ts';
import { encodeObjectName, type NameEncoding, validateObjectName, validatePrefix } from './names.ts';

/** So many files are deleted at a time. */
const MAX_CONCURRENT_DELETES = 16;

/** Options of {@link LocalStorage.open}. */
export interface LocalStorageOptions {
  /**
   * True if writes survive a power failure. `false` makes writing faster on disks and is meant for tests and
   * scratch stores: a crash of the machine (not of the process) may then leave torn objects. Default `true`.
   */
  fsync?: boolean | undefined;
  /**
   * The encoding of names as file names in a new store. The record of an existing store decides for it.
   * Choose `fold` for a store that will be copied to Windows or macOS as a folder. Default: as this file system demands.
   */
  names?: NameEncoding | undefined;
  /**
   * System calls to use in place of the real ones, for tests of what happens when they fail. Default: none.
   *
   * @internal
   */
  system?: Partial<LocalSystem> | undefined;
}

/** Names that addresses write as they are. */
const SAME_IN_ADDRESSES = /^[\w./-]+$/;

/**
 * Keeps objects as files in a folder, for any number of processes on one machine (or on a network file system with
 * hard links). Nothing is created before the first write. Every create is atomic and, by default, survives a power
 * failure: a file in `.stowage-tmp/`, fsync, `link()` to its name, fsync of its folder and of the parents of new folders.
 */
export class LocalStorage implements DataStoreStorage {
  readonly type = 'local';
  readonly capabilities: StorageCapabilities;
  /** Files in `.stowage-tmp/`, which the first write of a process removes once they are a day old. */
  readonly unfinished: UnfinishedWrites = {
    kind: 'listed',
    find: (options) => this.#findUnfinished(options),
    remove: (write, options) => this.#removeUnfinished(write, options),
  };
  /** The absolute path of the folder. */
  readonly root: string;
  readonly #encoding: NameEncoding;
  readonly #durability: Durability;
  readonly #writer: Writer;
  readonly #tmpFolder: string;
  /** The address of the folder, with a slash at its end. Each record that is read has its address made, for errors to name. */
  readonly #rootUri: string;
  /** What paths in it begin with, where names in it are separated as paths are. */
  readonly #rootStart: string | undefined;
  #closed = false;

  private constructor(root: string, encoding: NameEncoding, system: LocalSystem, fsync: boolean) {
    this.root = root;
    this.#encoding = encoding;
    this.#tmpFolder = join(root, TMP_FOLDER);
    this.#rootUri = pathToFileURL(join(root, sep)).href;
    this.#rootStart = sep === '/' ? join(root, sep) : undefined;
    this.#durability = new Durability(root, system, fsync);
    this.#writer = new Writer(this.#tmpFolder, this.#durability, system);
    this.capabilities = Object.freeze({
      createIfAbsent: true,
      ifMatch: true,
      rangeReads: true,
      localReads: true,
      sharedByProcesses: true,
      nameEncoding: encoding,
      // Asked when somebody wants to know: the folder may be made later.
      get seenLate() {
        return isOnNetwork(root, system);
      },
    });
  }

  /**
   * Opens the folder at `path`, which need not exist.
   *
   * @throws StowageError `NOT_A_STORE` where `path` is a file; `STORAGE_NOT_PERMITTED`
   */
  static async open(path: string, options: LocalStorageOptions = {}): Promise<LocalStorage> {
    if (typeof path !== 'string' || path === '' || path.includes('\0')) {
      throw invalidArgument('A local storage needs the path of a folder; it is empty or no path.');
    }
    refuseHome(path);
    const root = resolve(path);
    checkRoot(root);
    const { fsync = true, names } = options;
    const system = { ...REAL_SYSTEM, ...options.system };
    return new LocalStorage(root, nameEncodingOf(root, names, system), system, fsync);
  }

  async get(name: string, options: GetOptions = {}): Promise<StoredObject | undefined> {
    this.#begin(options);
    const reading = readFile(this.#target('read', name), options);
    // Small objects are there at once: nothing is waited for.
    const object = reading instanceof Promise ? await reading : reading;
    if (object && name === STORE_RECORD) this.#writer.expectStore(object.body);
    return afterTurn(object);
  }

  async getInto(
    name: string,
    target: ReadTarget,
    options: TransferOptions = {},
  ): Promise<FilledObject | undefined> {
    this.#begin(options);
    return afterTurn(await readFileInto(this.#target('read', name), target, options));
  }

  async create(
    name: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options: CreateOptions = {},
  ): Promise<boolean> {
    this.#begin(options);
    const target = this.#target('create', name);
    checkBody(body);
    const isNew = await this.#writer.create(target, body, options);
    if (isNew && name === STORE_RECORD && body instanceof Uint8Array) this.#writer.expectStore(body);
    return afterTurn(isNew);
  }

  async overwrite(name: string, body: Uint8Array, options: OverwriteOptions = {}): Promise<string> {
    this.#begin(options);
    const target = this.#target('overwrite', name);
    checkBody(body);
    const { ifMatch } = options;
    if (ifMatch === undefined) return afterTurn(versionOf(this.#writer.replace(target, body)));
    return afterTurn(this.#replaceVersion(target, body, ifMatch));
  }

  async head(name: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    this.#begin(options);
    return afterTurn(headFile(this.#target('read', name)));
  }

  async *list(options: ListOptions): AsyncGenerator<ListPage, void> {
    this.#begin(options);
    validatePrefix(options.prefix);
    for (const page of pagesOf(walk(this.root, this.#encoding, options), listLimit(options))) {
      yield await afterTurn(page);
      this.#begin(options);
    }
    await afterTurn(undefined);
  }

  async delete(names: readonly string[], options: CallOptions = {}): Promise<DeleteFailure[]> {
    this.#begin(options);
    const failures: DeleteFailure[] = [];
    const deleted: string[] = [];
    await mapBounded(names, MAX_CONCURRENT_DELETES, async (name) => {
      this.#begin(options);
      try {
        deleted.push(await this.#unlink(name));
      } catch (error) {
        failures.push({ name, error: error as Error });
      }
    });
    removeEmptyFolders(this.root, deleted);
    return failures;
  }

  async persist(names: readonly string[], options: PersistOptions = {}): Promise<void> {
    this.#begin(options);
    for (const name of names) {
      const deferred = this.#durability.deferFile(this.#target('persist', name).path);
      if (deferred) await deferred;
    }
    if (options.durability === 'barrier') await this.#durability.flush();
  }

  uri(name: string): string {
    const encoded = encodeObjectName(validateObjectName(name), this.#encoding);
    if (SAME_IN_ADDRESSES.test(encoded)) return this.#rootUri + encoded;
    return pathToFileURL(join(this.root, encoded)).href;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#durability.flush();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #begin(options: CallOptions): void {
    if (this.#closed) throw closedError(this.type);
    throwIfAborted(options.signal);
  }

  async *#findUnfinished(options: FindUnfinishedOptions): AsyncGenerator<UnfinishedWrite, void> {
    this.#begin(options);
    const target = this.#tmpTarget('find the unfinished', '');
    try {
      for await (const { file, bytes, modifiedAtMs } of findTmp(this.#tmpFolder)) {
        this.#begin(options);
        if (modifiedAtMs > Date.now() - options.olderThanMs) continue;
        yield { name: `${TMP_FOLDER}/${file}`, id: file, startedAtMs: modifiedAtMs, bytes };
      }
    } catch (error) {
      throw isStowageError(error) ? error : localError(error, target);
    }
  }

  async #removeUnfinished({ id }: UnfinishedWrite, options: CallOptions = {}): Promise<void> {
    this.#begin(options);
    if (!isUnfinishedName(id)) throw notUnfinished(id);
    const target = this.#tmpTarget('remove the unfinished', id);
    try {
      await unlink(target.path);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw localError(error, target);
    }
  }

  #tmpTarget(operation: string, file: string): Target {
    return { operation, name: `${TMP_FOLDER}/${file}`, path: join(this.#tmpFolder, file) };
  }

  #target(operation: string, name: string): Target {
    return {
      operation,
      name,
      path: this.#pathOf(encodeObjectName(validateObjectName(name), this.#encoding)),
    };
  }

  /** An encoded name has nothing that `join` would change but separators, and that takes ten times as long. */
  #pathOf(encoded: string): string {
    return this.#rootStart === undefined ? join(this.root, encoded) : this.#rootStart + encoded;
  }

  /** Claims the old version, looks once more whether it is the one in place, and replaces it. */
  #replaceVersion(target: Target, body: Uint8Array, version: string): string {
    let claims: string[] | undefined;
    let isThere = true;
    const stats = this.#writer.replaceIf(target, body, (tmp) => {
      const newTmpPath = (): string => this.#writer.newTmpPath();
      const request = { tmpFolder: this.#tmpFolder, name: target.name, version, tmp, newTmpPath };
      claims = claimVersion(request);
      isThere = headFile(target)?.version === version;
      return claims !== undefined && isThere;
    });
    // Of a version that is still there they stay: who lost his must not free its number.
    if (claims && (stats || !isThere)) dropClaims(claims);
    if (!stats) throw preconditionFailed(target.name, version);
    return versionOf(stats);
  }

  async #unlink(name: string): Promise<string> {
    const target = this.#target('delete', name);
    try {
      await unlink(target.path);
    } catch (error) {
      const isGone = codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR' || isFolder(target.path);
      if (!isGone) throw localError(error, target);
    }
    return target.path;
  }
}

function checkRoot(root: string): void {
  let isDirectory: boolean;
  try {
    isDirectory = statSync(root).isDirectory();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return; // made by the first write
    if (codeOf(error) !== 'ENOTDIR') throw localError(error, { operation: 'open', name: root, path: root });
    isDirectory = false;
  }
  if (isDirectory) return;
  throw new StowageError(
    'NOT_A_STORE',
    `${root} is not a folder; give the path of a folder, or of none yet.`,
    {
      details: { path: root },
    },
  );
}

function notUnfinished(id: string): StowageError {
  return invalidArgument(
    `${JSON.stringify(id)} is no unfinished write of this storage; pass one that \`find\` gave.`,
    { id },
  );
}

function preconditionFailed(name: string, ifMatch: string): StowageError {
  return new StowageError(
    'PRECONDITION_FAILED',
    `"${name}" is not at version ${ifMatch} any more; read it again before you replace it.`,
    { details: { name, ifMatch } },
  );
}
