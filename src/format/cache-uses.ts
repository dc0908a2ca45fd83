import { StowageError } from '../errors.ts';
import { CACHE_FOLDER, type EntryKey, isCacheKey } from './cache-names.ts';
import { encodeRecord } from './record.ts';
import { readRecord, readStrings } from './record-fields.ts';
import { newSessionId, SESSION_PATTERN } from './session-id.ts';

/** The folder of what tells which entries of the cache were used. */
export const CACHE_USES_FOLDER: string = `${CACHE_FOLDER}used/`;
/** The most keys that a writer puts into one record. */
export const MAX_USED_KEYS = 10_000;
/** The largest record of uses that is read. */
export const MAX_USES_BYTES: number = 4 * 1024 * 1024;

const DAY_MS = 24 * 60 * 60 * 1000;
const usesRegExp = new RegExp(`^${CACHE_USES_FOLDER}(\\d{4}-\\d{2}-\\d{2})\\.(${SESSION_PATTERN})\\.json$`);

/** A name that nobody else gives, of the day in UTC. */
export function newUsesName(nowMs: number): string {
  return `${CACHE_USES_FOLDER}${new Date(nowMs).toISOString().slice(0, 10)}.${newSessionId()}.json`;
}

/** The day that such a name tells: its beginning, in milliseconds since 1970; `undefined` of any other name. */
export function dayOfUses(name: string): number | undefined {
  const dayMs = Date.parse(usesRegExp.exec(name)?.[1] ?? '');
  return Number.isNaN(dayMs) ? undefined : dayMs;
}

/** True if all uses that a day tells are older than `sinceMs`. */
export function areUsesBefore(dayMs: number, sinceMs: number): boolean {
  return dayMs + DAY_MS <= sinceMs;
}

export function encodeUses(keys: readonly EntryKey[]): Uint8Array {
  return encodeRecord({ format: 1, kind: 'cache-uses', keys });
}

/** The keys of entries that were a hit; throws `RECORD_DAMAGED` or `UNSUPPORTED_FORMAT`, naming `what`. */
export function decodeUses(bytes: Uint8Array, what: string): EntryKey[] {
  const keys = readStrings(readRecord(bytes, what, 'cache-uses', {}), 'keys', what);
  if (keys.every(isCacheKey)) return keys;
  throw new StowageError(
    'RECORD_DAMAGED',
    `${what} tells of an entry by what is no cache key; restore it from a copy of the store, or delete it.`,
    { details: { what } },
  );
}
