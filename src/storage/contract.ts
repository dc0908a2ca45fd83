export type { CallOptions } from '../async/call-options.ts';

import type { CallOptions } from '../async/call-options.ts';
/**
 * All that a backend must do. A backend is one file that imports this one (and `errors.ts`);
 * `stowage/testing` is the suite it has to pass. Retries, limits and the like are decorators, never part of a backend.
 *
 * Object names are `/`-separated paths of non-empty segments, in Unicode NFC, at most 1,024 bytes of UTF-8.
 * `validateObjectName` tells the whole rule: no `.`, `..`, `\`, control character, U+FFFE, U+FFFF or first segment `tmp`,
 * and no segment longer than a file name once it is percent-encoded. No object is named like a folder of others: `a` and
 * `a/b` exclude each other, though not every storage notices.
 * They are written once: `create` never replaces, and no name is used again after it was deleted.
 * The one exception are advisory objects (beats, hints, cache entries), which `overwrite` replaces.
 *
 * Modelled on arrow-rs `object_store` and restic's `backend.Backend`.
 */
export interface DataStoreStorage extends AsyncDisposable {
  /** The kind of storage: `local`, `memory`, `s3`, ... A decorator passes on what it wraps. */
  readonly type: string;
  /** The abilities of this storage; frozen. A decorator passes on what it wraps, unless it changes it. */
  readonly capabilities: StorageCapabilities;
  /**
   * Finds writes that neither ended nor were taken back, because a process died: no listing shows what they left, but it
   * takes space. Absent in a storage that keeps nothing of them. A decorator passes on what it wraps.
   */
  readonly unfinished?: UnfinishedWrites | undefined;

  /**
   * Reads one object, or the part of it that `range` names. Resolves to `undefined` where there is none.
   * Atomic: the bytes are those of one whole object, never of a half-written one. Idempotent; may be retried.
   * The caller owns the returned bytes.
   *
   * @throws StowageError `OBJECT_TOO_LARGE` where more than `maxBytes` would have to be returned.
   */
  get(name: string, options?: GetOptions): Promise<StoredObject | undefined>;

  /**
   * Reads a part of one object as {@link get} does, straight into the caller's memory. Nothing is written there once the promise has
   * settled. Absent where that saves nothing over `get`; a decorator that has none of its own is asked by `get` instead.
   */
  getInto?(name: string, target: ReadTarget, options?: TransferOptions): Promise<FilledObject | undefined>;

  /**
   * Creates an object if its name is free. Of any number of concurrent creates of one name, by any number of
   * processes, exactly one resolves to `true`; the others resolve to `false` and change nothing.
   * Atomic: until it is whole, nobody sees it. Not idempotent: whoever retries after a lost response must read
   * the object, and may count it as its own only if the bytes are equal (the `retry` decorator does).
   * `body` is not kept after the promise settles. A stream that fails, or a call that is aborted, leaves nothing.
   */
  create(
    name: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options?: CreateOptions,
  ): Promise<boolean>;

  /**
   * Writes an advisory object, whatever was there, and returns its new version. Atomic; idempotent without `ifMatch`.
   *
   * @throws StowageError `PRECONDITION_FAILED` where the object's version is not `ifMatch` (or the object is gone).
   */
  overwrite(name: string, body: Uint8Array, options?: OverwriteOptions): Promise<string>;

  /** Tells length, time and version of an object, or `undefined` where there is none. Idempotent; may be retried. */
  head(name: string, options?: CallOptions): Promise<ObjectInfo | undefined>;

  /**
   * Lists the objects whose names begin with `prefix` (which need not end at a `/`), ascending by the bytes of
   * their names in UTF-8, in pages. What was created before the call began, and not deleted since, is listed;
   * what is created or deleted meanwhile may be. Names of unfinished writes are never listed.
   */
  list(options: ListOptions): AsyncIterable<ListPage>;

  /**
   * Deletes objects; names that do not exist count as deleted. Idempotent; may be retried.
   * Resolves to the names that are not confirmed gone (no permission, a lock, a time-out), each with its error;
   * throws only when aborted or closed.
   */
  delete(names: readonly string[], options?: CallOptions): Promise<DeleteFailure[]>;

  /**
   * Makes objects durable that somebody else wrote and that the caller now relies on (a deduplication hit), by the
   * next barrier of this instance (see {@link CreateOptions.durability}), or as a barrier itself (see
   * {@link PersistOptions.durability}), with or without names. Does nothing where visible means durable.
   */
  persist(names: readonly string[], options?: PersistOptions): Promise<void>;

  /**
   * The server that requests go to, with whatever credentials they carry, where that is not the service's own (AWS, Google): a URL
   * without a slash at its end. Of Azure always, since each account has its own. Absent where there is none.
   */
  readonly endpoint?: string | undefined;

  /** The database that the objects lie in, where other tables may lie beside them. Absent of storages that are none. */
  readonly database?: StorageDatabase | undefined;

