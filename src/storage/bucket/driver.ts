import type { Failure } from './errors.ts';
import type { ObjectKeys } from './keys.ts';

/**
 * The differences from one bucket service to the next, and nothing else. `BucketStorage` does the rest: keys, order and limits of
 * listings, downloads by ranges and uploads in parts, "was that write mine?", trials of conditional writes, error texts.
 *
 * A driver sends each request once, and believes an answer only in the shape that its service gives: for any other it throws a
 * {@link DriverError}. Whatever it throws, `classify` is asked what that means; a driver catches nothing itself. Every method ends
 * with `call.signal`. Keys are those of the service. No method is called after `close`.
 */
export interface BucketDriver {
  /** As of `DataStoreStorage`. */
  readonly type: string;
  /** The address of requests, for messages: `bucket "data" at localhost:9000`. */
  readonly place: string;
  /** As of `DataStoreStorage`. */
  readonly endpoint: string | undefined;
  readonly limits: BucketLimits;
  readonly conditions: ConditionsOfWrites;
  /** The encoding of names as keys. */
  readonly keys: Pick<ObjectKeys, 'prefix' | 'keyOf' | 'prefixOf' | 'reservedKeyOf' | 'nameOf' | 'folderOf'>;

  /** The object's address in the form that other tools of the service take. */
  uriOf(key: string): string;
  /**
   * Asks for an object, or for a part of it. Resolves when the answer begins; what the body throws is classified as well.
   * Refusals: `missing`, `past the end`; with `ifVersion`, `refused`.
   */
  read(key: string, what: ReadRequest, call: DriverCall): Promise<Reading>;
  /** Refusals: `missing`; `unexplained` where the answer cannot tell why, upon which the engine reads a byte. */
  head(key: string, call: DriverCall): Promise<ObjectHead>;
  /** Writes an object by one request, and gives its version. Refusals: `refused`, `contested`, `missing` (of `ifVersion`). */
  put(object: NewObject, body: Uint8Array, call: DriverCall): Promise<string>;
  /** Begins an object that goes in parts. May refuse it already (`refused`). */
  upload(object: NewObject, call: DriverCall): Promise<PartsUpload>;
  /** Gives one page of a listing. */
  list(query: ListQuery, call: DriverCall): Promise<DriverPage>;
  /**
   * Deletes at most `limits.deleteKeys` objects. A key counts as deleted only if the answer confirms it: one that stands neither in
   * `deleted` nor in `failed` is a failure. What does not exist counts as deleted (refusal: `missing`, of a single key).
   */
  deleteMany(keys: readonly string[], call: DriverCall): Promise<Deletion>;
  /** Tells what an error means that a method, or the body of a reading, threw. `operation` and `name` are those of the request. */
  classify(error: Error, request: { operation: string; name: string }): Failure;
  /** True if a version may be one of this service; any other is out of date without a request. */
  isVersion(version: string): boolean;
  /** Frees the connections. */
  close(): void;
}

/** One request of a driver. */
export interface DriverCall {
  /** Ends it. */
  signal: AbortSignal;
}

export interface BucketLimits {
  /** The most keys of one `deleteMany`. */
  deleteKeys: number;
  /** The most of them under way at a time. */
  deletesAtATime: number;
  /** True if parts go one after the other, each of the same size, rather than side by side. */
  partsInOrder: boolean;
  /** True if a whole object is asked for without a range, because only then its checksum comes along. */
  readsWhole: boolean;
  /** True if a listing can begin after a key. Where not, what comes before it is asked for and left out. */
  listsAfter: boolean;
}

/** Tells how far a server can be trusted to honour the conditions of writes, and what to say of one that does not. */
export interface ConditionsOfWrites {
  /** `trusted` at its word, `tried` before the first write, or `absent`: nobody else writes, and the engine looks first. */
  readonly trust: 'trusted' | 'tried' | 'absent';
  /** A version that no object has. */
  readonly noVersion: string;
  /** The service's names of the conditions. */
  readonly names: { readonly put: string; readonly upload: string; readonly replace: string };
  /** The remedy for a server that ignores one: a sentence. */
  readonly remedy: string;
}

export interface ReadRequest {
  /** The part to read; absent for all, which only a driver that `readsWhole` is asked for. */
  range?: { offset: number; length: number } | undefined;
  /** Read only if the object is still at this version. */
  ifVersion?: string | undefined;
}

