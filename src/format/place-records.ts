import { digestHex } from '../digest/blake3.ts';
import type { NameEncoding } from '../storage/names.ts';
import { encodeRecord } from './record.ts';
import { readOneOf, readRecord, readString } from './record-fields.ts';
import type { SessionId } from './session-id.ts';

/** A place that holds content of a store, beside the store itself. */
export interface PlaceRecord {
  /** 32 hexadecimal digits, by which rows, pins and refs name it. */
  place: string;
  /** The address of the prefix, by which it is opened again. */
  uri: string;
  /** The encoding of names as file names there, if it is a folder. */
  names: NameEncoding;
}

/** The content of owner.json at a place: whose content it is. */
export interface PlaceOwner {
  place: string;
  storeId: string;
  /** The address of the store, as whoever wrote this saw it. */
  storeUri: string;
}

const DOMAIN = 'stowage place 1\n';
const placeRegExp = /^[0-9a-f]{32}$/;

/** The most bytes of either record. */
export const MAX_PLACE_RECORD_BYTES: number = 64 * 1024;
/** The object that marks a place as a store's, beside its content. */
export const OWNER_NAME = 'owner.json';

export function isPlaceId(text: unknown): text is string {
  return typeof text === 'string' && placeRegExp.test(text);
}

/** The same for whoever derives it, so that processes which register a place at once agree. */
export function placeIdOf(identity: string): string {
  return digestHex(Buffer.from(DOMAIN + identity)).slice(0, 32);
}

/** The record by which a store registers a place. */
export function placeRecordName(place: string): string {
  return `elsewhere/${place}.json`;
}

/** The beginning of the names of a store's objects at a place. */
export function placePrefix(storeId: SessionId, place: string): string {
  return `${storeId}/${place}`;
}

export function encodePlace({ place, uri, names }: PlaceRecord): Uint8Array {
  const createdAt = new Date().toISOString();
  return encodeRecord({ format: 1, kind: 'place', place, uri, names, createdAt });
}

export function decodePlace(bytes: Uint8Array, what: string): PlaceRecord {
  const record = readRecord(bytes, what, 'place');
  return {
    place: readString(record, 'place', what),
    uri: readString(record, 'uri', what),
    names: readOneOf(record, 'names', what, ['exact', 'fold']),
  };
}

export function encodePlaceOwner({ place, storeId, storeUri }: PlaceOwner): Uint8Array {
  const createdAt = new Date().toISOString();
  return encodeRecord({ format: 1, kind: 'place-owner', place, storeId, storeUri, createdAt });
}

export function decodePlaceOwner(bytes: Uint8Array, what: string): PlaceOwner {
  const record = readRecord(bytes, what, 'place-owner');
  return {
    place: readString(record, 'place', what),
    storeId: readString(record, 'storeId', what),
    storeUri: readString(record, 'storeUri', what),
  };
}
