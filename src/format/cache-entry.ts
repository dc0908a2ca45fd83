import { jsonTextOfMembers } from '../codec/json-text.ts';
import { invalidArgument, messageOf, StowageError } from '../errors.ts';
import { type EntryKey, entryName, MAX_TOKEN } from './cache-names.ts';
import { type ArtifactTable, readTable, tableFields } from './description.ts';
import type { JsonValue } from './json-value.ts';
import { encodeRecord } from './record.ts';
import {
  readInteger,
  readObject,
  readOneOf,
  readOptional,
  readRecord,
  readString,
  readTime,
} from './record-fields.ts';
import type { EntrySignature, EntrySigner } from './signing.ts';

/** The attempt whose result an entry names. */
export interface CacheEntrySource {
  flow: string;
  run: string;
  step: string;
  task: string;
  attempt: number;
  /** The attempt's session. */
  session: string;
  /** BLAKE3-256 of the attempt's metadata.json, as its DONE has it. */
  metadataDigest: string;
}

/** A result as it is known when it is stored. */
export interface NewCacheEntry {
  /** The name of the cached task. */
  task: string;
  /** The scope that the key was made for. */
  scope: string;
  /** The version that the key was made for. */
  version: string;
  /** The parts of the key; opaque here. */
  keyDescription: JsonValue;
  source: CacheEntrySource;
  /** The result: rows as the attempt's description has them, inline values included, and what its values refer to. */
  table: ArtifactTable;
  /** Since when there is the result: ISO 8601. Default: now. */
  createdAt?: string | undefined;
  /** From when on the entry counts no more: ISO 8601. Default: never. */
  expiresAt?: string | undefined;
  /** The time that the run took, which a hit saves. */
  durationMs?: number | undefined;
}

/** A cache entry: the result of a task for one key, and where it came from. */
export interface CacheEntry extends NewCacheEntry {
  key: EntryKey;
  /** ISO 8601, by the clock of whoever stored it, or whose attempt was found done. */
  createdAt: string;
  /** The token of the lease under which it was stored; 0 without one. */
  leaseToken: number;
  /** The id of the key that signed it; absent where nobody did. Verified only where signing keys are set. */
  signedBy?: string | undefined;
}

/** The fault of an entry's signature, where one is asked for: there is none, it does not hold, or it is of a key outside the ring. */
export type SignatureFault = 'unsigned' | 'forged' | 'unknown-key';

const SIGNATURE_FAULTS: readonly unknown[] = ['unsigned', 'forged', 'unknown-key'];

/** True if the fault of an entry is its signature. */
export function isSignatureFault(problem: unknown): problem is SignatureFault {
  return SIGNATURE_FAULTS.includes(problem);
}

/** The most bytes an entry may have. */
export const MAX_ENTRY_BYTES: number = 4 * 1024 * 1024;

/** A record's digest with what stands around it. */
const TAIL_BYTES = 77;
/** The longest member `signature`. */
const MAX_SIGNATURE_BYTES = 160;
const SIGNATURE = /,"signature":\{"key":"([A-Za-z0-9_-]{1,32})","hmac":"([0-9a-f]{64})"\}$/;

/**
 * The bytes of an entry.
 *
 * @throws StowageError `INVALID_ARGUMENT` where the entry is larger than {@link MAX_ENTRY_BYTES}, or no reader would accept it.
 */
export function encodeEntry(
  entry: Omit<CacheEntry, 'signedBy'>,
  signer: EntrySigner | undefined,
): Uint8Array {
  const { key } = entry;
  let bytes: Uint8Array;
  try {
    const fields = entryFields(entry);
    bytes = encodeRecord(signer ? { ...fields, signature: signatureOf(fields, key, signer) } : fields);
    decodeEntry(bytes, key, 'The entry');
  } catch (cause) {
    throw new StowageError('INVALID_ARGUMENT', `A cache entry cannot be stored: ${messageOf(cause)}`, {
      details: { key },
      cause,
    });
  }
  if (bytes.length <= MAX_ENTRY_BYTES) return bytes;
  throw invalidArgument(
    `The cache entry of ${entry.task} has ${bytes.length} bytes, and may have ${MAX_ENTRY_BYTES}. Return fewer artifacts, or larger ones, which are not kept inline.`,
    { key, task: entry.task, bytes: bytes.length },
  );
}

