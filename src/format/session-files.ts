import { hostname } from 'node:os';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { type ContentRef, readContentRefs } from './content-ref.ts';
import type { HintSubject } from './hint.ts';
import { encodeRecord } from './record.ts';
import {
  type RecordSubject,
  readArray,
  readBoolean,
  readInteger,
  readObject,
  readObjects,
  readOneOf,
  readOptional,
  readRecord,
  readString,
  readTime,
} from './record-fields.ts';
import { padSequence, type SessionId } from './session-id.ts';

/**
 * The files of a session, beside each other under one base name: a task's attempt, `flows/<flow>/<run>/<step>/<task>/<n>`,
 * or content saved outside a task, `loose/<session>`.
 */
export const SESSION_FILES = {
  attempt: '.attempt.json',
  metadata: '.metadata.json',
  done: '.DONE',
  deleted: '.DELETED',
  purged: '.PURGED',
} as const;

/** The file that describes a session anew after its `revision`-th erasure, from 0; the highest one counts. */
export function erasedFile(revision: number): string {
  return `.ERASED.${padSequence(revision)}.json`;
}

/** The revision that such a file's name tells; `undefined` of any other suffix. */
export function erasedRevisionOf(suffix: string): number | undefined {
  const match = /^\.ERASED\.(\d{8})\.json$/.exec(suffix);
  return match ? Number(match[1]) : undefined;
}

/** The place of a session's files, and the subject of its records. */
export interface SessionFiles {
  /** The beginning of their names. */
  base: string;
  subject: RecordSubject;
  /** The beginning of the names of its objects of values. Absent outside a task: what is saved there is shared. */
  values?: string;
  /** The step whose hint tells of large content that it shares chunks with. Absent where none is asked or told. */
  step?: HintSubject | undefined;
}

/** Those of a session outside a task. */
export function standaloneFiles(session: SessionId): SessionFiles {
  return { base: `loose/${session}`, subject: { loose: true, session } };
}

/** The process that a record says wrote it: the name of its machine, and its id there. */
export interface Owner {
  host: string;
  pid: number;
}

/** The content of attempt.json: the session is open, whose it is, and since when. */
export interface AttemptRecord {
  session: SessionId;
  /** ISO 8601, by the owner's clock. */
  startedAt: string;
  owner: Owner;
  /** What people call it; see `LABEL`. */
  label?: string | undefined;
  /** The content that the session relies on from the start. */
  pins: readonly ContentRef[];
  /** Present in a session that a copy between stores writes: the session whose result it copies. */
  origin?: SessionOrigin;
}

/** The session that made a result first which was copied from store to store. It tells copies of one result, however they came about. */
export interface SessionOrigin {
  /** The id of that store. */
  store: string;
  /** The session that made it. */
  session: SessionId;
}

/** The outcome of a session. */
export type Outcome = 'done' | 'failed' | 'abandoned';

/** An error as DONE keeps it. */
export interface RecordedError {
  name: string;
  message: string;
  stack?: string;
  cause?: RecordedError;
  /** The members of an `AggregateError`. */
  errors?: RecordedError[];
  /** True if trying again may help, as the thrower says. */
  recoverable?: boolean;
}

/** The content of DONE. */
export interface DoneRecord {
  outcome: Outcome;
  session: SessionId;
  /** BLAKE3-256 of metadata.json's bytes; absent for an abandoned session. */
  metadataDigest?: string;
  /** ISO 8601, by the closer's clock. */
  closedAt: string;
  error?: RecordedError;
  /** As in attempt.json. */
  origin?: SessionOrigin;
}

/** The most bytes of attempt.json or DONE. */
export const MAX_SESSION_RECORD_BYTES: number = 4 * 1024 * 1024;

let host: string | undefined;

/** This process, as the records that it writes name it. */
export function thisOwner(): Owner {
  host ??= hostname();
  return { host, pid: process.pid };
}

/** Reads the member of a record that names a process, `owner` by default; throws `RECORD_DAMAGED`. */
export function readOwner(record: Record<string, unknown>, what: string, member = 'owner'): Owner {
  const owner = readObject(record, member, what);
  return { host: readString(owner, 'host', what), pid: readInteger(owner, 'pid', what) };
}

