import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { attemptSubject } from './attempt-files.ts';
import { checkpointSubject, decodeCheckpoint, MAX_CHECKPOINT_RECORD_BYTES } from './checkpoint-record.ts';
import type { ArtifactTable } from './description.ts';
import { type PartialName, partialPrefix } from './partial-names.ts';
import { decodeTrace, MAX_TRACE_BYTES } from './trace-record.ts';

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
 * One GET: the rows of a trace or a checkpoint; `undefined` where it is gone.
 *
 * @throws StowageError `RECORD_DAMAGED`, `UNSUPPORTED_FORMAT`
 */
export async function readPartialTable(
  storage: DataStoreStorage,
  record: PartialName,
  { signal }: CallOptions,
): Promise<ArtifactTable | undefined> {
  const { path, attempt, name, kind } = record;
  const what = storage.uri(name);
  const maxBytes = kind === 'trace' ? MAX_TRACE_BYTES : MAX_CHECKPOINT_RECORD_BYTES;
  const object = await storage.get(name, { signal, maxBytes });
  if (!object) return undefined;
  if (kind === 'checkpoint')
    return decodeCheckpoint(object.body, what, checkpointSubject(path, attempt, record.sequence)).table;
  return decodeTrace(object.body, what, { ...attemptSubject(path, attempt), call: record.call }).table;
}

function isOfSameAttempt(a: PartialName, b: PartialName): boolean {
  return a.attempt === b.attempt && partialPrefix(a.path) === partialPrefix(b.path);
}
