/**
 * The MessagePack dialect of artifacts whose encoding is `msgpack`.
 *
 * An artifact is exactly one MessagePack value (https://github.com/msgpack/msgpack/blob/master/spec.md), all integers of the
 * format big-endian:
 *
 * - `null`, booleans: nil, false, true.
 * - Numbers: an integer within ±(2^53 - 1), except -0, in the shortest of positive fixint, uint 8/16/32/64 (if not
 *   negative), negative fixint, int 8/16/32/64 (if negative). Everything else, -0, NaN and the infinities among it, is
 *   float 64; NaN is `7ff8000000000000`. Readers also accept float 32 and longer integers within the range.
 * - Strings: str, valid UTF-8, in the shortest form. A string with a lone surrogate is extension 13.
 * - `Uint8Array` and `Buffer`: bin, in the shortest form.
 * - Dense and sparse arrays: array, in the shortest form; a hole is extension 2.
 * - Plain objects: map, in the shortest form; keys are strings (str or extension 13) in the order JavaScript gives them, each
 *   once, and never `__proto__`.
 * - Everything else: an extension.
 *
 * Properties that are not enumerable are refused, except in an `Error`. Whether properties can be written, configured or added
 * (`Object.freeze`) is no part of a value, nor is whether an array's element is enumerable.
 *
 * | code | value | payload |
 * |---|---|---|
 * | 1 | `undefined` | none |
 * | 2 | a hole; only directly in an array | none |
 * | 3 | `Date` | float 64: milliseconds since 1970-01-01T00:00Z, an integer within ±8.64e15; `7ff8000000000000` for an invalid one |
 * | 4 | `bigint` | one byte, 1 if negative, else 0; then the magnitude, big-endian, without leading zeros (none for 0); at most 1 MiB |
 * | 5 | `RegExp` | array: source, flags, `lastIndex` (a number) |
 * | 6 | `URL` | its `href` in UTF-8 |
 * | 7 | `Map` | array: key, value, key, value, ... in the map's order |
 * | 8 | `Set` | array of the members, in the set's order |
 * | 9 | `Error` | array: class (`Error`, `TypeError`, ..., `AggregateError`); a map of those of `name`, `message`, `stack`, `cause`, `errors`, in this order, that are its own and not enumerable, then of its other properties that are not enumerable; a map of its own enumerable properties |
 * | 10 | typed array | one byte, the element type (1 Int8, 2 Uint8Clamped, 3 Int16, 4 Uint16, 5 Int32, 6 Uint32, 7 Float32, 8 Float64, 9 BigInt64, 10 BigUint64, 11 Float16); then the elements, little-endian |
 * | 11 | `ArrayBuffer` | its bytes |
 * | 12 | `DataView` | its bytes |
 * | 13 | string with a lone surrogate | its UTF-16 code units, little-endian |
 * | 14 | object without a prototype | map, as of a plain object |
 * | 15 | instance of a registered class | array: the name it was registered under, the value its transformer gave |
 * | 16 | reference to content | array: its kind, a map of its members |
 *
 * The header is the shortest that fits (fixext 1/2/4/8/16, ext 8/16/32), so ext 8 of length 0 without a payload; except where the
 * payload is MessagePack itself (5, 7, 8, 9, 14, 15, 16): there it is always ext 32. Equal values have equal bytes by these rules.
 * An object that is reached twice is written twice.
 *
 * Depth: an array, a map, and each extension 7, 8, 9, 14, 15 or 16 is one level (the arrays and maps that the table shows in a payload
 * are none); at most 512 by default.
 */
export const EXTENSION = {
  undefined: 1,
  hole: 2,
  date: 3,
  bigint: 4,
  regexp: 5,
  url: 6,
  map: 7,
  set: 8,
  error: 9,
  typedArray: 10,
  arrayBuffer: 11,
  dataView: 12,
  utf16: 13,
  nullPrototype: 14,
  class: 15,
  reference: 16,
} as const;

/** The longest magnitude of a bigint, in bytes. */
export const MAX_BIGINT_BYTES: number = 1024 * 1024;

/** The own properties of an `Error` that as a rule are not enumerable, in the order they are written. */
export const HIDDEN_ERROR_KEYS: readonly string[] = ['name', 'message', 'stack', 'cause', 'errors'];

/** The classes of `Error` that come back, by name. */
export const ERROR_CLASSES: ReadonlyMap<string, ErrorConstructor> = new Map(
  [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map((Class) => [
    Class.name,
    Class as ErrorConstructor,
  ]),
).set('AggregateError', AggregateError as unknown as ErrorConstructor);

/** Bounds on a value, so that neither a mistake nor hostile bytes exhaust the process. */
export interface ValueLimits {
  /**
   * Levels of nesting. Default 512. A store's readers need at least what its writers have. Saving takes the call stack for each level, so that
   * some thousands (1,000 causes of an error) can be refused whatever is set here; what was saved loads in any process.
   */
  readonly maxDepth: number;
  /** Bytes of one serialized value that is not bytes, a typed array or a string already. Default 1 GiB. */
  readonly maxBytes: number;
}

/** The default {@link ValueLimits}. */
export const DEFAULT_LIMITS: ValueLimits = { maxDepth: 512, maxBytes: 1024 ** 3 };
