import type { CacheKey } from '../../cache/key-parts.ts';
import { readCacheKey } from '../../cache/key-parts.ts';
import type { CacheEntry } from '../../format/cache-entry.ts';

/** What an entry's key was made of; `undefined` where it does not say so, as an engine's own entry may not, or says something else. */
export function storedKeyOf({ key, keyDescription }: CacheEntry): CacheKey | undefined {
  const described = readCacheKey(keyDescription);
  return described?.key === key ? described : undefined;
}

/** How many digits of a digest people are shown. */
const DIGEST_DIGITS = 12;
/** Places of a part that people are shown; `--json` has all of them. */
const MAX_PLACES = 10;

/** The parts of a key, and the places inside them, each with its text or the first digits of its digest: no value. */
export function keyPartRows({ parts, places }: CacheKey): [string, string][] {
  return Object.entries(parts).flatMap(([part, value]): [string, string][] => {
    const listing = Object.entries(
      (places as Record<string, Record<string, string> | undefined>)[part] ?? {},
    );
    const inside = listing.filter(([path]) => path !== part);
    const shown = inside
      .slice(0, MAX_PLACES)
      .map(([path, digest]): [string, string] => [`  ${path}`, digest.slice(0, DIGEST_DIGITS)]);
    const more = inside.length - shown.length;
    const rest: [string, string][] = more > 0 ? [[`  ... ${more} more`, 'with --json']] : [];
    return [[part, partText(part, value)], ...shown, ...rest];
  });
}

function partText(part: string, value: unknown): string {
  if (part === 'input' || part === 'config' || part === 'salt') return String(value).slice(0, DIGEST_DIGITS);
  if (Array.isArray(value)) return value.join(', ');
  if (typeof value !== 'object' || value === null) return String(value);
  const [[kind, text] = ['', '']] = Object.entries(value);
  const isDigest = kind === 'auto' || kind === 'schemas';
  return `${kind} ${isDigest ? String(text).slice(0, DIGEST_DIGITS) : String(text)}`;
}
