import { createContext, runInContext } from 'node:vm';
import { Table, tableFromArrays, tableFromIPC, tableToIPC } from 'apache-arrow';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { valueDigest } from '../../src/cache/key-encoding.ts';
import { createHasher, digestHex } from '../../src/digest/blake3.ts';
import { isStowageError, type StowageError } from '../../src/errors.ts';
import { CACHE_DIGEST } from '../../src/values/cache-digest.ts';
import { SerializerRegistry } from '../../src/values/registry.ts';
import { test as property, propertyRuns } from '../property.ts';
import { arbitraryValue, rebuilt, vectorTransformer } from '../values/arbitrary-value.ts';
import { normalForm, shuffled, smallValue } from './small-values.ts';

const registry = new SerializerRegistry();
registry.registerClass(vectorTransformer);

function digest(value: unknown, using: SerializerRegistry = registry): string {
  return valueDigest(value, { taskName: 'judge', root: 'input' }, using);
}

function refusal(value: unknown, using: SerializerRegistry = registry): StowageError {
  try {
    digest(value, using);
  } catch (error) {
    if (isStowageError(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('digests of values', () => {
  property.prop([smallValue, smallValue], { numRuns: 20 * propertyRuns })(
    'are equal if and only if the values are the same but for their order',
    (a, b) => {
      expect(digest(a) === digest(b)).toBe(normalForm(a) === normalForm(b));
    },
  );

  it('differ for all small values that differ', () => {
    const seen = new Map<string, string>();
    const values = fc.sample(smallValue, { numRuns: 15_000, seed: 7 });
    for (const value of values) {
      const [key, normal] = [digest(value), normalForm(value)];
      const before = seen.get(key);
      // An assertion for each would take longer than the digests.
      if (before !== undefined && before !== normal) expect(normal).toBe(before);
      seen.set(key, normal);
    }
    expect(new Set(seen.values()).size).toBe(seen.size);
    expect(seen.size).toBeGreaterThan(3000);
  });

  property.prop([arbitraryValue, fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true }))], {
    numRuns: propertyRuns,
  })('do not know the order of keys, entries and members, nor which object it is', (value, stream) => {
    const random = (): number => stream.next().value;
    expect(digest(shuffled(value, random))).toBe(digest(value));
    expect(digest(rebuilt(value))).toBe(digest(value));
  });

  property.prop([arbitraryValue], { numRuns: propertyRuns })(
    'are those of what a store gives back',
    (value) => {
      const { bytes, info, encoding, type } = registry.serialize('a', value);
      const loaded = registry.deserialize('a', { encoding, type, ...(info && { info }) }, bytes);
      expect(digest(loaded)).toBe(digest(value));
    },
  );

  const wide = 'x'.repeat(100_000);
  it.each([
    ['a string', wide],
    ['a string beyond ASCII, with pairs at every border', '\u{1f600}'.repeat(50_000)],
    ['one that begins odd', `a${'\u{1f600}'.repeat(50_000)}`],
    ['a string with half a pair', `${wide}\ud800`],
    ['bytes', new Uint8Array(200_000).fill(7)],
    ['many members', Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`key-${i}`, i]))],
  ])('are of the bytes as they are specified, however long: %s', (_, value) => {
    expect(digest(value)).toBe(plainly(value));
  });

  /** The encoding, as simply as it can be written. */
  function plainly(value: unknown): string {
    const hasher = createHasher().update(Buffer.from('stowage cache value 1\n'));
    const count = (length: number): number[] =>
      length < 128 ? [length] : [(length % 128) | 128, ...count(Math.floor(length / 128))];
    const write = (part: unknown): void => {
      if (part instanceof Uint8Array) hasher.update(Buffer.from([98, ...count(part.length)])).update(part);
      else if (typeof part === 'number') {
        const bytes = Buffer.alloc(9, 'd');
        bytes.writeDoubleBE(part, 1);
        hasher.update(bytes);
      } else if (typeof part === 'string') {
        const isWhole = !/\p{Surrogate}/u.test(part);
        const bytes = Buffer.from(part, isWhole ? 'utf8' : 'utf16le');
        hasher.update(Buffer.from([isWhole ? 115 : 119, ...count(bytes.length)])).update(bytes);
      } else {
        const entries = Object.entries(part as object).sort(([a], [b]) => (a < b ? -1 : 1));
        hasher.update(Buffer.from([79, ...count(entries.length)]));
        for (const entry of entries) entry.forEach(write);
      }
    };
    write(value);
    return hasher.digestHex();
  }

  it('of errors do not tell where they were made', () => {
    const here = new Error('no');
    const there = (() => new Error('no'))();
    expect(here.stack).not.toBe(there.stack);
    expect(digest(here)).toBe(digest(there));
    expect(digest(new Error('no', { cause: 1 }))).not.toBe(digest(new Error('no', { cause: 2 })));
    expect(digest(Object.assign(new Error('no'), { code: 1 }))).not.toBe(digest(here));
  });

  it('are the same in every realm', () => {
    const foreign = runInContext(
      '({ a: [1, new Map([["k", new Date(5)]])], b: new Uint8Array([1]) })',
      createContext(),
    );
    expect(digest(foreign)).toBe(digest({ b: new Uint8Array([1]), a: [1, new Map([['k', new Date(5)]])] }));
  });

  it('count views by what they show', () => {
    const memory = new Float64Array([1, 2, 3]);
    expect(digest(memory.subarray(1, 2))).toBe(digest(new Float64Array([2])));
    expect(digest(Buffer.from('ab'))).toBe(digest(new Uint8Array([97, 98])));
  });

  it('use no domain of other digests', () => {
    expect(digest('a')).toBe(digestHex(Buffer.from('stowage cache value 1\ns\x01a', 'latin1')));
    expect(digest('a')).not.toBe(digestHex(Buffer.from('a')));
  });
});