/**
 * Reads the entry of a key, verified against its digest.
 *
 * @throws StowageError `RECORD_DAMAGED`, which an entry of another key is too, or `UNSUPPORTED_FORMAT`.
 */
export function decodeEntry(bytes: Uint8Array, key: EntryKey, what: string): CacheEntry {
  const record = readRecord(bytes, what, 'cache-entry', { key });
  const leaseToken = readInteger(record, 'leaseToken', what);
  if (leaseToken > MAX_TOKEN) readOneOf(record, 'leaseToken', what, [`at most ${MAX_TOKEN}`]);
  const signature = splitSignature(bytes)?.signature;
  return {
    key,
    task: readString(record, 'task', what),
    scope: readString(record, 'scope', what),
    version: readString(record, 'version', what),
    keyDescription: (record.keyDescription ?? null) as JsonValue,
    leaseToken,
    createdAt: readTime(record, 'createdAt', what),
    source: readSource(readObject(record, 'source', what), what),
    table: readTable(record, what),
    ...optional('expiresAt', readOptional(readTime, record, 'expiresAt', what)),
    ...optional('durationMs', readOptional(readInteger, record, 'durationMs', what)),
    ...optional('signedBy', signature?.key),
  };
}

function optional<Name extends string, T>(name: Name, value: T | undefined): { [K in Name]?: T } {
  return value === undefined ? {} : ({ [name]: value } as { [K in Name]: T });
}

/** Finds the fault of an entry's signature; `undefined` if it holds. */
export function signatureFault(
  bytes: Uint8Array,
  key: EntryKey,
  signer: EntrySigner,
): SignatureFault | undefined {
  const split = splitSignature(bytes);
  if (!split) return 'unsigned';
  if (signer.verify(entryName(key), split.signed, split.signature)) return undefined;
  return signer.has(split.signature.key) ? 'forged' : 'unknown-key';
}

/** The signature covers the record's bytes up to the member `signature`, its last but the digest. */
function signatureOf(fields: object, key: EntryKey, signer: EntrySigner): EntrySignature {
  const json = jsonTextOfMembers(fields);
  return signer.sign(entryName(key), Buffer.from(json.slice(0, -1), 'utf8'));
}

/**
 * Takes the signature off the end of a record. Whatever follows it there is the digest and the brace that closes the record, so
 * that it is the record's own member, not one of an object inside.
 */
function splitSignature(bytes: Uint8Array): { signed: Uint8Array; signature: EntrySignature } | undefined {
  const bodyBytes = bytes.length - TAIL_BYTES;
  if (bodyBytes < 2) return undefined;
  const from = Math.max(0, bodyBytes - MAX_SIGNATURE_BYTES);
  const end = Buffer.from(bytes.buffer, bytes.byteOffset + from, bodyBytes - from).toString('latin1');
  const found = SIGNATURE.exec(end);
  if (!found) return undefined;
  const [, key, hmac] = found as unknown as [string, string, string];
  return { signed: bytes.subarray(0, from + found.index), signature: { key, hmac } };
}

function entryFields(entry: Omit<CacheEntry, 'signedBy'>): object {
  const { key, task, scope, version, keyDescription, createdAt, expiresAt, durationMs, leaseToken } = entry;
  return {
    format: 1,
    kind: 'cache-entry',
    key,
    task,
    scope,
    version,
    leaseToken,
    createdAt,
    expiresAt,
    durationMs: durationMs === undefined ? undefined : Math.round(durationMs),
    source: sourceFields(entry.source),
    keyDescription,
    ...tableFields(entry.table),
  };
}

function sourceFields({ flow, run, step, task, attempt, session, metadataDigest }: CacheEntrySource): object {
  return { flow, run, step, task, attempt, session, metadataDigest };
}

function readSource(source: Record<string, unknown>, what: string): CacheEntrySource {
  return {
    flow: readString(source, 'flow', what),
    run: readString(source, 'run', what),
    step: readString(source, 'step', what),
    task: readString(source, 'task', what),
    attempt: readInteger(source, 'attempt', what),
    session: readString(source, 'session', what),
    metadataDigest: readString(source, 'metadataDigest', what),
  };
}
