import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { SerializerRegistry } from '../../src/artifacts/registry.ts';
import type { Serializer } from '../../src/artifacts/serializer.ts';
import { propertyRuns } from '../property.ts';

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

test.prop([fc.anything({ withMap: true, withTypedArray: true, withDate: true })], { numRuns: propertyRuns })(
  'the one that is explained to be chosen is the one that serializes',
  (value) => {
    const registry = registryWith(lines);
    const [id] = chosen(registry, value);
    let encoding: string;
    try {
      ({ encoding } = registry.serialize('a', value));
    } catch {
      encoding = 'msgpack'; // The only one that accepts what it refuses.
    }
    expect(id).toBe(encoding);
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
      Symbol('s'),
    ]) {
      expect(chosen(registryWith(), value)).toEqual(['msgpack']);
    }
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
