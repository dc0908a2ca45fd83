import { nodeCrypto } from '../digest/node-crypto.ts';
import { StowageError } from '../errors.ts';

/** A session's id: 128 random bits in 26 characters `[0-9a-v]`. One writer, one session; never used again. */
export type SessionId = string;

/** The pattern of a session id, for use inside larger patterns. */
export const SESSION_PATTERN = '[0-7][0-9a-v]{25}';

const sessionRegExp = new RegExp(`^${SESSION_PATTERN}$`);

const ID_BYTES = 16;
/** Random bytes of the system, fetched for many ids at a time: a fetch costs as much as a dozen of digests. */
const pool = Buffer.alloc(64 * ID_BYTES);
let taken = pool.length;

function randomFromPool(bytes: number): Uint8Array {
  if (taken + bytes > pool.length) {
    nodeCrypto().randomFillSync(pool);
    taken = 0;
  }
  taken += bytes;
  return pool.subarray(taken - bytes, taken);
}

/** Makes a new session id from 16 random bytes (injectable for tests). */
export function newSessionId(random: (bytes: number) => Uint8Array = randomFromPool): SessionId {
  const hex = Buffer.from(random(ID_BYTES)).toString('hex');
  return BigInt(`0x${hex}`).toString(32).padStart(26, '0');
}

export function isSessionId(text: unknown): text is SessionId {
  return typeof text === 'string' && sessionRegExp.test(text);
}

const MAX_SEQUENCE = 99_999_999;

/**
 * Sequence numbers in names are zero-padded to 8 digits, so that names sort as they were written.
 *
 * @throws StowageError `STORAGE_FAILED` beyond them: only a name that nobody gave can have led there
 */
export function padSequence(sequence: number): string {
  if (sequence > MAX_SEQUENCE) {
    throw new StowageError(
      'STORAGE_FAILED',
      `No number is left behind ${MAX_SEQUENCE}, the highest that a name holds; see who put an object of that number into the store.`,
    );
  }
  return String(sequence).padStart(8, '0');
}
