import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isStowageError } from '../../src/errors.ts';
import { SerializerRegistry } from '../../src/values/registry.ts';
import { propertyRuns, test } from '../property.ts';
import { arbitraryValue, vectorTransformer } from './arbitrary-value.ts';

const registry = new SerializerRegistry();
registry.registerClass(vectorTransformer);

/** Decodes, and holds the registry to its promise. The name of a class is the only other thing bytes can get wrong. */
function decode(bytes: Uint8Array, encoding = 'msgpack', type = 'object'): unknown {
  try {
    return registry.deserialize('a', { encoding, type }, bytes);
  } catch (error) {
    if (!isStowageError(error, 'UNDECODABLE_ARTIFACT')) {
      expect(error).toMatchObject({ code: 'UNKNOWN_ENCODING', details: { class: expect.any(String) } });
    }
    return error;
  }
}

function rejected(...bytes: number[]): string {
  const error = decode(Uint8Array.from(bytes));
  expect(error).toMatchObject({ code: 'UNDECODABLE_ARTIFACT', details: { artifact: 'a' } });
  return (error as Error).message;
}

const heads = fc.oneof(
  fc.integer({ min: 0, max: 255 }),
  fc.constantFrom(0x81, 0x91, 0x92, 0x93, 0xa1, 0xc4, 0xc7, 0xc9, 0xd4, 0xd5, 0xd7, 0xd9, 0xdc, 0xde),
  fc.integer({ min: 0, max: 16 }),
);

test.prop([fc.array(heads, { maxLength: 200 })], { numRuns: 5 * propertyRuns })(
  'random bytes decode to a value or an error',
  (bytes) => {
    decode(Uint8Array.from(bytes));
  },
);

test.prop([fc.integer({ min: 1, max: 17 }), fc.array(heads, { maxLength: 40 })], {
  numRuns: 5 * propertyRuns,
})('random payloads of every extension decode to a value or an error', (code, payload) => {
  decode(Uint8Array.from([0xc7, payload.length, code, ...payload]));
});

const mutation = fc.tuple(
  fc.nat(),
  fc.integer({ min: 0, max: 255 }),
  fc.constantFrom('set', 'flip', 'insert', 'remove', 'cut'),
);

test.prop([arbitraryValue, fc.array(mutation, { minLength: 1, maxLength: 4 })], {
  numRuns: 5 * propertyRuns,
})('mutated bytes decode to a value or an error', (value, mutations) => {
  const bytes = [...registry.serialize('a', value, { serializer: 'msgpack' }).bytes];
  for (const [place, byte, how] of mutations) {
    const at = place % (bytes.length + 1);
    if (how === 'set') bytes[Math.min(at, bytes.length - 1)] = byte;
    else if (how === 'flip')
      bytes[Math.min(at, bytes.length - 1)] =
        (bytes[Math.min(at, bytes.length - 1)] ?? 0) ^ (1 << (byte % 8));
    else if (how === 'insert') bytes.splice(at, 0, byte);
    else if (how === 'remove') bytes.splice(at, 1);
    else bytes.length = at;
    if (bytes.length === 0) break;
  }
  decode(Uint8Array.from(bytes));
});

test.prop([arbitraryValue], { numRuns: propertyRuns })('no proper prefix of a value is a value', (value) => {
  const { bytes } = registry.serialize('a', value, { serializer: 'msgpack' });
  for (let length = 0; length < Math.min(bytes.length, 64); length++) {
    expect(decode(bytes.slice(0, length))).toMatchObject({ code: expect.any(String) });
  }
});

test.prop(
  [
    fc.uint8Array(),
    fc.constantFrom(
      'Float64Array',
      'Int16Array',
      'ArrayBuffer',
      'DataView',
      'Nothing',
      'constructor',
      '__proto__',
    ),
  ],
  { numRuns: propertyRuns },
)('other encodings decode any bytes to a value or an error', (bytes, type) => {
  decode(bytes, 'bytes', type);
  decode(bytes, 'typed-array', type);
  decode(bytes, 'string', type);
});

