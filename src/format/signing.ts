import type { KeyObject } from 'node:crypto';
import { nodeCrypto } from '../digest/node-crypto.ts';
import { invalidArgument, isStowageError, type StowageError } from '../errors.ts';
import { checkMembers } from '../options/option-names.ts';

/** A secret by which cache entries are signed. */
export interface CacheSigningKey {
  /**
   * The name that entries have for the secret, which tells it from others of the ring: 1 to 32 of the characters A-Z, a-z, 0-9, "_"
   * and "-". Default: eight digits that are derived from the secret.
   */
  id?: string | undefined;
  /** The secret: at least 32 bytes; of a text, its UTF-8. */
  secret: string | Uint8Array;
}

/** A ring of keys: the first one signs, all of them verify. As a list, or as `STOWAGE_CACHE_KEY` holds it. */
export type CacheSigningKeys = string | readonly CacheSigningKey[];

/** The signature in an entry: the key that signed it, and HMAC-SHA-256 in hexadecimal. */
export interface EntrySignature {
  key: string;
  hmac: string;
}

/** The variable that holds the ring where a program does not pass one. */
export const CACHE_KEY_VARIABLE = 'STOWAGE_CACHE_KEY';
/** The least bytes of a secret: as many as the HMAC has. */
export const MIN_SECRET_BYTES = 32;

const DOMAIN = 'stowage cache entry 1\n';
const ID_DOMAIN = 'stowage cache key id 1\n';
const KEY_ID = /^[A-Za-z0-9_-]{1,32}$/;
const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/;

/** Signs entries and verifies signatures. Its secrets are in no message, and in nothing that prints it. */
export class EntrySigner {
  readonly #keys: ReadonlyMap<string, KeyObject>;

  /** @throws StowageError `INVALID_ARGUMENT` for secrets that are too short, ids that cannot be used, and ids that occur twice. */
  constructor(keys: CacheSigningKeys) {
    const ring: readonly CacheSigningKey[] = typeof keys === 'string' ? parseRing(keys) : keys;
    if (!Array.isArray(ring) || ring.length === 0) throw invalid('the ring holds no key');
    const byId = new Map<string, KeyObject>();
    ring.forEach((entry: unknown, index) => {
      const { id, key } = readKey(entry, `key ${index + 1}`);
      if (byId.has(id)) throw invalid(`two keys of the ring have the id ${id}`);
      byId.set(id, key);
    });
    this.#keys = byId;
  }

  /** The signature of an entry by the first key of the ring. */
  sign(name: string, signed: Uint8Array): EntrySignature {
    const [first] = this.#keys;
    const [id, key] = first as [string, KeyObject];
    return { key: id, hmac: hmac(key, name, signed).toString('hex') };
  }

  /** True if the ring has a key of this id. */
  has(id: string): boolean {
    return this.#keys.has(id);
  }

  /** True if one of the ring's keys made the signature, for the entry of this very name and bytes. */
  verify(name: string, signed: Uint8Array, signature: EntrySignature): boolean {
    const known = this.#keys.get(signature.key);
    const { createSecretKey, randomBytes, timingSafeEqual } = nodeCrypto();
    // With a key that nobody has the work is the same, and the answer no.
    const made = hmac(known ?? createSecretKey(randomBytes(MIN_SECRET_BYTES)), name, signed);
    const given = Buffer.from(signature.hmac, 'hex');
    return given.length === made.length && timingSafeEqual(given, made) && known !== undefined;
  }
}

/** Makes a signer by a ring, or by that of the environment if none is given; `undefined` if there is none. */
export function signerOf(keys: CacheSigningKeys | false | undefined): EntrySigner | undefined {
  if (keys === false) return undefined;
  if (keys !== undefined) return new EntrySigner(keys);
  const text = process.env[CACHE_KEY_VARIABLE];
  if (text === undefined) return undefined;
  try {
    // A secret that did not arrive would else turn verification off, and nobody would notice.
    if (text === '') throw invalid('it is empty');
    return new EntrySigner(text);
  } catch (error) {
    throw isStowageError(error) ? ofEnvironment(error) : error;
  }
}

/** The name is covered too, so that an entry cannot be moved to another key. */
function hmac(key: KeyObject, name: string, signed: Uint8Array): Buffer {
  return nodeCrypto().createHmac('sha256', key).update(`${DOMAIN}${name}\n`).update(signed).digest();
}

/**
 * The ring in a text: keys that are separated by commas, each `<id>:<secret in base64>`, or a text without colon and comma,
 * which is the secret itself. Messages tell a key by its place, never by its text.
 */
function parseRing(text: string): CacheSigningKey[] {
  return text.split(',').map((part, index) => {
    const trimmed = part.trim();
    const colon = trimmed.indexOf(':');
    if (colon === -1) return { secret: trimmed };
    const secret = trimmed.slice(colon + 1);
    if (!BASE64.test(secret)) {
      throw invalid(`what follows the colon of key ${index + 1} is not base64`);
    }
    return { id: trimmed.slice(0, colon), secret: Buffer.from(secret, 'base64') };
  });
}

function readKey(entry: unknown, what: string): { id: string; key: KeyObject } {
  if (typeof entry !== 'object' || entry === null) throw invalid(`${what} is no object { id, secret }`);
  checkMembers(entry, 'A signing key of the cache', ['id', 'secret']);
  const { id, secret } = entry as Partial<CacheSigningKey>;
  if (typeof secret !== 'string' && !(secret instanceof Uint8Array)) {
    throw invalid(`the secret of ${what} is neither a text nor bytes`);
  }
  const bytes = typeof secret === 'string' ? Buffer.from(secret, 'utf8') : secret;
  if (bytes.length < MIN_SECRET_BYTES) {
    throw invalid(`the secret of ${what} has ${bytes.length} bytes, and needs ${MIN_SECRET_BYTES} or more`);
  }
  if (id !== undefined && (typeof id !== 'string' || !KEY_ID.test(id))) {
    throw invalid(`the id of ${what} is not 1 to 32 of the characters A-Z, a-z, 0-9, "_" and "-"`);
  }
  return { id: id ?? derivedId(bytes), key: nodeCrypto().createSecretKey(bytes) };
}

function derivedId(secret: Uint8Array): string {
  return nodeCrypto().createHash('sha256').update(ID_DOMAIN).update(secret).digest('hex').slice(0, 8);
}

const REMEDY =
  '"<id>:<secret in base64>", several separated by commas, the key that signs first; `openssl rand -base64 32` makes a secret';

function invalid(why: string): StowageError {
  return invalidArgument(
    `The signing keys of the cache cannot be used: ${why}. Pass [{ id: '2026-03', secret }], or set ${CACHE_KEY_VARIABLE} to ${REMEDY}.`,
    { why },
  );
}

/** Names the variable: a user who passed no keys would look for them in the program. */
function ofEnvironment({ details }: StowageError): StowageError {
  return invalidArgument(
    `The environment variable ${CACHE_KEY_VARIABLE} cannot be used for signing the entries of the cache: ${String(details.why)}. Set it to ${REMEDY}; or unset it, for entries that nobody signs.`,
    { ...details, variable: CACHE_KEY_VARIABLE },
  );
}
