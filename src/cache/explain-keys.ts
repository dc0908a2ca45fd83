import { inspect } from 'node:util';
import type { KeyListing } from './key-listing.ts';
import type { CacheKey, KeyParts } from './key-parts.ts';

/** One difference between two keys. */
export interface KeyDifference {
  readonly part: keyof KeyParts;
  /** The place, as an expression: `input.prompt`, `config.model.layers[3]`, `version.dependsOn[0]`. */
  readonly path: string;
  /** The change from the first key to the second; `inside`: something below the path, of which no place is recorded. */
  readonly change: 'changed' | 'added' | 'removed' | 'inside';
  /** A clause for people: `input.prompt changed`, `version "3" -> "4"`. */
  readonly message: string;
}

const PARTS: readonly (keyof KeyParts)[] = [
  'task',
  'scope',
  'version',
  'interface',
  'config',
  'ignoredInputs',
  'input',
  'salt',
];

/** Differences that are told; beyond, the first ones are. */
const MAX_DIFFERENCES = 256;

/**
 * Tells which parts of two keys differ, and where; nothing for equal keys. Either may have been stored, in a cache entry for
 * example, and be read back.
 *
 * Values are not told, for a key has only their digests. Of large inputs only the places nearest to the root are recorded;
 * a difference further down is told as one `inside` of the place above it.
 */
export function explainKeys(before: CacheKey, after: CacheKey): KeyDifference[] {
  if (before.key === after.key) return [];
  const differences = PARTS.flatMap((part) => partDifferences(part, before, after));
  return differences.slice(0, MAX_DIFFERENCES);
}

function partDifferences(part: keyof KeyParts, before: CacheKey, after: CacheKey): KeyDifference[] {
  const [old, now] = [before.parts[part], after.parts[part]];
  if (inspect(old, EXACT) === inspect(now, EXACT)) return [];
  if (old === undefined) return [difference(part, part, 'added')];
  if (now === undefined) return [difference(part, part, 'removed')];
  const shown = [textOf(part, old), textOf(part, now)];
  if (shown[0] !== undefined && shown[1] !== undefined) {
    return [{ ...difference(part, part, 'changed'), message: `${part} ${shown[0]} -> ${shown[1]}` }];
  }
  if (shown[0] !== undefined || shown[1] !== undefined) return [difference(part, part, 'changed')];
  const places = placeDifferences(part, placesOf(before, part), placesOf(after, part));
  return places.length > 0 ? places : [difference(part, part, 'inside')];
}

const EXACT = {
  depth: null,
  sorted: true,
  maxArrayLength: null,
  maxStringLength: null,
  breakLength: Infinity,
} as const;

/** A part that is no digest, as text. */
function textOf(part: keyof KeyParts, value: unknown): string | undefined {
  switch (part) {
    case 'task':
    case 'ignoredInputs':
      return JSON.stringify(value);
    case 'version':
      return typeof value === 'string' ? JSON.stringify(value) : undefined;
    case 'scope': {
      const [[kind, name] = []] = typeof value === 'object' ? Object.entries(value as object) : [];
      return kind === undefined ? 'global' : `${kind} ${JSON.stringify(name)}`;
    }
    case 'interface': {
      const { version } = value as { version?: unknown };
      return version === undefined ? undefined : JSON.stringify(version);
    }
    default:
      return undefined;
  }
}

function placesOf(key: CacheKey, part: keyof KeyParts): KeyListing {
  return (key.places as { readonly [part: string]: KeyListing | undefined } | undefined)?.[part] ?? {};
}

function placeDifferences(part: keyof KeyParts, old: KeyListing, now: KeyListing): KeyDifference[] {
  const found = new Map<string, KeyDifference>();
  const add = (path: string, change: KeyDifference['change']): void => {
    if (!found.has(path)) found.set(path, difference(part, path, change));
  };
  for (const [listed, digest] of Object.entries(old)) {
    const other = ownOf(now, listed);
    if (other === digest) continue;
    const path = pathOf(listed);
    if (path !== listed) add(path, 'changed');
    else if (other !== undefined) add(path, isFolded(digest) && isFolded(other) ? 'inside' : 'changed');
    else addMissing(path, 'removed', now, old, add);
  }
  for (const listed of Object.keys(now)) {
    if (ownOf(old, listed) !== undefined) continue;
    const path = pathOf(listed);
    if (path !== listed) add(path, 'changed');
    else addMissing(path, 'added', old, now, add);
  }
  return [...found.values()];
}

/** A place that only one of two listings has: perhaps the other ends above it, or goes on below. */
function addMissing(
  path: string,
  change: 'added' | 'removed',
  other: KeyListing,
  own: KeyListing,
  add: (path: string, change: KeyDifference['change']) => void,
): void {
  const above = Object.keys(other).find((candidate) => isInside(path, candidate));
  if (above !== undefined) add(above, isFolded(other[above]) ? 'inside' : 'changed');
  else if (Object.keys(other).some((candidate) => isInside(candidate, path))) {
    add(path, isFolded(own[path]) ? 'inside' : 'changed');
  } else add(path, change);
}

function isInside(path: string, above: string): boolean {
  return path.length > above.length && path.startsWith(above) && '.['.includes(path.charAt(above.length));
}

/** An object without a prototype is listed beside what it holds, by its path and braces. */
function pathOf(listed: string): string {
  return listed.endsWith('{}') ? listed.slice(0, -2) : listed;
}

function isFolded(digest: unknown): boolean {
  return typeof digest === 'string' && digest.endsWith('+');
}

function ownOf(listing: KeyListing, path: string): string | undefined {
  return Object.hasOwn(listing, path) ? listing[path] : undefined;
}

function difference(part: keyof KeyParts, path: string, change: KeyDifference['change']): KeyDifference {
  const message = change === 'inside' ? `something inside ${path} changed` : `${path} ${change}`;
  return { part, path, change, message };
}