const u32 = (value: number): number[] => [
  value >>> 24,
  (value >>> 16) & 255,
  (value >>> 8) & 255,
  value & 255,
];
const ascii = (text: string): number[] => [0xa0 | text.length, ...Buffer.from(text)];
const ext = (code: number, ...payload: number[]): number[] => [
  0xc9,
  ...u32(payload.length),
  code,
  ...payload,
];

describe('declared lengths', () => {
  it.each<[string, number[]]>([
    ['an array of 4 billion', [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ['a map of 4 billion', [0xdf, 0xff, 0xff, 0xff, 0xff]],
    ['a map whose values are missing', [0x82, ...ascii('a'), 1]],
    ['a string of 4 billion', [0xdb, 0xff, 0xff, 0xff, 0xff, 0x61]],
    ['a bin of 4 billion', [0xc6, 0xff, 0xff, 0xff, 0xff, 0x61]],
    ['an extension of 4 billion', [0xc9, 0xff, 0xff, 0xff, 0xff, 10, 1]],
    ['an extension that ends beyond its array', [0x92, ...ext(8, 0x93, 1, 2), 3]],
    ['a Map of 4 billion', ext(7, 0xdd, 0xff, 0xff, 0xff, 0xff)],
    ['a Set of 4 billion', ext(8, 0xdd, 0xff, 0xff, 0xff, 0xff)],
    ['nothing', []],
    ['a string cut short', [0xa5, 0x61]],
  ])('%s is refused', (_name, bytes) => {
    rejected(...bytes);
  });

  it('are checked before anything is read', () => {
    const bytes = new Uint8Array(1000);
    for (const head of [0xdd, 0xdf]) {
      bytes.set([head, 0xff, 0xff, 0xff, 0xff]);
      expect(rejected(...bytes)).toMatch(/4294967295 items declared where 995 bytes are left/);
    }
  });

  it('cannot be promised the same bytes at every level', () => {
    const level = [0xdd, 0, 0x0f, 0xff, 0xff];
    const bytes = new Uint8Array(1024 * 1024 + 5 * 500);
    for (let index = 0; index < 500; index++) bytes.set(level, 5 * index);
    const before = process.memoryUsage().heapUsed;
    decode(bytes);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(512 * 1024 ** 2);
  });
});

describe('prototypes', () => {
  it('cannot be set through __proto__', () => {
    expect(rejected(0x81, ...ascii('__proto__'), 0x80)).toMatch(/__proto__/);
    const utf16 = [...Buffer.from('__proto__', 'utf16le')];
    rejected(0x81, 0xc7, utf16.length, 13, ...utf16, 0x80);
    rejected(...ext(14, 0x81, ...ascii('__proto__'), 0x80));
    rejected(...ext(9, 0x93, ...ascii('Error'), 0x80, 0x81, ...ascii('__proto__'), 0x80));
  });

  it('are untouched by keys of theirs', () => {
    const value = decode(
      Uint8Array.from([
        0x82,
        ...ascii('constructor'),
        0x81,
        ...ascii('prototype'),
        1,
        ...ascii('toString'),
        2,
      ]),
    );
    expect(Object.keys(value as object)).toEqual(['constructor', 'toString']);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(String({})).toBe('[object Object]');
  });

  it('run no setter that someone put on Object.prototype', () => {
    let ran = false;
    Object.defineProperty(Object.prototype, 'trap', {
      set: () => {
        ran = true;
      },
      configurable: true,
    });
    try {
      expect(Object.hasOwn(decode(Uint8Array.from([0x81, ...ascii('trap'), 1])) as object, 'trap')).toBe(
        true,
      );
    } finally {
      Reflect.deleteProperty(Object.prototype, 'trap');
    }
    expect(ran).toBe(false);
  });
});

describe('malformed', () => {
  it.each<[string, number[]]>([
    ['bytes after the value', [1, 1]],
    ['bytes after a payload', [0xd5, 1, 0, 0]],
    ['a payload that goes on as the next value', [0x92, 0xd4, 1, 5]],
    ['the byte MessagePack never uses', [0xc1]],
    ['an unknown extension', [0xd4, 99, 0]],
    ['a reference of one byte', [0xd4, 16, 0]],
    ['a reference without members', ext(16, 0x91, ...ascii('file'))],
    ['a reference of a kind that is no text', ext(16, 0x92, 5, 0x80)],
    ['a standard timestamp', [0xd6, 0xff, 0, 0, 0, 0]],
    ['a string that is not UTF-8', [0xa2, 0xc3, 0x28]],
    ['a surrogate in UTF-8', [0xa3, 0xed, 0xa0, 0x80]],
    ['an overlong NUL', [0xa2, 0xc0, 0x80]],
    ['a long string that is not UTF-8', [0xdb, ...u32(1000), ...new Array(999).fill(0x61), 0xff]],
    ['a key that is not UTF-8', [0x81, 0xa1, 0xff, 1]],
    ['a key that is a number', [0x81, 1, 1]],
    ['a key that is an array', [0x81, 0x90, 1]],
    ['an integer beyond 2^53', [0xcf, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ['a negative integer beyond 2^53', [0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0]],
    ['a hole outside an array', [0xc7, 0, 2]],
    ['a hole in a Set', ext(8, 0x91, 0xc7, 0, 2)],
    ['a date of no bytes', [0xc7, 0, 3]],
    ['a date out of range', [0xd7, 3, 0x7f, 0xef, 0, 0, 0, 0, 0, 0]],
    ['a bigint of no bytes', [0xc7, 0, 4]],
    ['a bigint with a leading zero', [0xc7, 3, 4, 0, 0, 1]],
    ['a bigint -0', [0xd4, 4, 1]],
    ['a bigint of an unknown sign', [0xd5, 4, 2, 1]],
    ['a RegExp that is none', ext(5, 0x93, ...ascii('('), ...ascii(''), 0)],
    ['a RegExp of unknown flags', ext(5, 0x93, ...ascii('x'), ...ascii('zz'), 0)],
    ['a RegExp of one item', ext(5, 0x91, ...ascii('x'))],
    ['a RegExp of numbers', ext(5, 0x93, 1, 2, 0)],
    ['a RegExp that goes on nowhere', ext(5, 0x93, ...ascii('x'), ...ascii(''), 0xc0)],
    ['a URL that is none', [0xd4, 6, 0x78]],
    ['a Map with a key and no value', ext(7, 0x91, 1)],
    ['a Map that is a map', ext(7, 0x80)],
    ['an Error of an unknown class', ext(9, 0x93, ...ascii('Function'), 0x80, 0x80)],
    [
      'an Error with a hidden property that sets a prototype',
      ext(9, 0x93, ...ascii('Error'), 0x81, ...ascii('__proto__'), 0x80, 0x80),
    ],
    ['a typed array of an unknown type', [0xd5, 10, 99, 0]],
    ['a typed array that ends within an element', [0xd5, 10, 8, 0]],
    ['a UTF-16 string of an odd length', [0xd4, 13, 0]],
    ['an instance without a name', ext(15, 0x92, 1, 1)],
  ])('%s is refused', (_name, bytes) => {
    rejected(...bytes);
  });

  it('a bigint too long is refused', () => {
    const magnitude = new Uint8Array(1024 * 1024 + 1).fill(1);
    expect(
      decode(Buffer.concat([Uint8Array.from([0xc9, ...u32(magnitude.length + 1), 4, 0]), magnitude])),
    ).toMatchObject({ code: 'UNDECODABLE_ARTIFACT' });
  });

  it.each([[0x91], [0x81, 0xa1, 0x61]])('nesting beyond the limit is refused, of %s', (...level) => {
    const bytes = Uint8Array.from([...new Array(100_000).fill(level).flat(), 0xc0]);
    expect(decode(bytes)).toMatchObject({ message: expect.stringMatching(/deeper than 512/) });
  });

  it('a catastrophic pattern costs nothing to load', () => {
    expect(decode(Uint8Array.from(ext(5, 0x93, ...ascii('^(a+)+$'), ...ascii(''), 0)))).toEqual(/^(a+)+$/);
  });

  it('many holes are no more than bytes', () => {
    const bytes = Buffer.concat([
      Uint8Array.from([0xdd, ...u32(300_000)]),
      Buffer.alloc(900_000, Uint8Array.of(0xc7, 0, 2)),
    ]);
    expect((decode(bytes) as unknown[]).length).toBe(300_000);
  });
});
