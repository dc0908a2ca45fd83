import { attemptSubject, partialBase } from './attempt-files.ts';
import { type ArtifactTable, readTable, tableFields } from './description.ts';
import type { TaskPath } from './pathspec.ts';
import { encodeRecord } from './record.ts';
import {
  type RecordSubject,
  readBoolean,
  readInteger,
  readObject,
  readOneOf,
  readOptional,
  readRecord,
  readString,
  readTime,
} from './record-fields.ts';
import type { SessionId } from './session-id.ts';

/** The row of a trace's table that holds what the call returned; of a stream the list of its items. */
export const OUTPUT_ROW = 'output';
/** The row that holds what the call threw, or its stream ended with. */
export const ERROR_ROW = 'error';
/** The most bytes of a record that is read: rows of a trace are inline below 64 KiB. */
export const MAX_TRACE_BYTES: number = 4 * 1024 * 1024;

/** A stream that a traced call returned. */
export interface TracedItems {
  items: number;
  /** `values`: the list holds the items; `serialized`: of each `[encoding, type, info, bytes]`. */
  form: 'values' | 'serialized';
  /** Its consumer took no more than these. */
  partial: boolean;
}

/** The result of one call of a traced function. Without a row it stands for none: what earlier attempts have of the call does not count. */
export interface TraceRecord {
  session: SessionId;
  /** The digest of function, inputs and ordinal; the name of the record has it. */
  call: string;
  /** The name of the trace. */
  name: string;
  /** The place of the call among equal ones, from 0. */
  ordinal: number;
  /** ISO 8601, by the owner's clock. */
  recordedAt: string;
  stream?: TracedItems | undefined;
  /** The rows {@link OUTPUT_ROW} and {@link ERROR_ROW}. */
  table: ArtifactTable;
}

/** The name of the record of a call. */
export function traceName(path: TaskPath, attempt: number, call: string): string {
  return `${partialBase(path, attempt)}.trace.${call}.json`;
}

export function encodeTrace(path: TaskPath, attempt: number, trace: TraceRecord): Uint8Array {
  const { session, call, name, ordinal, recordedAt, stream, table } = trace;
  const said = { call, name, ordinal, recordedAt, stream, ...tableFields(table) };
  return encodeRecord({ format: 1, kind: 'trace', session, ...attemptSubject(path, attempt), ...said });
}

/** Reads the record of a call; throws `RECORD_DAMAGED` or `UNSUPPORTED_FORMAT`, naming `what`. */
export function decodeTrace(bytes: Uint8Array, what: string, subject: RecordSubject): TraceRecord {
  const record = readRecord(bytes, what, 'trace', subject);
  const stream = readOptional(readObject, record, 'stream', what);
  return {
    session: readString(record, 'session', what),
    call: readString(record, 'call', what),
    name: readString(record, 'name', what),
    ordinal: readInteger(record, 'ordinal', what),
    recordedAt: readTime(record, 'recordedAt', what),
    ...(stream ? { stream: readTracedItems(stream, what) } : {}),
    table: readTable(record, what),
  };
}

function readTracedItems(stream: Record<string, unknown>, what: string): TracedItems {
  return {
    items: readInteger(stream, 'items', what),
    form: readOneOf(stream, 'form', what, ['values', 'serialized']),
    partial: readBoolean(stream, 'partial', what),
  };
}
