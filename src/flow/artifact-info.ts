import type { WorkCount } from '../async/progress.ts';
import type { ArtifactEntry } from '../format/description.ts';

/** An artifact as its row tells it, without loading it. */
export interface ArtifactInfo {
  name: string;
  /** The kind of value, in a word for people: `object`, `Float64Array`, ... */
  type: string;
  /** The id of the serializer that made its bytes. */
  encoding: string;
  /** BLAKE3-256 of the serialized bytes; equal values have equal keys. */
  key: string;
  /** Length of the serialized bytes. */
  bytes: number;
  /** Its bytes in the store, whoever shares them; 0 for inline values, which are part of metadata.json. */
  storedBytes: number;
  /** The value is kept in metadata.json itself. */
  inline: boolean;
  /** The id of the place that its content lies at, by `rawDataPath`; absent for what lies in the store itself. */
  place?: string;
}

/** Describes an artifact by its row. */
export function artifactInfo({
  name,
  type,
  encoding,
  key,
  bytes,
  content,
  own,
  inline,
}: ArtifactEntry): ArtifactInfo {
  const { storedBytes = 0, place } = content ?? own ?? {};
  return {
    name,
    type,
    encoding,
    key,
    bytes,
    storedBytes,
    inline: inline !== undefined,
    ...(place === undefined ? {} : { place }),
  };
}

/** Tells a row whose value is `null` or `undefined`. */
export function isNothing({ encoding, type, bytes, inline }: ArtifactEntry): boolean {
  if (inline && 'json' in inline) return inline.json === null;
  // By its length as well: a class may have been registered under either name.
  const isShort = (type === 'null' && bytes === 1) || (type === 'undefined' && bytes === 3);
  return encoding === 'msgpack' && isShort;
}

/** The work of loading rows. */
export function workOf(entries: readonly ArtifactEntry[]): WorkCount {
  return { bytes: entries.reduce((sum, { bytes }) => sum + bytes, 0), items: entries.length };
}

/** Needs neither a request nor a promise: a thousand small values in a row feel each. */
export function isAtHand({ inline }: ArtifactEntry): boolean {
  return inline !== undefined && 'json' in inline;
}
