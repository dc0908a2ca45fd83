import fc from 'fast-check';
import { Vector } from '../values/arbitrary-value.ts';

const leaves: readonly (() => unknown)[] = [
  () => null,
  () => undefined,
  () => true,
  () => false,
  () => 0,
  () => -0,
  () => 1,
  () => NaN,
  () => 1n,
  () => -1n,
  () => '',
  () => '1',
  () => 'a',
  () => 'ab',
  () => 'true',
  () => 'null',
  () => '\ud800',
  () => new Uint8Array([1]),
  () => new Uint8Array([]),
  () => new Int8Array([1]),
  () => new Uint16Array([1]),
  () => new Uint8Array([1, 0]),
  () => new Uint8Array([1]).buffer,
  () => new DataView(new Uint8Array([1]).buffer),
  () => new Date(1),
  () => new Date(NaN),
  () => /a/,
  () => /a/g,
  () => new URL('data:,a'),
  () => new Error('a'),
  () => new TypeError('a'),
  () => new Error('a', { cause: 'b' }),
];

const keys = ['a', 'b', 'ab', '0', '1', 'length', ''];

/** Few values of every kind, so that equal ones and ones that nearly are meet often. */
export const smallValue: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => {
  const few = fc.array(tie('value'), { maxLength: 3 });
  const entries = fc.array(fc.tuple(fc.constantFrom(...keys), tie('value')), { maxLength: 3 });
  return {
    value: fc.oneof(
      { maxDepth: 3, depthSize: 'small' },
      fc.constantFrom(...leaves).map((make) => make()),
      few,
      few.map((items) => {
        const sparse = [...items];
        if (sparse.length > 1) delete sparse[0];
        return sparse;
      }),
      entries.map((pairs) => Object.fromEntries(pairs)),
      entries.map((pairs) => Object.assign(Object.create(null), Object.fromEntries(pairs))),
      fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 3 }).map((pairs) => new Map(pairs)),
      few.map((items) => new Set(items)),
      fc.tuple(tie('value'), tie('value')).map(([x, y]) => new Vector(x, y)),
    ),
  };
}).value;

/**
 * What a value is, as a text that says all that counts in a key: the oracle, which shares no code with what is tested.
 */
export function normalForm(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(['string', [...value].map((c) => c.codePointAt(0)), value.length]);
  if (typeof value === 'number') return Object.is(value, -0) ? 'number -0' : `number ${value}`;
  if (typeof value !== 'object' || value === null) return `${typeof value} ${String(value)}`;
  if (Array.isArray(value)) {
    return list(
      'array',
      Array.from(value, (item, index) => (index in value ? normalForm(item) : 'hole')),
    );
  }
  if (value instanceof Vector) return list('Vector', [normalForm(value.x), normalForm(value.y)]);
  if (value instanceof Map) {
    return list(
      'Map',
      [...value].map(([key, item]) => list('entry', [normalForm(key), normalForm(item)])).sort(),
    );
  }
  if (value instanceof Set) return list('Set', [...value].map(normalForm).sort());
  if (value instanceof Date) return `Date ${value.getTime()}`;
  if (value instanceof RegExp || value instanceof URL) return list(value.constructor.name, [String(value)]);
  if (value instanceof Error) {
    const cause = 'cause' in value ? [normalForm(value.cause)] : [];
    return list(value.constructor.name, [normalForm(value.message), ...cause]);
  }
  if (ArrayBuffer.isView(value)) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex');
    return list(value.constructor.name === 'Buffer' ? 'Uint8Array' : value.constructor.name, [bytes]);
  }
  if (value instanceof ArrayBuffer) return list('ArrayBuffer', [Buffer.from(value).toString('hex')]);
  const prototype = Object.getPrototypeOf(value) === null ? 'null-prototype' : 'object';
  return list(
    prototype,
    Object.entries(value)
      .map(([key, item]) => list('member', [normalForm(key), normalForm(item)]))
      .sort(),
  );
}

function list(kind: string, items: readonly string[]): string {
  return JSON.stringify([kind, ...items]);
}

/** The same value built again, with keys, entries and members in another order. */
export function shuffled(value: unknown, random: () => number): unknown {
  const again = (item: unknown): unknown => shuffled(item, random);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const copy = new Array(value.length);
    for (const index of Object.keys(value)) copy[Number(index)] = again(value[Number(index)]);
    return copy;
  }
  if (value instanceof Vector) return new Vector(again(value.x), again(value.y));
  if (value instanceof Map)
    return new Map(
      reordered(
        [...value].map(([k, v]): [unknown, unknown] => [again(k), again(v)]),
        random,
      ),
    );
  if (value instanceof Set) return new Set(reordered([...value].map(again), random));
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) return value;
  const copy = Object.create(prototype);
  for (const [key, item] of reordered(Object.entries(value), random)) {
    Object.defineProperty(copy, key, {
      value: again(item),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return copy;
}

function reordered<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
