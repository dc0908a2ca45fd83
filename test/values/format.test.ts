import { decode, encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { swapped } from '../../src/values/element-types.ts';
import { SerializerRegistry } from '../../src/values/registry.ts';
import { propertyRuns, test } from '../property.ts';
import { Vector, vectorTransformer } from './arbitrary-value.ts';
import { difference } from './strictly-equal.ts';

const registry = new SerializerRegistry();
registry.registerClass(vectorTransformer);

const hex = (value: unknown): string =>
  Buffer.from(registry.serialize('a', value, { serializer: 'msgpack' }).bytes).toString('hex');

const holey: unknown[] = new Array(3);
holey[1] = 1;
holey[2] = undefined;

const bareError = Object.assign(new RangeError('m', { cause: 1 }), { code: 'E' });
Reflect.deleteProperty(bareError, 'stack');

describe('the bytes of', () => {
  it.each<[string, unknown, string]>([
    ['null', null, 'c0'],
    ['-0', -0, 'cb8000000000000000'],
    ['NaN', NaN, 'cb7ff8000000000000'],
    ['-Infinity', -Infinity, 'cbfff0000000000000'],
    ['127, 128, 256', [127, 128, 256], '937fcc80cd0100'],
    ['-32, -33, -129', [-32, -33, -129], '93e0d0dfd1ff7f'],
    ['2^32, 2^53 - 1', [2 ** 32, 2 ** 53 - 1], '92cf0000000100000000cf001fffffffffffff'],
    ['2^53', 2 ** 53, 'cb4340000000000000'],
    ['-2^31 - 1', -(2 ** 31) - 1, 'd3ffffffff7fffffff'],
    ['1.5', 1.5, 'cb3ff8000000000000'],
    ['a string', 'é', 'a2c3a9'],
    ['a lone surrogate', '\ud800a', 'd60d00d86100'],
    ['a lone surrogate as a key', { '\ud800': 1 }, '81d50d00d801'],
    ['bytes', Uint8Array.of(1, 2), 'c4020102'],
    ['an object, in its order', { b: 1, a: 2 }, '82a16201a16102'],
    ['undefined', undefined, 'c70001'],
    ['holes', holey, '93c7000201c70001'],
    ['a date', new Date(1), 'd7033ff0000000000000'],
    ['an invalid date', new Date(NaN), 'd7037ff8000000000000'],
    ['0n', 0n, 'd40400'],
    ['-256n', -256n, 'c70304010100'],
    ['a RegExp', /a/gi, 'c9000000070593a161a2676900'],
    ['a URL', new URL('a:b'), 'c70306613a62'],
    ['a Map', new Map([[1, 2]]), 'c9000000030792' + '0102'],
    ['a Set', new Set(['x']), 'c9000000030891a178'],
    [
      'an Error',
      bareError,
      'c9000000260993aa52616e67654572726f7282a76d657373616765a16da5636175736501' + '81a4636f6465a145',
    ],
    ['floats', Float32Array.of(1), 'c7050a070000803f'],
    ['a clamped array', Uint8ClampedArray.of(9), 'd50a0209'],
    ['an ArrayBuffer', Uint8Array.of(9).buffer, 'd40b09'],
    ['a DataView', new DataView(Uint8Array.of(9).buffer), 'd40c09'],
    ['an object without a prototype', Object.assign(Object.create(null), { a: 1 }), 'c9000000040e81a16101'],
    ['an instance', new Vector(1, 2), 'c90000000b0f92a6566563746f72920102'],
  ])('%s do not change', (_name, value, expected) => {
    expect(hex(value)).toBe(expected);
    const bytes = Buffer.from(expected, 'hex');
    expect(
      difference(registry.deserialize('a', { encoding: 'msgpack', type: '' }, bytes), value),
    ).toBeUndefined();
  });
});

const plain = fc
  .jsonValue({ noUnicodeString: false })
  .filter((value) => !/\\ud[89a-f]|"__proto__"|-0/.test(JSON.stringify(value)) && !Object.is(value, -0));

test.prop([plain], { numRuns: propertyRuns })(
  'plain values are what @msgpack/msgpack reads and writes',
  (value) => {
    const { json } = registry.serialize('a', value);
    if (json === undefined) return;
    const { bytes } = registry.serialize('a', value, { serializer: 'msgpack' });
    expect(difference(decode(bytes), value)).toBeUndefined();
    expect(Buffer.from(encode(value)).equals(bytes)).toBe(true);
  },
);

describe('long forms', () => {
  it.each([15, 16, 255, 256, 65535, 65536, 70000])('of %s are what @msgpack/msgpack writes', (length) => {
    const items = new Array(length).fill(7);
    const object = Object.fromEntries(items.map((item, index) => [`k${index}`, item]));
    for (const value of [items, object, 'é'.repeat(length), 'a'.repeat(length), new Uint8Array(length)]) {
      const bytes = Buffer.from(encode(value));
      expect(bytes.equals(registry.serialize('a', value, { serializer: 'msgpack' }).bytes)).toBe(true);
      expect(
        difference(registry.deserialize('a', { encoding: 'msgpack', type: '' }, bytes), value),
      ).toBeUndefined();
    }
  });
});

describe('longer forms than the shortest', () => {
  it.each<[string, unknown]>([
    ['ca3fc00000', 1.5],
    ['cf0000000000000005', 5],
    ['d3fffffffffffffffb', -5],
    ['db0000000161', 'a'],
    ['dd0000000105', [5]],
    ['df00000001db000000016105', { a: 5 }],
    ['c6000000010a', Uint8Array.of(10)],
  ])('%s is read', (bytes, value) => {
    expect(registry.deserialize('a', { encoding: 'msgpack', type: '' }, Buffer.from(bytes, 'hex'))).toEqual(
      value,
    );
  });
});

describe('serializers of bytes', () => {
  it('give a Buffer and a Uint8Array the same bytes, uncopied, and a Uint8Array back', () => {
    const buffer = Buffer.from('hello');
    const artifact = registry.serialize('a', buffer);
    expect(artifact).toMatchObject({ encoding: 'bytes', type: 'Uint8Array', refs: [] });
    expect(artifact.bytes.buffer).toBe(buffer.buffer);
    expect(
      difference(artifact.bytes, registry.serialize('a', Uint8Array.from(buffer)).bytes),
    ).toBeUndefined();
    const loaded = registry.deserialize('a', artifact, buffer);
    expect(Object.getPrototypeOf(loaded)).toBe(Uint8Array.prototype);
  });

  it('load typed arrays without a copy where they are aligned, and with one elsewhere', () => {
    const artifact = registry.serialize('a', Float64Array.of(1, -0, NaN));
    expect(artifact).toMatchObject({ encoding: 'typed-array', type: 'Float64Array', elementBytes: 8 });
    const aligned = Uint8Array.from(artifact.bytes);
    const loaded = registry.deserialize('a', artifact, aligned) as Float64Array;
    expect(loaded.buffer).toBe(aligned.buffer);
    const shifted = new Uint8Array(25);
    shifted.set(artifact.bytes, 1);
    expect(difference(registry.deserialize('a', artifact, shifted.subarray(1)), loaded)).toBeUndefined();
  });

  it('load an ArrayBuffer and a DataView out of a larger one', () => {
    const bytes = Uint8Array.of(0, 1, 2, 3).subarray(1, 3);
    expect(registry.deserialize('a', { encoding: 'typed-array', type: 'ArrayBuffer' }, bytes)).toEqual(
      Uint8Array.of(1, 2).buffer,
    );
    expect(
      difference(
        registry.deserialize('a', { encoding: 'typed-array', type: 'DataView' }, bytes),
        new DataView(Uint8Array.of(1, 2).buffer),
      ),
    ).toBeUndefined();
  });

  it('copy what another thread could change', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(2));
    const { bytes } = registry.serialize('a', shared);
    shared[0] = 1;
    expect([...bytes]).toEqual([0, 0]);
  });

  it('swap elements for big-endian machines', () => {
    expect([...swapped(Uint8Array.of(1, 2, 3, 4), 2)]).toEqual([2, 1, 4, 3]);
  });
});

