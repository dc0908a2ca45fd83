import { StowageError } from '../errors.ts';
import { type ContentKey, isContentKey } from './content-names.ts';
import { isPlaceId } from './place-records.ts';
import {
  readInteger,
  readObject,
  readObjects,
  readOptional,
  readString,
  readStrings,
} from './record-fields.ts';
import { padSequence, SESSION_PATTERN, type SessionId } from './session-id.ts';

/**
 * The small values of an attempt, where a look costs a request: envelopes one after the other, in objects of the attempt's own,
 * `values/<flow>/<run>/<step>/<task>/<n>.<session>-<k>`. No other attempt refers to them.
 */
export interface OwnValue {
  /** The object that holds the envelope, `<session>-<k>`: who wrote it, and which of its tries that was. The attempt tells the rest of its name. */
  object: string;
  /** The envelope's place in the object, in bytes. */
  offset: number;
  /** Length of the envelope. */
  storedBytes: number;
  /** The place where the object lies, as of content. Absent if it lies in the store itself. */
  place?: string;
}

/** An object of values, as the description lists it. */
export interface OwnObject {
  object: string;
  /** Its length. */
  bytes: number;
  /** Keys of entries that no row of the description names any more. */
  dropped: readonly ContentKey[];
  place?: string;
}

/** An object of values is no longer than this. */
export const MAX_OWN_OBJECT_BYTES: number = 16 * 1024 * 1024;
/** Values from this size on are content that attempts share. */
export const DEFAULT_OWN_BYTES: number = 64 * 1024;
/** The largest limit that a store may be given; from here on content is cut into chunks. */
export const MAX_OWN_BYTES: number = 256 * 1024;

const objectRegExp = new RegExp(`^${SESSION_PATTERN}-\\d{8}$`);

export function ownObjectName(session: SessionId, sequence: number): string {
  return `${session}-${padSequence(sequence)}`;
}

/** Reads the member `own` of a row; throws `RECORD_DAMAGED`, naming `what`. */
export function readOwnValue(row: Record<string, unknown>, what: string): OwnValue {
  const own = readObject(row, 'own', what);
  const object = readString(own, 'object', what);
  const offset = readInteger(own, 'offset', what);
  const storedBytes = readInteger(own, 'storedBytes', what);
  if (!objectRegExp.test(object) || offset + storedBytes > MAX_OWN_OBJECT_BYTES) throw damaged(what);
  return { object, offset, storedBytes, ...readPlace(own, what) };
}

/** Reads the objects that a description lists; throws `RECORD_DAMAGED`, naming `what`. */
export function readOwnObjects(record: Record<string, unknown>, what: string): OwnObject[] {
  const objects = readOptional(readObjects, record, 'values', what) ?? [];
  return objects.map((fields) => {
    const object = readString(fields, 'object', what);
    const dropped = readOptional(readStrings, fields, 'keys', what) ?? [];
    if (!objectRegExp.test(object) || !dropped.every(isContentKey)) throw damaged(what);
    return { object, bytes: readInteger(fields, 'bytes', what), dropped, ...readPlace(fields, what) };
  });
}

/** The objects as a record has them; nothing where there are none. */
export function ownObjectsFields(objects: readonly OwnObject[]): object[] | undefined {
  if (objects.length === 0) return undefined;
  return objects.map(({ object, bytes, dropped, place }) => {
    return { object, bytes, keys: dropped.length === 0 ? undefined : dropped, place };
  });
}

function readPlace({ place }: Record<string, unknown>, what: string): { place?: string } {
  if (place === undefined) return {};
  if (!isPlaceId(place)) throw damaged(what);
  return { place };
}

function damaged(what: string): StowageError {
  return new StowageError(
    'RECORD_DAMAGED',
    `${what} names a value that lies nowhere; restore it from a copy of the store.`,
    { details: { what } },
  );
}
