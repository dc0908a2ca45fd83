import { decodeRecord, encodeRecord } from '../codec/record.ts';
import { readInteger, readString } from '../codec/record-fields.ts';
import { StowageError } from '../errors.ts';
import { type ContentKey, isPlainName } from './object-names.ts';

/** What stands under the key of a plain object, in place of its bytes. */
export interface Locator {
  key: ContentKey;
  /** The plain object's name. */
  plain: string;
  /** The plain object's length. */
  bytes: number;
}

/** The payload of a locator's envelope: a record. */
export function encodeLocator({ key, plain, bytes }: Locator): Uint8Array {
  return encodeRecord({ format: 1, kind: 'locator', key, plain, bytes });
}

/** Reads a locator, or throws `CONTENT_DAMAGED` naming `what`. */
export function decodeLocator(raw: Uint8Array, key: ContentKey, what: string): Locator {
  let cause: unknown;
  try {
    const record = decodeRecord(raw, what);
    const plain = readString(record, 'plain', what);
    if (readString(record, 'key', what) === key && isPlainName(plain)) {
      return { key, plain, bytes: readInteger(record, 'bytes', what) };
    }
  } catch (error) {
    cause = error;
  }
  throw new StowageError(
    'CONTENT_DAMAGED',
    `The locator ${what} is damaged; save the content again to mend it.`,
    {
      details: { what, key },
      cause,
    },
  );
}
