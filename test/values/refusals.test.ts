import { inspect } from 'node:util';
import vm from 'node:vm';
import { describe, expect, it, vi } from 'vitest';
import { isStowageError, type StowageError } from '../../src/errors.ts';
import { SerializerRegistry } from '../../src/values/registry.ts';

const registry = new SerializerRegistry();

function refusal(value: unknown, using = registry): StowageError {
  try {
    using.serialize('model', value);
  } catch (error) {
    if (isStowageError(error, 'UNSERIALIZABLE_ARTIFACT')) return error;
    throw error;
  }
  throw new Error('it was saved');
}

const pathOf = (value: unknown): unknown => refusal(value).details.path;
const reasonOf = (value: unknown): unknown => refusal(value).details.reason;

class Tensor {
  data = [1];
}
class Batch extends Array {}
class Index extends Map {}
class Failure extends Error {}
class Page extends Uint8Array {}
class Samples extends Float32Array {}

function cyclic(): unknown {
  const object: { self?: unknown } = {};
  object.self = { list: [object] };
  return object;
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}

describe('the path', () => {
  const bad = () => 1;
  it.each([
    ['model', bad],
    ['model.layers[3].activation', { layers: [1, 2, 3, { activation: bad }] }],
    ['model["x y"]["1a"]["\\""]', { 'x y': { '1a': { '"': bad } } }],
    ['model.größe.$_', { größe: { $_: bad } }],
    ['model.get("a b")[0]', new Map([['a b', [bad]]])],
    ['model.get(3)', new Map([[3, bad]])],
    [
      '[...model.values()][1]',
      new Map<unknown, unknown>([
        ['x', 1],
        [{}, bad],
      ]),
    ],
    [
      '[...model.keys()][1].k',
      new Map<unknown, unknown>([
        ['x', 1],
        [{ k: bad }, 1],
      ]),
    ],
    ['[...model.tags][2]', { tags: new Set([1, 2, bad]) }],
    ['model.cause.hint', new Error('x', { cause: { hint: bad } })],
    ['model.errors[1]', new AggregateError([1, bad])],
    ['model.b', { a: [[[]]], b: bad }],
    ['model[1]', [new Map([[1, new Set([{}])]]), bad]],
  ])('leads to %s', (path, value) => {
    expect(pathOf(value)).toBe(path);
    expect(refusal(value).message).toContain(`Artifact "model" cannot be saved: ${path} is a function`);
  });

  it('names what a transformer gave', () => {
    const using = new SerializerRegistry();
    using.registerClass({
      name: 'Tensor',
      class: Tensor,
      toValue: () => ({ f: bad }),
      fromValue: () => new Tensor(),
    });
    expect(refusal({ t: new Tensor() }, using).details.path).toBe('Tensor.toValue(model.t).f');
  });
});

