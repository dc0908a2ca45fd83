import { SerializerRegistry } from '../values/registry.ts';
import { recordDigest } from './key-encoding.ts';
import type { KeyListing } from './key-listing.ts';

/** The calls that share results: everybody's, those of one flow, or those that name the same. */
export type CacheScope = 'global' | { readonly flow: string } | { readonly name: string };

/** The key is the digest of these. Parts that a task does not have are absent. */
export interface KeyParts {
  readonly task: string;
  readonly scope: CacheScope;
  /** The text; or the digest of code. */
  readonly version: string | { readonly auto: string };
  readonly interface?: { readonly version: string } | { readonly schemas: string };
  /** The digest of the configuration. */
  readonly config?: string;
  readonly ignoredInputs?: readonly string[];
  /** The digest of the input, without those that are ignored. */
  readonly input: string;
  /** The digest of the salts of the task and of the call. */
  readonly salt?: string;
}

/** A cache key, with what it is made of. It is plain JSON. */
export interface CacheKey {
  /** 64 hexadecimal digits: BLAKE3 over `parts`. */
  readonly key: string;
  readonly parts: KeyParts;
  /** The places inside the parts that are digests, for `explainKeys`: names and digests only, and only so many. */
  readonly places: {
    readonly version?: KeyListing;
    readonly interface?: KeyListing;
    readonly config?: KeyListing;
    readonly input?: KeyListing;
  };
}

const plainRegistry = new SerializerRegistry();

/** The key that `parts` have: recomputed from what a cache entry says, it tells whether the entry is what it is named. */
export function keyOfParts(parts: KeyParts): string {
  return recordDigest(parts, { taskName: parts.task, root: 'key' }, plainRegistry);
}

const MAX_LISTED = 4096;

/**
 * A key that was stored, read from JSON of which nothing is certain: `undefined` for what is no key, or not the key of the
 * parts that it names. Places that are not what they should be are left out, for they only explain.
 */
export function readCacheKey(json: unknown): CacheKey | undefined {
  if (!isObject(json) || typeof json.key !== 'string' || !isObject(json.parts)) return undefined;
  const parts = json.parts as unknown as KeyParts;
  if (!areParts(json.parts) || keyOf(parts) !== json.key) return undefined;
  return { key: json.key, parts, places: isObject(json.places) ? listings(json.places) : {} };
}

function areParts(parts: Readonly<Record<string, unknown>>): boolean {
  const { task, version, scope, input, interface: of, config, ignoredInputs, salt } = parts;
  return (
    typeof task === 'string' &&
    isTextOrMember(version) &&
    isTextOrMember(scope) &&
    typeof input === 'string' &&
    (of === undefined || (isObject(of) && isTextOrMember(of))) &&
    [config, salt].every((digest) => digest === undefined || typeof digest === 'string') &&
    (ignoredInputs === undefined || isListOfTexts(ignoredInputs))
  );
}

/** A text; or an object with one member, which is a text. */
function isTextOrMember(value: unknown): boolean {
  if (!isObject(value)) return typeof value === 'string';
  const texts = Object.values(value);
  return texts.length === 1 && typeof texts[0] === 'string';
}

function isListOfTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function listings(places: Readonly<Record<string, unknown>>): CacheKey['places'] {
  const kept = ['version', 'interface', 'config', 'input'].flatMap((part) => {
    const listing = Object.hasOwn(places, part) ? places[part] : undefined;
    if (!isObject(listing)) return [];
    const entries = Object.entries(listing);
    const isListing =
      entries.length <= MAX_LISTED && entries.every(([, digest]) => typeof digest === 'string');
    return isListing ? [[part, listing]] : [];
  });
  return Object.fromEntries(kept) as CacheKey['places'];
}

/** Values in the parts may be deeper or larger than any key's. */
function keyOf(parts: KeyParts): string | undefined {
  try {
    return keyOfParts(parts);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
