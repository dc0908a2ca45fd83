import { inspect } from 'node:util';
import { createContext, runInContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cacheKey } from '../../src/cache/cache-key.ts';
import { valueDigest } from '../../src/cache/key-encoding.ts';
import { isStowageError } from '../../src/errors.ts';
import { SerializerRegistry } from '../../src/values/registry.ts';
import { test as property, propertyRuns } from '../property.ts';
import { difference } from './strictly-equal.ts';

const registry = new SerializerRegistry();
const realm = createContext();

/** What saving and loading gives, or the code of the refusal. */
function savedAs(value: unknown): { loaded: unknown } | string {
  try {
    const { bytes, encoding, type } = registry.serialize('v', value);
    return { loaded: registry.deserialize('v', { encoding, type }, bytes) };
  } catch (error) {
    if (isStowageError(error)) return error.code;
    throw error;
  }
}

function keyOf(value: unknown): string {
  try {
    return valueDigest(value, { taskName: 't', root: 'input' }, registry);
  } catch (error) {
    if (isStowageError(error)) return error.code;
    throw error;
  }
}

const makers: Record<string, () => object> = {
  'plain object': () => ({ a: 1 }),
  'empty object': () => ({}),
  'object without a prototype': () => Object.assign(Object.create(null), { a: 1 }),
  'object of another realm': () => runInContext('({ a: 1 })', realm),
  array: () => [1, 2],
  'empty array': () => [],
  'long array': () => new Array(100).fill(1),
  'array of another realm': () => runInContext('[1, 2]', realm),
  Error: () => new Error('m'),
  AggregateError: () => new AggregateError([1], 'm'),
  Buffer: () => Buffer.alloc(3),
  'long Buffer': () => Buffer.alloc(300),
  Uint8Array: () => new Uint8Array(3),
  'empty Uint8Array': () => new Uint8Array(0),
  Float64Array: () => new Float64Array(3),
  'long Float64Array': () => new Float64Array(300),
  DataView: () => new DataView(new ArrayBuffer(3)),
  ArrayBuffer: () => new ArrayBuffer(3),
  Map: () => new Map([[1, 2]]),
  Set: () => new Set([1]),
  Date: () => new Date(0),
  RegExp: () => /a/g,
  URL: () => new URL('a:b'),
};

describe('a property that is not enumerable', () => {
  const name = fc.oneof(
    fc.constantFrom(
      'raw',
      'code',
      'hidden',
      'constructor',
      'toJSON',
      'stack2',
      'length',
      'byteLength',
      'parent',
    ),
    fc
      .string({ minLength: 1 })
      .filter((key) => !/^\d+$|^(__proto__|message|stack|errors|lastIndex)$/.test(key)),
    fc.constantFrom(Symbol('s'), Symbol.iterator, Symbol.toStringTag),
  );
  const wrap = fc.constantFrom<(value: object) => unknown>(
    (value) => value,
    (value) => ({ inside: [value] }),
    (value) => new Map([['k', value]]),
    (value) => new Error('e', { cause: value }),
  );

  property.prop([fc.constantFrom(...Object.keys(makers)), name, wrap, fc.boolean()], {
    numRuns: 5 * propertyRuns,
  })(
    'is kept or refused, and never two values share a key that differ in it',
    (kind, key, wrapped, isGetter) => {
      const withHidden = (hidden: number): unknown => {
        const value = (makers[kind] as () => object)();
        if (!Object.hasOwn(value, key)) {
          Object.defineProperty(value, key, {
            ...(isGetter ? { get: () => hidden } : { value: hidden, writable: true }),
            configurable: true,
            enumerable: false,
          });
        } else fc.pre(false);
        return wrapped(value);
      };
      const value = withHidden(1);
      const saved = savedAs(value);
      if (typeof saved === 'string') expect(saved).toBe('UNSERIALIZABLE_ARTIFACT');
      else expect(difference(saved.loaded, value)).toBeUndefined();
      const [one, two] = [keyOf(withHidden(1)), keyOf(withHidden(2))];
      if (one === two) expect(one).toBe('UNKEYABLE_VALUE');
      expect(one).not.toBe(keyOf(wrapped((makers[kind] as () => object)())));
    },
  );

  it('of an error comes back, and counts', () => {
    const error = Object.defineProperty(new Error('m'), 'code', {
      value: 'E',
      configurable: true,
      writable: true,
    });
    const saved = savedAs(error) as { loaded: Error };
    expect(Object.getOwnPropertyDescriptor(saved.loaded, 'code')).toEqual(
      Object.getOwnPropertyDescriptor(error, 'code'),
    );
    expect(difference(saved.loaded, error)).toBeUndefined();
  });

  it('is named, with what to do', () => {
    expect(() => registry.serialize('v', { a: [strings`x`] })).toThrow(
      /v\.a\[0\]\.raw is an extra property on an array.*copy without the property/s,
    );
    expect(() => registry.serialize('v', Object.defineProperty({}, 'x', { value: 1 }))).toThrow(
      /v\.x is a property that is not enumerable/,
    );
  });

  it('is found on arrays and views of any length without a list of their indexes', () => {
    const before = process.memoryUsage().heapUsed;
    registry.serialize('v', new Uint8Array(20_000_000));
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(100 * 1024 ** 2);
    const long = Object.defineProperty(new Uint8Array(20_000), 'x', { value: 1 });
    expect(savedAs(long)).toBe('UNSERIALIZABLE_ARTIFACT');
  });

  it('is found whatever the defaults of inspect', () => {
    const { showHidden, compact } = inspect.defaultOptions;
    inspect.defaultOptions = { showHidden: true, compact: false };
    try {
      expect(savedAs(new Array(50).fill(1))).toEqual({ loaded: new Array(50).fill(1) });
    } finally {
      inspect.defaultOptions = { showHidden, compact };
    }
  });
});

