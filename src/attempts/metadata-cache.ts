import { jsonText } from '../codec/json-text.ts';
import type { ByteCache } from '../content/caches/byte-cache.ts';
import { GuardedCache } from '../content/caches/guarded-cache.ts';
import type { ContentStore } from '../content/content-store.ts';
import { digestHex } from '../digest/blake3.ts';
import { isStowageError } from '../errors.ts';
import type { ListedDone } from '../format/attempt-files.ts';
import type { RecordSubject } from '../format/record-fields.ts';
import { type DoneRecord, decodeDone } from '../format/session-files.ts';
import type { CallOptions } from '../storage/contract.ts';

/** The records that a closed attempt left for good. */
export interface ClosedRecords {
  done: DoneRecord;
  /** DONE as it is. */
  doneBytes: Uint8Array;
  /** metadata.json as it is, checked against DONE. */
  metadata: Uint8Array;
}

const DOMAIN = 'stowage metadata cache 1';
const KEY_BYTES = 32;
const HEADER_BYTES = KEY_BYTES + 4;

/**
 * Keeps DONE and metadata.json of closed attempts, which never change, so that opening an attempt again takes one
 * LIST: that is always made, since it shows what retention has marked.
 *
 * The key is BLAKE3 over the store's id, and the address, name, length and time of DONE, so that neither another
 * store at the same address, nor one that was restored from a backup, is given the records of this one. An entry
 * holds its key (32 bytes), the length of DONE (4 bytes, little-endian), DONE and metadata.json: every byte of it
 * is verified.
 */
export class MetadataCache {
  readonly #content: ContentStore;
  readonly #cache: GuardedCache;

  /** @throws StowageError `INVALID_ARGUMENT` for anything but a cache. */
  constructor(content: ContentStore, cache: ByteCache) {
    this.#content = content;
    this.#cache = new GuardedCache(cache);
  }

  /** The records of a DONE, which is one of `subject`. */
  async get(
    done: ListedDone,
    subject: RecordSubject,
    options: CallOptions,
  ): Promise<ClosedRecords | undefined> {
    const key = await this.#keyOf(done, options);
    const verify = (entry: Uint8Array): ClosedRecords | undefined =>
      decodeEntry(entry, key, done.name, subject);
    return this.#cache.get({ key, bytes: undefined, verify }, options);
  }

  /** Offers the records of a DONE, which were verified. */
  async set(done: ListedDone, records: ClosedRecords, options: CallOptions): Promise<void> {
    const key = await this.#keyOf(done, options);
    await this.#cache.set(key, encodeEntry(key, records), options);
  }

  async #keyOf({ name, bytes, modifiedAtMs }: ListedDone, options: CallOptions): Promise<string> {
    const storeId = await this.#content.storeId(options);
    const uri = this.#content.storage.uri(name);
    return digestHex(Buffer.from(jsonText([DOMAIN, storeId, uri, name, bytes, modifiedAtMs])));
  }
}

function encodeEntry(key: string, { doneBytes, metadata }: ClosedRecords): Uint8Array {
  const entry = new Uint8Array(HEADER_BYTES + doneBytes.length + metadata.length);
  entry.set(Buffer.from(key, 'hex'));
  new DataView(entry.buffer).setUint32(KEY_BYTES, doneBytes.length, true);
  entry.set(doneBytes, HEADER_BYTES);
  entry.set(metadata, HEADER_BYTES + doneBytes.length);
  return entry;
}

function decodeEntry(
  entry: Uint8Array,
  key: string,
  name: string,
  subject: RecordSubject,
): ClosedRecords | undefined {
  const isOfKey = Buffer.compare(entry.subarray(0, KEY_BYTES), Buffer.from(key, 'hex')) === 0;
  if (!isOfKey || entry.length < HEADER_BYTES) return undefined;
  const metadataStart = HEADER_BYTES + new DataView(entry.buffer).getUint32(KEY_BYTES, true);
  const doneBytes = entry.subarray(HEADER_BYTES, metadataStart);
  const metadata = entry.subarray(metadataStart);
  try {
    const done = decodeDone(doneBytes, name, subject);
    return done.metadataDigest === digestHex(metadata) ? { done, doneBytes, metadata } : undefined;
  } catch (error) {
    // Damaged, or of a newer release: the store says which.
    if (isStowageError(error)) return undefined;
    throw error;
  }
}
