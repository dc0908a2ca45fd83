import { isContentKey } from './content-names.ts';

/** A cache key: BLAKE3-256 of what a task was called with, 64 hexadecimal digits. */
export type EntryKey = string;

/** The folder of all entries and leases. */
export const CACHE_FOLDER = 'cache/';
/** The highest token of a lease. */
export const MAX_TOKEN = 999_999_999_999;

const TOKEN_DIGITS = 12;
const entryRegExp = /^cache\/([0-9a-f]{3})\/([0-9a-f]{64})\.json$/;
const keyedRegExp = /^cache\/([0-9a-f]{3})\/([0-9a-f]{64})\./;
const leaseRegExp = /^cache\/[0-9a-f]{3}\/[0-9a-f]{64}\.lease\.(\d{12})\.(json|released)$/;

/** The beginning of the names of a key's entry and leases. */
export function keyPrefix(key: EntryKey): string {
  return `${CACHE_FOLDER}${key.slice(0, 3)}/${key}.`;
}

export function entryName(key: EntryKey): string {
  return `${keyPrefix(key)}json`;
}

/** The key whose entry an object is; `undefined` for all others. */
export function parseEntryName(name: string): EntryKey | undefined {
  const [, shard, key] = entryRegExp.exec(name) ?? [];
  return key?.startsWith(shard as string) ? key : undefined;
}

/** The key that an object of `cache/` is of, by the name of any of its objects; `undefined` for all others. */
export function parseKeyOf(name: string): EntryKey | undefined {
  const [, shard, key] = keyedRegExp.exec(name) ?? [];
  return key?.startsWith(shard as string) ? key : undefined;
}

/** The name of the empty object that says when the result of a key was evicted. */
export function evictedName(key: EntryKey): string {
  return `${keyPrefix(key)}evicted`;
}

export function leaseName(key: EntryKey, token: number): string {
  return `${leaseBase(key, token)}.json`;
}

/** The name of the empty object that says a lease has ended. */
export function releasedName(key: EntryKey, token: number): string {
  return `${leaseBase(key, token)}.released`;
}

/** The parts of the name of a lease's object; `undefined` for all others. */
export function parseLeaseName(name: string): { token: number; kind: 'json' | 'released' } | undefined {
  const [, token, kind] = leaseRegExp.exec(name) ?? [];
  return token === undefined ? undefined : { token: Number(token), kind: kind as 'json' | 'released' };
}

/** The id of the tasks that cached tasks record the calls of a key under: its first 80 bits. */
export function taskIdOf(key: EntryKey): string {
  return key.slice(0, 20);
}

/** The ids that {@link taskIdOf} gives. Other tasks may have such ids as well. */
export const CACHED_TASK_ID: RegExp = /^[0-9a-f]{20}$/;

export function isCacheKey(key: unknown): key is EntryKey {
  return isContentKey(key);
}

function leaseBase(key: EntryKey, token: number): string {
  return `${keyPrefix(key)}lease.${String(token).padStart(TOKEN_DIGITS, '0')}`;
}
