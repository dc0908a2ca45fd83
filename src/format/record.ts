import { isUtf8 } from 'node:buffer';
import { jsonTextOfMembers } from '../codec/json-text.ts';
import { digestHex } from '../digest/blake3.ts';
import { invalidArgument, StowageError } from '../errors.ts';

/**
 * A record, decoded and verified; `record-fields.ts` reads its fields. A record is a JSON object whose last member is
 * `"digest"`: the BLAKE3-256 of the exact bytes before `,"digest"`.
 */
export type DecodedRecord = Record<string, unknown>;

const TAIL_START = ',"digest":"';
const TAIL_END = '"}';
const TAIL_BYTES = TAIL_START.length + 64 + TAIL_END.length;

/** The most bytes that any record has, a moved table's among them. */
export const MAX_RECORD_BYTES: number = 256 * 1024 * 1024;
/** The depth to which arrays and objects of a record may be nested, itself included: a value of 512 levels, and what stands around it. */
export const MAX_RECORD_DEPTH = 600;
/** The most arrays and objects that a record may hold: more than the metadata of an attempt has room for. */
export const MAX_RECORD_OBJECTS = 10_000_000;

/** In a longer record there are many arrays and objects, as a rule. */
const COUNTED_BYTES = 64 * 1024;

const [QUOTE, BACKSLASH] = [0x22, 0x5c];
const [OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * The bytes of a record with these fields, in their order, and its digest. A field may be JSON text that was kept.
 *
 * @param isBounded - whether all that it is made of is known to be bounded as a reader asks for, so that it need not be looked at again.
 * @throws StowageError `INVALID_ARGUMENT` where there is no field, one named `digest`, or a `__proto__` at any depth, or where
 * it is nested deeper, or holds more, than a reader takes.
 */
export function encodeRecord(
  fields: object,
  { isBounded = false }: { isBounded?: boolean } = {},
): Uint8Array {
  if (Object.hasOwn(fields, 'digest')) throw invalid('a field of a record cannot be named `digest`');
  const json = stringify(fields);
  if (json === undefined || !json.startsWith('{"'))
    throw invalid('a record is an object of at least one field');
  if (hasPrototypeKey(json, () => JSON.parse(json))) throw invalid('a record cannot hold a key `__proto__`');

  const bodyBytes = Buffer.byteLength(json) - 1;
  const bytes = new Uint8Array(bodyBytes + TAIL_BYTES);
  const buffer = bufferOf(bytes);
  buffer.write(json, 'utf8');
  const fault = isBounded ? undefined : boundsFault(bytes.subarray(0, bodyBytes));
  if (fault !== undefined) throw invalid(fault);
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
  if (bytes.length > MAX_RECORD_BYTES) throw damaged(what, `it has ${bytes.length} bytes`);
  if (!isUtf8(bytes)) throw damaged(what, 'it is not UTF-8');
  const fault = boundsFault(bytes);
  if (fault !== undefined) throw damaged(what, fault);
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
 * Finds what a JSON text holds too much of, before anything of it is built: a walk over a deep value calls itself as often,
 * and empty arrays take twenty times their text. A look at each byte, of texts that may be too deep.
 */
function boundsFault(json: Uint8Array): string | undefined {
  if (json.length < 2 * MAX_RECORD_DEPTH) return undefined;
  if (json.length <= COUNTED_BYTES && !hasManyOpenings(bufferOf(json))) return undefined;
  let depth = 0;
  let objects = 0;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at] as number;
    if (byte === QUOTE) {
      for (at++; at < json.length && json[at] !== QUOTE; at++) if (json[at] === BACKSLASH) at++;
    } else if (byte === OPEN_BRACKET || byte === OPEN_BRACE) {
      if (++depth > MAX_RECORD_DEPTH) return `it is nested deeper than ${MAX_RECORD_DEPTH} levels`;
      if (++objects > MAX_RECORD_OBJECTS)
        return `it holds more than ${MAX_RECORD_OBJECTS} arrays and objects`;
    } else if (byte === CLOSE_BRACKET || byte === CLOSE_BRACE) depth--;
  }
  return undefined;
}

/** Tells whether more arrays and objects begin than may be nested, by a search that takes a fifth of a look at each byte. */
function hasManyOpenings(json: Buffer): boolean {
  let count = 0;
  for (const opening of [OPEN_BRACE, OPEN_BRACKET]) {
    for (let at = json.indexOf(opening); at >= 0; at = json.indexOf(opening, at + 1)) {
      if (++count > MAX_RECORD_DEPTH) return true;
    }
  }
  return false;
}

function stringify(fields: object): string | undefined {
  try {
    return jsonTextOfMembers(fields);
  } catch (error) {
    // Of what is nested too deep for the stack, or longer than a string can be.
    if (error instanceof RangeError) throw invalid('it is nested too deep, or too long');
    throw error;
  }
}

/**
 * True if any object in a JSON text has a key `__proto__`, which would set a prototype once somebody copies it.
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
  return invalidArgument(`A record cannot be written: ${why}.`);
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