/** An object as far as it is known. */
export interface ObjectHead {
  /** Length of the whole object, in bytes; `NaN` where the server does not tell. */
  bytes: number;
  /** Milliseconds since 1970, by the service's clock; fractions of a second are cut off. */
  modifiedAtMs: number;
  version: string;
  /** The mark that its writer left. */
  writeId?: string | undefined;
}

/** An answer that brings an object or a part of it. Its body is read to the end, or the signal of its call is aborted. */
export interface Reading extends ObjectHead {
  /** The offset in the object at which the body begins; `NaN` if the answer does not tell. */
  offset: number;
  /** The length of the body, in bytes. */
  length: number;
  body: AsyncIterable<Uint8Array>;
  /** Compares an object that was read whole with its checksum. @throws DriverError */
  verify?: ((body: Uint8Array) => Promise<void>) | undefined;
}

/** An object that is about to be written. */
export interface NewObject {
  key: string;
  contentType: string;
  /** Left in the metadata: it tells a writer whose answer was lost that the object is its own. */
  writeId: string;
  /** Write only if there is no object (`absent`), or one of this version. Default: whatever is there. */
  condition?: 'absent' | { ifVersion: string } | undefined;
}

/** An object that goes in parts, and comes to be when it is completed. */
export interface PartsUpload {
  /**
   * Sends a part, again if it failed. `at.isLast` if it is known to be the last one. Gives `over` where the upload has ended already,
   * and `complete` will tell how.
   */
  send(part: Uint8Array, at: PartPosition, call: DriverCall): Promise<'sent' | 'over'>;
  /** Makes the object of the parts. May be repeated. Refusals: `refused`, `contested`. */
  complete(call: DriverCall): Promise<void>;
  /** Frees the parts. May be repeated. */
  abandon(call: DriverCall): Promise<void>;
  /** True if something is left after it was abandoned, because a part was still under way. Left out where that cannot be. */
  isLeft?(call: DriverCall): Promise<boolean>;
}

export interface PartPosition {
  /** From 0. */
  index: number;
  /** The offset in the object at which the part begins, in bytes. */
  offset: number;
  isLast: boolean;
}

export interface ListQuery {
  /** The beginning of keys. */
  prefix: string;
  /** Keys up to and including this one are not wanted; a driver may give them. Only one that `listsAfter` is asked. */
  startAfter?: string | undefined;
  /** `/` for one level, of which deeper ones are folders. */
  delimiter?: '/' | undefined;
  /** The number of entries still wanted; infinite for all, and while what is listed will be left out. */
  wanted: number;
  /** True if what is listed comes before `startAfter`, and will be left out. */
  isSkipping: boolean;
  details: boolean;
  /** The `next` of the page before. */
  token?: string | undefined;
}

/** A page of keys, in any order. Keys that no store wrote may be among them. */
export interface DriverPage {
  entries: ListedKey[];
  /** The token by which the next page is asked for; absent after the last one, and only if the answer says that it is the last. */
  token?: string | undefined;
}

export interface ListedKey {
  key: string;
  isFolder?: boolean | undefined;
  /** The service may list entries behind it, on a later page, that belong before it. */
  isEarly?: boolean | undefined;
  /** With `details`, of objects. */
  bytes?: number | undefined;
  modifiedAtMs?: number | undefined;
}

/** The keys that an answer confirms to be gone, and those that it says are not. */
export interface Deletion {
  deleted: Iterable<string>;
  failed?: Iterable<{ key: string; failure: Failure }> | undefined;
}

/** The part of an object that a `Content-Range` header names, or the whole that `Content-Length` tells; `NaN` for what is not told. */
export function spanOf(
  contentRange: string | undefined,
  contentLength: number | undefined,
): { offset: number; length: number; bytes: number } {
  if (contentRange === undefined) {
    const bytes = contentLength ?? Number.NaN;
    return { offset: 0, length: bytes, bytes };
  }
  // Azurite says `bytes 0--1/0` of an empty blob.
  const [, first, last, total] = /^bytes (\d+)-(-?\d+)\/(\d+|\*)$/.exec(contentRange) ?? [];
  return { offset: Number(first), length: Number(last) - Number(first) + 1, bytes: Number(total) };
}
