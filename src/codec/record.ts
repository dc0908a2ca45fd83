import { isUtf8 } from 'node:buffer';
import { digestHex } from '../digest/blake3.ts';
import { StowageError } from '../errors.ts';

/**
 * A record, decoded and verified; `record-fields.ts` reads its fields. A record is a JSON object whose last member is
 * `"digest"`: the BLAKE3-256 of the exact bytes before `,"digest"`.
 */
export type DecodedRecord = Record<string, unknown>;

const TAIL_START = ',"digest":"';
const TAIL_END = '"}';
const TAIL_BYTES = TAIL_START.length + 64 + TAIL_END.length;

/**
 * The bytes of a record with these fields, in their order, and its digest.
 *
 * @throws StowageError `INVALID_ARGUMENT` where there is no field, one named `digest`, or a `__proto__` at any depth.
 */
export function encodeRecord(fields: object): Uint8Array {
  if (Object.hasOwn(fields, 'digest')) throw invalid('a field of a record cannot be named `digest`');
  const json = JSON.stringify(fields) as string | undefined;
  if (json === undefined || !json.startsWith('{"'))
    throw invalid('a record is an object of at least one field');
  if (hasPrototypeKey(json, () => JSON.parse(json))) throw invalid('a record cannot hold a key `__proto__`');

  const bodyBytes = Buffer.byteLength(json) - 1;
  const bytes = new Uint8Array(bodyBytes + TAIL_BYTES);
  const buffer = bufferOf(bytes);
  buffer.write(json, 'utf8');
  const digest = digestHex(bytes.subarray(0, bodyBytes));
  buffer.write(`${TAIL_START}${digest}${TAIL_END}`, bodyBytes, 'latin1');
  return bytes;
}

/**
 * The fields of a record, verified against its digest, without the digest itself.
 *
 * @param what - the record's name, for errors.
 * @throws StowageError `RECORD_DAMAGED`
 */
export function decodeRecord(bytes: Uint8Array, what: string): DecodedRecord {
  ensureDigest(bytes, what);
  return decodeVerifiedRecord(bytes, what);
}

/** Like {@link decodeRecord}, for bytes whose digest another record names and that were checked against it. */
export function decodeVerifiedRecord(bytes: Uint8Array, what: string): DecodedRecord {
  if (!isUtf8(bytes)) throw damaged(what, 'it is not UTF-8');
  const json = bufferOf(bytes).toString('utf8');
  if (!json.startsWith('{"')) throw damaged(what, 'it is not an object');
  let record: DecodedRecord;
  try {
    record = JSON.parse(json) as DecodedRecord;
  } catch (error) {
    throw damaged(what, 'it is not JSON', error);
  }
  if (hasPrototypeKey(json, () => record)) throw damaged(what, 'it holds a key `__proto__`');
  delete record.digest;
  return record;
}

function ensureDigest(bytes: Uint8Array, what: string): void {
  const bodyBytes = bytes.length - TAIL_BYTES;
  if (bodyBytes < 2) throw damaged(what, `it has only ${bytes.length} bytes`);
  const body = bytes.subarray(0, bodyBytes);
  const buffer = bufferOf(bytes);
  // Compared literally, so that no flipped bit goes unseen, in the digest's own letters neither.
  if (buffer.toString('latin1', bodyBytes) !== `${TAIL_START}${digestHex(body)}${TAIL_END}`) {
    throw damaged(what, 'its digest does not match its bytes');
  }
}

/**
 * Whether any object in a JSON text has a key `__proto__`, which would set a prototype once somebody copies it.
 * A text that spells it neither plainly nor by an escaped letter has none, which is almost every text.
 */
function hasPrototypeKey(json: string, parse: () => unknown): boolean {
  if (!json.includes('__proto__') && !json.includes('\\u00')) return false;
  const pending: unknown[] = [parse()];
  while (pending.length > 0) {
    const value = pending.pop();
    if (typeof value !== 'object' || value === null) continue;
    if (Object.hasOwn(value, '__proto__')) return true;
    for (const inner of Object.values(value)) pending.push(inner);
  }
  return false;
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function invalid(why: string): StowageError {
  return new StowageError('INVALID_ARGUMENT', `A record cannot be written: ${why}.`);
}

function damaged(what: string, how: string, cause?: unknown): StowageError {
  return new StowageError(
    'RECORD_DAMAGED',
    `${what} is damaged: ${how}. Restore it from a copy of the store.`,
    {
      details: { record: what },
      ...(cause === undefined ? {} : { cause }),
    },
  );
}
