import { StowageError } from '../errors.ts';
import { type ContentKey, isContentKey } from './content-names.ts';
import { encodeRecord } from './record.ts';
import { readObjects, readOneOf, readRecord, readString, readStrings, readTime } from './record-fields.ts';
import { type Owner, readOwner } from './session-files.ts';
import { padSequence, SESSION_PATTERN, type SessionId } from './session-id.ts';

/** The folder of all that tells of erasures. */
export const ERASURES_FOLDER = 'erasures/';
/** The largest record of an erasure that is read. */
export const MAX_ERASURE_BYTES: number = 64 * 1024 * 1024;

/** Who erases, when, and why: members of every record of an erasure. */
export interface ErasureFacts {
  /** The id of the erasure. */
  erasure: SessionId;
  reason: string;
  /** The process that wrote the record. */
  by: Owner;
  /** ISO 8601, by its clock. */
  at: string;
}

/** `erasures/<key>.<erasure>.json`: a content is erased, or about to be. */
export interface ErasedContent extends ErasureFacts {
  key: ContentKey;
}

/** `erasures/<erasure>.<k>.json`: how far an erasure is. The highest `<k>` counts, but that a complete one stays complete. */
export interface ErasureRound extends ErasureFacts {
  /** Its `<k>`. */
  round: number;
  state: 'open' | 'complete';
  /** All contents that it erases. */
  keys: readonly ContentKey[];
  /** Sessions, by the beginning of the names of their files, that have to be closed before it looks at all attempts again. */
  waitsFor: readonly string[];
  /** Packs that held chunks of the contents. */
  packs: readonly ObjectAt[];
  /** Objects that could not be deleted so far. */
  left: readonly ObjectAt[];
}

/** An object of the store, or of another place. */
export interface ObjectAt {
  /** As of content: `''` is the store itself. */
  readonly place: string;
  readonly name: string;
}

const contentRegExp = new RegExp(`^${ERASURES_FOLDER}([0-9a-f]{64})\\.(${SESSION_PATTERN})\\.json$`);
const roundRegExp = new RegExp(`^${ERASURES_FOLDER}(${SESSION_PATTERN})\\.(\\d{8})\\.json$`);

/** The beginning of the names of all records that a content was erased. */
export function erasedContentPrefix(key: ContentKey): string {
  return `${ERASURES_FOLDER}${key}.`;
}

export function erasedContentName(key: ContentKey, erasure: SessionId): string {
  return `${erasedContentPrefix(key)}${erasure}.json`;
}

/** The content and the erasure that such a name tells; `undefined` of any other. */
export function parseErasedContentName(name: string): { key: ContentKey; erasure: SessionId } | undefined {
  const [, key, erasure] = contentRegExp.exec(name) ?? [];
  return key === undefined || erasure === undefined ? undefined : { key, erasure };
}

export function erasureRoundName(erasure: SessionId, round: number): string {
  return `${ERASURES_FOLDER}${erasure}.${padSequence(round)}.json`;
}

/** The erasure and the round that such a name tells; `undefined` of any other. */
export function parseErasureRoundName(name: string): { erasure: SessionId; round: number } | undefined {
  const [, erasure, round] = roundRegExp.exec(name) ?? [];
  return erasure === undefined ? undefined : { erasure, round: Number(round) };
}

export function encodeErasedContent({ key, ...facts }: ErasedContent): Uint8Array {
  return encodeRecord({ format: 1, kind: 'erased-content', key, ...facts });
}

/** Reads the record of an erased content; throws `RECORD_DAMAGED` or `UNSUPPORTED_FORMAT`, naming `what`. */
export function decodeErasedContent(
  bytes: Uint8Array,
  what: string,
  subject: { key: ContentKey; erasure: SessionId },
): ErasedContent {
  const record = readRecord(bytes, what, 'erased-content', subject);
  return { key: subject.key, ...readFacts(record, what) };
}

export function encodeErasureRound({
  round,
  state,
  keys,
  waitsFor,
  packs,
  left,
  ...facts
}: ErasureRound): Uint8Array {
  return encodeRecord({ format: 1, kind: 'erasure', round, ...facts, state, keys, waitsFor, packs, left });
}

/** Reads a round of an erasure; throws `RECORD_DAMAGED` or `UNSUPPORTED_FORMAT`, naming `what`. */
export function decodeErasureRound(
  bytes: Uint8Array,
  what: string,
  subject: { erasure: SessionId; round: number },
): ErasureRound {
  const record = readRecord(bytes, what, 'erasure', subject);
  const keys = readStrings(record, 'keys', what);
  if (!keys.every(isContentKey)) {
    throw new StowageError(
      'RECORD_DAMAGED',
      `${what} names a content by what is no key; restore it from a copy of the store.`,
      { details: { what } },
    );
  }
  return {
    round: subject.round,
    ...readFacts(record, what),
    state: readOneOf(record, 'state', what, ['open', 'complete']),
    keys,
    waitsFor: readStrings(record, 'waitsFor', what),
    packs: readObjectsAt(record, 'packs', what),
    left: readObjectsAt(record, 'left', what),
  };
}

function readObjectsAt(record: Record<string, unknown>, member: string, what: string): ObjectAt[] {
  return readObjects(record, member, what).map((object) => {
    return { place: readString(object, 'place', what), name: readString(object, 'name', what) };
  });
}

function readFacts(record: Record<string, unknown>, what: string): ErasureFacts {
  return {
    erasure: readString(record, 'erasure', what),
    reason: readString(record, 'reason', what),
    by: readOwner(record, what, 'by'),
    at: readTime(record, 'at', what),
  };
}