describe('what has another prototype than its kind', () => {
  const foreign = runInContext('Object.prototype', realm);
  const prototypes = { 'of a plain object': Object.prototype, none: null, 'of another realm': foreign };
  const disguised = {
    ...makers,
    Promise: () => Promise.resolve(1),
    WeakMap: () => new WeakMap(),
    generator: () => (function* () {})(),
    'boxed number': () => Object(1),
    'boxed symbol': () => Object(Symbol('s')),
    'bare Error': () => {
      const error = new Error();
      delete error.stack;
      return error;
    },
  };
  const kinds = Object.keys(disguised).filter(
    (kind) => !/bject|URL/.test(kind),
  ) as (keyof typeof disguised)[];

  it.each(kinds.flatMap((kind) => Object.keys(prototypes).map((prototype) => [kind, prototype] as const)))(
    'is refused: %s, %s',
    (kind, prototype) => {
      const make = disguised[kind] as () => object;
      const value = Object.setPrototypeOf(make(), prototypes[prototype as keyof typeof prototypes]);
      expect(savedAs({ value })).toBe('UNSERIALIZABLE_ARTIFACT');
      expect(keyOf({ value })).toBe('UNKEYABLE_VALUE');
    },
  );

  it('is refused beside properties of its own, and as a whole input', () => {
    const value = Object.assign(Object.setPrototypeOf(new Map([[1, 2]]), null), { a: 1 });
    expect(savedAs(value)).toBe('UNSERIALIZABLE_ARTIFACT');
    expect(() => cacheKey({ taskName: 't', version: '1', input: value, ignoredInputs: ['a'] })).toThrow(
      /is of the class Map inside/,
    );
  });
});

describe('what ignored inputs leave', () => {
  it.each<[string, PropertyKey]>([
    ['hidden', 'hidden'],
    ['a symbol', Symbol('s')],
  ])('counts or is refused: %s', (_, key) => {
    const input = Object.defineProperty({ a: 1, b: 2 }, key, { value: 1 });
    expect(() => cacheKey({ taskName: 't', version: '1', input, ignoredInputs: ['a'] })).toThrow(
      /not enumerable|symbol key/,
    );
  });
});

describe('lastIndex', () => {
  const at = (lastIndex: unknown): RegExp => Object.assign(/a/g, { lastIndex });

  it.each([0, 3, -0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('%s comes back, and counts', (index) => {
    const saved = savedAs([at(index)]) as { loaded: [RegExp] };
    expect(Object.is(saved.loaded[0].lastIndex, index)).toBe(true);
    expect(keyOf(at(index))).not.toBe(keyOf(at(7)));
  });

  it.each(['3', null, {}, undefined])('%j is refused', (index) => {
    expect(savedAs(at(index))).toBe('UNSERIALIZABLE_ARTIFACT');
    expect(keyOf(at(index))).toBe('UNKEYABLE_VALUE');
  });
});

describe('memory that is gone or can change its length', () => {
  type Resizable = ArrayBuffer & { resize(bytes: number): void };
  const resizable = (bytes: number): Resizable =>
    new (ArrayBuffer as unknown as new (bytes: number, options: object) => Resizable)(bytes, {
      maxByteLength: 64,
    });

  it.each<[string, (buffer: ArrayBuffer) => unknown]>([
    ['bytes', (buffer) => new Uint8Array(buffer, 8, 8)],
    ['bytes to the end', (buffer) => new Uint8Array(buffer, 8)],
    ['a typed array', (buffer) => new Float64Array(buffer, 8, 1)],
    ['a DataView', (buffer) => new DataView(buffer, 8, 8)],
  ])('a view out of bounds is refused: %s', (_, view) => {
    const buffer = resizable(16);
    const value = view(buffer);
    expect(savedAs([value])).toMatchObject({ loaded: expect.anything() });
    buffer.resize(4);
    expect([savedAs(value), savedAs([value])]).toEqual([
      'UNSERIALIZABLE_ARTIFACT',
      'UNSERIALIZABLE_ARTIFACT',
    ]);
    expect(keyOf(value)).toBe('UNKEYABLE_VALUE');
  });

  it('a view is saved as it is when it is saved', () => {
    const buffer = resizable(16);
    const { bytes } = registry.serialize('v', new Uint8Array(buffer));
    buffer.resize(0);
    expect(bytes.length).toBe(16);
  });

  it('a buffer that can be resized is refused, alone and inside', () => {
    expect([savedAs(resizable(4)), savedAs([resizable(4)])]).toEqual([
      'UNSERIALIZABLE_ARTIFACT',
      'UNSERIALIZABLE_ARTIFACT',
    ]);
    expect(keyOf(resizable(4))).toBe('UNKEYABLE_VALUE');
  });

  it('an empty view is no view of nothing', () => {
    expect(savedAs(new Uint8Array(0))).toEqual({ loaded: new Uint8Array(0) });
    expect(savedAs([new DataView(new ArrayBuffer(0))])).toMatchObject({ loaded: [expect.any(DataView)] });
  });
});

function strings(template: TemplateStringsArray): TemplateStringsArray {
  return template;
}

it('an error of very many properties is saved in a moment', () => {
  const error = new Error('x');
  for (let index = 0; index < 100_000; index++) {
    Object.defineProperty(error, `p${index}`, { value: index, enumerable: index % 2 === 0 });
  }
  const artifact = registry.serialize('a', error);
  const back = registry.deserialize('a', artifact, artifact.bytes) as object;
  expect(Object.getOwnPropertyNames(back).length).toBe(Object.getOwnPropertyNames(error).length);
  expect(Object.keys(back).length).toBe(50_000);
});
