import { isStowageError, StowageError } from '../errors.ts';
import { type ContentKey, isContentKey, isPlainName } from './content-names.ts';
import { partCount } from './plain-parts.ts';
import { encodeRecord } from './record.ts';
import { readInteger, readRecord, readString, readStrings } from './record-fields.ts';

/** The object under the key of a plain object, in place of its bytes. */
export interface Locator {
  key: ContentKey;
  /** The plain object's name. */
  plain: string;
  /** The plain object's length. */
  bytes: number;
  /** BLAKE3-256 of each part of 8 MiB, hexadecimal, so that a part can be verified alone; empty up to 8 MiB. */
  parts: readonly string[];
}

/** The payload of a locator's envelope: a record. */
export function encodeLocator({ key, plain, bytes, parts }: Locator): Uint8Array {
  return encodeRecord({ format: 1, kind: 'locator', key, plain, bytes, parts });
}

/** Reads a locator, or throws `CONTENT_DAMAGED` naming `what`. */
export function decodeLocator(raw: Uint8Array, key: ContentKey, what: string): Locator {
  let cause: unknown;
  try {
    const record = readRecord(raw, what, 'locator', { key });
    const plain = readString(record, 'plain', what);
    const bytes = readInteger(record, 'bytes', what);
    const parts = readStrings(record, 'parts', what);
    const isWhole = parts.length === partCount(bytes) && parts.every(isContentKey);
    if (isPlainName(plain) && isWhole) return { key, plain, bytes, parts };
  } catch (error) {
    if (isStowageError(error, 'UNSUPPORTED_FORMAT')) throw error;
    cause = error;
  }
  throw new StowageError(
    'CONTENT_DAMAGED',
    `The locator ${what} is damaged; save the content again to mend it.`,
    { details: { what, key, reason: 'it is no locator of its key' }, cause },
  );
}
