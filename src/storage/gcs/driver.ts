import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { jsonText } from '../../codec/json-text.ts';
import {
  type BucketDriver,
  type BucketLimits,
  type ConditionsOfWrites,
  type Deletion,
  type DriverCall,
  type DriverPage,
  type ListQuery,
  type NewObject,
  type ObjectHead,
  type PartsUpload,
  type Reading,
  type ReadRequest,
  spanOf,
} from '../bucket/driver.ts';
import { CHANGED, DriverError, type Failure } from '../bucket/errors.ts';
import { ObjectKeys } from '../bucket/keys.ts';
import { ownEndpoint } from '../endpoints.ts';
import { MAX_PAGE_ENTRIES } from '../list-pages.ts';
import { gcsUri } from './address.ts';
import { connect, type GcsConnection } from './client.ts';
import { Crc32c } from './crc32c.ts';
import { classify, NOT_GCS } from './errors.ts';
import type { CheckedGcsOptions } from './options.ts';
import { GcsRequests, isListing, jsonOf, type ObjectResource, textOf } from './requests.ts';
import { UploadSession } from './upload-session.ts';

/** The user metadata in which a write leaves its own mark. */
const WRITE_ID = 'write-id';
/** The form of a generation; `0` would mean that there must be no object. */
const GENERATION = /^[1-9]\d{0,18}$/;
/** Bytes of which the checksum is taken before others get their turn. */
const CHECKED_AT_ONCE = 4 * 1024 * 1024;
const CRC32C = /crc32c=([A-Za-z0-9+/=]+)/;
const MOST_CLEANING_MS = 10_000;
/**
 * Public objects would be cached for an hour unless they say otherwise, though they were overwritten since; and the
 * service, or a cache, might transform it.
 */
const CACHE_CONTROL = 'private, max-age=0, no-transform';

/** Speaks to one bucket by the JSON API. */
export class GcsDriver implements BucketDriver {
  readonly type = 'gcs';
  readonly place: string;
  readonly endpoint: string | undefined;
  readonly keys: ObjectKeys;
  readonly limits: BucketLimits = {
    deleteKeys: 1,
    deletesAtATime: 32,
    partsInOrder: true,
    readsWhole: false,
    listsAfter: true,
  };
  readonly conditions: ConditionsOfWrites;
  readonly #requests: GcsRequests;
  readonly #options: CheckedGcsOptions;

  private constructor(options: CheckedGcsOptions, connection: GcsConnection) {
    this.keys = new ObjectKeys(options.prefix);
    this.#options = options;
    this.#requests = new GcsRequests(options, connection, this.keys.prefix);
    this.place = `bucket "${options.bucket}" at ${connection.host}`;
    this.endpoint = ownEndpoint('gcs', connection.endpoint);
    this.conditions = {
      trust: connection.isGoogle ? 'trusted' : 'tried',
      noVersion: '1',
      names: {
        put: 'ifGenerationMatch=0',
        upload: 'ifGenerationMatch=0 of a resumable upload',
        replace: 'ifGenerationMatch',
      },
      remedy: 'Use Google Cloud Storage, or an emulator that honours it (a current fake-gcs-server).',
    };
  }

  /** Sends nothing, and looks for no credentials yet. @throws StowageError `INVALID_ARGUMENT`, `STORAGE_UNSUPPORTED` */
  static async open(options: CheckedGcsOptions): Promise<GcsDriver> {
    new ObjectKeys(options.prefix); // refused before anything is loaded
    return new GcsDriver(options, await connect(options));
  }

