import { isStowageError, StowageError } from '../errors.ts';
import { encodeRecord } from './record.ts';
import { readRecord, readString } from './record-fields.ts';
import { isSessionId } from './session-id.ts';

/** The content of stowage.json. */
export interface StoreIdentity {
  /** 26 characters, made with the store. */
  storeId: string;
  /** The encoding of names as file names in a folder; `exact` on object storage. */
  names: 'exact' | 'fold';
}

export const STORE_RECORD = 'stowage.json';
export const MAX_STORE_RECORD_BYTES: number = 64 * 1024;

/** @param createdAt - ISO 8601, by the maker's clock */
export function encodeStoreIdentity({ storeId, names }: StoreIdentity, createdAt: string): Uint8Array {
  return encodeRecord({ format: 1, kind: 'store', storeId, names, createdAt });
}

/** Reads stowage.json; throws `NOT_A_STORE` or `UNSUPPORTED_FORMAT`, naming `what`. */
export function decodeStoreIdentity(bytes: Uint8Array, what: string): StoreIdentity {
  try {
    const record = readRecord(bytes, what, 'store');
    const storeId = readString(record, 'storeId', what);
    const names = readString(record, 'names', what);
    if (isSessionId(storeId) && (names === 'exact' || names === 'fold')) return { storeId, names };
  } catch (error) {
    if (!isStowageError(error, 'RECORD_DAMAGED')) throw error;
    throw notAStore(what, error);
  }
  throw notAStore(what);
}

/** @param cause - what was found instead, if it is known */
export function notAStore(what: string, cause?: unknown): StowageError {
  return new StowageError(
    'NOT_A_STORE',
    `${what} is not the description of a store, or is damaged. Check the address; if the store is yours, restore this file from a copy.`,
    { details: { what }, cause },
  );
}
