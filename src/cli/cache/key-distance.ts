import type { KeyListing } from '../../cache/key-listing.ts';
import type { CacheKey, KeyParts } from '../../cache/key-parts.ts';

/** In how many places two keys differ: a quick count, by which one of very many is chosen, of what `explainKeys` tells of two. */
export function keyDistance(a: CacheKey, b: CacheKey): number {
  const parts = Object.keys({ ...a.parts, ...b.parts }) as (keyof KeyParts)[];
  return parts.reduce((sum, part) => sum + partDistance(part, a, b), 0);
}

function partDistance(part: keyof KeyParts, a: CacheKey, b: CacheKey): number {
  if (JSON.stringify(a.parts[part]) === JSON.stringify(b.parts[part])) return 0;
  const [inA, inB] = [listingOf(part, a), listingOf(part, b)];
  let places = 0;
  for (const path of Object.keys(inA)) if (inA[path] !== inB[path]) places += 1;
  for (const path of Object.keys(inB)) if (!Object.hasOwn(inA, path)) places += 1;
  return Math.max(1, places);
}

function listingOf(part: keyof KeyParts, { places }: CacheKey): KeyListing {
  return (places as Readonly<Record<string, KeyListing | undefined>>)[part] ?? {};
}