  /** The object's address in the form other tools of this storage understand (`file:///...`, `s3://...`). */
  uri(name: string): string;

  /** Finishes what was deferred and frees handles, sockets and timers. Later calls throw `STORAGE_CLOSED`. Idempotent. */
  close(): Promise<void>;
}

/** A kind of database. */
export type DatabaseType = 'sqlite' | 'postgres';

/** A row of a result, by the names of its columns. */
export type SqlRow = Readonly<Record<string, unknown>>;

/** A statement, and the values of its parameters: `$1`, `$2`, ... */
export interface SqlStatement {
  text: string;
  parameters?: readonly unknown[] | undefined;
}

/** How {@link StorageDatabase.select} answers a statement. */
export interface SelectOptions extends CallOptions {
  /** So many rows at most. */
  limit: number;
  /** A statement that is read first, in the same state of the tables. What `accept` throws on its rows ends the call. */
  first?: { statement: SqlStatement; accept(rows: readonly SqlRow[]): void } | undefined;
}

/**
 * A database in which tables may be kept. Names of tables need nothing before them: those of a server are looked for in the schema that
 * its storage has. What goes wrong is told as by a storage, but for what a statement itself has wrong.
 */
export interface StorageDatabase {
  readonly type: DatabaseType;
  /** The address, without user and password. */
  readonly address: string;
  /** Runs one statement that reads, and sees one state of the tables. No rows where there is no database yet. */
  read(statement: SqlStatement, options?: CallOptions): Promise<readonly SqlRow[]>;
  /**
   * Answers a statement that somebody wrote who is not trusted to change anything, by pages of rows. Parameters are `null`, texts, numbers, whole
   * numbers of 64 bits as `bigint`, and bytes; so are values of rows, and `boolean`. A whole number is a `bigint` only where a number would not
   * be exact. All rows are of one state of the tables.
   *
   * @throws StowageError `INVALID_ARGUMENT` for what is no single statement that reads, with the database's own words; `ABORTED`
   */
  select(statement: SqlStatement, options: SelectOptions): AsyncGenerator<readonly SqlRow[], void>;
  /**
   * Runs the statements that a generator yields as one transaction; each `yield` gives the rows of its statement. Where another
   * process is in the way, the transaction is run again from the generator's beginning.
   */
  write<T>(work: () => Generator<SqlStatement, T, readonly SqlRow[]>, options?: CallOptions): Promise<T>;
}

/** The abilities of a storage. The conformance suite tests that each is true. */
export interface StorageCapabilities {
  /** `create` lets exactly one of many concurrent writers win. Without it only a single writer is safe. */
  readonly createIfAbsent: boolean;
  /** `overwrite` honours `ifMatch`. */
  readonly ifMatch: boolean;
  /** `get` reads only the bytes of `range`, rather than all and cutting. */
  readonly rangeReads: boolean;
  /** A read costs no network request, so that looking twice is cheap. */
  readonly localReads: boolean;
  /** Other processes see what one instance writes. */
  readonly sharedByProcesses: boolean;
  /**
   * `true` where a machine may see only after a while what another one wrote or deleted, as on NFS and SMB, whose clients remember what they
   * saw. Absent or `false`: at once.
   */
  readonly seenLate?: boolean | undefined;
  /** The most bytes of an object, packs of content included, which are made no larger. Absent where one may have 64 MiB and more. */
  readonly maxObjectBytes?: number | undefined;
  /** The encoding of names as file names: `exact` as they are, `fold` where the file system merges capitals. Elsewhere `exact`. */
  readonly nameEncoding: 'exact' | 'fold';
}

/** Writes that never ended: the storage either removes them itself after a time, or lists them for others to remove. */
export type UnfinishedWrites = ExpiringWrites | ListedWrites;

/** They cannot be listed, and need not be: the storage removes them by itself. */
export interface ExpiringWrites {
  readonly kind: 'expiring';
  /** One is removed so long after its last part, in milliseconds. */
  readonly afterMs: number;
}

/** They stay until somebody removes them. */
export interface ListedWrites {
  readonly kind: 'listed';
  /** Finds those that were begun at least so long ago; a day is an age that no write under way reaches. */
  find(options: FindUnfinishedOptions): AsyncIterable<UnfinishedWrite>;
  /** Frees what one holds. One that is gone counts as removed. Idempotent. */
  remove(write: UnfinishedWrite, options?: CallOptions): Promise<void>;
}

/** Options of {@link ListedWrites.find}. */
export interface FindUnfinishedOptions extends CallOptions {
  /** In milliseconds, by this machine's clock. */
  olderThanMs: number;
  /** `true` asks for `bytes`, which may cost a request for each. Default `false`. */
  details?: boolean | undefined;
}

/** A write that was begun and never ended. */
export interface UnfinishedWrite {
  /** The object that it would have become; the file that it left, where no more is known. */
  name: string;
  /** Tells it from others of the same name. */
  id: string;
  /** Milliseconds since 1970, by the storage's clock. */
  startedAtMs: number;
  /** The bytes that it takes up. Present when `details` was asked for, and the storage tells. */
  bytes?: number;
}

