import { builtInKind } from '../values/built-in-kind.ts';
import { hasCacheDigest } from '../values/cache-digest.ts';
import type { SerializerRegistry } from '../values/registry.ts';
import { formatPath, type PathStep } from '../values/value-path.ts';
import { type KeySubject, valueDigest } from './key-encoding.ts';

/**
 * The places inside a value, each with the first 16 digits of the digest of what is there, so that two keys can be compared
 * place by place. A `+` behind the digits says that the place has more places inside, which are not listed.
 *
 * It holds the names of members and no values; but a digest of little (a boolean, a short number) can be guessed.
 */
export type KeyListing = Readonly<Record<string, string>>;

/** Places of one value that are listed; beyond, the places that hold them are. */
const MAX_PLACES = 256;
/** Characters of all paths of a listing together. */
const MAX_PATH_CHARACTERS = 8192;
const LISTED_DIGITS = 16;

interface Place {
  readonly path: string;
  readonly value: unknown;
}

/** Lists the places inside `value`, breadth first as far as the bounds allow. Make the value's digest first. */
export function listPlaces(value: unknown, subject: KeySubject, registry: SerializerRegistry): KeyListing {
  const listing: [string, string][] = [];
  const waiting: Place[] = [{ path: subject.root, value }];
  let places = 1;
  let characters = subject.root.length;
  for (let next = 0; next < waiting.length; next++) {
    const place = waiting[next] as Place;
    const inside = insideOf(place, MAX_PLACES - places + 1);
    const more = inside === 'too many' ? 0 : inside.reduce((sum, { path }) => sum + path.length, 0);
    const fits = inside !== 'too many' && characters + more <= MAX_PATH_CHARACTERS;
    if (fits && inside.length > 0) {
      waiting.push(...inside);
      places += inside.length - 1;
      characters += more;
      if (Object.getPrototypeOf(place.value) === null) listing.push([`${place.path}{}`, 'null-prototype']);
    } else {
      const digest = valueDigest(place.value, { ...subject, root: place.path }, registry);
      listing.push([place.path, digest.slice(0, LISTED_DIGITS) + (fits ? '' : '+')]);
    }
  }
  return Object.fromEntries(listing);
}

/** The places directly inside a place, unless they are more than `room`: none in what is compared as a whole. */
function insideOf({ path, value }: Place, room: number): Place[] | 'too many' {
  switch (kindOf(value)) {
    case 'array':
      return insideArray(path, value as readonly unknown[], room);
    case 'map':
      return insideMap(path, value as ReadonlyMap<unknown, unknown>, room);
    case 'object': {
      const object = value as Record<string, unknown>;
      const keys = Object.keys(object);
      return keys.length > room ? 'too many' : keys.map((key) => placeAt(path, key, object[key]));
    }
    default:
      return [];
  }
}

function kindOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || hasCacheDigest(value)) return undefined;
  const prototype: object | null = Object.getPrototypeOf(value);
  const isPlain = prototype === null || prototype === Object.prototype;
  return isPlain ? 'object' : builtInKind(value, prototype);
}

function insideArray(path: string, array: readonly unknown[], room: number): Place[] | 'too many' {
  if (array.length > room) return 'too many';
  const isDense = Object.keys(array).length === array.length;
  return isDense ? array.map((item, index) => placeAt(path, index, item)) : [];
}

/** Keys that are neither strings nor numbers have no path that is the same in every order. */
function insideMap(path: string, map: ReadonlyMap<unknown, unknown>, room: number): Place[] | 'too many' {
  if (map.size > room) return 'too many';
  const isNamed = [...map.keys()].every((key) => typeof key === 'string' || typeof key === 'number');
  if (!isNamed) return [];
  return [...map].map(([key, item]) => placeAt(path, { in: 'map-values', index: 0, key }, item));
}

function placeAt(path: string, step: PathStep, value: unknown): Place {
  return { path: formatPath(path, [step]), value };
}
