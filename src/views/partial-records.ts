import { mapBounded } from '../async/bounded-work.ts';
import { attemptSubject, partialBase } from '../format/attempt-files.ts';
import {
  CHECKPOINT_ROW,
  checkpointSubject,
  decodeCheckpoint,
  MAX_CHECKPOINT_RECORD_BYTES,
} from '../format/checkpoint-record.ts';
import type { ArtifactTable } from '../format/description.ts';
import { type PartialName, parsePartialName } from '../format/partial-names.ts';
import type { TaskPath } from '../format/pathspec.ts';
import { decodeTrace, ERROR_ROW, MAX_TRACE_BYTES } from '../format/trace-record.ts';
import { type StoreView, unreadable } from './store-view.ts';

/** The recorded calls of one trace of an attempt. */
export interface TraceView {
  trace: string;
  calls: number;
  /** Those that threw, or whose stream ended so. */
  errors: number;
  /** Streams that their consumer left early. */
  partial: number;
  /** Length of their serialized results. */
  bytes: number;
}

/** A checkpoint of an attempt. */
export interface CheckpointView {
  checkpoint: number;
  /** ISO 8601, by the owner's clock. */
  savedAt: string;
  type: string;
  bytes: number;
}

/** What an attempt recorded for the next one. */
export interface PartialRecordsView {
  /** By the names of traces. */
  traces: TraceView[];
  checkpoints: CheckpointView[];
  /** Records that were not looked at, since there are so many. */
  unread: number;
}

/** So many records are read at once, */
const CONCURRENCY = 16;
/** and so many in all. */
const MAX_READ = 2_000;

/**
 * The traces and checkpoints that an attempt recorded. One LIST, and a GET for each record, up to 2,000. One that cannot be read is left
 * out, and the view told.
 */
export async function readPartialRecords(
  view: StoreView,
  path: TaskPath,
  attempt: number,
): Promise<PartialRecordsView> {
  const { storage, signal } = view;
  const names: PartialName[] = [];
  for await (const page of storage.list({ prefix: `${partialBase(path, attempt)}.`, signal })) {
    for (const { name } of page.objects) {
      const record = parsePartialName(name);
      if (record) names.push(record);
    }
  }
  const read = names.slice(0, MAX_READ);
  const traces = new Map<string, TraceView>();
  const checkpoints: CheckpointView[] = [];
  await mapBounded(read, CONCURRENCY, async (record) => {
    const maxBytes = record.kind === 'trace' ? MAX_TRACE_BYTES : MAX_CHECKPOINT_RECORD_BYTES;
    const what = storage.uri(record.name);
    try {
      const object = await storage.get(record.name, { signal, maxBytes });
      if (!object) return; // it was deleted since it was listed
      if (record.kind === 'trace') {
        const subject = { ...attemptSubject(path, attempt), call: record.call };
        countTrace(traces, decodeTrace(object.body, what, subject));
      } else {
        const subject = checkpointSubject(path, attempt, record.sequence);
        const { savedAt, table } = decodeCheckpoint(object.body, what, subject);
        const row = table.artifacts.find(({ name }) => name === CHECKPOINT_ROW);
        checkpoints.push({
          checkpoint: record.sequence,
          savedAt,
          type: row?.type ?? '',
          bytes: bytesOf(table),
        });
      }
    } catch (error) {
      unreadable(view, error);
    }
  });
  return {
    traces: [...traces.values()].sort((a, b) => (a.trace < b.trace ? -1 : 1)),
    checkpoints: checkpoints.sort((a, b) => a.checkpoint - b.checkpoint),
    unread: names.length - read.length,
  };
}

function countTrace(
  traces: Map<string, TraceView>,
  { name, stream, table }: ReturnType<typeof decodeTrace>,
): void {
  if (table.artifacts.length === 0) return; // it stands for none
  const counted = traces.get(name) ?? { trace: name, calls: 0, errors: 0, partial: 0, bytes: 0 };
  counted.calls += 1;
  if (table.artifacts.some((row) => row.name === ERROR_ROW)) counted.errors += 1;
  if (stream?.partial) counted.partial += 1;
  counted.bytes += bytesOf(table);
  traces.set(name, counted);
}

function bytesOf({ artifacts }: ArtifactTable): number {
  return artifacts.reduce((sum, { bytes }) => sum + bytes, 0);
}
