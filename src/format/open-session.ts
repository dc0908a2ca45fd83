import { type ContentRef, readContentRefs } from './content-ref.ts';
import { encodeRecord } from './record.ts';
import { readArray, readRecord } from './record-fields.ts';
import { padSequence, type SessionId } from './session-id.ts';

/** The name of the `sequence`-th record, from 0, of what an open session relies on beyond the pins of its attempt.json. */
export function pinsName(session: SessionId, sequence: number): string {
  return `pins/${session}/${padSequence(sequence)}.json`;
}

export function encodePins(session: SessionId, entries: readonly ContentRef[]): Uint8Array {
  return encodeRecord({ format: 1, kind: 'pins', session, entries });
}

/** Reads pins of `session`; throws `RECORD_DAMAGED` or `UNSUPPORTED_FORMAT`, naming `what`. */
export function decodePins(bytes: Uint8Array, what: string, session: SessionId): ContentRef[] {
  return readContentRefs(readArray(readRecord(bytes, what, 'pins', { session }), 'entries', what), what);
}

/** The name of the object that the owner of an open session overwrites while it lives. */
export function beatName(session: SessionId): string {
  return `beats/${session}`;
}

/** @param at - ISO 8601, by the owner's clock; readers go by the object's modification time */
export function encodeBeat(session: SessionId, at: string): Uint8Array {
  return encodeRecord({ format: 1, kind: 'beat', session, at });
}
