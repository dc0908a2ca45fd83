import { invalidArgument, type StowageError } from '../errors.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { attemptSubject, partialBase } from './attempt-files.ts';
import type { JsonValue } from './json-value.ts';
import type { TaskPath } from './pathspec.ts';
import { encodeRecord } from './record.ts';
import { type RecordSubject, readObject, readRecord } from './record-fields.ts';
import { padSequence } from './session-id.ts';

type Metadata = Record<string, JsonValue>;

const PART = /^(\d{8})\.json$/;
/** The most bytes of a part. */
export const MAX_PART_BYTES: number = 4 * 1024 * 1024;
/** All that is said of an attempt, added up over its parts. */
const MAX_METADATA_BYTES = 16 * 1024 * 1024;

/** The name of the `sequence`-th part, from 0, of the metadata of an attempt. */
export function metadataPartName(path: TaskPath, attempt: number, sequence: number): string {
  return `${partPrefix(path, attempt)}${padSequence(sequence)}.json`;
}

/** The bytes of a part; throws `INVALID_ARGUMENT` where it, or all parts together, become too large to be read again. */
export function encodeMetadataPart(
  metadata: Metadata,
  bytesBefore: number,
  subject: RecordSubject = {},
): Uint8Array {
  const record = encodeRecord({ format: 1, kind: 'metadata-part', ...subject, metadata });
  if (record.length > MAX_PART_BYTES) throw tooLarge(record.length, `${MAX_PART_BYTES} a call`);
  const total = bytesBefore + record.length;
  if (total > MAX_METADATA_BYTES) throw tooLarge(total, `${MAX_METADATA_BYTES} an attempt`);
  return record;
}

/** The subject of a part: an attempt, and its place among the parts, since later ones win. */
export function metadataPartSubject(path: TaskPath, attempt: number, part: number): RecordSubject {
  return { ...attemptSubject(path, attempt), part };
}

/** Reads a part of `subject`; throws `RECORD_DAMAGED` or `UNSUPPORTED_FORMAT`, naming `what`. */
export function decodeMetadataPart(bytes: Uint8Array, what: string, subject: RecordSubject): Metadata {
  return readObject(readRecord(bytes, what, 'metadata-part', subject), 'metadata', what) as Metadata;
}

/** The parts of an attempt, merged in the order in which they were written. */
export async function readMetadataParts(
  storage: DataStoreStorage,
  path: TaskPath,
  attempt: number,
  { signal }: CallOptions,
): Promise<Metadata> {
  const merged: Metadata = {};
  const prefix = partPrefix(path, attempt);
  for await (const page of storage.list({ prefix, signal })) {
    for (const { name } of page.objects) {
      const [, number] = PART.exec(name.slice(prefix.length)) ?? [];
      if (number === undefined) continue;
      const object = await storage.get(name, { signal, maxBytes: MAX_PART_BYTES });
      if (!object) continue; // removed since it was listed
      const subject = metadataPartSubject(path, attempt, Number(number));
      Object.assign(merged, decodeMetadataPart(object.body, storage.uri(name), subject));
    }
  }
  return merged;
}

function partPrefix(path: TaskPath, attempt: number): string {
  return `${partialBase(path, attempt)}.metadata.`;
}

function tooLarge(bytes: number, most: string): StowageError {
  return invalidArgument(
    `Metadata of ${bytes} bytes is too large (at most ${most}); save it as an artifact.`,
    { bytes },
  );
}