describe('the type', () => {
  it.each<[unknown, string, string]>([
    ['x', 'string', 'string'],
    ['\ud800', 'string', 'msgpack'],
    [1, 'number', 'msgpack'],
    [null, 'null', 'msgpack'],
    [undefined, 'undefined', 'msgpack'],
    [true, 'boolean', 'msgpack'],
    [1n, 'bigint', 'msgpack'],
    [{}, 'object', 'msgpack'],
    [Object.create(null), 'object', 'msgpack'],
    [[], 'array', 'msgpack'],
    [new Map(), 'Map', 'msgpack'],
    [new Date(), 'Date', 'msgpack'],
    [new TypeError(), 'TypeError', 'msgpack'],
    [new URL('a:b'), 'URL', 'msgpack'],
    [new Vector(1, 2), 'Vector', 'msgpack'],
    [new ArrayBuffer(1), 'ArrayBuffer', 'typed-array'],
    [new Int8Array(1), 'Int8Array', 'typed-array'],
  ])('of %s is %s, by %s', (value, type, encoding) => {
    expect(registry.serialize('a', value)).toMatchObject({ type, encoding });
  });
});

describe('json', () => {
  it.each<[string, unknown]>([
    ['null', null],
    ['a string', 'x'],
    ['numbers', [0, 1.5, -1e300, 2 ** 53]],
    ['objects', { b: { constructor: true, 1: [] } }],
  ])('is offered for %s', (_name, value) => {
    expect(registry.serialize('a', value).json?.value).toBe(value);
  });

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['-0', [-0]],
    ['NaN', [NaN]],
    ['Infinity', { a: -Infinity }],
    ['a hole', holey],
    ['a lone surrogate', ['\ud800']],
    ['a lone surrogate in a key', { '\ud800': 1 }],
    ['a date', [new Date(0)]],
    ['a bigint', 1n],
    ['bytes', { a: Buffer.from('x') }],
    ['a Map', new Map()],
    ['an Error', { cause: new Error('x') }],
    ['an object without a prototype', { a: Object.create(null) }],
    ['a URL', [new URL('a:b')]],
    ['a RegExp', [/x/]],
    ['an instance', [new Vector(1, 2)]],
  ])('is not offered for %s', (_name, value) => {
    expect(registry.serialize('a', value)).not.toHaveProperty('json');
    expect(registry.serialize('a', 1)).toHaveProperty('json');
  });
});
