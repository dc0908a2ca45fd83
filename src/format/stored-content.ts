import { StowageError } from '../errors.ts';
import { type ContentKey, isContentKey, parseCopyName } from './content-names.ts';
import { HERE } from './content-ref.ts';
import { isPlaceId } from './place-records.ts';
import { readInteger, readString } from './record-fields.ts';

/** A stored content, as records keep it. */
export interface StoredContent {
  /** BLAKE3-256 of the content, hexadecimal. */
  key: ContentKey;
  /** The name of the copy that was written or relied on. Readers fall back to the key's other copies. */
  copy: string;
  /** Length of the content in bytes. */
  bytes: number;
  /** The bytes that the content takes up in the store: envelopes included, chunks that it shares with others counted in full. */
  storedBytes: number;
  /** Large contents only: the root of the manifest, by which a part of the content can be verified alone. */
  root?: string;
  /** The place where it lies: the id of a place registered under `elsewhere/`. Absent if it lies in the store itself. */
  place?: string;
}

/** The data by which a reader finds a content: its key, and whatever else is known of it. */
export type ContentAddress = Pick<StoredContent, 'key'> & Partial<StoredContent>;

/** Reads a stored content from a record, or throws `RECORD_DAMAGED` naming `what`. */
export function readStoredContent(record: Record<string, unknown>, what: string): StoredContent {
  const key = readString(record, 'key', what);
  const copy = readString(record, 'copy', what);
  const bytes = readInteger(record, 'bytes', what);
  const storedBytes = readInteger(record, 'storedBytes', what);
  const { root, place } = record;
  const valid =
    isContentKey(key) &&
    parseCopyName(copy)?.key === key &&
    (root === undefined || isContentKey(root)) &&
    (place === undefined || isPlaceId(place));
  if (!valid) {
    throw new StowageError(
      'RECORD_DAMAGED',
      `${what} names no content; restore it from a copy of the store.`,
      {
        details: { what },
      },
    );
  }
  return {
    key,
    copy,
    bytes,
    storedBytes,
    ...(root === undefined ? {} : { root: root as string }),
    ...(place === undefined ? {} : { place: place as string }),
  };
}

/** The member `place` of a content, which those in the store itself do not have. */
export function placeMember(place: string): { place?: string } {
  return place === HERE ? {} : { place };
}