describe('what cannot be saved is refused with a remedy', () => {
  it.each<[string, unknown, RegExp]>([
    ['a symbol', Symbol('s'), /a symbol/],
    ['a symbol key', { [Symbol('s')]: 1 }, /symbol key Symbol\(s\)/],
    ['a symbol key of an array', Object.assign([1], { [Symbol('s')]: 1 }), /symbol key/],
    ['a promise', Promise.resolve(1), /a promise/],
    ['a WeakMap', new WeakMap(), /weak/],
    ['a WeakSet', new WeakSet(), /weak/],
    ['a WeakRef', new WeakRef({}), /weak/],
    ['a boxed number', Object(1), /boxed/],
    ['a boxed string', Object('s'), /boxed/],
    ['a boxed bigint', Object(1n), /boxed/],
    ['shared memory', new SharedArrayBuffer(8), /shared memory/],
    ['a generator', (function* () {})(), /generator/],
    ['a cycle', cyclic(), /the object that contains it/],
    ['an instance', new Tensor(), /the class Tensor, which is not registered/],
    ['an object of an odd prototype', Object.create({}), /unknown prototype|class Object/],
    ['the environment', process.env, /unknown prototype/],
    ['a subclass of Array', new Batch(), /Batch, a subclass of Array/],
    ['a subclass of Map', new Index(), /Index, a subclass of Map/],
    ['a subclass of Error', new Failure(), /Failure, a subclass of Error/],
    ['a subclass of Uint8Array', new Page(1), /Page, a subclass of Uint8Array/],
    ['a subclass of Float32Array', new Samples(1), /Samples, a subclass of Float32Array/],
    [
      'a getter',
      {
        get a() {
          return 1;
        },
      },
      /getter/,
    ],
    ['a setter', { set a(_: unknown) {} }, /getter or setter/],
    ['a getter in an array', Object.defineProperty([0, 1], 1, { get: () => 1, enumerable: true }), /getter/],
    ['an extra property on an array', Object.assign([1], { extra: 1 }), /extra property on an array/],
    [
      'an extra property on a long array',
      Object.assign(new Array(1000).fill(0), { extra: 1 }),
      /extra property/,
    ],
    [
      'an extra property on bytes',
      Object.assign(Buffer.from([1]), { extra: 1 }),
      /extra property on a typed array/,
    ],
    [
      'an extra property on a long typed array',
      Object.assign(new Float64Array(1_000), { extra: 1 }),
      /extra property/,
    ],
    [
      'an extra property on a DataView',
      Object.assign(new DataView(new ArrayBuffer(8)), { extra: 1 }),
      /on a DataView/,
    ],
    [
      'an extra property on an ArrayBuffer',
      Object.assign(new ArrayBuffer(8), { extra: 1 }),
      /on an ArrayBuffer/,
    ],
    ['an extra property on a Map', Object.assign(new Map(), { extra: 1 }), /extra property on a Map/],
    ['an extra property on a Date', Object.assign(new Date(), { extra: 1 }), /extra property on a Date/],
    ['an own __proto__', JSON.parse('{"__proto__":1}'), /__proto__/],
    [
      'an own __proto__ without a prototype',
      Object.assign(Object.create(null), { ['__proto__']: 1 }),
      /__proto__/,
    ],
    [
      'a proxy that throws',
      new Proxy(
        {},
        {
          ownKeys() {
            throw new Error('trap');
          },
        },
      ),
      /trap/,
    ],
    [
      'a proxy that throws at its prototype',
      new Proxy(
        {},
        {
          getPrototypeOf() {
            throw new Error('trap');
          },
        },
      ),
      /trap/,
    ],
    [
      'a proxy that throws something odd',
      new Proxy(
        {},
        {
          ownKeys() {
            throw Object.create(null);
          },
        },
      ),
      /null prototype/,
    ],
    ['a proxy of a Map', new Proxy(new Map(), {}), /Proxy of Map/],
    ['a revoked proxy', revoked(), /revoked/],
    ['a detached buffer', detached(), /memory that is gone/],
    ['an object that pretends to be a URL', Object.create(URL.prototype), /not readable/],
    ['a bigint too long', 1n << (8n * 1024n * 1024n), /bigint/],
  ])('%s', (_name, value, reason) => {
    expect(reasonOf({ value })).toMatch(reason);
    expect(refusal({ value }).message).toMatch(/\. [A-Z].*\.$/s);
  });

  function revoked(): unknown {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  }

  function detached(): unknown {
    const array = new Float64Array(2);
    structuredClone(array.buffer, { transfer: [array.buffer] });
    return { array, buffer: array.buffer };
  }
});

describe('a getter', () => {
  it('never runs', () => {
    let runs = 0;
    const get = () => ++runs;
    for (const value of [
      Object.defineProperty({}, 'a', { get, enumerable: true }),
      Object.defineProperty([], 0, { get, enumerable: true }),
      Object.defineProperty(new Error('x'), 'cause', { get }),
      Object.defineProperty(new Error('x'), 'stack', { get }),
      Object.defineProperty(new Map(), 'size', { get }),
    ]) {
      expect(() => registry.serialize('a', value)).toThrow();
    }
    expect(runs).toBe(0);
  });
});