describe('objects with a digest of their own', () => {
  class Weights {
    readonly version: string;
    readonly large = new Array(3).fill(() => 'not savable');
    constructor(version: string) {
      this.version = version;
    }
    [CACHE_DIGEST](): string {
      return `weights:${this.version}`;
    }
  }

  it('count by it, at any depth, whatever else they hold', () => {
    const at = (weights: unknown): unknown => ({ models: [new Map([['m', weights]])] });
    expect(digest(at(new Weights('1')))).toBe(digest(at(new Weights('1'))));
    expect(digest(at(new Weights('1')))).not.toBe(digest(at(new Weights('2'))));
    expect(digest(at(new Weights('1')))).not.toBe(digest(at('weights:1')));
  });

  it('may be plain objects', () => {
    const plain = { [CACHE_DIGEST]: () => 'weights:1', path: '/tmp/1' };
    expect(digest(plain)).toBe(digest(new Weights('1')));
  });

  it('are found by a symbol that every copy of the package knows', () => {
    expect(CACHE_DIGEST).toBe(Symbol.for('stowage.cacheDigest'));
  });

  it.each([[''], [undefined], [7]])('are refused where it is %j', (given) => {
    const error = refusal({ model: { [CACHE_DIGEST]: () => given } });
    expect(error.code).toBe('UNKEYABLE_VALUE');
    expect(error.details.path).toBe('input.model');
  });
});

describe('values that only another serializer saves', () => {
  beforeAll(() => registry.prepareToSave([tableFromArrays({ a: [1] })]));

  it('count by its bytes: tables, as the input or a member of it', () => {
    const table = tableFromArrays({ a: Int32Array.from([1, 2]) });
    expect(digest({ table })).toBe(digest({ table: tableFromIPC(tableToIPC(table)) }));
    expect(digest({ table })).not.toBe(digest({ table: tableFromArrays({ a: Int32Array.from([1, 3]) }) }));
    expect(digest(table)).not.toBe(digest({ table }));
  });

  it('are refused deeper down, as artifacts are', () => {
    const error = refusal({ tables: [new Table()] });
    expect(error.details.path).toBe('input.tables[0]');
    expect(error.message).toContain('Apache Arrow table');
  });

  it('are refused with what they need, where that is not ready', () => {
    const error = refusal({ table: tableFromArrays({ a: [1] }) }, new SerializerRegistry());
    expect(error.code).toBe('UNKEYABLE_VALUE');
    expect(error.message).toContain('prepareToSave');
  });
});

