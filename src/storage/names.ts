import { StowageError, type StowageErrorCode } from '../errors.ts';

/**
 * The encoding of names as file names. `exact` keeps capitals and non-ASCII letters as they are; `fold`, for file systems
 * that merge capitals or normal forms, percent-encodes them as well.
 */
export type NameEncoding = 'exact' | 'fold';

/** The most bytes of UTF-8 in a name from a user. */
export const MAX_USER_NAME_BYTES = 128;
/** The most bytes in a name from a user once it is percent-encoded with `fold`. */
export const MAX_ENCODED_USER_NAME_BYTES = 240;
/** The most bytes of UTF-8 in the name of an object. */
export const MAX_OBJECT_NAME_BYTES = 1024;
/** The most bytes in one segment of an object's name once it is percent-encoded with `fold`: what file systems hold. */
export const MAX_ENCODED_SEGMENT_BYTES = 255;
/** The first segment under which storages keep what is no object of a store, as what they tried a server with. */
export const RESERVED_SEGMENT = 'tmp';

const CONTROL = /\p{Cc}/u;
/** XML 1.0 has no way to write them, so that a bucket of S3 or Azure could not list a name that holds one. */
const NO_CHARACTER = /[\ufffe\uffff]/;
const SEPARATOR = /[/\\]/;
const NOT_ASCII = /\P{ASCII}/u;
/** With the `u` flag, only surrogates without a partner. */
const LONE_SURROGATE = /\p{Cs}/u;
const LOG_NAME = /^[A-Za-z0-9_-]{1,32}$/;

