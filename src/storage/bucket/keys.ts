import { StowageError } from '../../errors.ts';
import { isObjectSegment, RESERVED_SEGMENT, validateObjectName, validatePrefix } from '../names.ts';

/** The longest key that all of S3, Azure and GCS take, in bytes of UTF-8. */
const MAX_KEY_BYTES = 1024;
/**
 * The most bytes of a prefix. A store's own names take up to 616 (of a trace, with four names of 128 bytes each), so that
 * all of them fit behind it: a task is not opened where its last record could not be written.
 */
const MAX_PREFIX_BYTES = 400;

/** Makes the keys of a bucket from names of objects: a prefix goes before them, nothing else changes. */
export class ObjectKeys {
  /** Empty, or ending in `/`. */
  readonly prefix: string;

  /**
   * @param prefix as a user wrote it: slashes at its ends do not count; at most 400 bytes of UTF-8
   * @throws StowageError `INVALID_ARGUMENT` where no object could have it before its name
   */
  constructor(prefix: string) {
    const segments = prefix.replace(/^\/+|\/+$/g, '').split('/');
    if (segments.length === 1 && segments[0] === '') this.prefix = '';
    else if (segments.every(isObjectSegment)) this.prefix = `${segments.join('/')}/`;
    else {
      throw new StowageError(
        'INVALID_ARGUMENT',
        `The prefix ${JSON.stringify(prefix)} cannot stand before the names of objects: its parts may not be empty, ` +
          '"." or "..", hold control characters or "\\", or be other than Unicode NFC.',
        { details: { prefix } },
      );
    }
    const bytes = Buffer.byteLength(this.prefix);
    if (bytes <= MAX_PREFIX_BYTES) return;
    throw new StowageError(
      'INVALID_ARGUMENT',
      `The prefix "${this.prefix.slice(0, 60)}..." is ${bytes} bytes of UTF-8, its last slash included. The names that a ` +
        `store puts behind it may need the other ${MAX_KEY_BYTES - MAX_PREFIX_BYTES} of the ${MAX_KEY_BYTES} that a key may ` +
        `have; shorten it to at most ${MAX_PREFIX_BYTES}.`,
      { details: { prefix, bytes, maxBytes: MAX_PREFIX_BYTES } },
    );
  }

  /** @throws StowageError `INVALID_ARGUMENT`; `INVALID_NAME` where the prefix leaves no room for the name */
  keyOf(name: string): string {
    const key = this.prefix + validateObjectName(name);
    // No character takes more than three bytes for each of its UTF-16 units.
    const bytes = key.length * 3 <= MAX_KEY_BYTES ? 0 : Buffer.byteLength(key);
    if (bytes <= MAX_KEY_BYTES) return key;
    throw new StowageError(
      'INVALID_NAME',
      `"${name.slice(0, 60)}..." is ${bytes} bytes of UTF-8 with the prefix "${this.prefix}", more than the ` +
        `${MAX_KEY_BYTES} that a key may have; shorten the name, or the prefix in the store's address.`,
      { details: { name, prefix: this.prefix, bytes, maxBytes: MAX_KEY_BYTES } },
    );
  }

  /** The key that the keys of a listing begin with. @throws StowageError `INVALID_ARGUMENT` */
  prefixOf(prefix: string): string {
    return this.prefix + validatePrefix(prefix);
  }

  /** A key below the reserved segment, which no object has and no listing shows. */
  reservedKeyOf(name: string): string {
    return `${this.prefix}${RESERVED_SEGMENT}/${name}`;
  }

  /** The name of the object of that key, or `undefined` where others than a store put it there. */
  nameOf(key: string): string | undefined {
    const name = key.slice(this.prefix.length);
    try {
      return validateObjectName(name);
    } catch {
      return undefined;
    }
  }

  /** The folder, ending in `/`, of that common prefix of keys; `undefined` where no object of a store can lie in it. */
  folderOf(commonPrefix: string): string | undefined {
    const folder = commonPrefix.slice(this.prefix.length);
    const segments = folder.slice(0, -1).split('/');
    return segments[0] !== RESERVED_SEGMENT && segments.every(isObjectSegment) ? folder : undefined;
  }
}
