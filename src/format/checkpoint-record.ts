import { attemptSubject, partialBase } from './attempt-files.ts';
import { type ArtifactTable, readTable, tableFields } from './description.ts';
import type { TaskPath } from './pathspec.ts';
import { encodeRecord } from './record.ts';
import { type RecordSubject, readRecord, readString, readTime } from './record-fields.ts';
import { padSequence, type SessionId } from './session-id.ts';

/** The row of a checkpoint's table. */
export const CHECKPOINT_ROW = 'checkpoint';
/** The most bytes of a record that is read. */
export const MAX_CHECKPOINT_RECORD_BYTES: number = 4 * 1024 * 1024;

/** A state to go on from. Of an attempt the one of the highest number counts. */
export interface CheckpointRecord {
  session: SessionId;
  /** ISO 8601, by the owner's clock. */
  savedAt: string;
  /** The row {@link CHECKPOINT_ROW}. */
  table: ArtifactTable;
}

/** The name of the `sequence`-th checkpoint of an attempt, from 0. */
export function checkpointName(path: TaskPath, attempt: number, sequence: number): string {
  return `${partialBase(path, attempt)}.checkpoint.${padSequence(sequence)}.json`;
}

/** The subject of a checkpoint: an attempt, and its place among the checkpoints, since later ones win. */
export function checkpointSubject(path: TaskPath, attempt: number, checkpoint: number): RecordSubject {
  return { ...attemptSubject(path, attempt), checkpoint };
}

export function encodeCheckpoint(record: CheckpointRecord, subject: RecordSubject): Uint8Array {
  const { session, savedAt, table } = record;
  return encodeRecord({
    format: 1,
    kind: 'checkpoint',
    session,
    ...subject,
    savedAt,
    ...tableFields(table),
  });
}

/** Reads a checkpoint; throws `RECORD_DAMAGED` or `UNSUPPORTED_FORMAT`, naming `what`. */
export function decodeCheckpoint(bytes: Uint8Array, what: string, subject: RecordSubject): CheckpointRecord {
  const record = readRecord(bytes, what, 'checkpoint', subject);
  return {
    session: readString(record, 'session', what),
    savedAt: readTime(record, 'savedAt', what),
    table: readTable(record, what),
  };
}