describe('bounds', () => {
  it('takes 512 levels, and refuses the next with its path', () => {
    const artifact = registry.serialize('a', nested(512));
    expect(registry.deserialize('a', artifact, artifact.bytes)).toEqual(nested(512));
    expect(reasonOf(nested(513))).toMatch(/deeper than 512/);
    const { message, details } = refusal(nested(900), registry);
    expect(message).toMatch(
      /^Artifact "model" cannot be saved: model.{115} … .{60} is nested deeper than 512 levels\./,
    );
    expect(message).toContain('`maxDepth` of the SerializerRegistry');
    expect(String(details.path).length).toBeGreaterThan(1000);
  });

  it('counts a Map, a Set, an Error and an object without a prototype as one level each', () => {
    let value: unknown = 1;
    for (let level = 0; level < 512; level++) {
      if (level % 4 === 0) value = new Map([[1, value]]);
      else if (level % 4 === 1) value = new Set([value]);
      else if (level % 4 === 2) value = Object.assign(new Error('x'), { held: value });
      else value = Object.assign(Object.create(null), { value });
    }
    const artifact = registry.serialize('a', value);
    expect(() => registry.deserialize('a', artifact, artifact.bytes)).not.toThrow();
    expect(reasonOf([value])).toMatch(/deeper/);
  });

  it('never overflows the stack, whatever maxDepth says', () => {
    const using = new SerializerRegistry({ maxDepth: 65536 });
    expect(refusal(nested(65000), using).details.reason).toMatch(/call stack/);
  });

  it('is usable after a refusal', () => {
    expect(() => registry.serialize('a', [[[() => 1]]])).toThrow();
    expect(registry.serialize('a', [1]).bytes).toEqual(Uint8Array.of(0x91, 1));
  });

  it.each<[string, (inner: unknown) => unknown]>([
    ['arrays', (inner) => new Array(10).fill(inner)],
    ['sparse arrays', (inner) => Object.assign(new Array(20), new Array(10).fill(inner))],
    ['objects', (inner) => Object.fromEntries([...'abcdefghij'].map((key) => [key, inner]))],
    ['errors', (inner) => new AggregateError(new Array(10).fill(inner))],
    ['Maps', (inner) => new Map([...'abcdefghij'].map((key) => [key, inner]))],
    ['Sets', (inner) => new Set([[inner], [inner], [inner], [inner]])],
  ])('refuses a small graph of %s that stands for a huge tree, early', (_name, wrap) => {
    // Leaves of some KiB: the writer asks how large the tree would be when it has written 1 MiB.
    let laughs: unknown = ['lol', 1, new Uint8Array(4000)];
    for (let level = 0; level < 100; level++) laughs = wrap(laughs);
    const before = process.memoryUsage().arrayBuffers;
    expect(reasonOf(laughs)).toMatch(/too large/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 ** 2);
  });

  it('saves an object that is reached twice', () => {
    const shared = { a: 1 };
    const artifact = registry.serialize('a', [shared, shared]);
    expect(registry.deserialize('a', artifact, artifact.bytes)).toEqual([{ a: 1 }, { a: 1 }]);
  });

  it('refuses what exceeds maxBytes, small or large', () => {
    const small = new SerializerRegistry({ maxBytes: 100 });
    expect(small.serialize('a', ['x'.repeat(90)]).bytes.length).toBe(93);
    expect(refusal(['x'.repeat(110)], small).details.reason).toMatch(/100 bytes/);
    const large = new SerializerRegistry({ maxBytes: 1024 * 1024 });
    expect(refusal([new Uint8Array(1024 * 1024)], large).details.path).toBe('model[0]');
    expect(refusal(new Array(2 ** 32 - 1), large).details.reason).toMatch(/too large/);
  });

  it.each([0, -1, 1.5, NaN, 2 ** 32])('refuses the limit %s', (limit) => {
    expect(() => new SerializerRegistry({ maxBytes: limit })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  });
});

describe('a long typed array', () => {
  it('is not looked at element by element, however a program has values printed', () => {
    const before = { ...inspect.defaultOptions };
    Object.assign(inspect.defaultOptions, {
      compact: false,
      showHidden: true,
      colors: true,
      numericSeparator: true,
    });
    const listed = vi.spyOn(Object, 'keys');
    try {
      const bytes = new Uint8Array(100_000);
      registry.serialize('a', bytes);
      expect(listed.mock.calls.filter(([object]) => object === bytes)).toEqual([]);
    } finally {
      listed.mockRestore();
      Object.assign(inspect.defaultOptions, before);
    }
  });
});

describe('other realms', () => {
  it('saves their plain objects and built-ins, and refuses their classes', () => {
    const foreign: unknown = vm.runInNewContext(
      '({ a: [1, new Map([[1, new Set([2])]])], d: new Date(5), r: /x/g, b: new Uint8Array(2), f: new Float32Array(1), e: new TypeError("t"), n: { x: {} } })',
    );
    const artifact = registry.serialize('a', foreign);
    const loaded = registry.deserialize('a', artifact, artifact.bytes) as Record<string, unknown>;
    expect(loaded).toMatchObject({ a: [1, new Map([[1, new Set([2])]])], d: new Date(5), r: /x/g });
    expect(loaded.e).toBeInstanceOf(TypeError);
    expect(pathOf(vm.runInNewContext('class Map {}; ({ m: new Map() })'))).toBe('model.m');
    expect(pathOf(vm.runInNewContext('class Deep extends Array {}; ({ m: new Deep() })'))).toBe('model.m');
  });
});