/** Runs a step, and again while it fails as `STORAGE_UNAVAILABLE`, for as long as the one who passed it has patience. */
export type RepeatStep = <T>(step: () => Promise<T>) => Promise<T>;

/** Options of calls that a storage may have to split into several requests. */
export interface TransferOptions extends CallOptions {
  /**
   * Runs a step of the call that can be repeated by itself, such as sending one part of a large object, so that a
   * passing fault does not begin the whole call again; a stream could not even be read again. The `retry` decorator
   * passes its policy here. A storage that takes every call in one step ignores it. Default: each step runs once.
   */
  repeatStep?: RepeatStep | undefined;
}

/** A part of an object, in bytes. What lies past the object's end is left out; a range wholly past it is empty. */
export interface ByteRange {
  offset: number;
  length: number;
}

/** Options of {@link DataStoreStorage.get}. */
export interface GetOptions extends TransferOptions {
  /** The part to read. Default: all. */
  range?: ByteRange | undefined;
  /** The most bytes that may be returned. Default 268,435,456 (256 MiB). */
  maxBytes?: number | undefined;
}

/** The default of {@link GetOptions.maxBytes}: 256 MiB. */
export const DEFAULT_MAX_GET_BYTES: number = 256 * 1024 * 1024;

/** The moment from which a created object is safe from a power failure. Storages where visible means durable ignore it. */
export type Durability =
  /** When the promise resolves. */
  | 'immediate'
  /** Visible when the promise resolves, durable after this instance's next barrier. */
  | 'deferred'
  /** All that this instance deferred becomes durable first; only then the object becomes visible; durable when the promise resolves. */
  | 'barrier';

/** Options of {@link DataStoreStorage.create}. */
export interface CreateOptions extends TransferOptions {
  /** Default `immediate`. */
  durability?: Durability | undefined;
  /** A media type, for storages that keep one. Default `application/octet-stream`. */
  contentType?: string | undefined;
  /**
   * True of content: others find it by its name, and have it made durable again (`persist`). A storage may remember of it that it is.
   * Default `false`.
   */
  isContent?: boolean | undefined;
}

/** Options of {@link DataStoreStorage.persist}. */
export interface PersistOptions extends CallOptions {
  /** `barrier`: the objects, and all that this instance deferred, are durable when the promise resolves. Default `deferred`. */
  durability?: 'deferred' | 'barrier' | undefined;
}

/** Options of {@link DataStoreStorage.overwrite}. */
export interface OverwriteOptions extends CallOptions {
  /** Write only if the object's version is this one. Default: write whatever is there. */
  ifMatch?: string | undefined;
}

/** Options of {@link DataStoreStorage.list}. */
export interface ListOptions extends CallOptions {
  /** Names must begin with this; `''` for all. */
  prefix: string;
  /** `all` lists every object below the prefix; `one` stops at the next `/` and lists what lies deeper as folders. Default `all`. */
  depth?: 'all' | 'one' | undefined;
  /** Names, and with `depth: 'one'` folders, up to and including this one are left out. Default: none. */
  startAfter?: string | undefined;
  /** The most objects and folders to list over all pages. Default: no limit. */
  limit?: number | undefined;
  /** `true` asks for `bytes` and `modifiedAtMs`. Without it, they are left out where they cost extra. Default `false`. */
  details?: boolean | undefined;
}

/** One page of a listing: at most 1,000 entries. */
export interface ListPage {
  objects: ListedObject[];
  /** With `depth: 'one'`: the common prefixes below `prefix`, each ending in `/`. */
  folders: string[];
}

/** An object in a listing. */
export interface ListedObject {
  name: string;
  /** Length in bytes. Present when `details` was asked for. */
  bytes?: number;
  /** Milliseconds since 1970 by the storage's clock. Present when `details` was asked for. */
  modifiedAtMs?: number;
}

/** An object as it is known without reading it. */
export interface ObjectInfo {
  name: string;
  /** Length in bytes. */
  bytes: number;
  /** Milliseconds since 1970, by the storage's clock. */
  modifiedAtMs: number;
  /** Changes whenever the object is overwritten (an ETag, a generation). Opaque. */
  version: string;
}

/** An object, or a part of it, as it was read. */
export interface StoredObject extends ObjectInfo {
  /** The bytes read; `bytes` is the length of the whole object, whatever the range. */
  body: Uint8Array;
}

/** The part of an object to read, and the memory for it. */
export interface ReadTarget {
  /** The offset in the object, in bytes. */
  offset: number;
  /** Filled one after the other; together they are as long as the part. */
  into: readonly Uint8Array[];
}

/** An object of which a part was read into the caller's memory. */
export interface FilledObject extends ObjectInfo {
  /** The bytes that were read: fewer than asked for where the object ends before. */
  filled: number;
}

/** An object that is not confirmed gone, and why. */
export interface DeleteFailure {
  name: string;
  error: Error;
}
