import * as arrow from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StowageError } from '../../src/errors.ts';
import { SerializerRegistry } from '../../src/values/registry.ts';
import type { Serializer } from '../../src/values/serializer.ts';
import { propertyRuns, test } from '../property.ts';

const lines: Serializer = {
  id: 'lines',
  priority: 250,
  accepts: (value) => typeof value === 'string' && value.includes('\n'),
  serialize: (value) => ({ type: 'lines', bytes: Buffer.from(value as string) }),
  deserialize: (bytes) => Buffer.from(bytes).toString(),
};

function registryWith(...serializers: Serializer[]): SerializerRegistry {
  const registry = new SerializerRegistry();
  for (const serializer of serializers) registry.register(serializer);
  return registry;
}

const chosen = (registry: SerializerRegistry, value: unknown, serializer?: string) =>
  registry
    .explain(value, { serializer })
    .filter((choice) => choice.chosen)
    .map(({ id }) => id);

const anyRefused = fc.constantFrom<unknown>(
  () => 1,
  class Model {},
  Symbol('s'),
  Promise.resolve(1),
  new WeakMap(),
  new WeakRef({}),
  Object(1),
  new SharedArrayBuffer(8),
  (function* () {})(),
  new (class Model {})(),
  new (class Names extends Map {})(),
  new (class Floats extends Float64Array {})(2),
  Object.create({}),
  arrow.vectorFromArray([1]),
  new arrow.Table({ a: arrow.vectorFromArray([1]) }).batches[0],
);

test.prop([fc.oneof(fc.anything({ withMap: true, withTypedArray: true, withDate: true }), anyRefused)], {
  numRuns: propertyRuns,
})(
  'the one that is explained to be chosen is the one that serializes; where there is none, the refusal is told',
  (value) => {
    const registry = registryWith(lines);
    const [id] = chosen(registry, value);
    let encoding: string;
    try {
      ({ encoding } = registry.serialize('a', value));
    } catch (error) {
      const { path, reason } = (error as StowageError).details as { path: string; reason: string };
      if (id === undefined) {
        expect(path).toBe('a');
        expect(registry.explain(value).at(-1)?.reason).toContain(
          `saving is refused: the value is ${reason}. `,
        );
        return;
      }
      encoding = 'msgpack'; // The only one that accepts what it refuses: something inside of the value.
    }
    expect(id).toBe(encoding);
  },
);

test.prop([anyRefused], { numRuns: propertyRuns })(
  'none is chosen for what is refused by its kind',
  (value) => {
    expect(chosen(registryWith(lines), value)).toEqual([]);
    expect(chosen(registryWith(lines), value, 'msgpack')).toEqual([]);
  },
);

