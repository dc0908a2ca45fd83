import { channel } from 'node:diagnostics_channel';
import type { OpenAttempt } from '../attempts/open-attempt.ts';
import { isStowageError } from '../errors.ts';
import { attemptSubject } from '../format/attempt-files.ts';
import type { ContentRef } from '../format/content-ref.ts';
import {
  decodeTrace,
  ERROR_ROW,
  encodeTrace,
  MAX_TRACE_BYTES,
  OUTPUT_ROW,
  type TracedItems,
  type TraceRecord,
  traceName,
} from '../format/trace-record.ts';
import type { CallOptions } from '../storage/contract.ts';
import type { SerializedArtifact } from '../values/serializer.ts';
import { GONE, rowsOf } from './recorded-rows.ts';

/** A message of the channel `stowage:trace-not-replayed`: a recorded call runs again, because its record or its content is gone or damaged. */
export interface TraceNotReplayed {
  trace: string;
  /** The name of the record. */
  record: string;
  error: unknown;
}

const notReplayed = channel('stowage:trace-not-replayed');

/** One call of a trace: its name, its digest, and its place among equal ones. */
export interface TracedCall {
  name: string;
  call: string;
  ordinal: number;
}

/** The serialized outcome of a call. Without any it stands for none. */
export interface TracedOutcome {
  output?: SerializedArtifact | undefined;
  error?: SerializedArtifact | undefined;
  stream?: TracedItems | undefined;
}

/** The outcome of a call that an earlier attempt recorded. */
export interface Replayed {
  /** The value; of a stream the list of its items. */
  output: unknown;
  /** Present where the call threw, or its stream ended so. */
  error?: { thrown: unknown };
  stream: TracedItems | undefined;
  /** The contents that the output refers to. */
  refs: readonly ContentRef[] | undefined;
  /** The name of the record, for errors. */
  what: string;
}

/**
 * Records the outcome of a call (model: `trace`). One create, for small outcomes; it is durable when the promise resolves.
 *
 * @throws StowageError `ATTEMPT_CLOSED`, and what the storage throws
 */
export async function recordCall(
  attempt: OpenAttempt,
  { name, call, ordinal }: TracedCall,
  { output, error, stream }: TracedOutcome,
  options: CallOptions,
): Promise<void> {
  const values = [
    ...(output ? [{ name: OUTPUT_ROW, serialized: output }] : []),
    ...(error ? [{ name: ERROR_ROW, serialized: error }] : []),
  ];
  await attempt.writeBeside('traces', async (beside) => {
    const artifacts = values.length === 0 ? [] : await beside.rows(values, options);
    const { path, session } = beside;
    const recordedAt = new Date().toISOString();
    const record: TraceRecord = { session, call, name, ordinal, recordedAt, stream, table: { artifacts } };
    const bytes = encodeTrace(path, beside.attempt, record);
    await beside.create(traceName(path, beside.attempt, call), bytes, artifacts, options);
  });
}

/**
 * Reads the outcome of a call from the attempts that recorded it, the latest first. A record that is gone or damaged, or whose content is,
 * is none; the channel `stowage:trace-not-replayed` tells so.
 */
export async function replayCall(
  attempt: OpenAttempt,
  { name, call }: TracedCall,
  recordedBy: readonly number[],
  options: CallOptions,
): Promise<Replayed | undefined> {
  const { storage } = attempt.context.content;
  for (const earlier of recordedBy) {
    const record = traceName(attempt.path, earlier, call);
    try {
      const object = await storage.get(record, { ...options, maxBytes: MAX_TRACE_BYTES });
      if (!object) continue; // it was deleted since it was listed
      const subject = { ...attemptSubject(attempt.path, earlier), call };
      const what = storage.uri(record);
      const trace = decodeTrace(object.body, what, subject);
      return await load(attempt, earlier, trace, what, options);
    } catch (error) {
      if (!isStowageError(error, ...GONE)) throw error;
      notReplayed.publish({ trace: name, record, error } satisfies TraceNotReplayed);
    }
  }
  return undefined;
}

async function load(
  attempt: OpenAttempt,
  earlier: number,
  { table, stream }: TraceRecord,
  what: string,
  options: CallOptions,
): Promise<Replayed | undefined> {
  const view = await rowsOf(attempt, earlier, table, what, options);
  if (view.names().length === 0) return undefined;
  const read = async (row: string): Promise<unknown> =>
    view.has(row) ? view.load(view.entry(row), options) : undefined;
  const output = await read(OUTPUT_ROW);
  const error = view.has(ERROR_ROW) ? { error: { thrown: await read(ERROR_ROW) } } : {};
  const refs = view.has(OUTPUT_ROW) ? view.entry(OUTPUT_ROW).refs : undefined;
  return { output, ...error, stream, refs, what };
}
