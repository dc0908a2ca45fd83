import { StowageError } from '../../errors.ts';
import { ObjectKeys } from '../bucket/keys.ts';

/** The most characters in the name of a blob. */
const MAX_CHARACTERS = 1024;
/** The most segments between the slashes of one. */
const MAX_SEGMENTS = 254;
/** The end of a segment that Azure would cut off, or that stands for one. */
const TO_ENCODE = /(?:\.|%(?:25)*2E)(?=\/|$)/g;
const ENCODED = /%(?:25)*2E(?=\/|$)/g;
/** The end of a begun segment that becomes another if the segment ends there. */
const UNDECIDED = /(?:\.|%(?:25)*2E)$/;
const CUT_OFF = /\.(?=\/|$)/;
const SURROGATE = /[\ud800-\udfff]/;

/**
 * Makes names of blobs from names of objects: a prefix goes before them, and a dot that ends a segment becomes `%2E`,
 * because Azure cuts it off, and `v1.` would be `v1`. A segment that ends in `%2E` anyway becomes one that ends in `%252E`.
 */
export class BlobNames extends ObjectKeys {
  /** @throws StowageError `INVALID_ARGUMENT`; `INVALID_NAME` where the prefix leaves no room for the name */
  override keyOf(name: string): string {
    const key = super.keyOf(name);
    const blobName = encode(key);
    const segments = key.split('/').length;
    if (segments > MAX_SEGMENTS) {
      throw new StowageError(
        'INVALID_NAME',
        `"${name.slice(0, 60)}..." has ${segments} segments with the prefix "${this.prefix}", more than the ` +
          `${MAX_SEGMENTS} that a blob's name may have; use fewer, or shorten the prefix in the store's address.`,
        { details: { name, prefix: this.prefix, segments, maxSegments: MAX_SEGMENTS } },
      );
    }
    if (blobName === key || blobName.length <= MAX_CHARACTERS) return blobName;
    throw new StowageError(
      'INVALID_NAME',
      `"${name.slice(0, 60)}..." is ${blobName.length} characters with the prefix and with its final dots encoded, more ` +
        `than the ${MAX_CHARACTERS} that a blob's name may have; shorten it, or leave the dots out.`,
      {
        details: {
          name,
          prefix: this.prefix,
          characters: blobName.length,
          maxCharacters: MAX_CHARACTERS,
        },
      },
    );
  }

  /**
   * The beginning of the blobs of all objects whose names begin with `prefix`. Others may begin with it as well: a dot at its
   * end is left out, because a segment may end there.
   *
   * @throws StowageError `INVALID_ARGUMENT`
   */
  override prefixOf(prefix: string): string {
    const key = super.prefixOf(prefix);
    const begun = key.lastIndexOf('/') + 1;
    return encode(key.slice(0, begun)) + key.slice(begun).replace(UNDECIDED, '');
  }

  /** The name of the object in that blob, or `undefined` where others than a store put it there. */
  override nameOf(blobName: string): string | undefined {
    const key = decode(blobName);
    return key === undefined ? undefined : super.nameOf(key);
  }

  /** The folder, ending in `/`, of that common prefix of blobs; `undefined` where no object of a store can lie in it. */
  override folderOf(commonPrefix: string): string | undefined {
    const key = decode(commonPrefix);
    return key === undefined ? undefined : super.folderOf(key);
  }
}

/**
 * True if Azure lists that blob before blobs whose names it should come after. Azure orders the names of blobs by UTF-16,
 * where what is beyond the basic plane comes before U+E000; and an encoded dot comes before others.
 *
 * @param blobName what follows the prefix that all names of the listing have
 */
export function isListedEarly(blobName: string): boolean {
  return SURROGATE.test(blobName) || blobName.search(ENCODED) >= 0;
}

function encode(key: string): string {
  return key.replace(TO_ENCODE, (end) => (end === '.' ? '%2E' : end.replace('%', '%25')));
}

function decode(blobName: string): string | undefined {
  if (CUT_OFF.test(blobName)) return undefined;
  return blobName.replace(ENCODED, (end) => (end === '%2E' ? '.' : end.replace('%25', '%')));
}