describe('an explanation', () => {
  it('gives every serializer a reason, in the order they are tried', () => {
    expect(registryWith(lines).explain('a\nb')).toEqual([
      {
        id: 'bytes',
        priority: 400,
        chosen: false,
        reason: 'It does not accept a string; it is for byte arrays (`Uint8Array`, `Buffer`), as they are.',
      },
      {
        id: 'typed-array',
        priority: 300,
        chosen: false,
        reason: expect.stringContaining('does not accept a string'),
      },
      { id: 'lines', priority: 250, chosen: true, reason: 'It is the first that accepts a string.' },
      {
        id: 'string',
        priority: 200,
        chosen: false,
        reason: 'It is not tried: "lines" comes first. It would accept the value too.',
      },
      {
        id: 'arrow',
        priority: 100,
        chosen: false,
        reason: 'It is not tried: "lines" comes first. It would not accept the value.',
      },
      {
        id: 'msgpack',
        priority: 0,
        chosen: false,
        reason: 'It is not tried: "lines" comes first. It would accept the value too.',
      },
    ]);
  });

  it('tells of a serializer that was asked for', () => {
    const registry = registryWith(lines);
    expect(chosen(registry, 'a\nb', 'string')).toEqual(['string']);
    const byId = Object.fromEntries(
      registry.explain('a\nb', { serializer: 'string' }).map(({ id, reason }) => [id, reason]),
    );
    expect(byId.string).toBe('It was asked for, and accepts a string.');
    expect(byId.lines).toBe('It is not tried: "string" was asked for. It would accept the value too.');
  });

  it('tells that the one that was asked for refuses', () => {
    const choices = registryWith().explain(new Map(), { serializer: 'bytes' });
    expect(choices.filter((choice) => choice.chosen)).toEqual([]);
    expect(choices[0]?.reason).toMatch(/^It does not accept an instance of Map; it is for byte arrays/);
  });

  it('of a serializer that is not there is refused', () => {
    expect(() => registryWith().explain(1, { serializer: 'csv' })).toThrow(
      expect.objectContaining({
        code: 'INVALID_ARGUMENT',
        details: expect.objectContaining({ serializer: 'csv' }),
      }),
    );
  });

  it('tells of an `accepts` that throws, after which nothing is chosen', () => {
    const accepts = () => {
      throw new Error('boom');
    };
    const registry = registryWith({ ...lines, accepts });
    const choices = registry.explain('text');
    expect(choices.some((choice) => choice.chosen)).toBe(false);
    expect(choices[2]?.reason).toMatch(/threw Error: boom/);
    expect(choices[3]?.reason).toBe(
      'It is not tried: "lines" threw, so that the value cannot be saved. It would accept the value too.',
    );
    expect(() => registry.serialize('a', 'text')).toThrow(/boom/);
  });

  it('runs nothing of the value, and throws for none', () => {
    const trap = () => {
      throw new Error('trap');
    };
    const throwing = new Proxy(
      {},
      { get: trap, getPrototypeOf: trap, getOwnPropertyDescriptor: trap, ownKeys: trap, has: trap },
    );
    const { proxy, revoke } = Proxy.revocable([], {});
    revoke();
    for (const value of [
      throwing,
      proxy,
      Object.create(throwing),
      Object.create(null),
      null,
      undefined,
      1n,
    ]) {
      expect(chosen(registryWith(), value)).toEqual(['msgpack']);
    }
    const Trapped = Object.defineProperty(class {}, 'name', { get: trap });
    for (const value of [
      new Trapped(),
      Object.create({ constructor: new Proxy(class {}, { get: trap, getOwnPropertyDescriptor: trap }) }),
      Object.defineProperty(new (class extends Int8Array {})(1), Symbol.toStringTag, { get: trap }),
      Object.defineProperty(new (class Thing {})(), 'data', { get: trap }),
    ]) {
      expect(chosen(registryWith(), value)).toEqual([]);
    }
  });

  it('tells why what msgpack accepts would be refused', () => {
    const reasons = (value: unknown, serializer?: string) =>
      Object.fromEntries(
        registryWith()
          .explain(value, { serializer })
          .map(({ id, reason }) => [id, reason]),
      );
    expect(reasons(() => 1).msgpack).toBe(
      'It accepts anything, but saving is refused: the value is a function. Save what it returns, or the name it is found under, or leave it out.',
    );
    expect(reasons(() => 1, 'string').msgpack).toBe(
      'It is not tried: "string" was asked for. It would refuse the value: it is a function.',
    );
    const never = { ...lines, id: 'never', priority: -1 };
    expect(registryWith(never).explain(Symbol('s')).at(-1)?.reason).toMatch(
      /^It is not tried: "msgpack" accepts anything, and refuses this value when it is saved\./,
    );
  });

  it('chooses msgpack for an instance of a registered class', () => {
    class Point {}
    const registry = registryWith();
    expect(chosen(registry, new Point())).toEqual([]);
    registry.registerClass({
      name: 'Point',
      class: Point,
      toValue: () => null,
      fromValue: () => new Point(),
    });
    expect(chosen(registry, new Point())).toEqual(['msgpack']);
  });
});

describe('a description', () => {
  it('gives every serializer, what it is for, and that it can work', async () => {
    const infos = await registryWith(lines).describe();
    expect(infos.map(({ id }) => id)).toEqual([
      'bytes',
      'typed-array',
      'lines',
      'string',
      'arrow',
      'msgpack',
    ]);
    expect(infos.every(({ available, reason }) => available && reason === undefined)).toBe(true);
    expect(infos.filter(({ description }) => description === '').map(({ id }) => id)).toEqual(['lines']);
    expect(infos[4]).toEqual({
      id: 'arrow',
      priority: 100,
      description: 'Apache Arrow tables, as an IPC stream',
      available: true,
    });
  });
});
