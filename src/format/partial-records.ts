import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { attemptSubject } from './attempt-files.ts';
import {
  type CheckpointRecord,
  checkpointSubject,
  decodeCheckpoint,
  encodeCheckpoint,
  MAX_CHECKPOINT_RECORD_BYTES,
} from './checkpoint-record.ts';
import { type PartialName, partialPrefix } from './partial-names.ts';
import { decodeTrace, encodeTrace, MAX_TRACE_BYTES, type TraceRecord } from './trace-record.ts';

/** A record that an attempt leaves for the one after it. */
export type PartialRecord = TraceRecord | CheckpointRecord;

/** Leaves out all checkpoints of an attempt but the last: they lie one after the other, and no other keeps anything alive. */
export async function* withoutOlderCheckpoints<P extends PartialName>(
  records: AsyncIterable<P>,
): AsyncGenerator<P, void> {
  let last: P | undefined;
  for await (const record of records) {
    if (last && !(record.kind === 'checkpoint' && isOfSameAttempt(last, record))) yield last;
    last = record.kind === 'checkpoint' ? record : undefined;
    if (!last) yield record;
  }
  if (last) yield last;
}

/**
 * One GET: the trace or checkpoint of a name; `undefined` where nothing lies there.
 *
 * @throws StowageError `RECORD_DAMAGED`, `UNSUPPORTED_FORMAT`, `OBJECT_TOO_LARGE`
 */
export async function readPartial(
  storage: DataStoreStorage,
  name: PartialName,
  { signal }: CallOptions,
): Promise<PartialRecord | undefined> {
  const object = await storage.get(name.name, { signal, maxBytes: maxPartialBytes(name) });
  return object && decodePartial(name, object.body, storage.uri(name.name));
}

/** The most bytes that the record of a name has. */
export function maxPartialBytes({ kind }: PartialName): number {
  return kind === 'trace' ? MAX_TRACE_BYTES : MAX_CHECKPOINT_RECORD_BYTES;
}

/** Reads the bytes of a trace or a checkpoint; throws `RECORD_DAMAGED` or `UNSUPPORTED_FORMAT`, naming `what`. */
export function decodePartial(name: PartialName, bytes: Uint8Array, what: string): PartialRecord {
  const { path, attempt } = name;
  return name.kind === 'checkpoint'
    ? decodeCheckpoint(bytes, what, checkpointSubject(path, attempt, name.sequence))
    : decodeTrace(bytes, what, { ...attemptSubject(path, attempt), call: name.call });
}

/** The bytes of a record, for its name. */
export function encodePartial({ path, attempt, ...name }: PartialName, record: PartialRecord): Uint8Array {
  if ('call' in record) return encodeTrace(path, attempt, record);
  const { sequence } = name as Extract<PartialName, { kind: 'checkpoint' }>;
  return encodeCheckpoint(record, checkpointSubject(path, attempt, sequence));
}

function isOfSameAttempt(a: PartialName, b: PartialName): boolean {
  return a.attempt === b.attempt && partialPrefix(a.path) === partialPrefix(b.path);
}
