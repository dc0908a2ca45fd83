import fc from 'fast-check';

/** A class with a transformer, for values that hold its instances. */
export class Vector {
  readonly x: unknown;
  readonly y: unknown;
  constructor(x: unknown, y: unknown) {
    this.x = x;
    this.y = y;
  }
}

export const vectorTransformer = {
  name: 'Vector',
  class: Vector,
  toValue: (vector: Vector): unknown[] => [vector.x, vector.y],
  fromValue: (value: unknown[]): Vector => new Vector(value[0], value[1]),
};

const number = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.constantFrom(-0, 0, NaN, Infinity, -Infinity, 2 ** 53, -(2 ** 53), 2 ** 63, 2 ** 64, -(2 ** 63), 1e308),
  ...[5, 7, 8, 15, 16, 31, 32, 52].map((bits) =>
    fc.integer({ min: -2, max: 2 }).map((delta) => 2 ** bits + delta),
  ),
  ...[5, 7, 8, 15, 16, 31, 32, 52].map((bits) =>
    fc.integer({ min: -2, max: 2 }).map((delta) => -(2 ** bits) + delta),
  ),
);

const loneSurrogate = fc
  .tuple(fc.string(), fc.constantFrom('\ud800', '\udfff', '\udc00\ud800'), fc.string())
  .map((parts) => parts.join(''));

const string = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.string({ minLength: 28, maxLength: 34 }),
  fc.string({ unit: 'grapheme', minLength: 10, maxLength: 140 }),
  fc.nat(400).map((length) => 'x'.repeat(length)),
  fc.constantFrom('', '\ufeffbom', '\0', '\ufffd'),
  loneSurrogate,
);

const key = fc
  .oneof(
    string,
    fc.constantFrom(
      'constructor',
      'toString',
      'hasOwnProperty',
      'toJSON',
      'length',
      '1',
      '01',
      '-1',
      '4294967295',
    ),
  )
  .filter((name) => name !== '__proto__');

const bytes = fc.uint8Array({ maxLength: 300 });

const bigint = fc.oneof(
  fc.bigInt(),
  fc.constantFrom(0n, -1n, 255n, 256n, 2n ** 63n, -(2n ** 64n)),
  fc.bigInt({ min: -(2n ** 4000n), max: 2n ** 4000n }),
);

const regexp = fc
  .tuple(
    fc.constantFrom('a', '(?:)', '^x+$', '\\/', '[\\]/]', '\ud83d', '\\p{L}', '(?<n>.)\\k<n>'),
    fc.constantFrom('', 'g', 'giu', 'dmsy'),
    fc.oneof(fc.constant(0), fc.nat()),
  )
  .map(([source, flags, lastIndex]) => Object.assign(new RegExp(source, flags), { lastIndex }));

const url = fc
  .oneof(fc.webUrl(), fc.constantFrom('data:,x', 'file:///a%20b', 's3://bucket/k?x#y'))
  .map((text) => new URL(text));

const typed = fc.oneof(
  bytes,
  bytes.map((content) => Buffer.from(content)),
  bytes.map((content) => content.slice().buffer),
  bytes.map((content) => new DataView(content.slice().buffer)),
  fc.int8Array(),
  fc.uint8ClampedArray(),
  fc.int16Array(),
  fc.uint16Array(),
  fc.int32Array(),
  fc.uint32Array(),
  fc.float32Array(),
  fc.float64Array(),
  fc.bigInt64Array(),
  fc.bigUint64Array(),
);

const errorClass = fc.constantFrom(
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
);

function error(value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const own = fc.record(
    {
      name: fc.string(),
      extras: fc.dictionary(key, value, { maxKeys: 3, noNullPrototype: true }),
      stack: fc.option(string, { nil: undefined }),
    },
    { requiredKeys: [] },
  );
  const plain = fc
    .tuple(errorClass, string, fc.option(value))
    .map(([Class, message, cause]) => (cause === null ? new Class(message) : new Class(message, { cause })));
  const aggregate = fc
    .tuple(fc.array(value, { maxLength: 3 }), string)
    .map(([all, message]) => new AggregateError(all, message));
  return fc
    .tuple(
      fc.oneof(
        plain,
        aggregate,
        fc.constant(0).map(() => new Error()),
      ),
      own,
    )
    .map(([made, { name, extras, stack }]) => {
      if (name !== undefined) made.name = name;
      if (stack !== undefined) made.stack = stack;
      for (const [extra, held] of Object.entries(extras ?? {})) {
        Object.defineProperty(made, extra, {
          value: held,
          enumerable: true,
          writable: true,
          configurable: true,
        });
      }
      return made;
    });
}

