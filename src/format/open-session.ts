import { StowageError } from '../errors.ts';
import { type EntryKey, isCacheKey } from './cache-names.ts';
import { type ContentRef, readContentRefs } from './content-ref.ts';
import { encodeRecord } from './record.ts';
import {
  readArray,
  readInteger,
  readObjects,
  readOptional,
  readRecord,
  readString,
} from './record-fields.ts';
import { isSessionId, padSequence, SESSION_PATTERN, type SessionId } from './session-id.ts';

/** The most bytes that a beat may have. */
export const MAX_BEAT_BYTES: number = 64 * 1024;
/** The most waits that a beat names. */
export const MAX_BEAT_WAITS = 64;

const pinsRegExp = new RegExp(`^pins/(${SESSION_PATTERN})/\\d{8}\\.json$`);

/** A call that waits for a lease of somebody else, as the beat of the lease tells it under which the call was made. */
export interface BeatWait {
  /** The id of the wait, never used again. */
  wait: SessionId;
  /** The same for as long as the task that made the call has waited for it without a break. */
  since: number;
  /** The name of the task whose lease is waited for. */
  task: string;
  /** The lease that is waited for, and the session of its owner. */
  key: EntryKey;
  token: number;
  session: SessionId;
}

/** The name of the `sequence`-th record, from 0, of what an open session relies on beyond the pins of its attempt.json. */
export function pinsName(session: SessionId, sequence: number): string {
  return `pins/${session}/${padSequence(sequence)}.json`;
}

/** The session whose pins lie under a name; `undefined` where it is none of a record of pins. */
export function sessionOfPins(name: string): string | undefined {
  return pinsRegExp.exec(name)?.[1];
}

/** The most entries of a record of pins: about 3 MB, so that whatever stores it, a database among them, takes it whole. */
export const MAX_PINS_A_RECORD: number = 10_000;

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

/**
 * @param at - ISO 8601, by the owner's clock; readers go by the object's modification time
 * @param waitsFor - of the beat of a lease: what its owner waits for
 */
export function encodeBeat(session: SessionId, at: string, waitsFor: readonly BeatWait[] = []): Uint8Array {
  const waits = waitsFor.length > 0 ? { waitsFor } : {};
  return encodeRecord({ format: 1, kind: 'beat', session, at, ...waits });
}

/** Reads what the owner of a beat waits for; throws `RECORD_DAMAGED` or `UNSUPPORTED_FORMAT`, naming `what`. */
export function decodeBeatWaits(bytes: Uint8Array, what: string, session: SessionId): BeatWait[] {
  const record = readRecord(bytes, what, 'beat', { session });
  const waits = readOptional(readObjects, record, 'waitsFor', what) ?? [];
  return waits.slice(0, MAX_BEAT_WAITS).map((wait) => {
    const read = {
      wait: readString(wait, 'wait', what),
      since: readInteger(wait, 'since', what),
      task: readString(wait, 'task', what),
      key: readString(wait, 'key', what),
      token: readInteger(wait, 'token', what),
      session: readString(wait, 'session', what),
    };
    if (isSessionId(read.session) && isCacheKey(read.key)) return read;
    throw new StowageError('RECORD_DAMAGED', `${what} is no beat that anybody makes.`, {
      details: { record: what },
    });
  });
}
