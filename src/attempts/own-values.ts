import type { ContentStore } from '../content/content-store.ts';
import type { OwnAddress } from '../content/reading/own-reader.ts';
import type { StowageError } from '../errors.ts';
import { valuesBase } from '../format/attempt-files.ts';
import type { ArtifactEntry } from '../format/description.ts';
import type { TaskPath } from '../format/pathspec.ts';
import type { CallOptions } from '../storage/contract.ts';

/** Serialized bytes of values that lie in objects of one attempt, by key; an error for each that cannot be had. */
export type GatheredValues = ReadonlyMap<string, Uint8Array | StowageError>;

/** Reads the values of rows that lie in an attempt's own objects, by as few requests as they take; other rows are passed over. */
export async function gatherValues(
  content: ContentStore,
  { path, attempt }: { path: TaskPath; attempt: number },
  entries: readonly ArtifactEntry[],
  options: CallOptions,
  prefetched?: ReadonlyMap<string, Uint8Array>,
): Promise<GatheredValues> {
  const gathered = new Map<string, Uint8Array | StowageError>();
  const byPlace = new Map<string | undefined, OwnAddress[]>();
  for (const { key, bytes, own } of entries) {
    if (!own) continue;
    const known = prefetched?.get(key);
    if (known) {
      gathered.set(key, known.slice());
      continue;
    }
    const group = byPlace.get(own.place);
    if (group) group.push({ key, bytes, own });
    else byPlace.set(own.place, [{ key, bytes, own }]);
  }
  const base = valuesBase(path, attempt);
  for (const values of byPlace.values()) {
    for (const [key, bytes] of await content.reader.loadOwn(base, values, options)) gathered.set(key, bytes);
  }
  return gathered;
}

/** So many bytes of values are copied at a time: about what one object holds. */
const COPIED_AT_ONCE_BYTES = 15 * 1024 * 1024;

/** Splits values that are copied (model: `copy values`) into batches that memory holds, and one object. */
export function* batchesOf<T>(rows: readonly T[], bytesOf: (row: T) => number): Generator<T[]> {
  let batch: T[] = [];
  let bytes = 0;
  for (const row of rows) {
    if (batch.length > 0 && bytes + bytesOf(row) > COPIED_AT_ONCE_BYTES) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(row);
    bytes += bytesOf(row);
  }
  if (batch.length > 0) yield batch;
}