function sparse(value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown[]> {
  return fc
    .array(
      fc
        .option(value, { nil: undefined, freq: 2 })
        .chain((item) => fc.tuple(fc.boolean(), fc.constant(item))),
      { maxLength: 6 },
    )
    .map((items) => {
      const array: unknown[] = new Array(items.length);
      for (const [index, [present, item]] of items.entries()) if (present) array[index] = item;
      return array;
    });
}

/** Every value that an artifact can be, with {@link Vector} registered. */
export const arbitraryValue: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.constantFrom(null, undefined, true, false),
    number,
    string,
    bigint,
    fc.date({ noInvalidDate: false }),
    regexp,
    url,
    typed,
    fc.array(tie('value'), { maxLength: 5 }),
    fc.array(tie('value'), { minLength: 15, maxLength: 17 }),
    sparse(tie('value')),
    fc.dictionary(key, tie('value'), { maxKeys: 5, noNullPrototype: true }),
    fc.dictionary(key, tie('value'), { maxKeys: 3 }),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 4 }).map((entries) => new Map(entries)),
    fc.array(tie('value'), { maxLength: 4 }).map((members) => new Set(members)),
    fc.tuple(tie('value'), tie('value')).map(([x, y]) => new Vector(x, y)),
    error(tie('value')),
  ),
})).value;

/** Values that JSON carries, mostly exactly. */
export const arbitraryJson: fc.Arbitrary<unknown> = fc.oneof(
  fc
    .jsonValue({ noUnicodeString: false })
    // A key that is refused.
    .filter((value) => !JSON.stringify(value).includes('"__proto__"')),
  fc.array(
    fc.dictionary(key, fc.oneof(string, number, fc.boolean(), fc.constant(null)), { noNullPrototype: true }),
  ),
);

/** The same value built again, object by object, sharing nothing. */
export function rebuilt<T>(value: T): T {
  return rebuiltObject(value) as T;
}

function rebuiltObject(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Vector) return new Vector(rebuilt(value.x), rebuilt(value.y));
  if (value instanceof Map) return new Map([...value].map(([k, v]) => [rebuilt(k), rebuilt(v)]));
  if (value instanceof Set) return new Set([...value].map(rebuilt));
  if (value instanceof URL) return new URL(value.href);
  if (value instanceof RegExp) return Object.assign(new RegExp(value), { lastIndex: value.lastIndex });
  if (Buffer.isBuffer(value)) return Uint8Array.from(value);
  if (!Array.isArray(value) && !isPlain(value) && !(value instanceof Error)) return structuredClone(value);
  const copy =
    value instanceof Error
      ? emptyError(value)
      : Array.isArray(value)
        ? new Array(value.length)
        : Object.create(Object.getPrototypeOf(value));
  for (const name of Object.getOwnPropertyNames(value)) {
    const descriptor = Object.getOwnPropertyDescriptor(value, name) as PropertyDescriptor;
    const held = 'value' in descriptor ? descriptor.value : Reflect.get(value, name);
    Object.defineProperty(copy, name, {
      value: rebuilt(held),
      enumerable: descriptor.enumerable ?? false,
      writable: true,
      ...(name === 'length' ? {} : { configurable: true }),
    });
  }
  return copy;
}

function emptyError(error: Error): Error {
  const copy: Error =
    error instanceof AggregateError
      ? new AggregateError([])
      : new (Object.getPrototypeOf(error).constructor as ErrorConstructor)();
  for (const name of Object.getOwnPropertyNames(copy)) Reflect.deleteProperty(copy, name);
  return copy;
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