/** Names of devices on Windows, alone or before an extension. */
const DEVICE = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$|clock\$) *(?:\.|$)/i;
/** Characters that Windows cannot hold, or (`~`, in its short names) would merge, and `%` itself. */
const UNSAFE = /[<>:"|?*%~/\\]|\p{Cc}/gu;
const UNSAFE_OR_FOLDED = /[<>:"|?*%~/\\A-Z]|\p{Cc}|\P{ASCII}/gu;
/** Segments that neither encoding changes, as long as they name no device. */
const PLAIN_SEGMENT = /^[a-z0-9_-](?:[a-z0-9._-]*[a-z0-9_-])?$/;
/** Segments that `exact` does not change, as long as they name no device. */
const PLAIN_EXACT_SEGMENT = /^[A-Za-z0-9_-](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?$/;
/** Names of objects whose segments `exact` does not change, as long as none is that of a device. */
const PLAIN_EXACT_NAME = /^(?:[A-Za-z0-9_-](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?(?:\/(?!$)|$))+$/;
const DEVICE_AMONG_PLAIN = /(?:^|\/)(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:[./]|$)/i;
/** Names that are valid at a glance: nothing in them is encoded, or no segment is too long even if all of it is. */
const PLAIN_LOWER_NAME = /^[a-z0-9_-][a-z0-9._-]*(?:\/[a-z0-9_-][a-z0-9._-]*)*$/;
const PLAIN_NAME = /^[A-Za-z0-9_-][A-Za-z0-9._:-]{0,79}(?:\/[A-Za-z0-9_-][A-Za-z0-9._:-]{0,79})*$/;
const PLAIN_USER_NAME = /^[A-Za-z0-9_-][A-Za-z0-9._:-]{0,79}$/;
const MAX_PLAIN_LOWER_NAME = 240;
const ENCODED_ASCII = Array.from(
  { length: 0x80 },
  (_, code) => `%${code.toString(16).toUpperCase().padStart(2, '0')}`,
);
/** A message shows so many characters of a name. */
const MAX_SHOWN_NAME = 80;

/**
 * Checks a name a user gave (of a flow, run, step, task, artifact or file) and returns it unchanged. The rule is the
 * same for every storage, so that any store can be copied to any other.
 *
 * @param what what is being named, for the message: `flow name`, `run id`, ...
 * @throws StowageError `INVALID_NAME`
 */
export function validateUserName(name: unknown, what: string): string {
  if (typeof name !== 'string') throw noText('INVALID_NAME', `The ${what}`, what, name);
  const problem = userNameProblem(name);
  if (problem === undefined) return name;
  throw invalid('INVALID_NAME', `The ${what} ${shown(name)} cannot be used: ${problem}.`, what, name);
}

/** True if {@link validateUserName} lets a name through that lies in a store. */
export function isUserName(name: string): boolean {
  return userNameProblem(name) === undefined;
}

/**
 * Checks the source or stream of a log (`[A-Za-z0-9_-]{1,32}`) and returns it unchanged.
 *
 * @throws StowageError `INVALID_NAME`
 */
export function validateLogName(name: unknown, what: string): string {
  if (typeof name !== 'string') throw noText('INVALID_NAME', `The ${what}`, what, name);
  if (LOG_NAME.test(name)) return name;
  const rule = 'use 1 to 32 of the characters A-Z, a-z, 0-9, "_" and "-"';
  throw invalid('INVALID_NAME', `The ${what} ${shown(name)} cannot be used: ${rule}.`, what, name);
}

/** True if {@link validateLogName} lets a name through that lies in a store. */
export function isLogName(name: string): boolean {
  return LOG_NAME.test(name);
}

/**
 * Checks the name of an object (see `DataStoreStorage`) and returns it unchanged.
 *
 * @throws StowageError `INVALID_ARGUMENT`
 */
export function validateObjectName(name: unknown): string {
  if (typeof name !== 'string') throw noText('INVALID_ARGUMENT', 'The name of an object', 'object', name);
  if (isPlainName(name)) return name;
  const problem = objectNameProblem(name);
  if (problem === undefined) return name;
  throw invalid('INVALID_ARGUMENT', `${shown(name)} cannot name an object: ${problem}.`, 'object', name);
}

/**
 * Checks the prefix of a listing: empty, or the beginning of a valid name, at whatever character it ends.
 *
 * @throws StowageError `INVALID_ARGUMENT`
 */
export function validatePrefix(prefix: unknown): string {
  if (prefix === '') return '';
  if (typeof prefix !== 'string')
    throw noText('INVALID_ARGUMENT', 'The prefix of a listing', 'prefix', prefix);
  const problem = prefixProblem(prefix);
  if (problem === undefined) return prefix;
  const message = `Objects cannot be listed by the prefix ${shown(prefix)}: ${problem}.`;
  throw invalid('INVALID_ARGUMENT', message, 'prefix', prefix);
}

/** True if `segment` may be part of an object's name. */
export function isObjectSegment(segment: string): boolean {
  return !segment.includes('/') && segmentProblem(segment) === undefined;
}

/**
 * Turns one segment of a name into a file name that Linux, macOS and Windows can all hold and tell apart. Injective;
 * with `fold` even after the file system folds case. {@link decodeSegment} is its inverse.
 *
 * Percent-encoded (UTF-8, upper-case hex) are `< > : " | ? * % ~ / \`, control characters, a leading dot or space, a
 * trailing dot or space, the first letter of a device's name (`con`, `nul.txt`), and with `fold` all of `A-Z` and
 * what is not ASCII. A leading dot is encoded so that files which others leave in a folder (`.nfs0001`, `.DS_Store`)
 * are no objects.
 */
export function encodeSegment(segment: string, encoding: NameEncoding): string {
  if (isPlainSegment(segment, encoding)) return segment;
  const encoded = segment
    .replace(encoding === 'fold' ? UNSAFE_OR_FOLDED : UNSAFE, percentEncode)
    .replace(/^[. ]|[. ]$/g, percentEncode);
  return DEVICE.test(encoded) ? percentEncode(encoded.charAt(0)) + encoded.slice(1) : encoded;
}

/** The segment that {@link encodeSegment} turns into `fileName`, or `undefined` if there is none. */
export function decodeSegment(fileName: string, encoding: NameEncoding): string | undefined {
  if (isPlainSegment(fileName, encoding)) return fileName;
  const segment = percentDecode(fileName);
  return segment !== undefined && encodeSegment(segment, encoding) === fileName ? segment : undefined;
}

/** True of what {@link encodeSegment} does not change, at a glance. */
function isPlainSegment(segment: string, encoding: NameEncoding): boolean {
  const plain = encoding === 'exact' ? PLAIN_EXACT_SEGMENT : PLAIN_SEGMENT;
  return plain.test(segment) && !DEVICE.test(segment);
}

/** Encodes each segment of an object's name; the separators stay `/`. */
export function encodeObjectName(name: string, encoding: NameEncoding): string {
  if (encoding === 'exact' && PLAIN_EXACT_NAME.test(name) && !DEVICE_AMONG_PLAIN.test(name)) return name;
  if (!name.includes('/')) return encodeSegment(name, encoding);
  return name
    .split('/')
    .map((segment) => encodeSegment(segment, encoding))
    .join('/');
}

function userNameProblem(name: string): string | undefined {
  if (PLAIN_USER_NAME.test(name)) return undefined;
  if (name === '') return 'it is empty; give it at least one character';
  const separator = SEPARATOR.exec(name);
  if (separator) return `it contains "${separator[0]}", which separates names; ${remedyOfSeparators(name)}`;
  const problem = segmentProblem(name);
  if (problem !== undefined) return problem;
  const bytes = Buffer.byteLength(name);
  if (bytes > MAX_USER_NAME_BYTES) {
    return `it is ${bytes} bytes of UTF-8; shorten it to at most ${MAX_USER_NAME_BYTES}`;
  }
  const encodedBytes = encodeSegment(name, 'fold').length;
  if (encodedBytes > MAX_ENCODED_USER_NAME_BYTES) {
    const why = 'capitals, punctuation and letters beyond ASCII count three bytes each or more';
    return `it is ${encodedBytes} bytes once percent-encoded (${why}); shorten it to at most ${MAX_ENCODED_USER_NAME_BYTES}`;
  }
  return undefined;
}

/** The path of a file is a name once its separators are something else; shown where the rest of it is a name. */
function remedyOfSeparators(name: string): string {
  const flat = name.replace(/[/\\]+/g, ':').replace(/^:|:$/g, '');
  if (name.length > MAX_SHOWN_NAME || userNameProblem(flat) !== undefined) return 'use another character';
  return `use another character, as in ${shown(flat)}, or encodeURIComponent(name), of which decodeURIComponent makes the path again`;
}

function objectNameProblem(name: string): string | undefined {
  const bytes = Buffer.byteLength(name);
  if (bytes > MAX_OBJECT_NAME_BYTES) {
    return `it is ${bytes} bytes of UTF-8; shorten it to at most ${MAX_OBJECT_NAME_BYTES}`;
  }
  const segments = name.split('/');
  if (segments[0] === RESERVED_SEGMENT) return `"${RESERVED_SEGMENT}/" is reserved for what is no object`;
  for (const segment of segments) {
    const problem = segmentProblem(segment) ?? segmentLengthProblem(segment);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function prefixProblem(prefix: string): string | undefined {
  const bytes = Buffer.byteLength(prefix);
  if (bytes > MAX_OBJECT_NAME_BYTES) return `it is ${bytes} bytes of UTF-8, longer than any name`;
  const segments = prefix.split('/');
  const begun = segments.pop() as string;
  for (const segment of segments) {
    const problem = segmentProblem(segment);
    if (problem !== undefined) return problem;
  }
  return begun === '' || begun === '.' || begun === '..' ? undefined : segmentProblem(begun);
}

function segmentProblem(segment: string): string | undefined {
  if (segment === '') return 'it has an empty segment; remove the "/" too many';
  if (segment === '.' || segment === '..') return '"." and ".." mean folders; use another name';
  if (segment.includes('\\'))
    return 'it contains "\\", which separates names on Windows; use another character';
  const control = CONTROL.exec(segment);
  if (control) return `it contains the control character ${codePoint(control[0])}; remove it`;
  if (!NOT_ASCII.test(segment)) return undefined;
  const none = NO_CHARACTER.exec(segment);
  if (none) return `it contains ${codePoint(none[0])}, which is no character; remove it`;
  if (LONE_SURROGATE.test(segment)) return 'it contains half of a surrogate pair; repair its encoding';
  if (segment.normalize('NFC') !== segment) return "it is not in Unicode NFC; pass name.normalize('NFC')";
  return undefined;
}

function segmentLengthProblem(segment: string): string | undefined {
  const bytes = encodeSegment(segment, 'fold').length;
  if (bytes <= MAX_ENCODED_SEGMENT_BYTES) return undefined;
  const limit = MAX_ENCODED_SEGMENT_BYTES;
  return `its segment ${shown(segment)} is ${bytes} bytes once percent-encoded; shorten it to at most ${limit}`;
}

function isPlainName(name: string): boolean {
  const isPlain =
    (name.length <= MAX_PLAIN_LOWER_NAME && PLAIN_LOWER_NAME.test(name)) ||
    (name.length <= MAX_OBJECT_NAME_BYTES && PLAIN_NAME.test(name));
  return isPlain && name !== RESERVED_SEGMENT && !name.startsWith(`${RESERVED_SEGMENT}/`);
}

function percentEncode(text: string): string {
  const code = text.charCodeAt(0);
  if (text.length === 1 && code < 0x80) return ENCODED_ASCII[code] as string;
  return Buffer.from(text, 'utf8')
    .toString('hex')
    .toUpperCase()
    .replace(/../g, (byte) => `%${byte}`);
}

function percentDecode(text: string): string | undefined {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function invalid(code: StowageErrorCode, message: string, what: string, name: unknown): StowageError {
  return new StowageError(code, message, {
    details: { what, name: typeof name === 'string' ? cut(name) : kindOf(name) },
  });
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value;
}

/** Makes the error for a name that is no string. @param subject what it should name, as a sentence begins with it */
function noText(code: StowageErrorCode, subject: string, what: string, name: unknown): StowageError {
  const isNumber = typeof name === 'number' || typeof name === 'bigint';
  const given = isNumber ? `the number ${name}; pass '${name}'` : `${article(kindOf(name))}${kindOf(name)}`;
  return invalid(code, `${subject} must be a string, not ${given}.`, what, name);
}

function article(kind: string): string {
  if (kind === 'undefined' || kind.includes(' ') || kind === 'null') return '';
  return /^[aeiou]/.test(kind) ? 'an ' : 'a ';
}

/** A name as a message may show it: quoted, escaped, short. */
function shown(name: string): string {
  return JSON.stringify(cut(name));
}

function cut(name: string): string {
  return name.length <= MAX_SHOWN_NAME
    ? name
    : `${name.slice(0, MAX_SHOWN_NAME - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}

function codePoint(character: string): string {
  return `U+${(character.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, '0')}`;
}