describe('values that have no digest', () => {
  const cycle: { self?: unknown } = {};
  cycle.self = [cycle];
  class Unknown {}

  it.each([
    ['a function', { model: { layers: [0, 1, 2, () => 1] } }, 'input.model.layers[3]'],
    ['a symbol', [Symbol('x')], 'input[0]'],
    ['a promise', { later: Promise.resolve() }, 'input.later'],
    ['a cycle', cycle, 'input.self[0]'],
    ['an unknown class', new Map([['k', new Unknown()]]), 'input.get("k")'],
    ['a member of a set', { tags: new Set(['a', () => 1]) }, '[...input.tags][1]'],
    ['a weak collection', { 'odd key': new WeakMap() }, 'input["odd key"]'],
    [
      'a getter',
      {
        get now() {
          return 1;
        },
      },
      'input.now',
    ],
    ['a symbol key', { a: { [Symbol('k')]: 1 } }, 'input.a'],
  ])('%s: the error names the task and the path', (_, value, path) => {
    const error = refusal(value);
    expect(error.code).toBe('UNKEYABLE_VALUE');
    expect(error.details.task).toBe('judge');
    expect(error.details.path).toContain(path);
    expect(error.message).toContain('Task "judge"');
    expect(error.message).toContain(path);
  });

  it.each([
    ['a short one', new Uint8Array(3)],
    ['a long one', new Float64Array(1000)],
    ['a Buffer', Buffer.alloc(5000)],
    ['a part of one', new Int16Array(5000).subarray(10, 900)],
    ['a DataView', new DataView(new ArrayBuffer(8))],
  ])('memory with a property of its own, which its bytes do not tell: %s', (_, view) => {
    expect(digest({ view })).toMatch(/^[0-9a-f]{64}$/);
    Object.assign(view, { shape: [2, 2] });
    expect(refusal({ view }).message).toContain('an extra property on a');
    const other = structuredClone(view);
    Object.assign(other, { [Symbol('shape')]: [2, 2] });
    expect(refusal({ view: other }).details.path).toBe('input.view');
  });

  it('are those too deep, and too large once all is written out', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 600; level++) deep = [deep];
    expect(refusal(deep).message).toContain('nested deeper than 512 levels');
    let laughs: unknown = 'ha'.repeat(1000);
    for (let level = 0; level < 40; level++) laughs = [laughs, laughs];
    expect(refusal(laughs).message).toContain('too large');
    const small = new SerializerRegistry({ maxBytes: 64 });
    expect(refusal(['x'.repeat(100), []], small).message).toContain('more than 64 bytes');
  });

  it('are those that throw when they are read', () => {
    const hostile = new Proxy(
      {},
      {
        ownKeys() {
          throw new Error('never');
        },
      },
    );
    expect(refusal({ hostile }).details.path).toBe('input.hostile');
  });

  it('leave nothing behind: the next value has the digest it had', () => {
    const before = digest({ a: [1, 'x'] });
    refusal([{ a: new Set([new Map([[{ deep: () => 1 }, 1]])]) }]);
    expect(digest({ a: [1, 'x'] })).toBe(before);
  });

  it('do not disturb a transformer that makes keys itself', () => {
    class Inner {}
    const nested = new SerializerRegistry();
    nested.registerClass({
      name: 'Inner',
      class: Inner,
      toValue: () => digest({ inner: 1 }),
      fromValue: () => new Inner(),
    });
    expect(digest([new Inner()], nested)).toBe(digest([new Inner()], nested));
    expect(digest([1], nested)).toBe(digest([1]));
  });
});