export function encodeAttempt(record: AttemptRecord, subject: RecordSubject): Uint8Array {
  const { session, startedAt, owner, label, pins, origin } = record;
  const said = { startedAt, owner, label, pins, origin };
  return encodeRecord({ format: 1, kind: 'attempt', session, ...subject, ...said });
}

/** Reads attempt.json of `subject`; throws `RECORD_DAMAGED` or `UNSUPPORTED_FORMAT`, naming `what`. */
export function decodeAttempt(bytes: Uint8Array, what: string, subject: RecordSubject): AttemptRecord {
  const record = readRecord(bytes, what, 'attempt', subject);
  const label = readOptional(readString, record, 'label', what);
  return {
    session: readString(record, 'session', what),
    startedAt: readTime(record, 'startedAt', what),
    owner: readOwner(record, what),
    ...(label === undefined ? {} : { label }),
    pins: readContentRefs(readArray(record, 'pins', what), what),
    ...readOrigin(record, what),
  };
}

export function encodeDone(record: DoneRecord, subject: RecordSubject): Uint8Array {
  const { outcome, session, metadataDigest, closedAt, error, origin } = record;
  const said = { outcome, metadataDigest, closedAt, error, origin };
  return encodeRecord({ format: 1, kind: 'done', session, ...subject, ...said });
}

/** Reads the DONE of `subject`; throws `RECORD_DAMAGED` or `UNSUPPORTED_FORMAT`, naming `what`. */
export function decodeDone(bytes: Uint8Array, what: string, subject: RecordSubject): DoneRecord {
  const record = readRecord(bytes, what, 'done', subject);
  const metadataDigest = readOptional(readString, record, 'metadataDigest', what);
  const error = readRecordedError(record, what);
  return {
    outcome: readOneOf(record, 'outcome', what, ['done', 'failed', 'abandoned']),
    session: readString(record, 'session', what),
    closedAt: readTime(record, 'closedAt', what),
    ...(metadataDigest === undefined ? {} : { metadataDigest }),
    ...(error === undefined ? {} : { error }),
    ...readOrigin(record, what),
  };
}

function readOrigin(record: Record<string, unknown>, what: string): { origin?: SessionOrigin } {
  const origin = readOptional(readObject, record, 'origin', what);
  if (!origin) return {};
  return {
    origin: { store: readString(origin, 'store', what), session: readString(origin, 'session', what) },
  };
}

/** The depth to which causes and members of a recorded error may lie, and the number of members that count. */
const MAX_CAUSES = 16;
const MAX_MEMBERS = 32;

/** The member `error` of a record, if it has one; throws `RECORD_DAMAGED` for anything but a recorded error. */
export function readRecordedError(
  record: Record<string, unknown>,
  what: string,
  member = 'error',
  depth = 0,
): RecordedError | undefined {
  const fields = readOptional(readObject, record, member, what);
  return fields && depth <= MAX_CAUSES ? readErrorFields(fields, what, depth) : undefined;
}

function readErrorFields(fields: Record<string, unknown>, what: string, depth: number): RecordedError {
  const stack = readOptional(readString, fields, 'stack', what);
  const cause = readRecordedError(fields, what, 'cause', depth + 1);
  const members = depth < MAX_CAUSES ? readOptional(readObjects, fields, 'errors', what) : undefined;
  const errors = members?.slice(0, MAX_MEMBERS).map((each) => readErrorFields(each, what, depth + 1));
  const recoverable = readOptional(readBoolean, fields, 'recoverable', what);
  return {
    name: readString(fields, 'name', what),
    message: readString(fields, 'message', what),
    ...(stack === undefined ? {} : { stack }),
    ...(cause === undefined ? {} : { cause }),
    ...(errors === undefined ? {} : { errors }),
    ...(recoverable === undefined ? {} : { recoverable }),
  };
}

/** Reads a small record of a session; `undefined` where there is none. */
export async function readSessionFile(
  storage: DataStoreStorage,
  name: string,
  { signal }: CallOptions,
): Promise<Uint8Array | undefined> {
  return (await storage.get(name, { signal, maxBytes: MAX_SESSION_RECORD_BYTES }))?.body;
}
