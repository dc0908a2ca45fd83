import { digestHex } from '../digest/blake3.ts';
import { StowageError } from '../errors.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import {
  decodeDescription,
  MAX_DESCRIPTION_BYTES,
  openDescription,
  type ReadDescription,
  readDescription,
} from './description.ts';
import type { JsonValue } from './json-value.ts';
import { decodeRecord } from './record.ts';
import { type RecordSubject, readOptional, readString, readStrings, readTime } from './record-fields.ts';
import { type DoneRecord, erasedFile, type Owner, readOwner, SESSION_FILES } from './session-files.ts';

/** What was erased from a description: the number of the last erasure, from 0, its reason, and all artifacts that went. */
export interface Erasure {
  revision: number;
  reason: string;
  artifacts: readonly string[];
  /** When the last erasure was: ISO 8601, by the eraser's clock. Absent where the writer left it out. */
  at?: string;
  /** The process that erased last. Absent where the writer left it out. */
  by?: Owner;
}

/** The description of a closed session that counts. */
export interface CurrentDescription {
  description: ReadDescription;
  /** The bytes of metadata.json; absent where an erasure took its place. */
  metadata?: Uint8Array;
  erased?: Erasure;
}

/** Options of reading a description. */
export interface DescriptionOptions extends CallOptions {
  /** Parses metadata.json once it is asked for, by `openDescription`. Default `false`. */
  late?: boolean | undefined;
}

/** The marks that tell which description counts, as a listing showed them. */
export interface DescriptionMarks {
  isDeleted: boolean;
  erasedRevision?: number | undefined;
}

/**
 * Reads the description of a closed session that counts: after an erasure ERASED.<k>.json of the highest k, else metadata.json, whose
 * bytes DONE names. Retention marks before it deletes, so that a description that is missing is looked for once more, by
 * `listAgain`. `undefined` where all of it was given up since.
 *
 * @param subject of its records, with the session that DONE tells
 * @throws StowageError `RECORD_DAMAGED`, `UNSUPPORTED_FORMAT`
 */
export async function readCurrentDescription(
  storage: DataStoreStorage,
  { base, subject, done }: { base: string; subject: RecordSubject; done: DoneRecord },
  { erasedRevision }: Pick<DescriptionMarks, 'erasedRevision'>,
  listAgain: () => Promise<DescriptionMarks | undefined>,
  { signal, late }: DescriptionOptions,
): Promise<CurrentDescription | undefined> {
  const name = base + (erasedRevision === undefined ? SESSION_FILES.metadata : erasedFile(erasedRevision));
  const object = await storage.get(name, { signal, maxBytes: MAX_DESCRIPTION_BYTES });
  if (!object) {
    const now = await listAgain();
    if (now?.isDeleted) return undefined;
    if (now === undefined || now.erasedRevision === erasedRevision)
      throw damaged(name, 'it is missing, and nothing says that it was given up');
    return readCurrentDescription(storage, { base, subject, done }, now, listAgain, { signal, late });
  }
  if (erasedRevision === undefined) {
    const metadata = object.body;
    if (digestHex(metadata) !== done.metadataDigest) throw damaged(name, 'it is not the one that DONE names');
    const description = (late ? openDescription : decodeDescription)(metadata, name, subject);
    return { description, metadata };
  }
  const record = decodeRecord(object.body, name);
  return {
    description: readDescription(record, name, subject),
    erased: readErasure(record, name, erasedRevision),
  };
}

/** The members that ERASED.<k>.json has beside those of metadata.json. */
export function erasureFields({ reason, artifacts, at, by }: Erasure): Record<string, JsonValue> {
  return {
    reason,
    erased: [...artifacts],
    ...(at === undefined ? {} : { erasedAt: at }),
    ...(by === undefined ? {} : { erasedBy: { ...by } }),
  };
}

function readErasure(record: Record<string, unknown>, name: string, revision: number): Erasure {
  const at = readOptional(readTime, record, 'erasedAt', name);
  return {
    revision,
    reason: readString(record, 'reason', name),
    artifacts: readStrings(record, 'erased', name),
    ...(at === undefined ? {} : { at }),
    ...(record.erasedBy === undefined ? {} : { by: readOwner(record, name, 'erasedBy') }),
  };
}

function damaged(what: string, why: string): StowageError {
  return new StowageError(
    'RECORD_DAMAGED',
    `${what} is damaged: ${why}. Restore it from a copy of the store.`,
    { details: { what } },
  );
}