  uriOf(key: string): string {
    return gcsUri(this.#options.bucket, key);
  }

  async read(key: string, { range, ifVersion }: ReadRequest, { signal }: DriverCall): Promise<Reading> {
    const { offset = 0, length = Number.MAX_SAFE_INTEGER } = range ?? {};
    const headers = {
      Range: `bytes=${offset}-${offset + length - 1}`,
      // Without it the service would decompress what somebody stored compressed, and ignore the range.
      'Accept-Encoding': 'gzip',
    };
    const query = { alt: 'media', generation: ifVersion };
    const url = this.#requests.objectUrl(key);
    const request = { method: 'GET' as const, url, query, headers, isOfObject: true };
    const answer = await this.#requests.send(request, signal);
    const {
      'x-goog-generation': version,
      'content-length': total,
      'content-range': span = '',
    } = answer.headers;
    if (typeof version !== 'string') throw notGcs('content without a generation');
    return {
      ...spanOf(answer.status === 200 ? undefined : span, Number(total ?? Number.NaN)),
      version,
      modifiedAtMs: Date.parse(answer.headers['last-modified'] ?? ''),
      body: answer.body,
      verify: (body) => checkCrc32c(body, CRC32C.exec(String(answer.headers['x-goog-hash']))?.[1]),
    };
  }

  async head(key: string, { signal }: DriverCall): Promise<ObjectHead> {
    const query = { fields: 'generation,size,updated,metadata' };
    const request = { method: 'GET' as const, url: this.#requests.objectUrl(key), query, isOfObject: true };
    const {
      generation,
      size,
      updated = '',
      metadata,
    } = await this.#requests.json<ObjectResource>(request, signal);
    if (generation === undefined) throw notGcs('an object without a generation');
    const writeId = metadata?.[WRITE_ID];
    return { bytes: Number(size), modifiedAtMs: Date.parse(updated), version: generation, writeId };
  }

  /**
   * Sends a request of two parts (RFC 2387): the object's metadata, and its bytes with the checksum that the service compares before
   * anybody sees them.
   */
  async put(object: NewObject, body: Uint8Array, { signal }: DriverCall): Promise<string> {
    const boundary = randomUUID();
    const crc32c = new Crc32c().update(body).toString();
    const head =
      `--${boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n` +
      `${this.#metadataOf(object, crc32c)}\r\n` +
      `--${boundary}\r\nContent-Type: ${object.contentType}\r\n\r\n`;
    const answer = await this.#requests.send(
      {
        method: 'POST',
        url: this.#requests.uploadUrl,
        query: { uploadType: 'multipart', ...this.#queryOf(object) },
        headers: { 'Content-Type': `multipart/related; boundary=${boundary}` },
        body: [Buffer.from(head), body, Buffer.from(`\r\n--${boundary}--\r\n`)],
      },
      signal,
    );
    return this.#verified(object.key, await jsonOf(answer), body.length, crc32c);
  }

  async upload(object: NewObject, { signal }: DriverCall): Promise<PartsUpload> {
    const answer = await this.#requests.send(
      {
        method: 'POST',
        url: this.#requests.uploadUrl,
        query: { uploadType: 'resumable', ...this.#queryOf(object) },
        headers: { 'Content-Type': 'application/json; charset=UTF-8' },
        body: [Buffer.from(this.#metadataOf(object))],
      },
      signal,
    );
    answer.body.resume();
    const { location } = answer.headers;
    if (location === undefined || !URL.canParse(location)) throw notGcs('an upload without a session');
    // What is stored of other bytes is gone again: whether the object is there now, and whose, is another question.
    const verify = (stored: ObjectResource, bytes: number, crc32c: string) =>
      this.#verified(object.key, stored, bytes, crc32c, 'contested');
    return new UploadSession(this.#requests, location, verify);
  }

  async list(query: ListQuery, { signal }: DriverCall): Promise<DriverPage> {
    // One more, because `startOffset` gives that name itself too.
    const maxResults = Math.min(query.wanted + 1, MAX_PAGE_ENTRIES);
    const parameters = {
      prefix: query.prefix,
      startOffset: query.startAfter,
      delimiter: query.delimiter,
      fields: `kind,nextPageToken,prefixes,items(${query.details ? 'name,size,updated' : 'name'})`,
      pageToken: query.token,
      maxResults: `${maxResults}`,
    };
    const request = { method: 'GET' as const, url: this.#requests.objectsUrl, query: parameters };
    const page = await this.#requests.json<Page>(request, signal);
    if (!isListing(page)) throw notGcs(`a listing whose kind is ${String(page.kind)}`);
    const { items = [], prefixes = [], nextPageToken: token } = page;
    // The service counts objects and folders together, and gives both in order. Emulators that count objects only give all
    // folders with each page: those behind its last object must wait for the objects that come before them.
    const isEarly = items.length + prefixes.length > maxResults;
    const objects = items.map(({ name = '', size, updated = '' }) => ({
      key: name,
      bytes: Number(size),
      modifiedAtMs: Date.parse(updated),
    }));
    const folders = prefixes.map((key) => ({ key, isFolder: true, isEarly }));
    return { entries: [...objects, ...folders], token };
  }

  async deleteMany(keys: readonly string[], { signal }: DriverCall): Promise<Deletion> {
    await Promise.all(keys.map((key) => this.#delete(key, signal)));
    return { deleted: keys };
  }

  classify(error: Error): Failure {
    return classify(error, this.#requests.connection.isGoogle);
  }

  /** A version of another form was never one of this service, which would call it a mistake. */
  isVersion(version: string): boolean {
    return GENERATION.test(version) && BigInt(version) < 2n ** 63n;
  }

  close(): void {
    this.#requests.close();
  }

  async #delete(key: string, signal: AbortSignal, generation?: string): Promise<void> {
    const url = this.#requests.objectUrl(key);
    const request = { method: 'DELETE' as const, url, query: { generation }, isOfObject: true };
    const answer = await this.#requests.send(request, signal);
    const text = await textOf(answer);
    // fake-gcs-server says 200 and `null`.
    const isConfirmed =
      answer.status === 204 || (text.trim() === 'null' && !this.#requests.connection.isGoogle);
    if (!isConfirmed) throw notGcs(`a delete answered by HTTP ${answer.status}`);
  }

  /** The generation of what was written, once the service says that it is what was sent. What is not is deleted again. */
  async #verified(
    key: string,
    stored: ObjectResource,
    bytes: number,
    crc32c: string,
    refusal?: 'contested',
  ): Promise<string> {
    const { generation, size } = stored;
    if (generation === undefined) throw notGcs('an object without a generation');
    if (Number(size) === bytes && stored.crc32c === crc32c) return generation;
    await this.#delete(key, AbortSignal.timeout(MOST_CLEANING_MS), generation);
    const said = `CRC32C; sent ${bytes} bytes of ${crc32c}, stored ${size} of ${stored.crc32c}, and deleted them again`;
    throw new DriverError(CHANGED, said, { refusal });
  }

  #metadataOf({ key: name, contentType, writeId }: NewObject, crc32c?: string): string {
    const { storageClass } = this.#options;
    const metadata = { [WRITE_ID]: writeId };
    return jsonText({ name, contentType, cacheControl: CACHE_CONTROL, storageClass, crc32c, metadata });
  }

  #queryOf({ condition }: NewObject): Record<string, string | undefined> {
    const ifGenerationMatch = condition === 'absent' ? '0' : condition?.ifVersion;
    return { ifGenerationMatch, kmsKeyName: this.#options.kmsKeyName, fields: 'generation,size,crc32c' };
  }
}

/** One answer to a listing. */
interface Page {
  kind?: string;
  items?: ObjectResource[];
  prefixes?: string[];
  nextPageToken?: string;
}

async function checkCrc32c(body: Uint8Array, expected: string | undefined): Promise<void> {
  if (expected === undefined) return;
  const checksum = new Crc32c();
  for (let at = 0; at < body.length; at += CHECKED_AT_ONCE) {
    if (at > 0) await nextTurn();
    checksum.update(body.subarray(at, at + CHECKED_AT_ONCE));
  }
  const actual = checksum.toString();
  if (actual !== expected) throw new DriverError(CHANGED, `CRC32C; read ${actual}, stored ${expected}`);
}

function notGcs(said: string): DriverError {
  return new DriverError(NOT_GCS, `an unexpected answer; ${said}`);
}
