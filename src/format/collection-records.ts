import { digestHex } from '../digest/blake3.ts';
import { StowageError } from '../errors.ts';
import { isPackName, isPlainName, parseCopyName } from './content-names.ts';
import { type ContentRef, HERE, readContentRefs } from './content-ref.ts';
import { isPlaceId } from './place-records.ts';
import { encodeRecord } from './record.ts';
import { readObjects, readOneOf, readRecord, readString } from './record-fields.ts';
import { SESSION_PATTERN, type SessionId } from './session-id.ts';

/** One version of the collector's log. */
export interface CollectionVersion {
  version: number;
  state: 'idle' | 'proposed' | 'final';
  /** The collector's own session. */
  session: SessionId;
  condemned: readonly ContentRef[];
  /** Further condemned names, when they are many: `gc/lists/<session>/<k>`, each with the digest of its bytes. */
  lists: readonly { name: string; digest: string }[];
}

/** The folder of lists; the log itself has no other names beside its versions. */
export const COLLECTION_LISTS = 'gc/lists/';
/** The largest version or list that is read. */
export const MAX_COLLECTION_BYTES: number = 64 * 1024 * 1024;

const HIGHEST_VERSION = 999_999_999_999;
const versionRegExp = /^gc\/(\d{12})$/;
const listRegExp = new RegExp(`^${COLLECTION_LISTS}${SESSION_PATTERN}/\\d{8}$`);

/**
 * Versions count down, so that a LIST of one name finds the newest.
 *
 * @throws StowageError `RECORD_DAMAGED` beyond the highest version, which no collector comes to
 */
export function collectionVersionName(version: number): string {
  if (version > HIGHEST_VERSION) throw damagedVersion(`gc/ at version ${version}`);
  return `gc/${String(HIGHEST_VERSION - version).padStart(12, '0')}`;
}

/** Tells whether a name is that of a list. */
export function isCollectionList(name: string): boolean {
  return listRegExp.test(name);
}

/** The version that a name tells; `undefined` of any other name. */
export function collectionVersionOf(name: string): number | undefined {
  const match = versionRegExp.exec(name);
  return match ? HIGHEST_VERSION - Number(match[1]) : undefined;
}

export function encodeCollectionVersion(version: CollectionVersion): Uint8Array {
  return encodeRecord({ format: 1, kind: 'gc-version', ...version });
}

/** Reads `gc/<version>`; throws `RECORD_DAMAGED` or `UNSUPPORTED_FORMAT`, naming `what`. */
export function decodeCollectionVersion(
  bytes: Uint8Array,
  what: string,
  version: number,
): Omit<CollectionVersion, 'session'> {
  const record = readRecord(bytes, what, 'gc-version', { version });
  return {
    version,
    state: readOneOf(record, 'state', what, ['idle', 'proposed', 'final']),
    condemned: readCondemned(record.condemned, what),
    lists: readObjects(record, 'lists', what).map((list) => {
      const name = readString(list, 'name', what);
      if (!listRegExp.test(name)) throw damagedVersion(what);
      return { name, digest: readString(list, 'digest', what) };
    }),
  };
}

export function encodeCollectionList(entries: readonly ContentRef[]): Uint8Array {
  return encodeRecord({ format: 1, kind: 'gc-list', entries });
}

/** Reads a list whose bytes have `digest`; throws `RECORD_DAMAGED`, naming `what`. */
export function decodeCollectionList(bytes: Uint8Array, what: string, digest: string): ContentRef[] {
  if (digestHex(bytes) !== digest) throw damagedVersion(what);
  return readCondemned(readRecord(bytes, what, 'gc-list').entries, what);
}

/** What is deleted by name is content, whatever a log says. */
function readCondemned(value: unknown, what: string): ContentRef[] {
  const entries = readContentRefs(value, what);
  for (const { place, kind, name } of entries) {
    const isName =
      kind === 'copy'
        ? parseCopyName(name) !== undefined
        : (kind === 'pack' && isPackName(name)) || (kind === 'plain' && isPlainName(name));
    if (!isName || (place !== HERE && !isPlaceId(place))) throw damagedVersion(what);
  }
  return entries;
}

/** No writer can tell what is condemned by a log that it cannot read. */
export function damagedVersion(what: string): StowageError {
  return new StowageError(
    'RECORD_DAMAGED',
    `${what}, the collector's log, is damaged; saving stops until it is restored from a copy of the store.`,
    { details: { what } },
  );
}
