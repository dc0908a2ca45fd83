import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SerializerRegistry } from '../../src/values/registry.ts';
import { test } from '../property.ts';
import { Vector, vectorTransformer } from './arbitrary-value.ts';

const MSGPACK = { encoding: 'msgpack', type: 'object' };

const WRAPS: readonly ((inner: unknown) => unknown)[] = [
  (inner) => [inner],
  (inner) => ({ inner }),
  (inner) => Object.assign(Object.create(null), { inner }),
  (inner) => new Map([[inner, 1]]),
  (inner) => new Map([[1, inner]]),
  (inner) => new Set([inner]),
  (inner) => new Error('x', { cause: inner }),
  (inner) => Object.assign(new TypeError('x'), { inner }),
  (inner) => new AggregateError([inner], 'x'),
  (inner) => new Vector(inner, 1),
];

function registryOf(maxDepth?: number): SerializerRegistry {
  const registry = new SerializerRegistry(maxDepth === undefined ? {} : { maxDepth });
  registry.registerClass(vectorTransformer);
  return registry;
}

/** Calls `work` where nine tenths of the call stack are used up, as if its calls took ten times the room. */
function withLittleStack<T>(work: () => T): T {
  let deepest: number | undefined;
  let outcome: { value: T } | undefined;
  const descend = (level: number): void => {
    try {
      descend(level + 1);
    } catch (error) {
      if (deepest !== undefined || !(error instanceof RangeError)) throw error;
      deepest = level;
    }
    if (outcome === undefined && level <= (deepest as number) * 0.9) outcome = { value: work() };
  };
  descend(1);
  return (outcome as unknown as { value: T }).value;
}

describe('what could be saved', () => {
  test.prop([fc.array(fc.constantFrom(...WRAPS), { minLength: 200, maxLength: 500 })], { numRuns: 20 })(
    'is loaded where the call stack has little room left',
    (wraps) => {
      const registry = registryOf();
      const value = wraps.reduce((inner: unknown, wrap) => wrap(inner), 1);
      // Errors keep their stacks, and vectors become arrays inside of them, so that levels are less than wraps.
      let saved: Uint8Array;
      try {
        saved = registry.serialize('a', value).bytes;
      } catch (error) {
        expect((error as Error).message).toContain('deeper than 512 levels');
        return;
      }
      const loaded = withLittleStack(() => registry.deserialize('a', MSGPACK, saved));
      expect(registry.serialize('a', loaded).bytes).toEqual(saved);
    },
  );

  it('is loaded in any process: an error with more causes than calls can nest', () => {
    const registry = registryOf(65_536);
    let saved: Uint8Array | undefined;
    let causes = 0;
    for (let deep: unknown = 1; causes < 4000; causes++) {
      deep = Object.defineProperty(new Error('x', { cause: deep }), 'stack', { value: 'x' });
      if (causes % 200 !== 0) continue;
      try {
        saved = registry.serialize('a', deep).bytes;
      } catch {
        break;
      }
    }
    expect(causes).toBeGreaterThan(400);
    let loaded = withLittleStack(() => registry.deserialize('a', MSGPACK, saved as Uint8Array));
    let levels = 0;
    for (; loaded instanceof Error; loaded = loaded.cause) levels++;
    expect(levels % 200).toBe(1);
    expect(levels).toBeGreaterThan(200);
  });
});

describe('bytes that nest as deep as a registry can allow', () => {
  const DEPTH = 65_536;
  it.each([
    ['arrays', [0x91]],
    ['objects', [0x81, 0xa1, 0x61]],
  ])('are read: %s', (_name, head) => {
    const bytes = Uint8Array.from([...new Array(DEPTH).fill(head).flat(), 0xc0]);
    let value = withLittleStack(() => registryOf(DEPTH).deserialize('a', MSGPACK, bytes));
    let levels = 0;
    for (; typeof value === 'object' && value !== null; value = Object.values(value)[0]) levels++;
    expect(levels).toBe(DEPTH);
  });

  it('are refused one level beyond, with the remedy', () => {
    const bytes = Uint8Array.from([...new Array(513).fill(0x91), 0xc0]);
    expect(() => registryOf().deserialize('a', MSGPACK, bytes)).toThrow(
      /nested deeper than 512 levels, at byte 513\. Raise `maxDepth` of the SerializerRegistry/,
    );
  });
});
